"""Bands hold the true curve and new replicates as often as they say, and know their region."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.intervals import bootstrap, constants, misfit, uncertainty
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import IntervalRules
from mtl_laws.pipeline.symbolic.fit import RULES, Fit, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from support.planted import SIZES, TASKS, effective, planted_table
from support.rows import posed

TRUTH = "c0 - c1*(n*(1 + (T - 1)*ami))**(-c2)"
NOISE = 0.1


def fit_of(text: str, data: Rows) -> tuple[Expression, Fit]:
    expression = Expression.parse(text, data.factors)
    starts = propose_starts(expression, data.sample, 12, 0)
    fit = fit_constants(expression, data.sample, starts, 200, RULES.exact)
    assert fit is not None
    return expression, fit


def law_of(text: str, data: Rows, seed: int = 0) -> Law:
    expression, fit = fit_of(text, data)
    draws = bootstrap(expression, fit, data, seed)
    told = constants(expression, fit, data, seed, draws)
    numeric = expression.with_constants({name: c.value for name, c in told.items()})
    known = uncertainty(expression, fit, data, draws)
    return Law(
        expression=numeric,
        template=text,
        factors=data.factors,
        complexity=9,
        constants=told,
        valid=True,
        uncertainty=known,
    )


@pytest.fixture(scope="module")
def law() -> Law:
    return law_of(TRUTH, posed(planted_table(noise=NOISE), bounds=(0.0, 1.0)).data)


def points(n: object, T: object, ami: object) -> dict[str, np.ndarray]:
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(c, float)) for c in (n, T, ami)))
    return dict(zip(("n", "T", "ami"), columns, strict=True))


def holds(band: tuple[np.ndarray, np.ndarray] | None, value: np.ndarray) -> np.ndarray:
    assert band is not None
    return np.asarray((band[0] <= value) & (value <= band[1]))


def coverage(tables: int, text: str = TRUTH) -> tuple[float, float]:
    """Shares in which the law's band holds the true curve and the run's band a new replicate."""
    grid = points(*np.array([(n, T, a) for n in SIZES for T in TASKS[1:] for a in (0.1, 0.7)]).T)
    true = effective(*grid.values())
    sd = NOISE * effective(*(planted_table()[name].fillna(0) for name in ("n", "T", "ami"))).std()
    curve, runs = [], []
    for seed in range(tables):
        data = posed(planted_table(noise=NOISE, seed=seed), bounds=(0.0, 1.0)).data
        bands = law_of(text, data, seed).bands(grid)
        new = true + np.random.default_rng([seed, 99]).normal(0, sd, len(true))
        curve.append(holds(bands.law, true).mean())
        runs.append(holds(bands.run, new).mean())
    return float(np.mean(curve)), float(np.mean(runs))


@pytest.mark.slow
def test_the_bands_hold_as_often_as_they_say() -> None:
    curve, runs = coverage(tables=60)
    assert 0.90 <= curve <= 0.985
    assert 0.93 <= runs <= 0.97


def test_a_run_lies_in_its_band_and_the_true_curve_in_the_laws() -> None:
    curve, runs = coverage(tables=5)
    assert curve > 0.75
    assert 0.9 < runs < 0.99


def test_the_band_of_a_run_knows_that_cells_lie_off_the_law() -> None:
    """A law without relatedness misses cells; its runs' band is wide enough to hold them."""
    data = posed(planted_table(noise=0.01), bounds=(0.0, 1.0)).data
    told = law_of("c0 - c1*n**(-c2)", data)
    assert told.uncertainty is not None
    assert told.uncertainty.misfit_sd > 5 * told.uncertainty.replicate_sd
    bands = told.bands(data.columns)
    assert holds(bands.run, data.target).mean() > 0.9
    assert holds(bands.law, data.target).mean() < 0.5


def test_misfit_is_what_was_planted_and_not_the_noise() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"n": np.repeat(np.geomspace(10, 1000, 300), 3)})
    off = np.repeat(rng.normal(0, 0.04, 300), 3)
    table["y"] = 0.1 * np.log(table["n"]) + off + rng.normal(0, 0.02, len(table))
    data = posed(table).data
    expression, fit = fit_of("c0 + c1*log(n)", data)
    assert misfit(expression, fit, data) == pytest.approx(0.04, rel=0.1)
    assert data.replicate_variance == pytest.approx(0.02**2, rel=0.1)


