"""Least squares finds planted constants, whatever the unit, and says when it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.laws.intervals import constants
from mtl_laws.pipeline.laws.rows import Rows, infer_domains, number_cells
from mtl_laws.pipeline.symbolic.fit import RULES, Fit, Sample, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts

FORMS = {
    "c0 - c1*(n*(1 + (T - 1)*ami**c2))**(-c3)": (0.9, 3.0, 1.8, 0.4),
    "c0/(1 + (c1/(n*T**ami))**c2)": (0.8, 300.0, 1.4),
    "c0 + c1*log(n*(c2*T)**ami)": (-0.3, 0.12, 1.3),
    "c0*(1 - exp(-(n/c1)**c2)) + c3*ami": (0.7, 250.0, 0.8, 0.1),
}


def rows(seed: int = 0, count: int = 300) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "n": np.exp(rng.uniform(np.log(30), np.log(3_000), count)),
        "T": rng.integers(1, 9, count).astype(float),
        "ami": rng.uniform(0, 1, count),
    }


def solve(text: str, columns: dict[str, np.ndarray], target: np.ndarray) -> tuple[Expression, Fit]:
    expression = Expression.parse(text, tuple(columns))
    sample = Sample(columns, target, np.ones(len(target)))
    fit = fit_constants(
        expression, sample, propose_starts(expression, sample, 12, seed=0), 200, RULES.exact
    )
    assert fit is not None
    return expression, fit


@pytest.mark.parametrize("text", FORMS)
def test_planted_constants_are_found(text: str) -> None:
    columns = rows()
    truth = np.array(FORMS[text])
    target = Expression.parse(text, tuple(columns)).evaluate(columns, truth)
    _, fit = solve(text, columns, target)
    np.testing.assert_allclose(fit.theta, truth, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("c0 + c1*(n*T**c2)**c3", (0.95, -1.8, 0.5, -0.4)),
        ("c0 + c1*n**c2 + c3*T**c4", (1.2, 20.0, -0.5, 1.0, -0.7)),
        ("c0 - c1*(n*(1 - c2*ami))**(-c3)", (0.92, 1.1, 0.8, 0.35)),
    ],
)
def test_falling_powers_and_factors_that_may_be_zero_are_found(
    text: str, truth: tuple[float, ...]
) -> None:
    columns = rows()
    columns["ami"] = np.where(columns["ami"] < 0.3, 0.0, columns["ami"])
    target = Expression.parse(text, tuple(columns)).evaluate(columns, np.array(truth))
    expression, fit = solve(text, columns, target)
    np.testing.assert_allclose(expression.evaluate(columns, fit.theta), target, atol=1e-4)


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1e3])
@pytest.mark.parametrize("text", FORMS)
def test_the_unit_of_a_factor_does_not_matter(text: str, unit: float) -> None:
    columns = rows()
    rng = np.random.default_rng(3)
    target = Expression.parse(text, tuple(columns)).evaluate(columns, np.array(FORMS[text]))
    target = target + rng.normal(0, 0.02, len(target))
    expression, fit = solve(text, columns, target)
    scaled = {**columns, "n": columns["n"] * unit}
    _, other = solve(text, scaled, target)
    np.testing.assert_allclose(
        expression.evaluate(scaled, other.theta), expression.evaluate(columns, fit.theta), atol=2e-3
    )


def test_weights_are_repetitions() -> None:
    columns, rng = rows(count=60), np.random.default_rng(1)
    target = rng.normal(size=60)
    weight = rng.integers(1, 4, 60)
    expression = Expression.parse("c0 + c1*ami", ("n", "T", "ami"))
    repeated = {name: np.repeat(column, weight) for name, column in columns.items()}
    once = fit_constants(
        expression, Sample(columns, target, weight.astype(float)), np.zeros((1, 2)), 50
    )
    many = fit_constants(
        expression,
        Sample(repeated, np.repeat(target, weight), np.ones(int(weight.sum()))),
        np.zeros((1, 2)),
        50,
    )
    assert once is not None
    assert many is not None
    np.testing.assert_allclose(once.theta, many.theta, rtol=1e-8)


def test_no_finite_start_is_no_fit() -> None:
    columns = rows(count=20)
    sample = Sample(columns, np.zeros(20), np.ones(20))
    expression = Expression.parse("log(-n) + c0", ("n", "T", "ami"))
    assert fit_constants(expression, sample, np.ones((3, 1))) is None


def test_intervals_cover_the_truth() -> None:
    """The 95 % interval of an exponent covers it in about 95 % of tables (binomial, 60 tables)."""
    text, truth = "c0 + c1*n**(-c2)", np.array([0.9, -2.0, 0.5])
    levels = np.repeat(np.geomspace(30, 3_000, 30), 2)
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng([7, seed])
        columns = {"n": levels}
        expression = Expression.parse(text, ("n",))
        target = expression.evaluate(columns, truth) + rng.normal(0, 0.004, len(levels))
        data = Rows(columns, target, number_cells(columns), "y", domains=infer_domains(columns))
        fit = fit_constants(expression, data.sample, propose_starts(expression, data.sample, 6, 0))
        assert fit is not None
        interval = constants(expression, fit, data, seed)["c2"].ci95
        assert interval is not None
        covered += interval[0] <= truth[2] <= interval[1]
    assert covered >= 51
