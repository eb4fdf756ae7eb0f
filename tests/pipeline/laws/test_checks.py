"""Poles, bounds and limits: what must not be believed is found out before it is believed."""

from __future__ import annotations

import numpy as np
import pytest
from pipeline.laws.limits import implausibility
from support.rows import grid_data

from pipeline.laws.checks import domain_grid, invalidity
from pipeline.symbolic.program import Expression


def reason(text: str, bounds: tuple[float, float] = (0.0, 1.0)) -> str:
    data = grid_data(bounds)
    expression = Expression.parse(text, data.factors)
    return invalidity(expression, np.zeros(0), domain_grid(data), data)


@pytest.mark.parametrize(
    "text",
    [
        "0.9 - 0.5/sqrt(n)",
        "0.8/(1 + (30/(n*T**ami))**1.4)",
        "0.5",
        "0.3 + 0.1*(n - 43.21)/(n + 1)",
    ],
)
def test_bounded_laws_are_valid(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.5 + 1e-9/(n - 43.21)", "changes sign"),
        ("0.5 + 1e-9*(n - 43.21)**-1", "changes sign"),
        ("0.5 + 0.0001*log(n - 43.21)", "not finite"),
        ("0.3*log(n)", "rises to"),
        ("0.9 - 0.01*n*ami", "falls to"),
        ("0.5 + 0.01/ami", "not finite"),
        ("0.5 + 0.1*T**(-1432)", "a power of -1.43e+03: a step"),
        ("0.5 + 0.1*(T - 1)**0.001", "a power of 0.001: a step"),
    ],
)
def test_poles_and_values_out_of_bounds_are_found(text: str, words: str) -> None:
    assert words in reason(text)


def test_the_domain_reaches_past_the_data() -> None:
    """A law may be within bounds on every row and still break at twice the largest n."""
    data = grid_data((0.0, 0.5))
    expression = Expression.parse("log(n)/10", data.factors)
    assert np.all(expression.evaluate(dict(data.columns)) < 0.5)
    assert "n = 160" in invalidity(expression, np.zeros(0), domain_grid(data), data)


def test_held_out_factor_values_are_in_the_domain() -> None:
    data = grid_data((0.0, 1.0))
    far = data.take(np.arange(3))
    far.columns["n"][:] = 50_000.0  # type: ignore[index]
    grid = domain_grid(data, far)
    assert grid["n"].max() == 50_000.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.9 - 0.5/sqrt(n*(1 + (T - 1)*ami))", ""),
        ("0.8/(1 + (30/(n*T**ami))**1.4)", ""),
        ("0.1*log(n)", "leaves the bounds as n grows"),
        ("0.1 + 0.01*log(T)", "leaves the bounds as T grows"),
        ("n*T*exp(-n*T/400)/400", "turns back as n grows"),
        ("0.5 - 0.4/T - 0.4*(1 - 1/T)**20", "turns back as T grows"),
        ("0.5 - 0.5/n + 0.3*ami*(1 - 1/T)", "limit that depends on ami"),
        ("0.5 - 0.5/n + 0.3*ami", "where that factor is undefined"),
    ],
)
def test_limits_of_a_bounded_score(text: str, words: str) -> None:
    data = grid_data((0.0, 1.0))
    expression = Expression.parse(text, data.factors)
    found = implausibility(expression, np.zeros(0), data)
    assert found == "" if not words else words in found


def test_a_target_without_bounds_may_grow() -> None:
    data = grid_data()
    expression = Expression.parse("0.1*log(n)", data.factors)
    assert implausibility(expression, np.zeros(0), data) == ""
