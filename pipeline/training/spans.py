"""Spans of BIO, BIOES and IO labels, counted for a whole stack at once by the rules of CoNLL.

Notation
--------
K labels of a task; sentences of L tokens, any leading axes before them.

Source: conlleval (Tjong Kim Sang and Buchholz 2000), as `seqeval` computes it by default: a span
starts at B-, after O, after E- or where the type changes, so that IO labels and stray I- are spans
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_laws.simulator.span_marks import CLOSING, OPENING, OUTSIDE, has_spans

NO_KIND = -1


@dataclass(frozen=True)
class SpanLabels:
    """What each label of a task says of spans.

    Attributes
    ----------
    kinds : (K,), number of the span type, −1 outside.
    begins : (K,), whether the label opens a span whatever stands before it.
    closes : (K,), whether the label closes its span whatever stands behind it.
    """

    kinds: Tensor
    begins: Tensor
    closes: Tensor

    @classmethod
    def read(cls, names: Sequence[str], device: torch.device) -> SpanLabels | None:
        """Read the labels of a task; None for a task without spans."""
        if not has_spans(names):
            return None
        types = sorted({name[2:] for name in names if name not in OUTSIDE})
        kinds = [NO_KIND if name in OUTSIDE else types.index(name[2:]) for name in names]
        begins = [name.startswith(OPENING) for name in names]
        closes = [name.startswith(CLOSING) for name in names]
        return cls(*(torch.tensor(values, device=device) for values in (kinds, begins, closes)))

    def count(self, gold: Tensor, predicted: Tensor) -> Tensor:
        """Spans found right, predicted, and in gold: (…, C, L) twice -> (…, 3).

        Tokens whose gold label is −1 are outside in both.
        """
        hidden = gold < 0
        first, last = self._edges(gold.clamp(min=0).long(), hidden)
        found, closed = self._edges(predicted, hidden)
        alike = self.kinds[gold.clamp(min=0).long()] == self.kinds[predicted]
        right = first & found & alike & (_next(last) == _next(closed))
        return torch.stack([part.sum((-2, -1)) for part in (right, found, first)], dim=-1)

    def _edges(self, labels: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Whether a span starts, and whether one ends, at each token (…, L)."""
        kinds = self.kinds[labels].masked_fill(hidden, NO_KIND)
        around = torch.nn.functional.pad(kinds, (1, 1), value=NO_KIND)
        opens, closes = self.begins[labels], self.closes[labels]
        closed_before = torch.nn.functional.pad(closes[..., :-1], (1, 0), value=False)
        starts = (kinds != NO_KIND) & (opens | closed_before | (around[..., :-2] != kinds))
        opens_next = torch.nn.functional.pad(opens[..., 1:], (0, 1), value=False)
        ends = (kinds != NO_KIND) & (closes | opens_next | (around[..., 2:] != kinds))
        return starts, ends


def _next(ends: Tensor) -> Tensor:
    """Place of the next end at or after each token, (…, L)."""
    length = ends.shape[-1]
    places = torch.arange(length, device=ends.device).expand(ends.shape)
    return places.masked_fill(~ends, length).flip(-1).cummin(-1).values.flip(-1)


def span_f1(counts: Tensor) -> Tensor:
    """Micro-averaged F1 (…,) from counts (…, 3) of right, predicted and gold spans.

    Through precision and recall, as seqeval rounds; 0 where nothing is right.
    """
    right, predicted, gold = counts.double().unbind(-1)
    precision, recall = right / predicted.clamp(min=1), right / gold.clamp(min=1)
    return (2 * precision * recall / (precision + recall)).nan_to_num()


def span_f1_of(
    names: Sequence[str],
    gold: NDArray[np.int64],
    predicted: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> float:
    """Span F1 of sentences that stand one after another.

    Parameters
    ----------
    names : (K,), of the labels.
    gold, predicted : (N,).
    lengths : tokens of each sentence, N together.
    """
    scheme = SpanLabels.read(names, torch.device("cpu"))
    if scheme is None:
        raise ValueError(f"labels without spans: {', '.join(names[:5])}")
    filled = np.arange(lengths.max()) < lengths[:, None]
    padded = np.full((2, *filled.shape), -1)
    padded[:, filled] = gold, predicted
    both = torch.from_numpy(padded)
    return float(span_f1(scheme.count(both[0], both[1].clamp(min=0)).double()))
