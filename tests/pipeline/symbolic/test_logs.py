"""Products of powers with exponents that depend on logarithms say the same in every unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.symbolic.fit import RULES, Fit, Sample, fit_constants
from mtl_laws.pipeline.symbolic.logs import polynomial, with_exponentials
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.scaling import is_unit_free, scalable
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Tree

NAMES = ("N", "D", "L", "R")
SPANS = {"N": (1e2, 1e5), "D": (1e6, 1e9), "L": (2.0, 40.0), "R": (1e-5, 1e-2)}

FORMS = {
    "exponent by the other size": (
        "c0 + c1*N**(c2 + c3*log(D))*D**c4",
        (0.4, 3.0, -0.55, 0.02, -0.1),
    ),
    "surface of four factors": (
        "c0 + c1*N**(c2 + c3*log(D) + c4*log(L))*D**(c5 + c6*log(R))*L**c7*R**(c8 + c9*log(R))",
        (0.4, 30.0, -0.4, 0.01, 0.01, -0.2, 0.004, -0.1, 0.7, 0.06),
    ),
    "quadratic in logarithms": (
        "c0 + c1*log(N) + c2*log(N)**2 + c3*log(D) + c4*log(N)*log(D)",
        (9.0, -0.7, 0.03, -0.3, 0.01),
    ),
    "exponential of a quadratic": (
        "c0 + c1*exp(c2*log(R) + c3*log(R)**2)",
        (0.3, 9.0, 0.95, 0.07),
    ),
}
LACKING = {
    "c0 + c1*N**(c2*log(D))": "neither power alone",
    "c0 + c1*N**(c2 + c3*log(D))": "no power of D",
    "c0 + c1*N**(c2*log(D))*D**c3": "no power of N",
    "c0 + c1*log(N)**2": "no logarithm of N",
    "c0 + c1*log(N)*log(D) + c2*log(D)": "no logarithm of N",
    "c0 + c1*exp(c2*log(N)**2)": "no logarithm of N",
    "c0*N**c1*D**(c2 + c3*log(L))": "no power of L",
}
"""Form → what a change of some unit would need in it."""


def columns(rows: int = 150) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        name: np.exp(rng.uniform(np.log(low), np.log(high), rows))
        for name, (low, high) in SPANS.items()
    }


def planted(form: str, noise: float = 0.01) -> tuple[Tree, np.ndarray]:
    """The form, and targets of its true constants with noise in units of their spread."""
    text, theta = FORMS[form]
    tree = Tree.parse(text, NAMES)
    clean = compiled(tree).evaluate(columns(), np.array(theta))
    return tree, clean + np.random.default_rng(4).normal(0, noise * clean.std(), len(clean))


def fitted(tree: Tree, table: dict[str, np.ndarray], y: np.ndarray) -> tuple[Fit, np.ndarray]:
    """Constants, and predictions at them."""
    sample, expression = Sample(table, y, np.ones(len(y))), compiled(tree)
    starts = propose_starts(expression, sample, 4, seed=0)
    fit = fit_constants(expression, sample, starts, 200, RULES.exact)
    assert fit is not None
    return fit, expression.evaluate(table, fit.theta)


def in_units(units: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: column * units.get(name, 1.0) for name, column in columns().items()}


@pytest.mark.parametrize("form", FORMS)
def test_the_true_form_explains_all_but_the_noise(form: str) -> None:
    """Otherwise equal errors in all units would say little."""
    tree, y = planted(form)
    fit, _ = fitted(tree, columns(), y)
    assert fit.error < 1.5e-4 * len(y) * y.var()


@pytest.mark.parametrize("form", FORMS)
def test_the_fit_is_the_same_in_every_unit_of_one_factor(form: str) -> None:
    tree, y = planted(form)
    fit, predicted = fitted(tree, columns(), y)
    for name in tree.factors:
        for unit in (1e-9, 1e-3, 7.3, 1e4, 1e9):
            other, again = fitted(tree, in_units({name: unit}), y)
            assert other.error == pytest.approx(fit.error, rel=1e-6), (name, unit)
            np.testing.assert_allclose(again, predicted, rtol=1e-6, err_msg=f"{name} in {unit}")


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(FORMS)),
    st.tuples(*(st.floats(-9.0, 9.0) for _ in NAMES)),
)
def test_the_fit_is_the_same_when_all_units_change(form: str, powers: tuple[float, ...]) -> None:
    tree, y = planted(form)
    fit, predicted = fitted(tree, columns(), y)
    units = {name: 10.0**power for name, power in zip(NAMES, powers, strict=True)}
    other, again = fitted(tree, in_units(units), y)
    assert other.error == pytest.approx(fit.error, rel=1e-6)
    np.testing.assert_allclose(again, predicted, rtol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_every_factor_of_a_full_form_may_change_its_unit(form: str) -> None:
    tree = Tree.parse(FORMS[form][0], NAMES)
    assert scalable(tree) == set(tree.factors)
    assert is_unit_free(tree, tree.factors)


@pytest.mark.parametrize("text", LACKING)
def test_a_form_without_the_lower_term_is_not_unit_free(text: str) -> None:
    tree = Tree.parse(text, NAMES)
    assert not is_unit_free(tree, tree.factors), LACKING[text]


@pytest.mark.parametrize("text", ["c0 + c1*N**(c2 + c3*log(D))", "c0 + c1*log(N)**2"])
def test_without_the_lower_term_the_error_depends_on_the_unit(text: str) -> None:
    """What the refusal is for: the same rows, counted otherwise, would have another law."""
    _, y = planted("exponent by the other size")
    tree = Tree.parse(text, NAMES)
    errors = [fitted(tree, in_units({"N": unit}), y)[0].error for unit in (1.0, 1e-6)]
    assert abs(errors[0] / errors[1] - 1.0) > 1e-3


def test_a_product_of_powers_is_the_exponential_of_a_polynomial() -> None:
    """The rewritten form has the same values; its terms are those of the logarithm, by hand."""
    tree, _ = planted("exponent by the other size")
    rewritten = with_exponentials(tree)
    theta = np.array(FORMS["exponent by the other size"][1])
    np.testing.assert_allclose(
        compiled(rewritten).evaluate(columns(), theta),
        compiled(tree).evaluate(columns(), theta),
        rtol=1e-12,
    )
    exponential = next(node for node in rewritten.walk() if node.op == "exp")
    terms = polynomial(exponential.args[0], frozenset(["N", "D"]))
    assert terms is not None
    found = {(term.constants, term.logs): term.number for term in terms}
    assert found == {(("c2",), ("N",)): 1.0, (("c3",), ("D", "N")): 1.0, (("c4",), ("D",)): 1.0}
