"""What is kept changes nothing but the time, and stays within its bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mtl_laws.simulator import TaskSpec, make_taskset
from mtl_laws.simulator.families.teacher.auxiliaries import (
    reference_pool,
    reference_relatedness,
    settled,
)
from mtl_laws.simulator.families.teacher.innovations import innovation
from mtl_laws.simulator.memory_bounded_cache import forget_all, memory_bounded_cache, size_of
from mtl_laws.simulator.world import world

SPECS = {
    "teacher": TaskSpec(tasks=3, ami=(0.2, 0.6), tokens=60, test_tokens=80),
    "noisy": TaskSpec(tasks=2, ami=0.4, tokens=60, test_tokens=80, label_noise=0.1),
    "equal": TaskSpec(
        tasks=3, ami=0.3, tokens=60, options={"design": "equicorrelated", "features": 8}
    ),
    "enough text": TaskSpec(tasks=3, ami=0.5, tokens=7000, test_tokens=80),
    "channel": TaskSpec(family="channel", tasks=3, ami=0.4, tokens=60, test_tokens=80),
}


@pytest.mark.parametrize("name", SPECS)
def test_results_are_the_same_with_and_without_what_is_kept(name: str) -> None:
    spec = SPECS[name]
    forget_all()
    fresh = make_taskset(spec, 5)
    assert make_taskset(spec, 5).equals(fresh)
    forget_all()
    for other in SPECS.values():  # another history
        make_taskset(other, 5)
    assert make_taskset(spec, 5).equals(fresh)


def test_an_auxiliary_is_the_same_task_at_every_size() -> None:
    small = make_taskset(TaskSpec(tasks=3, ami=0.3, tokens=40), 1)
    large = make_taskset(TaskSpec(tasks=3, ami=0.3, tokens=160), 1)
    assert np.array_equal(small.test.labels, large.test.labels)
    assert small.relatedness.equals(large.relatedness)
    more = make_taskset(TaskSpec(tasks=4, ami=0.3, tokens=40), 1)
    assert np.array_equal(small.test.labels, more.test.labels[:3])


def test_sizes_and_numbers_of_tasks_share_what_was_worked_out() -> None:
    forget_all()
    make_taskset(TaskSpec(tasks=4, ami=0.3, tokens=40), 2)
    counts = len(world), len(innovation), len(settled), len(reference_pool)
    assert counts == (1, 3, 3, 1)
    for tasks, tokens in ((4, 80), (2, 40), (3, 320)):
        make_taskset(TaskSpec(tasks=tasks, ami=0.3, tokens=tokens), 2)
    assert (len(world), len(innovation), len(settled), len(reference_pool)) == counts
    assert len(reference_relatedness) == 3


def test_what_is_kept_stays_within_its_bound() -> None:
    made = []

    @memory_bounded_cache(megabytes=0.01)
    def row(number: int) -> np.ndarray:
        made.append(number)
        return np.full(500, float(number))

    for number in (0, 1, 0, 2, 3):
        assert row(number)[0] == number
    assert made == [0, 1, 2, 3]
    assert len(row) == 2
    assert row.size <= 10_000
    assert row(2)[0] == 2
    assert row(0)[0] == 0
    assert made == [0, 1, 2, 3, 0], "the least recently used went first"


def test_one_result_is_kept_even_if_it_is_too_large() -> None:
    @memory_bounded_cache(megabytes=0.001)
    def row(number: int) -> np.ndarray:
        return np.full(500, float(number))

    first = row(1)
    assert row(1) is first
    row(2)
    assert len(row) == 1


def test_sizes_count_the_arrays_in_results() -> None:
    @dataclass(frozen=True)
    class Both:
        one: np.ndarray
        other: tuple[np.ndarray, str]

    value = Both(np.zeros(1000), (np.zeros(500, dtype=np.int16), "x"))
    assert 9000 <= size_of(value) <= 10_000
