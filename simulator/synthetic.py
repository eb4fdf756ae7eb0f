"""Synthetic text: Zipfian tokens, Markov word classes, latent token features.

Notation
--------
V : token types;  C : word classes;  S : sentences;  L : tokens of the longest sentence
p : token distribution, (V,), p_r ∝ r^−z: the chain's exact stationary law
d : latent features of a token
X : features, (V, d), white under p: Σ p_v x_v = 0, Σ p_v x_v x_vᵀ = I, and of mean 0 within every
    word class, so that features of different places in a sentence are uncorrelated as well
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Text, bounds_of
from mtl_laws.simulator.memory_bounded_cache import memory_bounded_cache
from mtl_laws.simulator.streams import stream

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TextOptions:
    """What synthetic text looks like.

    Parameters
    ----------
    vocabulary : V.
    sentence_length : mean tokens of a sentence.
    zipf : exponent z of the token distribution, at least 0.
    classes : word classes C; None takes V/10, at least 1 and at most 20.
    coherence : standard deviation of the log-affinity between classes; 0 draws tokens
        independently.
    length_spread : sentence lengths are uniform within ± this share of the mean, in [0, 1).
    """

    vocabulary: int = 200
    sentence_length: int = 10
    zipf: float = 0.7
    classes: int | None = None
    coherence: float = 1.0
    length_spread: float = 0.0

    @property
    def class_count(self) -> int:
        """C."""
        return self.classes or min(20, max(1, self.vocabulary // 10))


@dataclass(frozen=True, eq=False)
class TokenSource:
    """A Markov chain over tokens whose stationary law is exactly Zipfian.

    Parameters
    ----------
    options : of the text.
    seed : of the TaskSet.
    probabilities : p, (V,), falling.
    word_class : class of each token, (V,).
    ladder : (C · V,), for each previous class c the cumulative law of the next token, plus c: one
        sorted array, so that one search draws tokens for all classes.
    """

    options: TextOptions
    seed: int
    probabilities: Floats
    word_class: NDArray[np.int64]
    ladder: Floats

    def vocabulary(self) -> tuple[str, ...]:
        """Return V token strings, the most frequent first."""
        width = len(str(self.options.vocabulary - 1))
        return tuple(f"w{i:0{width}d}" for i in range(self.options.vocabulary))

    def draw(self, tokens: int, purpose: str, *numbers: int) -> Text:
        """Draw whole sentences, the nearest count to `tokens`, at least one.

        A longer draw for the same purpose begins with the shorter one.
        """
        return self.draw_all([(tokens, purpose, *numbers)])[0]

    def draw_all(self, requests: Sequence[tuple[int, str, *tuple[int, ...]]]) -> list[Text]:
        """Draw several texts, each as `draw` does, in one walk."""
        lengths = [self._lengths(*one) for one in requests]
        uniforms = [
            stream(self.seed, f"text {purpose}", *numbers).random((len(each), self.longest))
            for (_, purpose, *numbers), each in zip(requests, lengths, strict=True)
        ]
        grid = self._walk(np.concatenate(uniforms))
        ends = np.cumsum([len(each) for each in lengths])
        parts = zip(np.split(grid, ends[:-1]), lengths, strict=True)
        return [_text(part, each) for part, each in parts]

    def _walk(self, uniforms: Floats) -> NDArray[np.int64]:
        V = self.options.vocabulary
        grid = np.empty(uniforms.shape, dtype=np.int64)
        start = np.cumsum(self.probabilities)
        grid[:, 0] = np.minimum(np.searchsorted(start, uniforms[:, 0], side="right"), V - 1)
        for place in range(1, uniforms.shape[1]):
            before = self.word_class[grid[:, place - 1]]
            places = np.searchsorted(self.ladder, before + uniforms[:, place], side="right")
            grid[:, place] = np.minimum(places - before * V, V - 1)
        return grid

    @property
    def longest(self) -> int:
        """Tokens of the longest sentence."""
        options = self.options
        return max(1, round(options.sentence_length * (1 + options.length_spread)))

    def _lengths(self, tokens: int, purpose: str, *numbers: int) -> NDArray[np.int64]:
        mean, longest = self.options.sentence_length, self.longest
        if longest == mean:
            return np.full(max(1, round(tokens / mean)), mean)
        shortest = max(1, 2 * mean - longest)
        enough = tokens // shortest + 2
        rng = stream(self.seed, f"lengths {purpose}", *numbers)
        drawn = shortest + np.floor(rng.random(enough) * (longest - shortest + 1)).astype(np.int64)
        return drawn[: nearest_count(drawn, tokens)]


def _text(grid: NDArray[np.int64], lengths: NDArray[np.int64]) -> Text:
    """Return sentences of these lengths from rows (S, L) of tokens."""
    within = np.arange(grid.shape[1]) < lengths[:, None]
    return Text(grid[within].astype(np.int32), bounds_of(lengths))


def nearest_count(lengths: NDArray[np.int64], tokens: int) -> int:
    """Return how many leading sentences come nearest to `tokens`, at least one."""
    totals = np.cumsum(lengths)
    return int(np.argmin(np.abs(totals - tokens))) + 1


@memory_bounded_cache(megabytes=32)
def token_source(options: TextOptions, seed: int) -> TokenSource:
    """Return the token source of one seed; the same object when asked again."""
    V, C = options.vocabulary, options.class_count
    p = np.arange(1, V + 1, dtype=np.float64) ** -options.zipf
    p /= p.sum()
    rng = stream(seed, "classes")
    word_class = rng.permutation(np.arange(V) % C)
    mass = np.bincount(word_class, p, C).astype(np.float64)
    affinity = np.exp(options.coherence * rng.standard_normal((C, C)))
    transition = _balanced(affinity, mass) / mass[:, None]
    law = transition[:, word_class] * (p / mass[word_class])
    ladder = np.cumsum(law, axis=1)
    ladder = ladder / ladder[:, -1:] + np.arange(C)[:, None]
    return TokenSource(options, seed, p, word_class, ladder.ravel())


def _balanced(affinity: Floats, mass: Floats) -> Floats:
    """Scale rows and columns until both marginals are `mass` (Sinkhorn): a stationary joint law."""
    rows, columns = np.ones_like(mass), np.ones_like(mass)
    for _ in range(500):
        rows = mass / (affinity @ columns)
        columns = mass / (affinity.T @ rows)
        joint = rows[:, None] * affinity * columns
        if np.abs(joint.sum(axis=1) - mass).max() < 1e-13:
            break
    return joint


def white_features(source: TokenSource, width: int, against: Floats, *key: int) -> Floats:
    """Draw features, white under p and uncorrelated with `against` at every distance.

    Parameters
    ----------
    width : d.
    against : features to be uncorrelated with, (V, any).
    key : which features (stream numbers).

    Returns
    -------
    float64 (V, d); needs d ≤ V − C − (columns of `against`).
    """
    p = source.probabilities
    raw = stream(source.seed, "features", *key).standard_normal((len(p), width))
    classes = np.eye(source.options.class_count)[source.word_class]
    known = np.hstack([classes, against])
    root = np.sqrt(p)[:, None]
    fit = np.linalg.lstsq(root * known, root * raw, rcond=None)[0]
    rest = raw - known @ fit
    values, vectors = np.linalg.eigh((rest * p[:, None]).T @ rest)
    return np.asarray(rest @ (vectors * values**-0.5) @ vectors.T)
