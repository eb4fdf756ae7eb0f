"""The test set, touched once: scores of every model's best parameters.

Notation
--------
J jobs, T tasks, C test sentences, L tokens of the longest, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.training.architectures import Tagger, every_task
from pipeline.training.job import Job
from pipeline.training.metrics import accuracy, confusion_counts, macro_f1
from pipeline.training.parameters import Views
from pipeline.training.sentences import stack_sentences

CHUNK = 32


@torch.no_grad()
def score(tagger: Tagger, views: Views, jobs: Sequence[Job]) -> list[dict[str, float]]:
    """Scores by name of every job's model, main task and auxiliaries; see `Outcome.scores`."""
    sizes = tagger.sizes
    device = next(iter(views.values())).device
    splits = [job.taskset.test for job in jobs]
    test = stack_sentences(splits, range(sizes.tasks), sizes.vocabulary).to(device)
    counts = torch.zeros(len(jobs), sizes.tasks, sizes.most_labels, sizes.most_labels)
    found = []
    for first in range(0, len(jobs), 8):
        rows = torch.arange(first, min(first + 8, len(jobs)), device=device)
        part = {name: value[rows] for name, value in views.items()}
        slots = every_task(len(rows), tuple(range(sizes.tasks)), device)
        counts = torch.zeros(1, device=device, dtype=torch.long)
        for tokens, labels in test.chunks(rows, CHUNK):
            predicted = tagger.logits(part, tokens, slots).argmax(-1)
            counts = counts + confusion_counts(labels.flatten(2), predicted, sizes.most_labels)
        found.extend(_named(counts))
    return found


def _named(counts: Tensor) -> list[dict[str, float]]:
    """Scores by name from confusion counts (J, T, K, K)."""
    found: list[dict[str, float]] = [{} for _ in counts]
    for metric, values in (("accuracy", accuracy(counts)), ("macro_f1", macro_f1(counts))):
        for scores, row in zip(found, values.tolist(), strict=True):
            scores[metric] = row[0]
            scores |= {f"{metric}_{t}": value for t, value in enumerate(row) if t > 0}
            if len(row) > 1:
                scores[f"aux_{metric}"] = sum(row[1:]) / (len(row) - 1)
    return found
