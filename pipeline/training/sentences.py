"""Sentences of a group's jobs, padded into tensors that batches are drawn from on the device.

Notation
--------
J jobs, A tasks in play (or 1 where tasks read the same sentences), C sentences of the job that has
most, L tokens of the longest sentence. Token V pads; label −1 is padding or not annotated. Every
task's sentences stand by rising length, those of equal length as in the text.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_laws.simulator.tasks import ALL_TASKS, Split

Shuffled = Sequence[int | None]


@dataclass(frozen=True)
class Sentences:
    """Padded sentences of several jobs.

    Attributes
    ----------
    tokens : int32 (J, A or 1, C, L).
    labels : int16 (J, A, C, L).
    counts : int64 (J, A), sentences of each job and task.
    words : int64 (J, A), their labelled tokens.
    lengths : int16 (J, A, C), tokens of each sentence, 0 where there is none.
    ragged : whether sentences differ in length.
    """

    tokens: Tensor
    labels: Tensor
    counts: Tensor
    words: Tensor
    lengths: Tensor
    ragged: bool

    def to(self, device: str | torch.device) -> Sentences:
        """The same sentences on a device."""
        return replace(
            self,
            tokens=self.tokens.to(device),
            labels=self.labels.to(device),
            counts=self.counts.to(device),
            words=self.words.to(device),
            lengths=self.lengths.to(device),
        )

    def longest_first(self, rows: Tensor, slots: Tensor, chosen: Tensor) -> Tensor:
        """The chosen sentences (B, A, S) by falling length, so that neighbours are alike in length.

        Arguments as in `draw`. A batch's loss does not depend on the order of its sentences.
        """
        if not self.ragged:
            return chosen
        lengths = self.lengths[rows.view(-1, 1, 1), slots.unsqueeze(2), chosen]
        order = lengths.argsort(dim=2, descending=True, stable=True)
        return chosen.gather(2, order)

    def longest(self, rows: Tensor, slots: Tensor, chosen: Tensor) -> list[int]:
        """Tokens of the longest sentence that each of n steps draws.

        rows : (B,). slots : (B, n, A). chosen : (B, n, A, S).
        """
        if not self.ragged:
            return [self.labels.shape[3]] * slots.shape[1]
        lengths = self.lengths[rows.view(-1, 1, 1, 1), slots.unsqueeze(3), chosen]
        found: list[int] = lengths.amax((0, 2, 3)).tolist()
        return found

    def draw(
        self, rows: Tensor, slots: Tensor, chosen: Tensor, longest: int
    ) -> tuple[Tensor, Tensor]:
        """Tokens (int32) and labels (int16), (B, A, S, L), of the chosen sentences.

        rows : (B,), jobs. slots : (B, A), places on the task axis. chosen : (B, A, S), sentences.
        longest : L, tokens of the longest of them.
        """
        tasks, capacity, length = self.labels.shape[1:]
        shape = (*chosen.shape, length)
        flat = ((rows.unsqueeze(1) * tasks + slots).unsqueeze(2) * capacity + chosen).flatten()
        labels = self.labels.view(-1, length).index_select(0, flat).view(shape)
        same = self.tokens.shape[1] < tasks
        read = (rows.view(-1, 1, 1) * capacity + chosen).flatten() if same else flat
        tokens = self.tokens.view(-1, length).index_select(0, read).view(shape)
        return tokens[..., :longest], labels[..., :longest]

    def chunks(self, rows: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
        """All sentences of some jobs, in order, at most `size` per task at a time."""
        lengths = self.lengths[rows].amax((0, 1)).tolist()
        end = int(self.counts[rows].max())
        parts = []
        for start in range(0, end, size):
            span = slice(start, min(start + size, end))
            long = slice(max(lengths[span]))
            parts.append((self.tokens[rows, :, span, long], self.labels[rows, :, span, long]))
        return parts


def stack_sentences(
    splits: Sequence[Split], tasks: Sequence[int], vocabulary: int, shuffled: Shuffled | None = None
) -> Sentences:
    """Pad the sentences whose labels each task may see.

    shuffled : per job, the seed of the random-label control, or None to leave labels alone.
    """
    chosen = [[by_length(split, task) for task in tasks] for split in splits]
    counts = np.array([[len(s) for s in job] for job in chosen])
    length = max(int(split.lengths().max()) for split in splits)
    shape = (len(splits), len(tasks), max(1, counts.max()), length)
    tokens = np.full(shape, vocabulary, dtype=np.int32)
    labels = np.full(shape, -1, dtype=np.int16)
    for j, split in enumerate(splits):
        seed = shuffled[j] if shuffled else None
        for a, task in enumerate(tasks):
            layer = split.labels[task] if seed is None else _shuffle(split, task, seed)
            _fill(tokens[j, a], split.tokens, split.bounds, chosen[j][a])
            _fill(labels[j, a], layer, split.bounds, chosen[j][a])
    words = (labels >= 0).sum((2, 3))
    lengths = (tokens < vocabulary).sum(3, dtype=np.int16)
    ragged = bool((lengths[lengths > 0] < length).any())
    alike = all((split.assigned == ALL_TASKS).all() for split in splits)
    return Sentences(
        tokens=torch.from_numpy(tokens[:, :1].copy() if alike else tokens),
        labels=torch.from_numpy(labels),
        counts=torch.from_numpy(counts),
        words=torch.from_numpy(words),
        lengths=torch.from_numpy(lengths),
        ragged=ragged,
    )


def by_length(split: Split, task: int) -> NDArray[np.int64]:
    """Sentences whose labels a task may see, by rising length."""
    own = split.of_task(task)
    return own[np.argsort(split.lengths()[own], kind="stable")]


def _fill(
    target: NDArray[np.generic],
    values: NDArray[np.generic],
    bounds: NDArray[np.int64],
    sentences: NDArray[np.int64],
) -> None:
    """Write the sentences' values (N,) into the rows of target (C, L)."""
    lengths = bounds[sentences + 1] - bounds[sentences]
    rows = np.repeat(np.arange(len(sentences)), lengths)
    columns = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    target[rows, columns] = values[np.repeat(bounds[sentences], lengths) + columns]


def _shuffle(split: Split, task: int, seed: int) -> NDArray[np.int16]:
    """An auxiliary layer with its labels permuted among the tokens the trainer sees."""
    layer: NDArray[np.int16] = split.labels[task].copy()
    if task > 0:
        lengths = split.lengths()
        seen = np.repeat(np.isin(np.arange(split.sentences), split.of_task(task)), lengths)
        rng = np.random.default_rng([seed, task, zlib.crc32(b"random_labels")])
        layer[seen] = rng.permutation(layer[seen])
    return layer
