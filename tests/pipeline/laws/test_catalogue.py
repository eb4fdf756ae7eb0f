"""Which forms of the literature a table is asked about, by the kinds of its factors."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.laws.catalogue import (
    CATALOGUE,
    GAINS,
    ONE_SIZE,
    REPEATED,
    SIZE_AND_COUNT,
    TASKS,
    TWO_SIZES,
    Form,
    theory,
)
from pipeline.laws.rows import Rows
from pipeline.symbolic.tree import Tree

N, D = np.geomspace(1e3, 1e6, 40), np.geomspace(3e6, 2e3, 40)
COUNT = np.tile([1.0, 2.0, 4.0, 8.0], 10)
AMI = np.where(COUNT == 1, np.nan, np.linspace(0.1, 0.9, 40))


def asked(**columns: np.ndarray) -> list[Form]:
    return theory(Rows(columns, np.zeros(40), np.arange(40)))


def names(forms: object) -> set[str]:
    return {form.name for form in forms}  # type: ignore[attr-defined]


def test_one_size_has_the_learning_curves() -> None:
    assert [form.name for form in asked(N=N)] == [form.name for form in ONE_SIZE]


def test_two_sizes_stand_in_every_form_in_both_orders() -> None:
    found = asked(N=N, D=D)
    assert names(found) == names([*ONE_SIZE, *TWO_SIZES])
    count = Counter(form.name for form in found)
    assert {count[form.name] for form in TWO_SIZES} == {2}
    texts = {form.text for form in found if form.name == "power law with interaction"}
    assert texts == {
        "c0 + c1 * N ** (c2 + c3 * log(D)) * D ** c4",
        "c0 + c1 * D ** (c2 + c3 * log(N)) * N ** c4",
    }


def test_a_count_that_is_no_number_of_tasks_scales_in_parallel() -> None:
    found = asked(N=N, streams=COUNT)
    assert names(SIZE_AND_COUNT) <= names(found)
    assert not names(TASKS) & names(found)


def test_what_is_distinct_of_a_size_may_repeat() -> None:
    rng = np.random.default_rng(0)
    distinct = N / rng.uniform(1, 8, 40)
    assert REPEATED[0].name in names(asked(N=N, distinct=distinct))
    assert not names(REPEATED) & names(asked(N=N, distinct=N * 2 * rng.permutation(distinct / N)))
    assert names(REPEATED) <= names(asked(N=N, distinct=distinct, D=D))


@pytest.mark.parametrize("name", ["T", "tasks"])
def test_tasks_have_the_forms_of_multi_task_learning(name: str) -> None:
    """Those with relatedness only where there is one."""
    with_ami = asked(n=N, ami=AMI, **{name: COUNT})
    without = asked(n=N, **{name: COUNT})
    assert names(TASKS) <= names(with_ami)
    assert names(TASKS) & names(without) == {f.name for f in TASKS if "{s}" not in f.text}


def test_fractions_alone_have_no_form() -> None:
    assert asked(noise=np.linspace(0.1, 0.9, 40)) == []


def test_every_form_says_where_it_is_from_and_what_it_means() -> None:
    for form in (*CATALOGUE, *GAINS):
        places = {place: place for place in "nmlkuTs"}
        tree = Tree.parse(form.text.format(**places, mix="s"), tuple(places))
        constants = sorted(tree.constants, key=lambda c: int(c[1:]))
        assert constants == [f"c{k}" for k in range(len(constants))]
        assert form.reference
        assert form.meaning
