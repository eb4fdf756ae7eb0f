"""Templates mean what they came from; simplification never changes a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline.symbolic.simplify import simplify

from pipeline.symbolic.fit import Sample
from pipeline.symbolic.program import Expression
from pipeline.symbolic.templates import abstract, renumber, shorten, to_template

FACTORS = ("n", "T", "ami")
ROWS = {
    "n": np.array([3.0, 40.0, 900.0]),
    "T": np.array([1.0, 2.0, 5.0]),
    "ami": np.array([0.05, 0.5, 0.95]),
}
leaves = st.sampled_from(["n", "T", "ami", "0", "1", "2", "0.5", "1.75"])
texts = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda t: f"log(1 + {t}**2)"),
        inner.map(lambda t: f"({t})**1"),
        inner.map(lambda t: f"-({t})"),
    ),
    max_leaves=8,
)


def values(text: str, theta: tuple[float, ...] = ()) -> np.ndarray:
    expression = Expression.parse(text, FACTORS)
    return np.broadcast_to(expression.evaluate(ROWS, np.array(theta)), 3)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_simplifying_keeps_the_value_and_never_adds_a_node(text: str) -> None:
    before = values(text)
    short = simplify(text)
    known = np.isfinite(before)
    np.testing.assert_allclose(values(short)[known], before[known], rtol=1e-9, atol=1e-12)
    nodes = Expression.parse(short, FACTORS).complexity
    assert nodes <= Expression.parse(text, FACTORS).complexity


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0 + n", "n"),
        ("1*n**1", "n"),
        ("n**0 + 0*T", "1"),
        ("0 - n", "-n"),
        ("n + -T", "n - T"),
        ("n - -T*ami", "n + T * ami"),
        ("n + -T/ami", "n - T / ami"),
        ("n*(1 + (T - 1)*ami**0)", "n * (1 + (T - 1))"),
    ],
)
def test_neutral_elements_go(text: str, short: str) -> None:
    assert simplify(text) == short


@pytest.mark.parametrize(
    "text",
    [
        "(0.085231 + (0.798837 * (0.111201 * n)))",
        "0.9 - 0.5*((0.3 * n)**(-0.51))",
        "1.5*exp(-0.3*n/100) + sqrt(0.2*ami) + T**2",
    ],
)
def test_a_template_stands_at_the_numbers_it_came_from(text: str) -> None:
    pair = abstract(text, FACTORS)
    assert pair is not None
    expression = Expression.parse(pair[0], FACTORS)
    theta = [pair[1][int(name[1:])] for name in expression.constants]
    np.testing.assert_allclose(values(pair[0], tuple(theta)), values(text), rtol=1e-6)


def test_structure_stays_and_numbers_go() -> None:
    template = to_template("0.3*n**2 + 0.7*sqrt(T) - 1.2", FACTORS)
    assert template == "sqrt(T) * c0 + c1 + c2 * n ** 2"


@pytest.mark.parametrize("text", ["sqrt(-2.5)", "log(0*n)", "3.2"])
def test_what_is_not_real_or_uses_no_factor_is_no_template(text: str) -> None:
    assert to_template(text, FACTORS) is None


def test_constants_are_numbered_in_order() -> None:
    assert renumber("c7 + c2*n**c7") == "c0 + c1 * n ** c0"


def test_shortening_drops_what_the_data_do_not_ask_for() -> None:
    rng = np.random.default_rng(0)
    columns = {"n": rng.uniform(1, 50, 200), "T": rng.uniform(1, 5, 200)}
    target = 0.3 + 0.02 * columns["n"] + rng.normal(0, 0.01, 200)
    sample = Sample(columns, target, np.ones(200))
    start = np.array([0.3, 0.02, 1.0, 0.001])
    shorter = shorten("c0 + c1*n**c2 + c3*T", start, sample, seed=0)
    assert "c0 + c1 * n" in shorter
