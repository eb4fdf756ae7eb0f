"""Templates mean what they came from; simplification never changes a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.laws.candidates import prune
from pipeline.laws.rows import Rows, number_cells
from pipeline.symbolic.fit import RULES, Sample, fit_constants, propose_starts
from pipeline.symbolic.program import Expression, compiled
from pipeline.symbolic.templates import MAX_NODES, shorter, to_template
from pipeline.symbolic.tree import Tree

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


def tree(text: str) -> Tree:
    return Tree.parse(text, FACTORS)


def values(text: str, theta: tuple[float, ...] = ()) -> np.ndarray:
    expression = Expression.parse(text, FACTORS)
    return np.broadcast_to(expression.evaluate(ROWS, np.array(theta)), 3)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_simplifying_keeps_the_value_and_never_adds_a_node(text: str) -> None:
    before = values(text)
    short = tree(text).simplify()
    known = np.isfinite(before)
    np.testing.assert_allclose(values(short.text)[known], before[known], rtol=1e-9, atol=1e-12)
    assert short.complexity <= tree(text).complexity


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
    assert tree(text).simplify().text == short


def best_fit(template: Tree, target: np.ndarray, columns: dict[str, np.ndarray]) -> np.ndarray:
    """What the template predicts at the constants that fit a target best."""
    expression, sample = compiled(template), Sample(columns, target, np.ones(len(target)))
    starts = propose_starts(expression, sample, 12, seed=0)
    fit = fit_constants(expression, sample, starts, 300, RULES.exact)
    assert fit is not None
    return expression.evaluate(columns, fit.theta)


@pytest.mark.parametrize(
    "text",
    [
        "(0.085231 + (0.798837 * (0.111201 * n)))",
        "0.9 - 0.5*((0.3 * n)**(-0.51))",
        "1.5*exp(-0.3*n/100) + sqrt(0.2*ami) + T**2",
        "0.3*n**2 + 0.7*sqrt(T) - 1.2",
        "(0.2*n + 0.3*T)*(0.7*ami + 0.1)/1.7",
        "log(0.4*n)*0.1 - 0.2*log(3*T) + 1.3",
    ],
)
def test_a_template_can_say_all_that_it_came_from(text: str) -> None:
    """Merging constants that act as one loses nothing: the fit is exact."""
    template = to_template(text, FACTORS)
    assert template is not None
    assert not any(node.is_number and node.value not in (1.0, 2.0) for node in template.walk())
    rng = np.random.default_rng(0)
    columns = {"n": rng.uniform(3, 900, 80), "T": rng.uniform(1, 8, 80), "ami": rng.random(80)}
    target = Expression.parse(text, FACTORS).evaluate(columns)
    found = best_fit(template, target, columns)
    np.testing.assert_allclose(found, target, rtol=1e-5, atol=1e-6 * np.ptp(target))


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("0.3*n**2 + 0.7*sqrt(T) - 1.2", "c0 * n ** 2 + c1 * sqrt(T) - c2"),
        ("(0.085231 + (0.798837 * (0.111201 * n)))", "c0 + c1 * n"),
        ("0.9 - 0.5*((0.3 * n)**(-0.51))", "c0 - c1 * n ** c2"),
        ("0.4*n + 0.7*n - 3 + 2.5*T", "c0 * n - c1 + c2 * T"),
    ],
)
def test_structure_stays_and_numbers_that_act_as_one_merge(text: str, template: str) -> None:
    found = to_template(text, FACTORS)
    assert found is not None
    assert found.text == template


def test_a_template_with_constants_is_only_renumbered() -> None:
    found = to_template("c7 + c2*n**c7 + 0.5*T", FACTORS)
    assert found is not None
    assert found.text == "c0 + c1 * n ** c0 + 0.5 * T"


@pytest.mark.parametrize(
    "text", ["sqrt(-2.5)", "log(0*n)", "3.2", "sin(n)", "n +", " + ".join(["n*T"] * MAX_NODES)]
)
def test_what_is_not_real_or_uses_no_factor_is_no_template(text: str) -> None:
    assert to_template(text, FACTORS) is None


def test_constants_are_numbered_in_order() -> None:
    assert tree("c7 + c2*n**c7").renumber().text == "c0 + c1 * n ** c0"


def test_shorter_variants_have_one_constant_less_and_know_the_old_names() -> None:
    variants = {variant.text: names for variant, names in shorter(tree("c0 + c1*n**c2")).items()}
    assert variants == {
        "c0 * n ** c1": ("c1", "c2"),
        "1 + c0 * n ** c1": ("c1", "c2"),
        "c0": ("c0",),
        "c0 + n ** c1": ("c0", "c2"),
        "c0 + c1": ("c0", "c1"),
        "c0 + c1 * n": ("c0", "c1"),
    }


def test_pruning_drops_what_the_data_do_not_ask_for() -> None:
    rng = np.random.default_rng(0)
    columns = {"n": rng.uniform(1, 50, 200), "T": rng.uniform(1, 5, 200)}
    target = 0.3 + 0.02 * columns["n"] + rng.normal(0, 0.01, 200)
    data = Rows(columns, target, number_cells(columns))
    start = np.array([0.3, 0.02, 1.0, 0.001])
    pruned = prune(Tree.parse("c0 + c1*n**c2 + c3*T", ("n", "T")), start, data, seed=0)
    assert "c0 + c1 * n" in [each.text for each in pruned]
    sizes = [each.complexity for each in pruned]
    assert sizes == sorted(sizes, reverse=True)
    assert all("n" in each.factors for each in pruned), "n is what the data ask for"
