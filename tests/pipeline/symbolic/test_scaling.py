"""A unit is a convention: every form says the same of tokens, of thousands of them and of 10⁻⁹."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.laws.catalogue import CATALOGUE, GAINS, REPEATED
from mtl_laws.pipeline.symbolic.engines.forms import (
    OUTERS,
    SCREENING,
    Form,
    effective_sizes,
    extensions,
    screening_forms,
)
from mtl_laws.pipeline.symbolic.fit import RULES, Sample, fit_constants
from mtl_laws.pipeline.symbolic.kinds import Kinds, classify
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.scaling import converted, is_unit_free, scalable
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Tree

UNITS = (1e-9, 1e-5, 1e-2, 7.3, 1e3, 1e9)


def table(count: int = 60) -> dict[str, np.ndarray]:
    """A measured size, a count and a fraction; then another size, and what is distinct of n."""
    rng = np.random.default_rng(5)
    n = np.exp(rng.uniform(np.log(30), np.log(3_000), count))
    return {
        "n": n,
        "T": rng.integers(1, 9, count).astype(float),
        "ami": rng.uniform(0.05, 0.95, count),
        "m": np.exp(rng.uniform(np.log(200), np.log(90_000), count)),
        "u": n / rng.uniform(1.0, 6.0, count),
    }


COLUMNS = table()
GRAMMAR = ("n", "T", "ami")
KINDS = classify({name: COLUMNS[name] for name in GRAMMAR})
MEASURED = classify(COLUMNS).measured
NAMES = tuple(COLUMNS)
TOGETHER = tuple(form.text.format(n="n", u="u", m="m") for form in REPEATED)
"""Forms with a ratio of two sizes: they belong to a unit that both are counted in."""


def target(columns: Mapping[str, np.ndarray], of_m: float = 0.0) -> np.ndarray:
    """A law of the first three, and as much of the second size as is asked for."""
    n, T, ami = (columns[name] for name in GRAMMAR)
    clean = 0.9 - 2.0 * (n * (1 + (T - 1) * ami)) ** -0.4 - of_m * n**-0.2 * columns["m"] ** -0.3
    return clean + np.random.default_rng(6).normal(0, 0.01, len(n))


def grammar_forms(kinds: Kinds) -> dict[str, list[str]]:
    """Texts of the grammar's forms by where they come from."""
    grown = (
        text
        for size in ("n", "n*T**ami", "n*(1 + (T - 1)*ami)", "n*T**(?*ami - ?)")
        for text in extensions(Form(SCREENING, size), kinds)
    )
    return {
        "screening": [form.text for form in screening_forms(kinds)],
        "every outer": [Form(o, u).text for o in OUTERS for u in effective_sizes(kinds)],
        "extensions": [form.text for form in islice(grown, 0, None, 3)],
    }


def catalogue() -> list[str]:
    places = {"n": "n", "m": "m", "l": "u", "u": "u", "k": "T", "T": "T", "s": "ami"}
    return [form.text.format(**places, mix="c9*ami") for form in (*CATALOGUE, *GAINS)]


FORMS = {**grammar_forms(KINDS), "catalogue": catalogue()}


def trees(source: str) -> Iterator[Tree]:
    for text in dict.fromkeys(FORMS[source]):
        yield Tree.parse(text, NAMES)


def test_the_table_has_a_factor_of_each_kind() -> None:
    assert (KINDS.measured, KINDS.counts, KINDS.fractions) == (("n",), ("T",), ("ami",))
    assert MEASURED == ("n", "m", "u")
    assert (COLUMNS["u"] <= COLUMNS["n"]).all()
    assert {source: len(set(texts)) > 10 for source, texts in FORMS.items()} == dict.fromkeys(
        FORMS, True
    )


@pytest.mark.parametrize("source", ["screening", "catalogue"])
def test_forms_are_unit_free_in_measured_sizes(source: str) -> None:
    bound = [tree for tree in trees(source) if not is_unit_free(tree, MEASURED)]
    together = [Tree.parse(text, NAMES) for text in TOGETHER]
    assert bound == (together if source == "catalogue" else [])


@pytest.mark.parametrize("text", TOGETHER)
def test_a_ratio_of_sizes_is_fitted_alike_where_both_change_their_unit(text: str) -> None:
    y, tree = target(COLUMNS), Tree.parse(text, NAMES)
    plain = fitted(tree, COLUMNS, y)
    assert plain is not None
    for unit in UNITS:
        changed = {name: COLUMNS[name] * unit for name in ("n", "u")}
        other = fitted(tree, {**COLUMNS, **changed}, y)
        assert other is not None
        np.testing.assert_allclose(other, plain, rtol=1e-6, err_msg=f"n and u in {unit}")


