"""Programs: the linear split says what the expression says, and slopes are slopes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.symbolic.program import Expression, Linear, Program
from mtl_laws.pipeline.symbolic.tree import Tree

FACTORS = ("n", "T", "ami")
COLUMNS = {
    "n": np.array([3.0, 40.0, 900.0, 70.0]),
    "T": np.array([1.0, 2.0, 5.0, 3.0]),
    "ami": np.array([0.05, 0.5, 0.95, 0.3]),
}
constants = st.sampled_from([f"c{k}" for k in range(6)])
leaves = st.one_of(st.sampled_from([*FACTORS, "1", "0.5"]), constants)
texts = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda t: f"(-{t})"),
        inner.map(lambda t: f"exp(-({t})/50)"),
        inner.map(lambda t: f"tanh({t})"),
        st.tuples(st.sampled_from(FACTORS), constants).map(lambda t: f"{t[0]}**(-{t[1]})"),
    ),
    max_leaves=9,
)
THETA = {f"c{k}": value for k, value in enumerate((0.7, -1.3, 0.4, 2.1, -0.6, 0.9))}


def theta_of(names: tuple[str, ...]) -> np.ndarray:
    return np.array([[THETA[name] for name in names], [THETA[name] / 2 for name in names]])


def finite(*arrays: np.ndarray, limit: float = 1e8) -> np.ndarray:
    """Where all arrays hold numbers that arithmetic keeps its digits in."""
    whole = np.broadcast_arrays(*arrays)
    return np.all([np.isfinite(one) & (np.abs(one) < limit) for one in whole], axis=0)


@given(texts, st.sets(constants))
@settings(max_examples=300, deadline=None)
def test_offset_and_linear_constants_add_up_to_the_expression(
    text: str, nonlinear: set[str]
) -> None:
    expression = Expression.parse(text, FACTORS)
    linear = Linear(expression.tree, nonlinear)
    assert sorted([*linear.names, *linear.others]) == sorted(expression.constants)
    assert not set(linear.names) & nonlinear
    with np.errstate(all="ignore"):
        _, offset, bases = linear.evaluate(COLUMNS, theta_of(linear.others))
        beta = theta_of(linear.names)
        whole = offset + np.sum(beta[:, :, None] * bases, axis=1)
    want = expression.evaluate(COLUMNS, theta_of(expression.constants))
    sound = finite(whole, want) & np.isfinite(bases).all(axis=1)
    size = np.abs(offset) + np.sum(np.abs(beta[:, :, None] * bases), axis=1)
    np.testing.assert_array_less(
        np.abs(whole - want)[sound], 1e-9 * np.maximum(size[sound], 1e-3) + 1e-12
    )


@given(texts, st.sets(constants))
@settings(max_examples=200, deadline=None)
def test_derivatives_of_the_split_are_finite_differences(text: str, nonlinear: set[str]) -> None:
    linear = Linear(Expression.parse(text, FACTORS).tree, nonlinear)
    others, beta, step = theta_of(linear.others), theta_of(linear.names), 1e-6

    def whole(at: np.ndarray) -> np.ndarray:
        _, offset, bases = linear.evaluate(COLUMNS, at)
        return offset + np.sum(beta[:, :, None] * bases, axis=1)

    with np.errstate(all="ignore"):
        slots, _, _ = linear.evaluate(COLUMNS, others)
        slopes = linear.derivatives(slots, beta, (2, 4))
        assert slopes.shape == (2, len(linear.others), 4)
        for q in range(len(linear.others)):
            move = np.zeros_like(others)
            move[:, q] = step
            up, down = whole(others + move), whole(others - move)
            difference = (up - down) / (2 * step)
            sound = finite(up, down, slopes[:, q], difference, limit=1e4)
            np.testing.assert_allclose(slopes[:, q][sound], difference[sound], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "names", "others"),
    [
        ("c0 + c1*n**(-c2)", ("c0", "c1"), ("c2",)),
        ("c0 - c1*(n + c2*T)*c3", ("c0", "c1"), ("c2", "c3")),
        ("c0*(1 - exp(-n/c1)) + c2/T", ("c0", "c2"), ("c1",)),
        ("c0 + c0*n", (), ("c0",)),
        ("(c0 + c1*n)/(1 + c2*T)", ("c0", "c1"), ("c2",)),
        ("log(c0*n) + c1", ("c1",), ("c0",)),
    ],
)
def test_constants_are_linear_where_they_are_and_only_there(
    text: str, names: tuple[str, ...], others: tuple[str, ...]
) -> None:
    linear = Linear(Tree.parse(text, FACTORS))
    assert (linear.names, linear.others) == (names, others)


def test_constants_that_are_not_to_be_linear_come_last() -> None:
    linear = Linear(Tree.parse("c0 + c1*n**(-c2)", FACTORS), ["c0"])
    assert (linear.names, linear.others) == (("c1",), ("c2", "c0"))


def test_equal_parts_are_evaluated_once() -> None:
    part = "log(n + T*ami)"
    program = Program([Tree.parse(f"{part} + {part}*{part}", FACTORS)], ())
    assert len([step for step in program.steps if step.op == "log"]) == 1


@given(texts)
@settings(max_examples=100, deadline=None)
def test_rows_with_constants_of_their_own_are_evaluated_as_one_by_one(text: str) -> None:
    expression = Expression.parse(text, FACTORS)
    theta = np.random.default_rng(0).uniform(0.2, 2.0, (4, len(expression.constants)))
    together = expression.evaluate_rows(COLUMNS, theta)
    alone = [
        expression.evaluate({name: column[k : k + 1] for name, column in COLUMNS.items()}, theta[k])
        for k in range(4)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-12)
