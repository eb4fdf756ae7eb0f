"""Workers: they train a group of trials and return outcomes and measured relatedness.

A worker receives only specs and returns only numbers. It draws the tasks of its trials from their
seeds, trains the group with one torch thread, and never opens the store.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.processes import end_with
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study.trials import Trial
from mtl_laws.pipeline.training import Job, Outcome, Status, train_group
from mtl_laws.simulator import SimulatorError, TaskSet, make_taskset

FAULTS = (
    SimulatorError,
    PipelineError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
)
"""Errors that give a trial a row of status ``failed``. A mistake in the code of this package
(`TypeError`, `AttributeError`, `AssertionError` …) stops the run instead."""

Measured = dict[str, float | None]


@dataclass(frozen=True)
class Result:
    """What a worker returns for one trial: its digest and two JSON objects (see `store.Row`).

    `worker` is the provenance of the process that trained it. It is empty where none did, and in
    results of versions of this package that did not send it.
    """

    trial: str
    outcome: dict[str, Any]
    measured: Measured
    worker: Mapping[str, str] = field(default_factory=dict)


def train_trials(trials: Sequence[Trial], device: str = "cpu", parent: int = 0) -> list[Result]:
    """The results of one group of trials, in order.

    If the group fails, its trials are trained one by one; a trial that fails alone has a result of
    status ``failed`` with the reason.

    Parameters
    ----------
    trials : a group (`pipeline.study.trials.group`).
    device : ``cpu`` or a torch device.
    parent : process id of the run; 0 where the worker is not the run's own child. A child ends
        soon after its parent, even if that was killed.
    """
    end_with(parent)
    results = _train(trials, device)
    worker = whereabouts()
    return [replace(result, worker=worker) for result in results]


def whereabouts() -> dict[str, str]:
    """The provenance of this worker, and its process."""
    made = {name: text for name, text in provenance().items() if name != "platform"}
    return {**made, "process": str(os.getpid())}


def _train(trials: Sequence[Trial], device: str) -> list[Result]:
    try:
        return train_together(trials, device)
    except FAULTS as fault:
        if len(trials) == 1:
            return [failure(trials[0].digest, fault)]
    return [_train_alone(trial, device) for trial in trials]


def _train_alone(trial: Trial, device: str) -> Result:
    try:
        return train_together([trial], device)[0]
    except FAULTS as fault:
        return failure(trial.digest, fault)


def train_together(trials: Sequence[Trial], device: str) -> list[Result]:
    """The results of one group that is trained as one stack; an error fails the whole group."""
    tasksets = [make_taskset(trial.task, trial.seed) for trial in trials]
    jobs = [
        Job(taskset, trial.settings, trial.seed)
        for taskset, trial in zip(tasksets, trials, strict=True)
    ]
    outcomes = train_group(jobs, device=device)
    return [
        Result(trial.digest, outcome_json(outcome), measure(taskset))
        for trial, outcome, taskset in zip(trials, outcomes, tasksets, strict=True)
    ]


def failure(trial: str, fault: BaseException) -> Result:
    """The result of a trial that cannot be trained."""
    text = " ".join(str(fault).split())
    message = f"{type(fault).__name__}: {text}" if text else type(fault).__name__
    return Result(trial, outcome_json(Outcome(Status.FAILED, message=message)), {})


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """`outcome` as JSON values; numbers that are not finite (a diverged loss) become null."""
    return {
        "status": outcome.status.value,
        "scores": {name: _finite(score) for name, score in outcome.scores.items()},
        "curve": [[step, _finite(train), _finite(val)] for step, train, val in outcome.curve],
        "steps": outcome.steps,
        "best_step": outcome.best_step,
        "seconds": outcome.seconds,
        "message": outcome.message,
        "loops": outcome.loops or None,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def measure(taskset: TaskSet) -> Measured:
    """The measured sizes and relatedness; `pipeline.columns` explains each name."""
    measured = taskset.relatedness
    auxiliaries = range(1, taskset.tasks)
    conditional = measured.conditional_entropy
    return {
        "n": taskset.train.token_count(0),
        "n_aux": _mean([taskset.train.token_count(task) for task in auxiliaries]),
        "ami": taskset.ami,
        "ami_clean": taskset.ami_clean,
        "ami_aux": taskset.ami_aux,
        "h_main": float(measured.entropy[0]),
        "h_aux": _mean([float(measured.entropy[task]) for task in auxiliaries]),
        "h_main_given_aux": _mean([float(conditional[0, task]) for task in auxiliaries]),
        "h_aux_given_main": _mean([float(conditional[task, 0]) for task in auxiliaries]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
