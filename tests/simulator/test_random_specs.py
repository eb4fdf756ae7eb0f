"""Over random valid specs: AMI within tolerance, sizes to the sentence, seeds reproduce bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_laws.simulator import TaskSet, TaskSpec, UnreachableAMIError, make_taskset
from mtl_laws.simulator.relatedness import POOL_TOKENS, TOLERANCE, ami_by_definition
from mtl_laws.simulator.tasks import ALL_TASKS

Check = Callable[[TaskSpec, int], None]


@st.composite
def specs(draw: st.DrawFn) -> TaskSpec:
    family = draw(st.sampled_from(["channel", "teacher"]))
    tasks = draw(st.integers(1, 5))
    noise = draw(st.sampled_from([0.0, 0.0, 0.05]))
    shared = draw(st.booleans())
    tokens = draw(st.sampled_from([13, 300, 5000, 21_000]))
    span = st.floats(0.03, 0.5 if noise else 1.0)
    ami = draw(st.one_of(span, st.tuples(*[span] * (tasks - 1)))) if tasks > 1 else None
    options: dict[str, object] = {
        "zipf": draw(st.sampled_from([0.0, 0.7, 1.0])),
        "length_spread": draw(st.sampled_from([0.0, 0.5])),
        "imbalance": draw(st.sampled_from([0.0, 1.0])),
        "window": draw(st.sampled_from([2, 3])),
    }
    if family == "teacher":
        options["feature_overlap"] = draw(st.sampled_from([0.0, 0.5, 1.0]))
    return TaskSpec(
        family=family,
        tasks=tasks,
        ami=ami,
        tokens=tokens,
        aux_tokens=None if shared else draw(st.sampled_from([None, 90, 400])),
        test_tokens=draw(st.sampled_from([50, 2000])),
        shared=shared,
        label_noise=noise,
        labels=draw(st.integers(2, 6)),
        vocabulary=draw(st.sampled_from([150, 400, 2000])),
        sentence_length=draw(st.integers(3, 20)),
        options=options,
    )


def digest(taskset: TaskSet) -> str:
    made = hashlib.sha256()
    for split in taskset.splits.values():
        for array in (split.tokens, split.bounds, split.labels, split.assigned):
            made.update(array.tobytes())
    made.update(taskset.relatedness.ami.tobytes())
    return made.hexdigest()


def specs_and_seeds(examples: int) -> Callable[[Check], Check]:
    """Runs a check on so many random specs and seeds."""
    healthy = [HealthCheck.too_slow]
    several = settings(max_examples=examples, deadline=None, suppress_health_check=healthy)
    return lambda check: several(given(specs(), st.integers(0, 10_000))(check))


@specs_and_seeds(8)
def test_what_is_asked_for_is_what_comes(spec: TaskSpec, seed: int) -> None:
    check_one(spec, seed)


@pytest.mark.slow
@specs_and_seeds(100)
def test_what_is_asked_for_is_what_comes_many_times(spec: TaskSpec, seed: int) -> None:
    check_one(spec, seed)


def check_one(spec: TaskSpec, seed: int) -> None:
    try:
        taskset = make_taskset(spec, seed)
    except UnreachableAMIError:
        demanding = min(spec.requested_ami) < 0.06 and spec.vocabulary < 400
        if spec.family == "teacher" and demanding:
            return
        raise
    check_relatedness(taskset)
    check_sizes(taskset)
    assert digest(make_taskset(spec, seed)) == digest(taskset)
    assert digest(make_taskset(spec, seed + 1)) != digest(taskset)


def check_relatedness(taskset: TaskSet) -> None:
    wanted = taskset.spec.requested_ami
    np.testing.assert_allclose(taskset.relatedness.ami[0, 1:], wanted, atol=TOLERANCE)
    if taskset.tasks > 1 and len(taskset.train.tokens) >= POOL_TOKENS:
        found = ami_by_definition(taskset.train.labels)[0, 1:]
        np.testing.assert_allclose(found, wanted, atol=TOLERANCE)


def check_sizes(taskset: TaskSet) -> None:
    spec = taskset.spec
    reach = spec.sentence_length * (1 + float(str(spec.options["length_spread"])))
    for task, wanted in enumerate(spec.sizes):
        assert abs(taskset.train.token_count(task) - wanted) <= reach
        held_out = round(spec.validation_fraction * wanted)
        assert abs(taskset.validation.token_count(task) - held_out) <= reach
    assert abs(len(taskset.test.tokens) - spec.test_tokens) <= reach
    owners = {ALL_TASKS} if spec.shared else set(range(spec.tasks))
    assert set(taskset.train.assigned.tolist()) == owners
