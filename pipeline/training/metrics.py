"""Scores of a whole stack at once, from counts.

Notation
--------
B models, T tasks, N tokens, K labels. Label −1 is not counted.
"""

from __future__ import annotations

import torch
from torch import Tensor


def confusion_counts(gold: Tensor, predicted: Tensor, labels: int) -> Tensor:
    """How often each label (row) was predicted as each (column): (…, N) twice -> (…, K, K)."""
    shape = gold.shape[:-1]
    gold, predicted = gold.flatten(0, -2).long(), predicted.flatten(0, -2)
    first = torch.arange(len(gold), device=gold.device).unsqueeze(1) * labels**2
    cells = (first + gold * labels + predicted)[gold >= 0]
    counts = torch.bincount(cells, minlength=len(gold) * labels**2)
    return counts.view(*shape, labels, labels)


def accuracy(counts: Tensor) -> Tensor:
    """Share of tokens labelled right, (…,), from confusion counts (…, K, K); NaN without tokens."""
    right = counts.diagonal(dim1=-2, dim2=-1).sum(-1)
    return right.double() / counts.sum((-2, -1))


def macro_f1(counts: Tensor) -> Tensor:
    """Mean F1 over the labels that occur, in gold or predicted, as scikit-learn's `macro`."""
    both = 2.0 * counts.diagonal(dim1=-2, dim2=-1)
    occurring = counts.sum(-1) + counts.sum(-2)
    f1 = both / occurring.clamp(min=1)
    return f1.sum(-1) / (occurring > 0).sum(-1)
