"""Multi-task learning helps where it should, and does not where it should not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtl_laws.pipeline.training import Job, TrainingSettings, train_group
from mtl_laws.simulator import TaskSpec, make_taskset

SEEDS = range(12)


def gains(tokens: int, ami: float, **options: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Accuracy with three auxiliaries less accuracy without, seed by seed."""
    scores = []
    for tasks in (1, 4):
        spec = TaskSpec(
            tasks=tasks, tokens=tokens, ami=None if tasks == 1 else ami, options=options
        )
        jobs = [Job(make_taskset(spec, seed), TrainingSettings(), seed) for seed in SEEDS]
        scores.append([outcome.scores["accuracy"] for outcome in train_group(jobs)])
    return np.array(scores[1]) - np.array(scores[0])


def interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Mean ∓ two standard errors."""
    half = 2 * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


@pytest.mark.slow
def test_related_tasks_help_most_where_data_are_few() -> None:
    few, many = gains(640, 0.9), gains(5120, 0.9)
    assert interval(few)[0] > 0.1
    assert interval(few - many)[0] > 0.05, "the gain shrinks as n grows"


@pytest.mark.slow
def test_unrelated_tasks_with_private_features_do_not_help() -> None:
    assert interval(gains(640, 0.02, feature_overlap=0.0))[0] < 0.02