def test_the_draws_of_a_large_table_come_from_the_same_distribution() -> None:
    data = posed(planted_table(noise=NOISE), bounds=(0.0, 1.0)).data
    expression, fit = fit_of(TRUTH, data)
    drawn = bootstrap(expression, fit, data, 0)
    large = replace(data, rules=replace(data.rules, intervals=IntervalRules(max_rows=0)))
    normal = bootstrap(expression, fit, large, 0)
    assert normal.shape == drawn.shape
    assert np.allclose(normal.std(axis=0), drawn.std(axis=0), rtol=0.35)
    assert np.allclose(np.corrcoef(normal.T), np.corrcoef(drawn.T), atol=0.15)


def test_bands_are_nested_and_clipped_to_the_bounds(law: Law) -> None:
    bands = law.bands(points(SIZES, 2, 0.4))
    assert bands.law is not None
    assert bands.run is not None
    order = np.array([bands.run[0], bands.law[0], bands.mean, bands.law[1], bands.run[1]])
    assert (np.diff(order, axis=0) >= 0).all()
    assert (np.ptp(order[[0, 4]], axis=0) > 2 * np.ptp(order[[1, 3]], axis=0)).all()
    assert law.uncertainty is not None
    far = law.bands(points(1e9, 15, 1))
    assert far.run is not None
    assert (far.run[1] <= 1.0).all()


def test_what_lies_outside_is_named(law: Law) -> None:
    rows = points([100, 9_000, 100, 9_000], [2, 2, 15, 15], [0.4, 0.4, np.nan, 0.95])
    assert law.bands(rows).outside == ((), ("n",), ("T",), ("n", "T", "ami"))


def test_an_undefined_factor_makes_no_difference(law: Law) -> None:
    alone = law.bands(points(SIZES, 1, np.nan))
    for ami in (0.0, 0.3, 1.0):
        assert np.allclose(alone.mean, law.predict(points(SIZES, 1, ami)))


def test_what_two_sides_share_cancels_in_their_change(law: Law) -> None:
    together, alone = points(SIZES, 6, 0.8), points(SIZES, 1, np.nan)
    change, one = law.change(together, alone), law.bands(together)
    assert np.allclose(change.mean, one.mean - law.bands(alone).mean)
    nothing = law.change(together, together)
    assert nothing.law is not None
    assert np.ptp(nothing.law) == 0
    assert nothing.run is not None
    assert law.uncertainty is not None
    noise = law.uncertainty.noise_sd
    assert noise is not None
    assert np.allclose(nothing.run[1], 1.96 * np.sqrt(2) * noise)


def test_bands_come_back_from_the_file(law: Law) -> None:
    again = Law.from_json(json.loads(json.dumps(law.to_json(), allow_nan=False)))
    rows = points(SIZES, 3, 0.5)
    for name in ("law", "run"):
        one, other = getattr(law.bands(rows), name), getattr(again.bands(rows), name)
        assert np.allclose(one, other, rtol=1e-6)
    assert again.bands(rows).outside == law.bands(rows).outside


def test_a_law_without_uncertainty_says_so_and_a_missing_factor_is_named(law: Law) -> None:
    bare = Law.from_json({**law.to_json(), "uncertainty": None})
    bands = bare.bands(points(SIZES, 2, 0.4))
    assert isinstance(bands, Bands)
    assert (bands.law, bands.run) == (None, None)
    assert bands.outside == ((),) * len(SIZES)
    with pytest.raises(UserError, match="ami"):
        law.bands({"n": np.ones(1), "T": np.ones(1)})


def test_a_pole_in_some_draws_leaves_a_band_and_in_most_none(law: Law) -> None:
    assert law.uncertainty is not None
    with_pole = Law.from_json(
        {
            **law.to_json(),
            "expression": "1/(n - 5.0)",
            "template": "1/(n - c0)",
            "uncertainty": {**law.uncertainty.to_json(), "draws": {"c0": [5.0, 10.0, 10.1, 9.9]}},
        }
    )
    bands = with_pole.bands(points([10.0, 20.0], 1, 0))
    assert bands.law is not None
    assert np.isfinite(bands.law).all()
