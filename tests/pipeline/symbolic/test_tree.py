"""Expressions: what is parsed is what Python means by it, and nothing else is parsed."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Tree

FACTORS = ("n", "T", "ami")
ROWS = {
    "n": np.array([3.0, 40.0, 900.0]),
    "T": np.array([1.0, 2.0, 5.0]),
    "ami": np.array([0.05, 0.5, 0.95]),
}

numbers = st.floats(0.1, 5.0).map(lambda x: f"{x:.3f}")
leaves = st.one_of(st.sampled_from([*FACTORS, "c0", "c1"]), numbers)
texts = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda t: f"sqrt({t})"),
        inner.map(lambda t: f"exp(-({t}))"),
        st.tuples(inner, numbers).map(lambda t: f"({t[0]})**{t[1]}"),
    ),
    max_leaves=8,
)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_value_is_what_python_computes(text: str) -> None:
    expression = Expression.parse(text, FACTORS)
    theta = {"c0": np.float64(0.7), "c1": np.float64(1.3)}
    values = np.array([theta[name] for name in expression.constants])
    got = np.broadcast_to(expression.evaluate(ROWS, values), 3)
    with np.errstate(all="ignore"):
        scope = {"sqrt": np.sqrt, "exp": np.exp, "__builtins__": {}}
        want = eval(text, scope, {**ROWS, **theta})  # the text is ours
    assume(not np.iscomplexobj(want))  # a negative number to a broken power: here nan
    np.testing.assert_allclose(got, np.broadcast_to(want, 3), rtol=1e-12)


@given(texts)
@settings(max_examples=100, deadline=None)
def test_jacobian_is_the_slope(text: str) -> None:
    expression = Expression.parse(text, FACTORS)
    theta = np.array([[0.7, 1.3][: len(expression.constants)]])
    value, jacobian = expression.jacobian(ROWS, theta)
    step = 1e-6
    for p in range(theta.shape[1]):
        up, down = theta.copy(), theta.copy()
        up[0, p], down[0, p] = up[0, p] + step, down[0, p] - step
        high, _ = expression.jacobian(ROWS, up)
        low, _ = expression.jacobian(ROWS, down)
        slope = (high[0] - low[0]) / (2 * step)
        smooth = np.isfinite(slope) & np.isfinite(jacobian[0, p]) & (np.abs(slope) < 1e6)
        known = smooth & (np.abs(value[0]) < 1e6)
        np.testing.assert_allclose(jacobian[0, p][known], slope[known], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("n", 1),
        ("-2", 1),
        ("c0 + c1*n", 5),
        ("n**-0.5", 3),
        ("n**(-0.5)", 3),
        ("-n", 2),
        ("log(n)", 2),
        ("0.9 - 0.5/sqrt(n*(1 + (T - 1)*ami))", 14),
    ],
)
def test_complexity_counts_nodes(text: str, nodes: int) -> None:
    assert Expression.parse(text, FACTORS).complexity == nodes


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "n.__class__",
        "(lambda: n)()",
        "[n for n in (1,)]",
        "open('x')",
        "exec('1')",
        "sqrt(n, T)",
        "n if T else ami",
        "n := 3",
        "m + 1",
        "True",
        "1j",
        "'n'",
        "n @ T",
        "",
        "n +",
        "sqrt",
        "log(n, base=2)",
        "(" * 400 + "n" + ")" * 400,
        "n" * 6_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        Expression.parse(text, FACTORS)


@given(texts, st.floats(-5, 5))
@settings(max_examples=100, deadline=None)
def test_numbers_take_the_place_of_constants(text: str, value: float) -> None:
    expression = Expression.parse(text, FACTORS)
    names = expression.constants
    filled = Expression.parse(expression.with_constants(dict.fromkeys(names, value)), FACTORS)
    assert not filled.constants
    want = expression.evaluate(ROWS, np.full(len(names), value))
    np.testing.assert_allclose(
        np.broadcast_to(filled.evaluate(ROWS), 3), np.broadcast_to(want, 3), rtol=1e-9
    )


def test_substitution_keeps_precedence() -> None:
    tree = Tree.parse("c0 - c1*n**c2", FACTORS)
    text = tree.with_constants({"c0": 1.0, "c1": -2.5, "c2": -0.5}).text
    assert text == "1 + 2.5 * n ** (-0.5)"
    assert ast.parse(text)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_the_text_of_a_tree_parses_back_to_it(text: str) -> None:
    tree = Tree.parse(text, FACTORS)
    assert Tree.parse(tree.text, FACTORS) == tree
    assert ast.unparse(ast.parse(tree.text, mode="eval")) == tree.text


def test_a_node_is_found_and_replaced_by_its_path() -> None:
    tree = Tree.parse("c0 + n*T**(c1*n)", FACTORS)
    paths = tree.paths("n")
    assert [tree.at(path).text for path in paths] == ["n", "n"]
    assert tree.put(paths[1], Tree.number(2.0)).text == "c0 + n * T ** (c1 * 2)"
