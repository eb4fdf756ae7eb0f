"""Groups with few rows borrow from the others; groups with many keep their own constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtl_laws.pipeline.symbolic.fit import RULES, Sample, _Problem, descend, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.uncertainty import cluster_bootstrap

FORM = "c0 + c1*n**(-c2)"
EXPRESSION = Expression.parse(FORM, ("n",))
NEAR, FAR = (30.0, 500.0), np.array([2_000.0, 8_000.0, 32_000.0])


def planted(
    seed: int, power: Floats, rows: int, noise: float = 0.01
) -> tuple[Sample, Floats, Floats]:
    """Groups with levels, amplitudes and powers of their own; constants (G, 3) and values far out.

    Returns the rows, the true constants, and the true values (G, 3) at sizes beyond the rows.
    """
    rng = np.random.default_rng([seed, 31])
    count = len(power)
    theta = np.column_stack([rng.uniform(0.2, 0.4, count), rng.uniform(2.0, 4.0, count), power])
    group = np.repeat(np.arange(count), rows)
    n = np.exp(rng.uniform(*np.log(NEAR), len(group)))
    y = _values(theta[group], n) + rng.normal(0, noise, len(group))
    sample = Sample({"n": n}, y, np.ones(len(y)), group, count)
    return sample, theta, _values(theta[:, None, :], FAR)


def _values(theta: Floats, n: Floats) -> Floats:
    return np.asarray(theta[..., 0] + theta[..., 1] * n ** -theta[..., 2])


def fitted(sample: Sample, pooled: bool) -> Floats:
    """Constants (G, 3) of every group."""
    sample = replace(sample, pooled=pooled)
    starts = propose_starts(EXPRESSION, sample, 6, 0)
    fit = fit_constants(EXPRESSION, sample, starts, 100, RULES.exact)
    assert fit is not None
    return fit.theta


def far_error(theta: Floats, true: Floats) -> float:
    """Root mean squared error beyond the rows."""
    return float(np.sqrt(np.mean((_values(theta[:, None, :], FAR) - true) ** 2)))


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_pooled_groups_of_few_rows_extrapolate_better(spread: float) -> None:
    """12 groups of 4 rows whose exponents are equal, or nearly."""
    ratio = []
    for seed in range(10):
        power = np.random.default_rng([seed, 7]).normal(0.5, spread, 12)
        sample, _, true = planted(seed, power, rows=4)
        ratio.append(far_error(fitted(sample, True), true) / far_error(fitted(sample, False), true))
    assert sum(each < 1 for each in ratio) >= 9
    assert np.median(ratio) < 0.5


def test_groups_with_many_rows_keep_their_own_constants() -> None:
    """Very different exponents, 300 rows each: no group is drawn towards the others."""
    sample, true, _ = planted(3, np.linspace(0.2, 1.2, 6), rows=300, noise=0.001)
    own, pooled = fitted(sample, False), fitted(sample, True)
    np.testing.assert_allclose(pooled, own, rtol=0.01)
    np.testing.assert_allclose(pooled[:, 2], true[:, 2], rtol=0.05)


def test_a_group_with_few_rows_is_drawn_and_those_with_many_are_not() -> None:
    """Eleven groups of 100 rows and one of 4: only the small one moves, towards the others."""
    power = np.random.default_rng(9).normal(0.5, 0.03, 12)
    sample, _, _ = planted(5, power, rows=100)
    assert sample.group is not None
    small = np.flatnonzero(sample.group == 0)[:4]
    kept = np.union1d(np.flatnonzero(sample.group != 0), small)
    sample = sample.take(kept)
    own, pooled = fitted(sample, False)[:, 2], fitted(sample, True)[:, 2]
    moved = np.abs(pooled - own)
    assert moved[0] > 3 * moved[1:].max()
    centre = np.median(own[1:])
    assert abs(pooled[0] - centre) < abs(own[0] - centre)


def test_resamples_are_pooled_as_the_rows_are() -> None:
    """Groups of few rows move by pooling, and the intervals of their constants move with them."""
    outside, shift = 0, []
    for seed in range(5):
        sample, _, _ = planted(seed, np.full(8, 0.5), rows=8)
        theta, own = fitted(sample, True), fitted(sample, False)
        clusters = replace(sample, pooled=True), np.arange(len(sample))
        draws = cluster_bootstrap(EXPRESSION, theta, clusters, (100, 25), seed)[..., 2]
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        outside += int(((theta[:, 2] < low) | (theta[:, 2] > high)).sum())
        shift.append(np.abs(np.median(draws, axis=0) - theta[:, 2]).mean())
        assert shift[-1] < np.abs(own[:, 2] - theta[:, 2]).mean() / 3
    assert outside <= 1


def test_problems_side_by_side_are_pooled_as_one_by_one() -> None:
    sample, _, _ = planted(2, np.linspace(0.4, 0.6, 5), rows=10)
    sample = replace(sample, pooled=True)
    weight = np.random.default_rng(3).exponential(size=(4, len(sample)))
    start = np.repeat(fitted(sample, True)[None], 4, axis=0)
    together, error = descend(EXPRESSION, sample.weighted(weight), start, 25, RULES.exact)
    for k in range(4):
        alone = fit_constants(EXPRESSION, sample.weighted(weight[k]), start[:1], 25, RULES.exact)
        assert alone is not None
        np.testing.assert_allclose(together[k], alone.theta, rtol=1e-6)
        assert error[k] == pytest.approx(alone.error)


def test_pooling_does_not_depend_on_the_order_of_groups() -> None:
    sample, _, _ = planted(1, np.full(12, 0.5), rows=4)
    assert sample.group is not None
    order = np.random.default_rng(2).permutation(12)
    renamed = replace(sample, group=order[sample.group])
    np.testing.assert_allclose(fitted(renamed, True)[order], fitted(sample, True), rtol=1e-6)


def test_pooling_does_not_depend_on_the_order_of_rows() -> None:
    sample, _, _ = planted(1, np.full(12, 0.5), rows=4)
    mixed = sample.take(np.random.default_rng(2).permutation(len(sample)))
    np.testing.assert_allclose(fitted(mixed, True), fitted(sample, True), rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3, 1e9])
def test_pooling_does_not_depend_on_the_unit_of_a_factor(unit: float) -> None:
    """Amplitudes change with the unit by a power of each group's own; predictions do not."""
    sample, _, _ = planted(2, np.random.default_rng(4).normal(0.5, 0.05, 12), rows=5)
    plain = _values(fitted(sample, True)[:, None, :], FAR)
    changed = replace(sample, columns={"n": sample.columns["n"] * unit})
    again = _values(fitted(changed, True)[:, None, :], FAR * unit)
    np.testing.assert_allclose(again, plain, rtol=1e-6)


