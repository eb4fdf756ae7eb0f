"""Job: one trial as the trainer receives it, and what a group of jobs must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.training.encoders import vector_encoders
from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.simulator.tasks import Split, TaskSet, TokenVectors


@dataclass(frozen=True)
class Job:
    """One model to train: its data, its settings and the seed of its parameters and batches.

    Raises
    ------
    UserError : where a task has no training sentence, the main task no validation sentence, or an
        encoder of vectors no vectors.
    """

    taskset: TaskSet
    settings: TrainingSettings
    seed: int

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not 0 <= self.seed < 2**63:
            raise UserError("seed", "a whole number from 0 to 2⁶³ − 1", self.seed)
        for task, name in enumerate(self.taskset.task_names):
            if self.taskset.train.token_count(task) == 0:
                raise UserError("tokens", f"at least one training sentence of task {name}", 0)
        if self.taskset.validation.token_count(0) == 0:
            expected = "large enough for a validation sentence; early stopping needs one"
            raise UserError("validation_fraction", expected, self.taskset.spec.validation_fraction)
        if self.reads_vectors and self.taskset.vectors is None:
            expected = "an encoder of token ids; these tasks have no vectors"
            raise UserError("training.encoder", expected, self.settings.encoder)

    @property
    def reads_vectors(self) -> bool:
        """Whether the encoder reads frozen vectors."""
        return self.settings.encoder in vector_encoders()

    @property
    def vectors(self) -> TokenVectors | None:
        """The vectors that the encoder reads; None where it reads token ids."""
        return self.taskset.vectors if self.reads_vectors else None

    @property
    def sizes(self) -> Sizes:
        """Shape of the model."""
        labels = tuple(len(names) for names in self.taskset.label_names)
        if self.vectors is None:
            return self.settings.sizes(len(self.taskset.vocabulary), labels)
        rows, width = self.vectors.table.shape
        return self.settings.sizes(rows, labels, width)

    def split(self, name: str) -> Split:
        """A split of the tasks as the encoder reads it: tokens are ids, or rows of vectors."""
        split = self.taskset.splits[name]
        return split if self.vectors is None else replace(split, tokens=self.vectors.places[name])


def check_alike(jobs: Sequence[Job]) -> None:
    """Raise `UserError` unless all jobs have the same settings, shape and vectors."""
    if any(job.settings != jobs[0].settings for job in jobs):
        raise UserError("group", "jobs of equal settings", "jobs with different settings")
    if any(job.sizes != jobs[0].sizes for job in jobs):
        raise UserError("group", "equal T, vocabulary and label counts", "jobs of different shape")
    tables = [job.vectors.table for job in jobs if job.vectors is not None]
    if any(table is not tables[0] and not np.array_equal(table, tables[0]) for table in tables):
        raise UserError("group", "jobs over the same vectors", "jobs over different ones")