@pytest.mark.parametrize("source", FORMS)
def test_converted_constants_say_the_same_in_another_unit(source: str) -> None:
    """f(x; converted constants) = f(x / g; constants): exactly, for every form and every factor."""
    rng = np.random.default_rng(7)
    for tree in trees(source):
        expression, inside = compiled(tree), sorted(scalable(tree))
        theta = rng.uniform(0.3, 1.7, (3, len(tree.constants)))
        for scales in (dict.fromkeys(inside, 37.5), dict.fromkeys(inside[:1], 0.013)):
            divided = {n: column / scales.get(n, 1.0) for n, column in COLUMNS.items()}
            want = expression.evaluate(divided, theta)
            got = expression.evaluate(COLUMNS, converted(tree, theta, scales))
            np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want), tree.text)
            known = np.isfinite(want)
            size = np.abs(want[known]).max(initial=1e-300)
            np.testing.assert_allclose(
                got[known], want[known], rtol=1e-9, atol=1e-9 * size, err_msg=tree.text
            )


def fitted(tree: Tree, columns: dict[str, np.ndarray], y: np.ndarray) -> np.ndarray | None:
    """Predictions at the fitted constants."""
    expression, sample = compiled(tree), Sample(columns, y, np.ones(len(y)))
    starts = propose_starts(expression, sample, 3, seed=0)
    fit = fit_constants(expression, sample, starts, 30)
    return None if fit is None else expression.evaluate(columns, fit.theta)


@pytest.mark.parametrize("source", FORMS)
def test_a_fit_does_not_depend_on_the_unit(source: str) -> None:
    """The same unexplained variance and the same predictions, whatever n is counted in."""
    y = target(COLUMNS, of_m=float(source == "catalogue"))  # so that forms with m are determined
    units, tried = np.random.default_rng(8), 0
    for tree in trees(source):
        if "n" not in tree.factors or not is_unit_free(tree, ["n"]):
            continue
        plain = fitted(tree, COLUMNS, y)
        unit = float(units.choice(UNITS))
        other = fitted(tree, {**COLUMNS, "n": COLUMNS["n"] * unit}, y)
        assert (plain is None) == (other is None), tree.text
        if plain is None or other is None:
            continue
        tried += 1
        np.testing.assert_allclose(other, plain, rtol=1e-6, err_msg=f"{tree.text} with n in {unit}")
        left = [float(np.sum((y - value) ** 2)) for value in (plain, other)]
        assert left[1] == pytest.approx(left[0], rel=1e-6), tree.text
    assert tried > 10


@given(st.floats(-9, 9), st.sampled_from(["c0 + c1*n**(-c2)", "c0/(1 + (c1/(n*T**ami))**c2)"]))
@settings(max_examples=40, deadline=None)
def test_any_unit_will_do(power: float, text: str) -> None:
    y, tree, unit = target(COLUMNS), Tree.parse(text, NAMES), 10.0**power
    plain = fitted(tree, COLUMNS, y)
    other = fitted(tree, {**COLUMNS, "n": COLUMNS["n"] * unit}, y)
    assert plain is not None
    assert other is not None
    np.testing.assert_allclose(other, plain, rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    ["n**c0", "c0 + c1*log(1 + n)", "c0 + 1/n", "c0*exp(-n)", "c0*n**ami", "c0 + c1*(n + T)**c2"],
)
def test_forms_that_depend_on_a_unit_are_known(text: str) -> None:
    assert not is_unit_free(Tree.parse(text, NAMES), ["n"])


def test_what_depends_on_a_unit_does_not_fit_alike() -> None:
    """The property is not empty: a form that is not unit free fails it."""
    y, tree = target(COLUMNS), Tree.parse("c0 + c1*log(1 + n)", NAMES)
    plain = fitted(tree, COLUMNS, y)
    other = fitted(tree, {**COLUMNS, "n": COLUMNS["n"] * 1e-3}, y)
    assert plain is not None
    assert other is not None
    assert np.abs(other - plain).max() > 1e-3


def test_constants_are_in_the_unit_of_the_table() -> None:
    tree = Tree.parse("c0 + c1*n**(-c2)", NAMES)
    y = 0.9 - 2.0 * COLUMNS["n"] ** -0.5
    expression = compiled(tree)
    for unit in UNITS:
        sample = Sample({**COLUMNS, "n": COLUMNS["n"] * unit}, y, np.ones(len(y)))
        starts = propose_starts(expression, sample, 6, seed=0)
        fit = fit_constants(expression, sample, starts, 200, RULES.exact)
        assert fit is not None
        np.testing.assert_allclose(fit.theta, [0.9, -2.0 * unit**0.5, 0.5], rtol=1e-5)
