"""Runs for tests: a stand-in for the trainer, tiny real trials, and what two tables must share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_laws.pipeline.columns import CLOCKED
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.train import RunOptions
from mtl_laws.pipeline.study.trials import Trial
from mtl_laws.pipeline.study.workers import Result

QUIET = RunOptions(jobs=1, progress=False)

STUDY = """
question: does a stand-in for training behave?
factors: {tasks: [2, 3], tokens: [40, 80], ami: [0.1, 0.5]}
seeds: 2
"""

TINY = """
question: do tiny models survive?
family: {vocabulary: 40, labels: 3}
factors: {tasks: [1, 2], tokens: [30, 60], ami: [0.2, 0.6]}
seeds: 2
test_tokens: 50
training: {embedding: 2, hidden: 2, batch_sentences: 2, max_steps: 4, evaluate_every: 2}
"""


def result(trial: Trial) -> Result:
    """What a model of this trial might have given: more tokens and more tasks are better."""
    accuracy = 1 - 5 / (trial.task.tokens * trial.task.tasks) - trial.seed / 1000
    outcome = {
        "status": "converged",
        "scores": {"accuracy": accuracy, "macro_f1": accuracy / 2},
        "curve": [[20, 1.0, 1.1], [40, 0.9, 1.0]],
        "steps": 40,
        "best_step": 40,
        "seconds": 0.01,
        "message": "",
    }
    ami = trial.task.ami
    assert not isinstance(ami, tuple), "one AMI for all auxiliaries"
    return Result(trial.digest, outcome, {"n": trial.task.tokens, "ami": ami})


class Trainer:
    """Stands in for `pipeline.study.workers.train_together` and keeps the groups it was given."""

    def __init__(self, before: Callable[[Sequence[Trial]], None] = lambda trials: None) -> None:
        self.before = before
        self.groups: list[tuple[str, ...]] = []

    def __call__(self, trials: Sequence[Trial], device: str) -> list[Result]:
        self.before(trials)
        self.groups.append(tuple(trial.digest for trial in trials))
        return [result(trial) for trial in trials]

    @property
    def trained(self) -> list[str]:
        return [trial for part in self.groups for trial in part]


def study(text: str = STUDY) -> Study:
    return Study.parse(text)


def without_clock(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=list(CLOCKED))


def same(one: pd.DataFrame, other: pd.DataFrame, **tolerance: Any) -> None:
    pd.testing.assert_frame_equal(without_clock(one), without_clock(other), **tolerance)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
