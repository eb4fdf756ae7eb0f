"""Starts from logarithms lie near the truth, above a floor and below a ceiling."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.symbolic.fit import Sample, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import RULES, propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats

POWERS = (-0.5, -0.3)
FORM = "c0 + c1*N**c2*D**c3"
ENDS = {"floor": (0.8, 40.0), "ceiling": (0.8, -40.0)}
"""Level that is approached from above or from below, and what is lost far from it."""


def columns(rows: int = 120) -> dict[str, Floats]:
    rng = np.random.default_rng(1)
    return {
        "N": np.exp(rng.uniform(np.log(1e3), np.log(1e6), rows)),
        "D": np.exp(rng.uniform(np.log(1e2), np.log(1e4), rows)),
    }


def target(level: float, size: float, table: dict[str, Floats]) -> Floats:
    return level + size * table["N"] ** POWERS[0] * table["D"] ** POWERS[1]


def starts_of(text: str, table: dict[str, Floats], y: Floats, count: int, **more: object) -> Floats:
    sample = Sample(table, y, np.ones(len(y)), **more)
    return propose_starts(Expression.parse(text, tuple(table)), sample, count, seed=0)


@pytest.mark.parametrize("end", ENDS)
def test_the_first_start_is_near_the_truth(end: str) -> None:
    table = columns()
    first = starts_of(FORM, table, target(*ENDS[end], table), 5)[0]
    np.testing.assert_allclose(first[2:], POWERS, rtol=0.2)


@pytest.mark.parametrize("end", ENDS)
def test_one_start_of_few_steps_finds_the_truth(end: str) -> None:
    """From the first start alone; random ones mostly need more."""
    table = columns()
    y = target(*ENDS[end], table)
    sample = Sample(table, y, np.ones(len(y)))
    first = starts_of(FORM, table, y, 5)[:1]
    fit = fit_constants(Expression.parse(FORM, ("N", "D")), sample, first, 8, 1e-13)
    assert fit is not None
    np.testing.assert_allclose(fit.theta, [*ENDS[end], *POWERS], rtol=1e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_without_a_floor_the_first_start_is_the_truth(sign: float) -> None:
    table = columns()
    y = sign * target(0.0, 40.0, table)
    first = starts_of("c0*N**c1*D**c2", table, y, 3)[0]
    np.testing.assert_allclose(first[1:], POWERS, rtol=1e-6)


def test_exponents_that_depend_on_logarithms_are_started_at_the_truth() -> None:
    table = columns()
    log_n, log_d = np.log(table["N"]), np.log(table["D"])
    y = np.exp(3.0 - 0.6 * log_n + 0.02 * log_n * log_d - 0.1 * log_d)
    first = starts_of("c0*N**(c1 + c2*log(D))*D**c3", table, y, 3)[0]
    np.testing.assert_allclose(first[1:], [-0.6, 0.02, -0.1], rtol=1e-5)


def test_the_best_start_comes_first_and_half_of_all_are_random() -> None:
    table = columns()
    many = starts_of(FORM, table, target(*ENDS["floor"], table), 10)
    far = np.abs(many[:, 2:] - POWERS).max(axis=1)
    assert far[0] == far.min()
    assert (far[int(RULES.share * 10) :] > far[0]).all()
    assert len(np.unique(many[int(RULES.share * 10) :, 2])) == 5


def test_each_group_has_a_floor_of_its_own() -> None:
    """Three groups at levels that differ by more than the rows of each: one slope."""
    table, group = columns(), np.arange(120) % 3
    y = target(*ENDS["floor"], table) + np.array([0.0, 5.0, -3.0])[group]
    first = starts_of(FORM, table, y, 5, group=group, groups=3)[0]
    np.testing.assert_allclose(first[2:], POWERS, rtol=0.2)


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_starts_follow_the_unit(unit: float) -> None:
    """Exponents are the same, and the curves, too."""
    table = columns()
    y = target(*ENDS["floor"], table)
    changed = {**table, "N": table["N"] * unit}
    one, other = starts_of(FORM, table, y, 6), starts_of(FORM, changed, y, 6)
    np.testing.assert_allclose(other[:, 2:], one[:, 2:], rtol=1e-9)


def test_a_form_without_a_logarithm_starts_at_random() -> None:
    """A sum of two powers over a floor has none: every start is another one, and finite."""
    table = columns()
    many = starts_of("c0 + c1*N**c2 + c3*D**c4", table, target(*ENDS["floor"], table), 12)
    assert np.isfinite(many).all()
    assert len(np.unique(many[:, 2])) == 12


def test_a_form_whose_factors_are_gone_has_starts_too() -> None:
    table = columns()
    starts = starts_of("c0 + c1*exp(c2)", table, target(*ENDS["floor"], table), 5)
    assert starts.shape[1] == 3
    assert np.isfinite(starts).all()
