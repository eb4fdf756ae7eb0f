"""How well a candidate explains its rows, and rows it was not fitted on.

Notation
--------
N : rows.    C : cells.    K : folds of one kind.
loss : (K, N) weighted squared errors of the rows a fold tests, over the variance of all rows and
    the fold's total weight (its row count), 0 elsewhere; a fold's sum is its error as a share of
    the target's variance.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.laws.checks import Defect, Domain, find_defect, find_limit_defect
from pipeline.laws.folds import Fold
from pipeline.laws.rows import Rows
from pipeline.symbolic.fit import Fit, fit_constants, propose_starts
from pipeline.symbolic.tree import Expression, Floats

#: squared error, in units of the fold's variance, that a value that is not a number counts for
WORST = 1e6
#: starts for the constants on all rows, and on a fold's rows (beside the constants of all rows)
STARTS, FOLD_STARTS = 12, 3


@dataclass(frozen=True)
class Candidate:
    """A template with constants ``c0, c1, …`` and where it came from."""

    text: str
    origin: str


@dataclass(frozen=True)
class Fitted:
    """A candidate with constants on all rows.

    Attributes
    ----------
    complexity : nodes of the expression with its numbers in place.
    defect : why the law is invalid; None for a valid law.
    limits : what is implausible about its limits; None for nothing.
    """

    candidate: Candidate
    expression: Expression
    fit: Fit
    complexity: int
    defect: Defect | None
    limits: Defect | None

    @property
    def valid(self) -> bool:
        """Whether the law may be used over its whole domain."""
        return self.defect is None

    @property
    def used(self) -> frozenset[str]:
        """The factors that the law depends on."""
        return frozenset(self.expression.factors)

    def numeric(self) -> Expression:
        """The expression with its numbers in place."""
        values = dict(zip(self.expression.constants, self.fit.theta.tolist(), strict=True))
        return Expression.parse(self.expression.with_constants(values), self.expression.factors)

    def predict(self, data: Rows) -> Floats:
        """Value (N,) on every row; the mean over stand-ins where a factor is undefined."""
        origin, columns = data.stand_in
        value = self.expression.evaluate(columns, self.fit.theta)
        count = np.bincount(origin, minlength=len(data))
        return np.bincount(origin, value, minlength=len(data)) / count


@dataclass(frozen=True)
class Scored:
    """A fitted candidate with its losses on folds."""

    fitted: Fitted
    grouped: Floats
    extrapolation: Floats

    @property
    def error(self) -> float:
        """What selection minimises: mean of the interpolation and the extrapolation error."""
        return float(np.mean([loss.sum(axis=1).mean() for loss in self._losses()]))

    def by_cell(self, data: Rows) -> Floats:
        """Contribution (C,) of every cell to `error`."""
        share = np.mean([loss.mean(axis=0) for loss in self._losses()], axis=0)
        _, index = np.unique(data.cell, return_inverse=True)
        return np.bincount(index.ravel(), share).astype(float)

    def _losses(self) -> list[Floats]:
        return [loss for loss in (self.grouped, self.extrapolation) if len(loss)]


def fit_candidate(candidate: Candidate, data: Rows, domain: Domain, seed: int) -> Fitted | None:
    """Constants on all rows and validity over the domain; None where nothing fits."""
    expression = Expression.parse(candidate.text, data.factors)
    starts = propose_starts(expression, data.sample, STARTS, seed_of(candidate.text, seed))
    fit = fit_constants(expression, data.sample, starts)
    if fit is None:
        return None
    defect = find_defect(expression, fit.theta, domain)
    values = dict(zip(expression.constants, fit.theta.tolist(), strict=True))
    numeric = Expression.parse(expression.with_constants(values), data.factors)
    limits = find_limit_defect(expression, fit.theta, domain)
    return Fitted(candidate, expression, fit, numeric.complexity, defect, limits)


def seed_of(text: str, seed: int) -> int:
    """A seed of a template's own, so that results do not depend on the order of candidates."""
    return zlib.crc32(f"{seed}:{text}".encode())


def score(
    fitted: Fitted, data: Rows, grouped: Sequence[Fold], extrapolation: Sequence[Fold], seed: int
) -> Scored:
    """Losses on every fold, constants refitted on each fold's training rows."""
    losses = [
        np.array([fold_loss(fitted, data, fold, seed) for fold in folds]).reshape(-1, len(data))
        for folds in (grouped, extrapolation)
    ]
    return Scored(fitted, *losses)


def fold_loss(fitted: Fitted, data: Rows, fold: Fold, seed: int) -> Floats:
    """Loss (N,) of one fold: squared errors of its test rows over variance and weight."""
    train = data.take(~fold.test).sample
    expression, text = fitted.expression, fitted.candidate.text
    starts = propose_starts(expression, train, FOLD_STARTS, seed_of(text, seed))
    fit = fit_constants(expression, train, np.vstack([starts, fitted.fit.theta[None, :]]), 30)
    test = data.take(fold.test)
    loss = np.zeros(len(data))
    share = test.weights / test.weights.sum()
    scale = max(data.variance, 1e-300)
    error = WORST if fit is None else row_errors(expression, fit, test) / scale
    loss[fold.test] = share * np.minimum(error, WORST)
    return loss


def row_errors(expression: Expression, fit: Fit, data: Rows) -> Floats:
    """Squared error (N,) of every row; the mean over stand-ins where a factor is undefined."""
    origin, columns = data.stand_in
    with np.errstate(all="ignore"):
        error = (data.target[origin] - expression.evaluate(columns, fit.theta)) ** 2
        mean = np.bincount(origin, error) / np.bincount(origin)
    return np.where(np.isfinite(mean), mean, np.inf)


def r_squared(target: Floats, predicted: Floats) -> float | None:
    """Share of the variance explained; None where the target does not vary."""
    total = float(np.sum((target - target.mean()) ** 2)) if len(target) else 0.0
    return 1.0 - float(np.sum((target - predicted) ** 2)) / total if total > 0 else None
