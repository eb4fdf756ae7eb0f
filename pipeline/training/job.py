"""Job: one trial as the trainer receives it, and what a group of jobs must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.simulator.tasks import TaskSet


@dataclass(frozen=True)
class Job:
    """One model to train: its data, its settings and the seed of its parameters and batches.

    Raises
    ------
    UserError : where a task has no training sentence, or the main task no validation sentence.
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

    @property
    def sizes(self) -> Sizes:
        """Shape of the model."""
        labels = tuple(len(names) for names in self.taskset.label_names)
        return self.settings.sizes(len(self.taskset.vocabulary), labels)


def check_alike(jobs: Sequence[Job]) -> None:
    """Raise `UserError` unless all jobs have the same settings and shape."""
    if any(job.settings != jobs[0].settings for job in jobs):
        raise UserError("group", "jobs of equal settings", "jobs with different settings")
    if any(job.sizes != jobs[0].sizes for job in jobs):
        raise UserError("group", "equal T, vocabulary and label counts", "jobs of different shape")
