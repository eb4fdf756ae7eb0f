"""Record: where a job stands between two evaluations; early stopping is decided here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mtl_laws.pipeline.training.outcome import Status
from mtl_laws.pipeline.training.settings import TrainingSettings

EXPLOSION = 1e3
"""Nats per token beyond which a loss counts as diverged; guessing among K labels costs log K."""


@dataclass
class Record:
    """One job's course through one phase."""

    status: Status | None = None
    steps: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    stale: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float, float]] = field(default_factory=list)

    def note(self, training: float, validation: float, settings: TrainingSettings) -> bool:
        """Take in an evaluation after `evaluate_every` more steps; tell whether it is the best."""
        self.steps += settings.evaluate_every
        if not (abs(training) < EXPLOSION and abs(validation) < EXPLOSION):
            self.status = Status.DIVERGED
            return False
        self.curve.append((self.steps, training, validation))
        better = validation < self.best_loss
        if better:
            self.best_loss, self.best_step, self.stale = validation, self.steps, 0
        else:
            self.stale += 1
        if 0 < settings.patience <= self.stale:
            self.status = Status.CONVERGED
        elif self.steps >= settings.max_steps:
            self.status = Status.EXHAUSTED
        return better
