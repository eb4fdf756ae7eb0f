"""What happens in a worker: cells in, outcomes and measured relatedness out.

Only specs travel here and only numbers travel back. A worker draws the tasks of its cells from
their seeds, trains the group with one torch thread, and never sees the store.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.study.trials import Cell
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
"""What a cell may fail with and become a row of status ``failed``; a mistake in this package's own
code (`TypeError`, `AttributeError`, `AssertionError` …) stops the run instead."""

WATCH_EVERY = 1.0
"""Seconds between two looks at whether the parent process is still there."""

Measured = dict[str, float | None]


@dataclass(frozen=True)
class Result:
    """What comes back for one cell: its digest and two JSON objects (see `store.Row`)."""

    cell: str
    outcome: dict[str, Any]
    measured: Measured


def train_cells(cells: Sequence[Cell], device: str = "cpu", parent: int = 0) -> list[Result]:
    """Train one group and return a result for every cell of it, in order.

    If the group fails, its cells are tried one by one; a cell that fails alone has a result of
    status ``failed`` that says why.

    Parameters
    ----------
    cells : a group (`pipeline.study.trials.group`).
    device : ``cpu`` or a torch device.
    parent : process id of the run; 0 where the worker is not the run's own child. A child ends
        soon after its parent, even if that was killed.
    """
    _end_with(parent)
    try:
        return train_together(cells, device)
    except FAULTS as fault:
        if len(cells) == 1:
            return [failure(cells[0].digest, fault)]
    return [_train_alone(cell, device) for cell in cells]


def _train_alone(cell: Cell, device: str) -> Result:
    try:
        return train_together([cell], device)[0]
    except FAULTS as fault:
        return failure(cell.digest, fault)


def train_together(cells: Sequence[Cell], device: str) -> list[Result]:
    """Train one group as one stack; any fault is the whole group's."""
    tasksets = [make_taskset(cell.task, cell.seed) for cell in cells]
    jobs = [
        Job(taskset, cell.settings, cell.seed)
        for taskset, cell in zip(tasksets, cells, strict=True)
    ]
    outcomes = train_group(jobs, device=device)
    return [
        Result(cell.digest, outcome_json(outcome), measure(taskset))
        for cell, outcome, taskset in zip(cells, outcomes, tasksets, strict=True)
    ]


@cache
def _end_with(parent: int) -> None:
    """Let this process end, within seconds, when the run that it works for is gone."""
    if parent and os.getpid() != parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_EVERY)
    os._exit(1)


def failure(cell: str, fault: BaseException) -> Result:
    """The result of a cell that could not be trained."""
    text = " ".join(str(fault).split())
    message = f"{type(fault).__name__}: {text}" if text else type(fault).__name__
    return Result(cell, outcome_json(Outcome(Status.FAILED, message=message)), {})


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
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def measure(taskset: TaskSet) -> Measured:
    """Sizes and relatedness as they came out; `pipeline.columns` explains each name."""
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
