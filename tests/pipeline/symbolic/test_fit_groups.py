"""Constants per group are those of each group alone; shared ones those of one joint problem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from mtl_laws.pipeline.symbolic.fit import RULES, Fit, Sample, descend, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts

POWER = "c0 + c1*n**c2"
TRUTH = np.array([[0.9, -2.0, -0.5], [0.7, -1.0, -0.3], [1.1, -3.0, -0.7]])


def planted(seed: int = 0, groups: int = 3, noise: float = 0.01) -> Sample:
    """Groups of 20, 26 and 32 rows, in mixed order, with weights."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(groups), 20 + 6 * np.arange(groups)))
    n = np.exp(rng.uniform(np.log(20), np.log(2_000), len(group)))
    c0, c1, c2 = TRUTH[group].T
    target = c0 + c1 * n**c2 + rng.normal(0, noise, len(group))
    return Sample({"n": n}, target, rng.uniform(0.5, 2.0, len(group)), group, groups)


def fitted(sample: Sample, text: str = POWER, shared: tuple[str, ...] = ()) -> Fit:
    expression = Expression.parse(text, tuple(sample.columns))
    starts = propose_starts(expression, sample, 6, 0)
    fit = fit_constants(expression, sample, starts, 300, RULES.exact, shared)
    assert fit is not None
    return fit


def alone(sample: Sample, group: int) -> Sample:
    assert sample.group is not None
    rows = sample.group == group
    return Sample({"n": sample.columns["n"][rows]}, sample.target[rows], sample.weight[rows])


def test_all_constants_per_group_are_those_of_each_group_alone() -> None:
    sample = planted()
    together = fitted(sample)
    assert together.theta.shape == (3, 3)
    fits = [fitted(alone(sample, group)) for group in range(3)]
    for group, fit in enumerate(fits):
        np.testing.assert_allclose(together.theta[group], fit.theta, rtol=1e-5)
    assert together.error == pytest.approx(sum(fit.error for fit in fits), rel=1e-9)


@pytest.mark.parametrize(
    "shared", [("c2",), ("c0",), ("c1", "c2"), ("c0", "c2"), ("c0", "c1", "c2")]
)
def test_shared_constants_are_a_joint_least_squares(shared: tuple[str, ...]) -> None:
    sample = planted(noise=0.02)
    group, n = sample.group, sample.columns["n"]
    assert group is not None
    column = {
        name: np.zeros(3, dtype=int) if name in shared else np.arange(3)
        for name in ("c0", "c1", "c2")
    }
    place, size = {}, 0
    for name, index in column.items():
        place[name] = size + index
        size += int(index.max()) + 1

    def residuals(x: np.ndarray) -> np.ndarray:
        c0, c1, c2 = (x[place[name]][group] for name in ("c0", "c1", "c2"))
        return np.sqrt(sample.weight) * (c0 + c1 * n**c2 - sample.target)

    start = np.zeros(size)
    for k, name in enumerate(("c0", "c1", "c2")):
        start[place[name]] = TRUTH[:, k].mean() if name in shared else TRUTH[:, k]
    joint = least_squares(residuals, start, x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    found = fitted(sample, shared=shared)
    for k, name in enumerate(("c0", "c1", "c2")):
        np.testing.assert_allclose(found.theta[:, k], joint.x[place[name]], rtol=2e-4, atol=1e-6)
        if name in shared:
            np.testing.assert_allclose(found.theta[:, k], found.theta[0, k], rtol=1e-12)
    assert found.error == pytest.approx(2 * joint.cost, rel=1e-6)


def test_an_empty_group_does_no_harm() -> None:
    sample = planted()
    assert sample.group is not None
    renamed = np.array([0, 2, 4])[sample.group]
    gaps = Sample(sample.columns, sample.target, sample.weight, renamed, 6)
    for shared in ((), ("c2",), ("c0", "c2")):
        with_gaps, without = fitted(gaps, shared=shared), fitted(sample, shared=shared)
        assert np.isfinite(with_gaps.theta).all()
        assert with_gaps.theta.shape == (6, 3)
        assert with_gaps.error == pytest.approx(without.error, rel=1e-8)
        np.testing.assert_allclose(with_gaps.theta[[0, 2, 4]], without.theta, rtol=1e-4)


def test_linear_constants_are_those_of_lstsq() -> None:
    rng = np.random.default_rng(1)
    columns = {"n": rng.uniform(1, 900, 60), "T": rng.uniform(1, 8, 60)}
    target, weight = rng.normal(size=60), rng.uniform(0.2, 3.0, 60)
    group = np.repeat([0, 1], [25, 35])
    text = "c0 + c1*sqrt(n) + c2*log(T) + c3*n/T"
    design = np.column_stack(
        [
            np.ones(60),
            np.sqrt(columns["n"]),
            np.log(columns["T"]),
            columns["n"] / columns["T"],
        ]
    )
    found = fitted(Sample(columns, target, weight, group, 2), text)
    root = np.sqrt(weight)
    for k in range(2):
        rows = group == k
        want = np.linalg.lstsq(
            root[rows, None] * design[rows], root[rows] * target[rows], rcond=None
        )[0]
        np.testing.assert_allclose(found.theta[k], want, rtol=1e-7)


def test_the_order_of_rows_does_not_matter() -> None:
    sample = planted()
    other = sample.take(np.random.default_rng(3).permutation(len(sample)))
    for shared in ((), ("c2",)):
        one, two = fitted(sample, shared=shared), fitted(other, shared=shared)
        np.testing.assert_allclose(one.theta, two.theta, rtol=1e-6)


def test_problems_side_by_side_are_those_one_by_one() -> None:
    """Resamples of a bootstrap: the same rows under weights of their own."""
    sample, rng = planted(), np.random.default_rng(4)
    expression = Expression.parse(POWER, ("n",))
    weight = rng.integers(1, 4, (5, len(sample))).astype(float)
    start = np.repeat(TRUTH[None, ...], 5, axis=0)
    for shared in ((), ("c2",)):
        theta, error = descend(expression, sample.weighted(weight), start, 100, 1e-13, shared)
        for m in range(5):
            one, own = descend(
                expression, sample.weighted(weight[m]), start[:1], 100, 1e-13, shared
            )
            np.testing.assert_allclose(theta[m], one[0], rtol=1e-6)
            assert error[m] == pytest.approx(own[0], rel=1e-10)
