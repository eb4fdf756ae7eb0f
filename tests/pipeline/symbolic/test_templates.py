"""Templates mean what they came from; simplification never changes a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.laws.pruning import prune
from mtl_laws.pipeline.laws.rows import Rows, infer_domains
from mtl_laws.pipeline.symbolic.fit import RULES, Sample, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression, compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.templates import (
    parametrized,
    positive_exponents,
    shorter,
    to_template,
)
from mtl_laws.pipeline.symbolic.tree import Tree

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
    assert Tree.parse(text, FACTORS).simplify().text == short


@pytest.mark.parametrize(
    "text",
    [
        "(0.085231 + (0.798837 * (0.111201 * n)))",
        "0.9 - 0.5*((0.3 * n)**(-0.51))",
        "1.5*exp(-0.3*n/100) + sqrt(0.2*ami) + T**2",
        "-(0.3*n) + 2.5*(0.1*log(0.2*T + 1.5)) - ((0.7*n)**0.4)**1.5",
    ],
)
def test_some_constants_of_a_template_give_back_the_expression(text: str) -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(1, 4, 60) for name in FACTORS}
    target = Expression.parse(text, FACTORS).evaluate(columns)
    tree = to_template(text, FACTORS)
    assert tree is not None
    sample = Sample(columns, target, np.ones(60))
    starts = propose_starts(compiled(tree), sample, 20, 0)
    fit = fit_constants(compiled(tree), sample, starts, 200, RULES.exact)
    assert fit is not None
    assert fit.error < 1e-8 * float(np.sum((target - target.mean()) ** 2))


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("0.3 + 2.0*(1.5*(0.1*n)) - 4", "c0 + c1 * n"),
        ("((0.01*n)**0.37)**2.2", "c0 * n ** c1"),
        ("0.2*n + 0.3*n", "c0 * n"),
        ("2*(0.3*n + 0.4)", "c0 * n + c1"),
        ("n*(0.5*T)**ami", "n * (c0 * T) ** ami"),
        ("-(1.3*n)", "c0 * n"),
    ],
)
def test_constants_that_act_as_one_are_one(text: str, template: str) -> None:
    assert parametrized(Tree.parse(text, FACTORS)).renumber().text == template


def test_structure_stays_and_numbers_go() -> None:
    template = to_template("0.3*n**2 + 0.7*sqrt(T) - 1.2", FACTORS)
    assert template is not None
    assert set(template.text.split(" + ")) == {"c0 * n ** 2", "c1 * sqrt(T)", "c2"} or (
        template.constants == ("c0", "c1", "c2") and "n ** 2" in template.text
    )


@pytest.mark.parametrize("text", ["sqrt(-2.5)", "0*n", "3.2", "sin(n)", "nan*n"])
def test_what_is_not_ours_or_uses_no_factor_is_no_template(text: str) -> None:
    assert to_template(text, FACTORS) is None


def test_constants_are_numbered_in_order() -> None:
    assert Tree.parse("c7 + c2*n**c7", FACTORS).renumber().text == "c0 + c1 * n ** c0"


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
    data = Rows(columns, target, np.arange(200), domains=infer_domains(columns))
    start = np.array([0.3, 0.02, 1.0, 0.001])
    trees = prune(Tree.parse("c0 + c1*n**c2 + c3*T", ["n", "T"]), start, data, seed=0)
    assert "c0 + c1 * n" in [tree.text for tree in trees]


@pytest.mark.parametrize(
    ("text", "negative", "turned", "changed"),
    [
        ("c0 + c1/(1 + (c2/n)**c3)", "c3", "c0 + c1 / (1 + (n / c2) ** c3)", "c3"),
        (
            "c0 + c1/(1 + (c2/(n*T**c4))**c3)",
            "c1 c3",
            "c0 + c1 / (1 + (n * T ** c4 / c2) ** c3)",
            "c3",
        ),
        ("c0*(1 - exp(-(n/c1)**(-c2)))", "", "c0 * (1 - exp(-(c1 / n) ** c2))", ""),
        ("c0*(1 - exp(-(n/c1)**(-c2)))", "c2", "c0 * (1 - exp(-(n / c1) ** c2))", "c2"),
        ("c0 + c1*n**(-c2)", "c2", "c0 + c1 * n ** c2", "c2"),
        ("c0 + (1/n)**c1", "c1", "c0 + n ** c1", "c1"),
    ],
)
def test_a_quotient_is_turned_over_rather_than_raised_to_a_negative_power(
    text: str, negative: str, turned: str, changed: str
) -> None:
    """The law stays the same, and it is no longer than before."""
    tree = Tree.parse(text, FACTORS)
    new, names = positive_exponents(tree, negative.split())
    assert (new.text, sorted(names)) == (turned, changed.split())
    theta = {name: 0.3 + 0.2 * k for k, name in enumerate(tree.constants)}
    theta |= {name: -theta[name] for name in negative.split()}
    other = theta | {name: -theta[name] for name in names}
    before, after = tree.with_constants(theta), new.with_constants(other)
    assert after.complexity <= before.complexity
    np.testing.assert_allclose(
        compiled(after).evaluate(ROWS), compiled(before).evaluate(ROWS), rtol=1e-13
    )


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("c0 + c1*n**c2", "c2"),  # no quotient
        ("c0 + c1/(1 + (c2/n)**c3)", "c1 c2"),  # the exponent is positive
        ("c0 + (c2/n)**c1 + c1*T", "c1"),  # a constant that stands elsewhere, too
        ("c0 + (c2/n)**(c1*T)", "c1"),  # an exponent that is no constant
    ],
)
def test_what_has_no_shorter_way_stays(text: str, negative: str) -> None:
    tree = Tree.parse(text, FACTORS)
    assert positive_exponents(tree, negative.split()) == (tree, frozenset())
