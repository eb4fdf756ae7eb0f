"""The test set, touched once: scores of every model's best parameters.

Notation
--------
J jobs, B of them at a time, T tasks, C test sentences at a time, L tokens of the longest, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_laws.pipeline.training.architectures import Tagger, every_task
from mtl_laws.pipeline.training.job import Job
from mtl_laws.pipeline.training.metrics import accuracy, confusion_counts, macro_f1
from mtl_laws.pipeline.training.parameters import Views
from mtl_laws.pipeline.training.sentences import stack_sentences
from mtl_laws.pipeline.training.spans import SpanLabels, span_f1
from mtl_laws.pipeline.training.width import numbers_per_token, sentences_at_once

MODELS = 8
"""Scored at a time on a CPU: few enough for the cache."""

Scores = dict[str, float]


@torch.no_grad()
def score(tagger: Tagger, views: Views, jobs: Sequence[Job]) -> list[Scores]:
    """Scores by name of every job's model, main task and auxiliaries; see `Outcome.scores`."""
    device = next(iter(views.values())).device
    found = []
    count = MODELS if device.type == "cpu" else len(jobs)
    for first in range(0, len(jobs), count):
        some = slice(first, first + count)
        part = {name: value[some] for name, value in views.items()}
        found += _Test(tagger, jobs[some], device).score(part)
    return found


class _Test:
    """Test sentences of some jobs, and what their label names say of spans."""

    def __init__(self, tagger: Tagger, jobs: Sequence[Job], device: torch.device) -> None:
        self.tagger, sizes = tagger, tagger.sizes
        splits = [job.split("test") for job in jobs]
        test = stack_sentences(splits, range(sizes.tasks), sizes.vocabulary)
        self.sentences = test.to(device)
        self.rows = torch.arange(len(jobs), device=device)
        self.spans = [SpanLabels.read(names, device) for names in jobs[0].taskset.label_names]

    def score(self, views: Views) -> list[Scores]:
        """Scores by name of these models."""
        labels = self.tagger.sizes.most_labels
        slots = every_task(len(self.rows), tuple(range(len(self.spans))), self.rows.device)
        counts = torch.zeros(*slots.shape, labels, labels, dtype=torch.long, device=slots.device)
        spans = torch.zeros(*slots.shape, 3, dtype=torch.long, device=slots.device)
        length = self.sentences.labels.shape[3]
        numbers = slots.numel() * length * numbers_per_token(self.tagger.sizes)
        size = sentences_at_once(self.rows.device, numbers)
        for tokens, gold in self.sentences.chunks(self.rows, size):
            predicted = self.tagger.logits(views, tokens, slots).argmax(-1).view(gold.shape)
            counts += confusion_counts(gold.flatten(2), predicted.flatten(2), labels)
            for task, scheme in enumerate(self.spans):
                if scheme is not None:
                    spans[:, task] += scheme.count(gold[:, task], predicted[:, task])
        return self._named(counts, spans)

    def _named(self, counts: Tensor, spans: Tensor) -> list[Scores]:
        """Scores by name from confusion counts (B, T, K, K) and span counts (B, T, 3)."""
        every = list(range(len(self.spans)))
        with_spans = [task for task in every if self.spans[task] is not None]
        found: list[Scores] = [{} for _ in counts]
        for name, values, tasks in (
            ("accuracy", accuracy(counts), every),
            ("macro_f1", macro_f1(counts), every),
            ("span_f1", span_f1(spans), with_spans),
        ):
            for scores, row in zip(found, values.tolist(), strict=True):
                scores.update(_per_task(name, {task: row[task] for task in tasks}))
        return found


def _per_task(name: str, values: dict[int, float]) -> Scores:
    """The main task's score by its name, an auxiliary's with its number, and the latter's mean."""
    named = {name if task == 0 else f"{name}_{task}": value for task, value in values.items()}
    others = [value for task, value in values.items() if task > 0]
    return named | ({f"aux_{name}": sum(others) / len(others)} if others else {})
