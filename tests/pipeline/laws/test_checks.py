"""Poles, steps, bounds, undefined factors and limits: each defect is found, and no other."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mtl_laws.pipeline.laws.checks import Defect, Domain, find_defect, find_limit_defect
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import CheckRules, Rules
from mtl_laws.pipeline.symbolic.program import Expression
from support.rows import grid_data

UNIT = (0.0, 1.0)


def defect(text: str, data: Rows | None = None, held_out: Rows | None = None) -> Defect | None:
    data = grid_data(UNIT) if data is None else data
    expression = Expression.parse(text, data.factors)
    return find_defect(expression, np.zeros(0), Domain.of(data, held_out))


def limit_defect(text: str, data: Rows | None = None) -> Defect | None:
    data = grid_data(UNIT) if data is None else data
    expression = Expression.parse(text, data.factors)
    return find_limit_defect(expression, np.zeros(0), Domain.of(data))


def with_rules(data: Rows, checks: CheckRules) -> Rows:
    return replace(data, rules=Rules(checks=checks))


@pytest.mark.parametrize(
    "text",
    [
        "0.9 - 0.5/sqrt(n)",
        "0.8/(1 + (30/(n*T**ami))**1.4)",
        "0.5",
        "0.4 + 0.1*(n - 43.21)/(n + 1)",
    ],
)
def test_bounded_laws_are_valid(text: str) -> None:
    assert defect(text) is None


@pytest.mark.parametrize(
    ("text", "kind", "value", "at"),
    [
        ("0.5 + 1e-9/(n - 43.21)", "pole", None, {"n": 43.21}),
        ("0.5 + 1e-9*(n - 43.21)**-1", "pole", None, {"n": 43.21}),
        ("0.5 + 0.0001*log(n - 43.21)", "not_finite", None, {"n": 10.0}),
        ("0.5 + 0.01/ami", "not_finite", None, {"ami": 0.0}),
        ("0.3*log(n)", "above_bounds", 0.3 * np.log(160), {"n": 160.0}),
        ("0.9 - 0.01*n*(T - 1)/T*ami", "below_bounds", -0.5, {"n": 160.0, "T": 8.0, "ami": 1.0}),
        ("0.5 + 0.1*T**(-1432)", "step", -1432.0, {}),
        ("0.5 + 0.1*(T - 1)**0.001", "step", 0.001, {}),
    ],
)
def test_poles_steps_and_values_out_of_bounds_are_found(
    text: str, kind: str, value: float | None, at: dict[str, float]
) -> None:
    found = defect(text)
    assert found is not None
    assert found.kind == kind
    assert found.value == (None if value is None else pytest.approx(value))
    assert {name: found.at[name] for name in at} == pytest.approx(at, rel=0.1)
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(record) == {"kind", "factor", "value", "at"}


@pytest.mark.parametrize(("excess", "valid"), [(0.0, True), (1e-12, True), (1e-6, False)])
def test_bounds_are_exact_whatever_the_noise(excess: float, valid: bool) -> None:
    """Replicates that differ by 0.1 do not excuse a law that leaves the bounds by 0.000001."""
    data = grid_data(UNIT)
    twice = replace(
        data.take(np.tile(np.arange(len(data)), 2)),
        target=np.concatenate([data.target, data.target + 0.1]),
    )
    assert (twice.replicate_variance or 0.0) > 0.001
    for text, kind in (
        (f"1 + {excess} + 0*n", "above_bounds"),
        (f"-{excess} + 0*n", "below_bounds"),
    ):
        found = defect(text, twice)
        assert (found is None) is valid
        assert found is None or found.kind == kind


def test_the_domain_reaches_past_the_data() -> None:
    """A law may be within bounds on every row and still break at twice the largest n."""
    data = grid_data((0.0, 0.5))
    expression = Expression.parse("log(n)/10", data.factors)
    assert np.all(expression.evaluate(dict(data.columns)) < 0.5)
    found = defect("log(n)/10", data)
    assert found is not None
    assert (found.kind, found.at["n"]) == ("above_bounds", pytest.approx(160.0))


def test_held_out_factor_values_are_in_the_domain() -> None:
    data = grid_data(UNIT)
    few = data.take(np.arange(3))
    far = replace(few, columns={**few.columns, "n": np.full(3, 50_000.0)})
    assert Domain.of(data, far).grid["n"].max() == 50_000.0
    assert defect("0.09*log(n)") is None
    assert defect("0.099*log(n)", held_out=far) is not None


def test_no_grid_point_is_undefined_or_given_twice() -> None:
    grid = np.column_stack(list(Domain.of(grid_data(UNIT)).grid.values()))
    assert np.isfinite(grid).all()
    assert len(np.unique(grid, axis=0)) == len(grid)


@pytest.mark.parametrize(
    "law",
    ["n*(1 + (T - 1)*ami**0.7)", "n*T**ami", "n + 10*ami*log(T)", "n*(1 + (1 - 1/T)*(ami - 0.3))"],
)
def test_a_law_that_does_not_depend_on_an_undefined_factor_is_valid(law: str) -> None:
    assert defect(f"0.9 - 0.5/sqrt({law})") is None


@pytest.mark.parametrize(
    "law", ["n*(0.7*T)**ami", "n*T*ami + n", "n + 1e-6*ami", "n*(1 + (T - 0.999)*ami)"]
)
def test_a_law_that_depends_on_an_undefined_factor_is_invalid(law: str) -> None:
    """However little: AMI is undefined at T = 1, where no row can contradict the law."""
    found = defect(f"0.9 - 0.5/sqrt({law})")
    assert found is not None
    assert (found.kind, found.factor, found.at) == ("depends_on_undefined", "ami", {"T": 1.0})
    assert found.value is not None
    assert found.value > 0.0


def test_two_undefined_factors_are_checked_each() -> None:
    data = grid_data(UNIT)
    data = replace(
        data,
        columns={**data.columns, "overlap": data.columns["ami"] / 2},
        domains={**data.domains, "overlap": (0.0, 1.0)},
    )
    assert defect("0.9 - 0.5/sqrt(n*(1 + (T - 1)*ami*overlap))", data) is None
    found = defect("0.9 - 0.5/sqrt(n*(1 + (T - 1)*ami + overlap))", data)
    assert found is not None
    assert found.factor == "overlap"


@pytest.mark.parametrize(
    ("text", "kind", "factor", "grown"),
    [
        ("0.1*log(n)", "limit_leaves_bounds", "", {"n"}),
        ("0.1 + 0.01*log(T)", "limit_leaves_bounds", "", {"T"}),
        ("n*T*exp(-n*T/400)/400", "limit_turns_back", "", {"n"}),
        ("0.5 - 0.4/T - 0.4*(1 - 1/T)**20", "limit_turns_back", "", {"T"}),
        ("0.5 - 0.5/n + 0.3*ami*(1 - 1/T)", "limit_depends_on_fraction", "ami", {"n", "T"}),
        ("0.5 + exp(n)/exp(n)*0.1", "limit_not_finite", "", {"n"}),
    ],
)
def test_implausible_limits_of_a_bounded_score(
    text: str, kind: str, factor: str, grown: set[str]
) -> None:
    found = limit_defect(text)
    assert found is not None
    assert (found.kind, found.factor, set(found.at)) == (kind, factor, grown)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "text", ["0.9 - 0.5/sqrt(n*(1 + (T - 1)*ami))", "0.8/(1 + (30/(n*T**ami))**1.4)"]
)
def test_laws_with_one_limit_are_plausible(text: str) -> None:
    assert limit_defect(text) is None


def test_a_target_without_bounds_may_grow() -> None:
    assert limit_defect("0.1*log(n)", grid_data()) is None


@pytest.mark.parametrize("text", ["n*T*exp(-n*T/400)/400", "0.3*log(n) - 0.03*log(n)**2"])
def test_a_target_without_bounds_may_not_turn_back(text: str) -> None:
    found = limit_defect(text, grid_data())
    assert found is not None
    assert found.kind == "limit_turns_back"


def test_thresholds_come_from_the_rules() -> None:
    steep = "0.5 + 0.1*T**(-30)"
    assert defect(steep) is not None
    assert defect(steep, with_rules(grid_data(UNIT), CheckRules(steep=40.0))) is None
    data = with_rules(grid_data(UNIT), CheckRules(max_grid=200))
    assert len(Domain.of(data).grid["n"]) < len(Domain.of(grid_data(UNIT)).grid["n"])
    slow = "0.1 + 0.01*log(T)"
    assert limit_defect(slow, with_rules(grid_data(UNIT), CheckRules(far=1e6))) is None