def test_pooling_does_not_depend_on_the_unit_of_the_target() -> None:
    sample, _, _ = planted(2, np.full(12, 0.5), rows=4)
    plain = _values(fitted(sample, True)[:, None, :], FAR)
    scaled = replace(sample, target=100.0 * sample.target)
    again = _values(fitted(scaled, True)[:, None, :], FAR)
    np.testing.assert_allclose(again, 100.0 * plain, rtol=1e-6)


@pytest.mark.parametrize("rows", [8, 300])
def test_linear_constants_are_pooled_while_others_are_searched_for(rows: int) -> None:
    """Levels of groups that differ by chance alone are drawn together, whatever their amplitudes;
    what the distance from their centre costs is part of the error. With many rows it is nothing."""
    sample, theta, _ = planted(3, np.full(12, 0.5), rows)
    sample = replace(sample, target=sample.target - theta[sample.group, 0] + 0.3)
    problem = _Problem(EXPRESSION, sample, (), False)
    others, _ = problem.begin(theta[None, ...])
    plain, prior = problem._state(others), problem._prior(others)
    problem.prior = prior
    drawn = problem._state(others)
    level = [problem.linear.names.index("c0"), problem.linear.names.index("c1")]
    free, pooled = (state.beta[0][:, level].std(axis=0) for state in (plain, drawn))
    squares = np.sum(problem.weight * drawn.residual**2, axis=-1)
    assert (squares >= plain.error - 1e-12).all()
    assert (drawn.error > squares).all()
    if rows == 8:
        assert pooled[0] < 0.8 * free[0]
    np.testing.assert_allclose(pooled[1], free[1], rtol=0.05 if rows == 8 else 0.01)


def test_two_groups_are_too_few_to_pool() -> None:
    sample, _, _ = planted(0, np.array([0.4, 0.6]), rows=5)
    np.testing.assert_array_equal(fitted(sample, True), fitted(sample, False))
