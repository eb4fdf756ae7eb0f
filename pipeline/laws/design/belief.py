"""Belief: what laws that fit the rows about equally well predict, as draws.

A draw is one form with constants that fit the rows: every form is fitted from many starts under
random weights of the rows, so that the draws show how uncertain its constants are, its several
optima, and the difference between forms, all by one covariance. In a direction that the rows do
not determine, draws stay where they started: that is the prior. No form is exact. A smooth
discrepancy is therefore added, which makes a trial near the goal worth more than one far from it.

The expected squared error at the goal falls with a trial as in linear Bayes estimation (Goldstein
and Wooff 2007): by the squared covariance of trial and goal over the variance of the trial.

Notation
--------
J : draws.    C : candidates.    K : points of the goal.    N : rows.    P : constants of a form.
A : (J, C + K) deviations of the draws from their mean, times the root of their weight, so that
    A'A is the covariance of the predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mtl_laws.pipeline.laws.design.pool import Pool
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Indices, Rows
from mtl_laws.pipeline.laws.score import seed_of
from mtl_laws.pipeline.symbolic.fit import Sample, descend
from mtl_laws.pipeline.symbolic.program import Expression, compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats, Tree


@dataclass(frozen=True, kw_only=True)
class DesignRules:
    """How trials are chosen.

    Attributes
    ----------
    draws, steps : draws of every form, and steps of their fits.
    temper : by how much the likelihood of a draw is flattened.
    least_noise : standard deviation of a trial about its law, at least this fraction of the range.
    unknown_noise, prior_rows : the fraction that is expected before any rows, which counts as so
        many rows.
    reach : predictions further than this many ranges of the target beyond the rows count as there;
        in proportion more outside the region of the rows.
    discrepancy : standard deviation of the discrepancy of a form, in those of a trial, …
    length : … over this distance, in widths of the candidates, …
    waves : … as a sum of so many random waves.
    cost_powers : a trial is worth its drop of error over its cost to a power; of these powers, that
        with the least error when the budget is spent.
    first_share : fraction of the budget that the first design may spend.
    first_power : power of the cost in the first design.
    replicates : in a first design, every k-th trial repeats the cheapest one, if the budget then
        still pays for a law; a later batch of at least k trials ends with a repeated one if the
        noise is not known; 0 for none.
    forms : most forms that are compared.
    equal_error : forms whose error is at most so many times that of the selected law are compared.
    starts : starts of the fits that rank published forms.
    same_fraction : a row was a run of a candidate if a factor within −1 and 1 differs by no more,
        as a measured AMI does from the requested one, …
    same_size : … and a size, unless it is a count, by no more than this fraction.
    """

    draws: int = 200
    steps: int = 15
    temper: float = 3.0
    least_noise: float = 0.005
    unknown_noise: float = 0.005
    prior_rows: float = 2.0
    reach: float = 1.0
    discrepancy: float = 3.0
    length: float = 1.0
    waves: int = 100
    cost_powers: tuple[float, ...] = (0.4, 1.0)
    first_share: float = 0.3
    first_power: float = 0.3
    replicates: int = 5
    forms: int = 8
    equal_error: float = 1.75
    starts: int = 5
    same_fraction: float = 0.01
    same_size: float = 0.02


RULES = DesignRules()


@dataclass(frozen=True)
class Belief:
    """Predictions of the draws at the candidates and the goal of one group.

    Attributes
    ----------
    deviations : A.
    mean : (C + K,) their mean.
    noise : variance of one trial about the truth.
    weight : (K,) of the points of the goal.
    form : (J,) place of each draw's form; −1 for the discrepancy.
    share : (J,) weight of each draw; 0 for the discrepancy.
    """

    deviations: Floats
    mean: Floats
    noise: float
    weight: Floats
    form: Indices
    share: Floats

    LEAST_SHARE: ClassVar[float] = 0.02

    @property
    def candidates(self) -> int:
        """Number of candidates C."""
        return len(self.mean) - len(self.weight)

    @property
    def error(self) -> float:
        """Expected squared error at the goal."""
        return float(self.weight @ (self.deviations[:, self.candidates :] ** 2).sum(axis=0))

    @property
    def covariance(self) -> Floats:
        """Covariance (K, C) of the goal with the candidates."""
        return self.deviations[:, self.candidates :].T @ self.deviations[:, : self.candidates]

    def drops(self) -> Floats:
        """By how much (C,) each candidate alone would lower the expected squared error."""
        variance = (self.deviations[:, : self.candidates] ** 2).sum(axis=0)
        return np.asarray(self.weight @ self.covariance**2 / (variance + self.noise))

    def of_forms(self, candidate: int) -> tuple[dict[int, float], float]:
        """Mean prediction by form at a candidate, and the part of the variance between forms.

        Forms with little weight are left out.
        """
        column = self.deviations[:, candidate]
        means, between = {}, 0.0
        for form in range(int(self.form.max()) + 1):
            rows = self.form == form
            total = float(self.share[rows].sum())
            if total > 0:
                away = float(np.sqrt(self.share[rows]) @ column[rows]) / total
                between += total * away**2
                if total > self.LEAST_SHARE:
                    means[form] = float(self.mean[candidate]) + away
        return means, between / max(float(column @ column), 1e-300)

    def after(self, candidate: int) -> Belief:
        """The belief once a candidate was observed, whatever its outcome."""
        column = self.deviations[:, candidate]
        variance = float(column @ column)
        gain = self.deviations.T @ column / (variance + self.noise)
        shrink = 1.0 / (1.0 + np.sqrt(self.noise / (variance + self.noise)))
        return replace(self, deviations=self.deviations - shrink * np.outer(column, gain))


def beliefs(
    forms: Sequence[Tree], data: Rows, pool: Pool, seed: int, rules: DesignRules = RULES
) -> list[Belief]:
    """What the forms predict after the rows, for every group of the pool.

    Parameters
    ----------
    forms : templates, at least one.
    data : rows with a target, of groups with the places of `pool.levels`.
    """
    expressions = [compiled(form) for form in forms]
    sample = data.sample
    draws = [_draws(expression, sample, seed, rules) for expression in expressions]
    groups = range(len(pool.levels))
    by_group = ([t] if t.ndim == 2 else [t[:, k] for k in groups] for t in draws)
    parts = zip(*by_group, strict=True)
    return [
        _belief(expressions, list(thetas), data, pool, group, rules)
        for group, thetas in enumerate(parts)
    ]


def _draws(expression: Expression, sample: Sample, seed: int, rules: DesignRules) -> Floats:
    """Constants (J, P), or (J, G, P), of fits from random starts under random weights."""
    place = seed_of(expression.text, seed)
    starts = propose_starts(expression, sample, rules.draws, place)
    rng = np.random.default_rng([place, 37])
    weight = rng.exponential(size=(len(starts), len(sample))) * sample.weight
    with np.errstate(all="ignore"):
        theta, error = descend(expression, sample.weighted(weight), starts, rules.steps)
    sound = np.isfinite(error) & np.isfinite(theta).reshape(len(theta), -1).all(axis=1)
    if not sound.any():  # a form that has no value at the rows says nothing of its constants
        return np.broadcast_to(starts if theta.ndim == 2 else starts[:, None], theta.shape)
    return theta[sound]


def _belief(
    expressions: Sequence[Expression],
    thetas: Sequence[Floats],
    data: Rows,
    pool: Pool,
    group: int,
    rules: DesignRules,
) -> Belief:
    rows = data.take(data.group_index == group)
    inside, goal = pool.group == group, pool.goal_group == group
    points = {}
    for name in data.factors:
        column = np.concatenate([pool.candidates[name][inside], pool.goal[name][goal]])
        # undefined factors at the middle of their domain, as in the rows
        points[name] = np.where(np.isnan(column), sum(data.domain(name)) / 2, column)
    low, high = float(rows.target.min()), float(rows.target.max())
    extent = (high - low) or max(abs(high), 1e-9)
    away = rules.reach * extent * (1.0 + Region.of(rows.columns).distance(points))
    ends = np.maximum(low - away, data.bounds[0]), np.minimum(high + away, data.bounds[1])
    form = np.repeat(np.arange(len(thetas)), [len(theta) for theta in thetas])
    error, predicted = [], []
    for expression, theta in zip(expressions, thetas, strict=True):
        residual = expression.evaluate(rows.filled, theta) - rows.target
        error.append((rows.weights * residual**2).sum(axis=1))
        predicted.append(expression.evaluate(points, theta))
    freedom = np.array([len(rows) - len(one.constants) for one in expressions])
    noise = _noise(rows, np.concatenate(error), freedom[form], extent, rules)
    penalty = np.array([len(one.constants) for one in expressions]) * np.log(max(len(rows), 2))
    with np.errstate(over="ignore"):
        deviance = np.concatenate(error) / noise + penalty[form]
    weight = _weights(deviance, form, rules)
    values = np.clip(
        np.nan_to_num(np.concatenate(predicted), nan=np.inf, posinf=np.inf, neginf=-np.inf), *ends
    )
    mean = weight @ values
    deviations = np.sqrt(weight)[:, None] * (values - mean)
    waves = _waves(pool, inside, goal, rules) * np.sqrt(noise) * rules.discrepancy
    return Belief(
        np.vstack([deviations, waves]),
        mean,
        noise,
        pool.weight[goal],
        np.concatenate([form, np.full(len(waves), -1)]),
        np.concatenate([weight, np.zeros(len(waves))]),
    )


def _noise(rows: Rows, error: Floats, freedom: Indices, extent: float, rules: DesignRules) -> float:
    """Variance of one trial: that of replicates and of the best draw about the rows."""
    prior = rules.prior_rows * (rules.unknown_noise * extent) ** 2
    estimates = (error + prior) / (np.maximum(freedom, 0) + rules.prior_rows)
    least = float(np.min(estimates[np.isfinite(estimates)], initial=np.inf))
    least = least if np.isfinite(least) else prior / rules.prior_rows
    return max(least, rows.replicate_variance or 0.0, (rules.least_noise * extent) ** 2)


def _weights(deviance: Floats, form: Indices, rules: DesignRules) -> Floats:
    """Weight (J,) of every draw by its tempered likelihood; the sum is 1."""
    deviance = np.where(np.isfinite(deviance), deviance, np.inf)
    if not np.isfinite(deviance).any():
        return np.full(len(form), 1.0 / len(form))
    weight = np.exp(-(deviance - deviance.min()) / (2.0 * rules.temper))
    return np.asarray(weight / weight.sum())


def _waves(pool: Pool, inside: Floats, goal: Floats, rules: DesignRules) -> Floats:
    """Draws (waves, C + K) of a smooth function with variance 1 (Rahimi and Recht 2007)."""
    candidates, points, _ = pool.places()
    places = np.vstack([candidates[inside], points[goal]])
    rng = np.random.default_rng(rules.waves)
    frequency = rng.standard_normal((rules.waves, places.shape[1])) / rules.length
    phase = rng.uniform(0.0, 2.0 * np.pi, rules.waves)
    waves = np.sqrt(2.0 / rules.waves) * np.cos(frequency @ places.T + phase[:, None])
    return np.asarray(waves)
