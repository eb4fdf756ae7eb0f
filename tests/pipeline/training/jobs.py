"""Small jobs for the tests of training; every one is drawn from its seed."""

from __future__ import annotations

import functools
from typing import Any

from pipeline.training import Job, TrainingSettings
from simulator import TaskSet, TaskSpec, make_taskset


@functools.cache
def small_taskset(seed: int, tokens: int = 60, tasks: int = 2, **options: Any) -> TaskSet:
    """A teacher task set with few token types, so that every embedding is trained."""
    ami = None if tasks == 1 else 0.3
    defaults: dict[str, Any] = {"vocabulary": 30, "labels": 3, "test_tokens": 200}
    spec = TaskSpec(tokens=tokens, tasks=tasks, ami=ami, **(defaults | options))
    return make_taskset(spec, seed)


def small_job(seed: int, settings: dict[str, Any] | None = None, **options: Any) -> Job:
    """A job on `small_taskset`, a few hundred parameters, in float64."""
    chosen = {
        "embedding": 4,
        "hidden": 4,
        "batch_sentences": 3,
        "max_steps": 50,
        "evaluate_every": 10,
        "patience": 0,
        "precision": "float64",
    } | (settings or {})
    return Job(small_taskset(seed, **options), TrainingSettings(**chosen), seed)
