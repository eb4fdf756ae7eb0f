"""Memory: what cannot be held is refused at once, and the estimate is not far from the truth."""

from __future__ import annotations

import tracemalloc

import pytest

from mtl_laws.simulator import SpecError, TaskSpec, make_taskset
from mtl_laws.simulator.memory import check_memory, free_bytes, needed_bytes


def test_what_fits_is_accepted() -> None:
    check_memory(TaskSpec(tasks=3, ami=0.5))
    check_memory(TaskSpec(tasks=3, ami=0.5), free=1e6)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tokens": 10_000_000}, "tokens"),
        ({"aux_tokens": 10_000_000}, "aux_tokens"),
        ({"test_tokens": 50_000_000}, "test_tokens"),
    ],
)
def test_the_largest_size_is_named(changes: dict[str, int], field: str) -> None:
    spec = TaskSpec.from_json({"tasks": 3, "ami": 0.5, **changes})
    with pytest.raises(SpecError, match="GB are needed for 3 tasks, 1 GB are free") as caught:
        check_memory(spec, free=1e9)
    assert caught.value.field == field


def test_shared_sentences_count_once() -> None:
    apart = TaskSpec(tasks=5, ami=0.5, tokens=100_000)
    assert needed_bytes(TaskSpec(tasks=5, ami=0.5, tokens=100_000, shared=True)) < needed_bytes(
        apart
    )


def test_the_estimate_is_below_what_is_taken_and_not_far() -> None:
    spec = TaskSpec(tasks=4, ami=0.5, tokens=50_000)
    make_taskset(TaskSpec(tasks=4, ami=0.5), 0)
    tracemalloc.start()
    make_taskset(spec, 0)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert needed_bytes(spec) < taken < 4 * needed_bytes(spec)


def test_the_system_says_what_is_free() -> None:
    assert 1e7 < free_bytes() < 1e15
