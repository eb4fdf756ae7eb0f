"""From class scores to labels: windows of tokens, decoders, and biases that fix label shares.

Notation
--------
N : tokens of a text;  M : distinct windows in it
w : window;  V : token types, id V stands for "no token"
K : classes of a teacher (with spans: types, "outside" first)
F : class scores of every distinct window, (K, M)
q : requested share of each class, (K,);  b : class biases, (K,)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Text

Floats = NDArray[np.float64]
Labels = NDArray[np.int16]

_BALANCE_STEPS = 25
_DENSE_WINDOWS = 4_000_000


@dataclass(frozen=True, eq=False)
class Windows:
    """The distinct windows of a text.

    Parameters
    ----------
    ids : (M, w) token ids: the token, the one before, the one after, two before …; V where the
        sentence ends.
    index : (N,) the window of each token.
    bounds : sentence bounds of the text.
    """

    ids: NDArray[np.int64]
    index: NDArray[np.int64]
    bounds: NDArray[np.int64]

    def scores(self, tables: Floats) -> Floats:
        """Return F, (K, M): the sum over places of the table rows (w, V + 1, K)."""
        total = tables[0].T[:, self.ids[:, 0]]
        for place in range(1, len(tables)):
            total += tables[place].T[:, self.ids[:, place]]
        return np.asarray(total)

    def first(self, tokens: int) -> Windows:
        """Return the windows of the first `tokens` tokens, whole sentences, numbered as here."""
        last = int(np.searchsorted(self.bounds, tokens))
        return Windows(self.ids, self.index[:tokens], self.bounds[: last + 1])


def offsets(window: int) -> list[int]:
    """Return the places of a window: 0, −1, +1, −2, +2 …, as many as `window`."""
    return [(-1 if k % 2 else 1) * ((k + 1) // 2) for k in range(window)]


def windows_of(text: Text, window: int, vocabulary: int) -> Windows:
    """Return the distinct windows of a text and where they stand."""
    columns = [text.tokens.astype(np.int64)]
    columns += [_shifted(text, offset, vocabulary) for offset in offsets(window)[1:]]
    base = vocabulary + 1
    code = np.zeros(text.size, dtype=np.int64)
    for column in reversed(columns):
        code = code * base + column
    distinct, index = _distinct(code, base**window)
    ids = np.empty((len(distinct), window), dtype=np.int64)
    for place in range(window):
        distinct, ids[:, place] = np.divmod(distinct, base)
    return Windows(ids, index, text.bounds)


def _shifted(text: Text, offset: int, vocabulary: int) -> NDArray[np.int64]:
    place = np.arange(text.size) + offset
    lengths = np.diff(text.bounds)
    first, last = np.repeat(text.bounds[:-1], lengths), np.repeat(text.bounds[1:], lengths)
    inside = (place >= first) & (place < last)
    return np.where(inside, text.tokens[np.clip(place, 0, text.size - 1)], vocabulary)


def _distinct(code: NDArray[np.int64], top: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if top > _DENSE_WINDOWS:
        codes, index = np.unique(code, return_inverse=True)
        return codes, index
    present = np.zeros(top, dtype=bool)
    present[code] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[code]


class Decoder(Protocol):
    """Turns class scores into labels of tokens."""

    def names(self, classes: int) -> tuple[str, ...]:
        """Return the label strings of a teacher with K classes."""

    def classes_of(self, scores: Floats, windows: Windows) -> Labels:
        """Return the class of each token, (N,), from scores with biases added, (K, M)."""

    def labels_of(self, classes: Labels, windows: Windows) -> Labels:
        """Return the label of each token, (N,), from its class."""


@dataclass(frozen=True)
class PlainDecoder:
    """A token's label is the class of highest score."""

    def names(self, classes: int) -> tuple[str, ...]:
        """One label per class."""
        width = len(str(classes - 1))
        return tuple(f"L{k:0{width}d}" for k in range(classes))

    def classes_of(self, scores: Floats, windows: Windows) -> Labels:
        """Argmax per window, then looked up per token."""
        return first_best(scores)[windows.index]

    def labels_of(self, classes: Labels, windows: Windows) -> Labels:
        """The class itself."""
        return classes


