"""Buckets: sentences of like length, so that batches hold little padding.

Notation
--------
J jobs, A tasks, C sentences of a task by rising length, S sentences of a batch,
P = `evaluate_every` places of a step within its look.

A task's sentences are cut into up to `MOST` buckets of equal numbers of tokens, as long as each has
several times S sentences; step t draws from the bucket that its place t mod P names. So every
bucket is drawn from equally often in each look, every token weighs about the same, and, since the
place depends on nothing else, a stack's models draw sentences of like length together. What a model
draws depends on its own sentences and steps alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOST = 10
VARIETY = 4
"""Sentences that a bucket must have, in batches: fewer would repeat themselves."""

Range = tuple[int, int]


@dataclass(frozen=True)
class Buckets:
    """What each step draws from.

    Attributes
    ----------
    firsts, sizes : int64 (J, A, P), first sentence and number of sentences of the bucket.
    """

    firsts: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, lengths: Sequence[Sequence[NDArray[np.int64]]], places: int, batch: int) -> Buckets:
        """Cut the sentences of every job and task; `lengths` (C,) rise."""
        ranges = [[_by_place(own, places, batch) for own in job] for job in lengths]
        both = torch.tensor(ranges, dtype=torch.long, device="cpu")
        return cls(both[..., 0].contiguous(), both[..., 1].contiguous())

    def to(self, device: str | torch.device) -> Buckets:
        """The same buckets on a device."""
        return Buckets(self.firsts.to(device), self.sizes.to(device))

    def at(self, rows: Tensor, slots: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """First sentence and number of sentences, (N, A) each.

        rows : (N,), jobs. slots : (N, A), tasks. steps : (N,).
        """
        place = (steps % self.sizes.shape[2]).unsqueeze(1)
        job = rows.unsqueeze(1)
        return self.firsts[job, slots, place], self.sizes[job, slots, place]


def _by_place(lengths: NDArray[np.int64], places: int, batch: int) -> list[Range]:
    """The bucket of every place."""
    cut = cut_buckets(lengths, places, batch)
    stride = golden_stride(places)
    return [cut[place * stride % places * len(cut) // places] for place in range(places)]


def golden_stride(places: int) -> int:
    """A step through `places` that visits each once and keeps neighbours apart."""
    stride = max(1, round(places * 0.618))
    while math.gcd(stride, places) > 1:
        stride += 1
    return stride


def cut_buckets(lengths: NDArray[np.int64], places: int, batch: int) -> list[Range]:
    """First sentence and number of sentences of every bucket; one where all lengths are equal.

    As many as divide the places, up to `MOST`, and leave each `VARIETY` batches of sentences.
    """
    count = len(lengths)
    whole = [(0, count)]
    if count == 0 or lengths[0] == lengths[-1]:
        return whole
    tokens = np.cumsum(lengths)
    for buckets in range(min(MOST, places), 1, -1):
        shares = tokens[-1] * np.arange(1, buckets + 1)
        ends = np.searchsorted(tokens * buckets, shares) + 1
        sizes = np.diff(np.minimum(ends, count), prepend=0)
        if places % buckets == 0 and sizes.min() >= VARIETY * batch:
            starts = np.cumsum(sizes) - sizes
            return list(zip(starts.tolist(), sizes.tolist(), strict=True))
    return whole
