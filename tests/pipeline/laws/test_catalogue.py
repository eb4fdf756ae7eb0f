"""Which forms of the literature a table is asked about, by the kinds of its factors."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mtl_laws.pipeline.laws.catalogue import (
    CATALOGUE,
    COUNT_AND_SIZE,
    COUNT_SIZE_FRACTION,
    GAINS,
    MIXTURES,
    MIXTURES_OF_SIZE,
    ONE_SIZE,
    REPEATED,
    SIZE_AND_COUNT,
    TASKS,
    THREE_SIZES,
    TWO_SIZES,
    Form,
    theory,
)
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.program import Expression, compiled
from mtl_laws.pipeline.symbolic.tree import Tree

N, D = np.geomspace(1e3, 1e6, 40), np.geomspace(3e6, 2e3, 40)
COUNT = np.tile([1.0, 2.0, 4.0, 8.0], 10)
AMI = np.where(COUNT == 1, np.nan, np.linspace(0.1, 0.9, 40))


def asked(target: np.ndarray | None = None, **columns: np.ndarray) -> list[Form]:
    return theory(Rows(columns, np.zeros(40) if target is None else target, np.arange(40)))


def names(forms: object) -> set[str]:
    return {form.name for form in forms}  # type: ignore[attr-defined]


def test_one_size_has_the_learning_curves() -> None:
    assert [form.name for form in asked(N=N)] == [form.name for form in ONE_SIZE]


def test_two_sizes_stand_in_every_form_in_every_order_that_differs() -> None:
    found = asked(N=N, D=D)
    assert names(found) == names([*ONE_SIZE, *TWO_SIZES])
    count = Counter(form.name for form in found)
    assert {form.name: count[form.name] for form in TWO_SIZES} == {
        form.name: 1 if form.symmetric else 2 for form in TWO_SIZES
    }
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


@pytest.mark.parametrize(
    ("name", "theta", "turned"),
    [
        ("sum of power laws", (1, 2, 0.3, 4, 0.5), (1, 4, 0.5, 2, 0.3)),
        ("bottleneck", (1, 2, 0.3, 4, 0.5, 0.7), (1, 2 * 4**0.7, 0.5, 1 / 4, 0.3, 0.7)),
        ("two limits", (1, 2, 30, 0.4, 50, 0.6), (1, 2, 50, 0.6, 30, 0.4)),
    ],
)
def test_a_symmetric_form_is_the_same_in_the_other_order(
    name: str, theta: tuple[float, ...], turned: tuple[float, ...]
) -> None:
    (form,) = (form for form in TWO_SIZES if form.name == name)
    one, other = (form.text.format(n=n, m=m) for n, m in (("N", "D"), ("D", "N")))
    values = [
        Expression.parse(text, ("N", "D")).evaluate({"N": N, "D": D}, np.array(constants))
        for text, constants in ((one, theta), (other, turned))
    ]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-12)
    assert [form.name for form in TWO_SIZES if form.symmetric].count(name) == 1


def test_three_sizes_have_one_sum_whatever_their_order() -> None:
    middle = np.random.default_rng(1).permutation(N)
    found = [form for form in asked(N=N, D=D, V=middle) if form.name in names(THREE_SIZES)]
    assert [form.text for form in found] == [
        "c0 + c1 * N ** (-c2) + c3 * D ** (-c4) + c5 * V ** (-c6)"
    ]
    assert not names(THREE_SIZES) & names(asked(N=N, D=D))


def test_a_count_may_saturate_whatever_it_counts() -> None:
    fraction = np.linspace(0.1, 0.9, 40)
    assert names(COUNT_AND_SIZE) <= names(asked(N=N, streams=COUNT))
    assert names(COUNT_AND_SIZE) <= names(asked(n=N, T=COUNT))
    assert not names(COUNT_SIZE_FRACTION) & names(asked(N=N, streams=COUNT))
    assert names(COUNT_SIZE_FRACTION) <= names(asked(N=N, streams=COUNT, noise=fraction))
    assert not names([*COUNT_AND_SIZE, *COUNT_SIZE_FRACTION]) & names(asked(N=N, noise=fraction))


def test_forms_of_a_gain_are_asked_where_the_target_has_both_signs() -> None:
    both = np.linspace(-0.1, 0.2, 40)
    factors = {"N": N, "streams": COUNT, "noise": np.linspace(0.1, 0.9, 40)}
    assert not names(GAINS) & names(asked(both + 0.1, **factors))
    gains = asked(both, **factors)
    assert names(GAINS) <= names(gains)
    assert not names([*COUNT_AND_SIZE, *COUNT_SIZE_FRACTION]) & names(gains)


@pytest.mark.parametrize("form", GAINS, ids=lambda form: form.name)
def test_one_alone_gains_nothing_and_the_fraction_decides_on_the_sign(form: Form) -> None:
    tree = Tree.parse(form.text.format(n="n", k="k", s="s"), ("n", "k", "s"))
    theta = np.array([2.0, 0.3, *([0.2, 0.8, 1.0] if "{k}**" in form.text else [1.5, 0.1, 0.5])])
    columns = {"n": np.full(3, 100.0), "k": np.array([1.0, 3, 3]), "s": np.array([0.5, 0.05, 0.9])}
    alone, unlike, alike = compiled(tree).evaluate(columns, theta)
    assert alone == 0.0
    assert unlike < 0.0 < alike


def test_fractions_that_sum_to_one_mix() -> None:
    rng = np.random.default_rng(2)
    web, code, books = rng.dirichlet([1.0, 1.0, 1.0], 40).T
    parts = {"web": web, "code": code, "books": books}
    assert [form.text for form in asked(**parts)] == ["c0 + c1 * exp(c2 * web + c3 * code)"]
    assert names(asked(N=N, **parts)) == names([*MIXTURES, *MIXTURES_OF_SIZE, *ONE_SIZE])
    assert not names([*MIXTURES, *MIXTURES_OF_SIZE]) & names(asked(N=N, web=web, code=code))


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