@dataclass(frozen=True)
class SpanDecoder:
    """Labels in spans: class 0 is outside; a run of class c > 0 is ``B-c I-c I-c`` ….

    Parameters
    ----------
    stickiness : added to the score of the previous token's class, at least 0: longer spans.
    """

    stickiness: float = 0.5

    def names(self, classes: int) -> tuple[str, ...]:
        """``O``, then ``B-c`` and ``I-c`` of each type: 2K − 1 labels."""
        return ("O", *(f"{mark}-{c}" for c in range(1, classes) for mark in "BI"))

    def classes_of(self, scores: Floats, windows: Windows) -> Labels:
        """Left to right in every sentence at once, the previous class favoured."""
        lengths = np.diff(windows.bounds)
        classes = np.empty(len(windows.index), dtype=np.int16)
        order = np.argsort(-lengths, kind="stable")
        previous = np.empty(0, dtype=np.int16)
        for place in range(int(lengths.max(initial=0))):
            alive = order[: int((lengths > place).sum())]
            at = windows.bounds[alive] + place
            here = scores[:, windows.index[at]]
            if place:
                here[previous[: len(alive)], np.arange(len(alive))] += self.stickiness
            previous = first_best(here)
            classes[at] = previous
        return classes

    def labels_of(self, classes: Labels, windows: Windows) -> Labels:
        """Number ``B-c`` as 2c − 1 and ``I-c`` as 2c."""
        before = np.concatenate([classes[:1], classes[:-1]])
        inside = before == classes
        inside[windows.bounds[:-1][windows.bounds[:-1] < len(classes)]] = False
        return np.where(classes == 0, 0, 2 * classes - 1 + inside).astype(np.int16)


def first_best(scores: Floats) -> Labels:
    """Return the row of the highest score in every column, (M,); `argmax` by rows, but faster."""
    best = scores[0].copy()
    winner = np.zeros(scores.shape[1], dtype=np.int16)
    for k in range(1, len(scores)):
        np.copyto(winner, k, where=scores[k] > best)
        np.maximum(best, scores[k], out=best)
    return winner


@dataclass(frozen=True, eq=False)
class Ruler:
    """The text on which class shares are held: its windows, the decoder, the requested shares q."""

    windows: Windows
    decoder: Decoder
    shares: Floats

    def measured(self, scores: Floats) -> Floats:
        """Return the class shares that these scores give, (K,)."""
        classes = self.decoder.classes_of(scores, self.windows)
        return np.asarray(np.bincount(classes, minlength=len(self.shares)) / len(classes))

    def balance(self, scores: Floats, start: Floats, tolerance: float = 1e-2) -> Floats:
        """Return biases b that bring the class shares to q, as near as the text allows.

        Broyden's method on log shares. A token type holds a whole share of the text, so that an
        exact solution need not exist: the best seen is returned.

        Parameters
        ----------
        scores : (K, M) on the ruler's windows, without biases.
        start : (K,) where to begin.
        tolerance : on the root of Σ (share − q)²/q; squared and halved, it is about the nats by
            which the label entropy can be off.
        """
        biases, best, least = start, start, np.inf
        step, residual = np.zeros_like(start), np.zeros_like(start)
        inverse = 0.7 * np.eye(len(start))
        for turn in range(_BALANCE_STEPS):
            share = self.measured(scores + biases[:, None])
            error = float(np.sqrt(((share - self.shares) ** 2 / self.shares).sum()))
            if error < least:
                best, least = biases, error
            if least < tolerance:
                break
            gap = np.log(self.shares / np.maximum(share, 0.1 / len(self.windows.index)))
            before, residual = residual, gap - gap.mean()
            if turn:
                inverse = _broyden(inverse, step, before - residual)
            step = (inverse @ residual).clip(-0.5, 0.5)
            biases = biases + step
        return np.asarray(best - best.mean())


def _broyden(inverse: Floats, step: Floats, change: Floats) -> Floats:
    """Update an inverse Jacobian so that it maps the last change of the residual to the step."""
    moved = inverse @ change
    scale = step @ moved
    if abs(scale) < 1e-12:
        return inverse
    return np.asarray(inverse + np.outer(step - moved, step @ inverse) / scale)


def prior_shares(classes: int, imbalance: float, given: Sequence[float] | None) -> Floats:
    """Return q: the given shares normalised, else q_k ∝ (k + 1)^−imbalance."""
    if given is not None:
        shares = np.asarray(given, dtype=np.float64)
    else:
        shares = np.arange(1, classes + 1, dtype=np.float64) ** -imbalance
    return np.asarray(shares / shares.sum())
