"""Scores of candidates: fits on all rows, and losses on folds.

Notation
--------
N : rows.    C : cells.    G : groups.    P : constants.    K : folds of one kind.
loss : (K, N) weighted squared errors of the rows a fold tests, over the variance of the row's group
    and the fold's total weight, 0 elsewhere; a fold's sum is its error as a fraction of variance.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtl_laws.pipeline.laws.checks import Defect, Domain, find_defect, find_limit_defect
from mtl_laws.pipeline.laws.folds import Fold
from mtl_laws.pipeline.laws.forms import OWN
from mtl_laws.pipeline.laws.rows import Indices, Rows
from mtl_laws.pipeline.symbolic.fit import Fit, fit_constants
from mtl_laws.pipeline.symbolic.program import Columns, Expression, compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

STRUCTURED = ("mean", "grammar", "surface", OWN)
"""Origins of candidates with a known form, besides the catalogue."""


@dataclass(frozen=True)
class Candidate:
    """A template with constants ``c0, c1, …`` and where it came from."""

    tree: Tree
    origin: str

    @property
    def text(self) -> str:
        """The template as text."""
        return self.tree.text

    @property
    def structured(self) -> bool:
        """Whether the form is a known one; an engine chose its form among thousands."""
        return self.origin in STRUCTURED or self.origin.startswith("theory")


@dataclass(frozen=True)
class Fitted:
    """A candidate with constants on all rows.

    Attributes
    ----------
    complexity : nodes of the expression with its numbers in place.
    defect : why the law is not valid; None where it is.
    limits : what is implausible about its limits; None where nothing is.
    shared : constants with one value for all groups.
    """

    candidate: Candidate
    expression: Expression
    fit: Fit
    complexity: int
    defect: Defect | None
    limits: Defect | None
    shared: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the law is finite, bounded and without a pole over the domain."""
        return self.defect is None

    @property
    def used(self) -> frozenset[str]:
        """The factors that the law depends on."""
        return frozenset(self.expression.factors)

    def numeric(self) -> Expression:
        """The expression with its numbers in place, those of the first group where there are."""
        return numeric(self.expression, self.fit.theta)

    def predict(self, data: Rows) -> Floats:
        """Value (N,) on every row."""
        return values(self.expression, self.fit.theta, data.filled, data.group)


@dataclass(frozen=True)
class Scored:
    """A fitted candidate with its losses on folds."""

    fitted: Fitted
    random: Floats
    extrapolation: Floats

    @property
    def error(self) -> float:
        """What selection minimises: mean of the interpolation and the extrapolation error."""
        return float(np.mean([loss.sum(axis=1).mean() for loss in self._losses()]))

    def by_cell(self, data: Rows) -> Floats:
        """Contribution (C,) of every cell to `error`."""
        contribution = np.mean([loss.mean(axis=0) for loss in self._losses()], axis=0)
        _, index = np.unique(data.cell, return_inverse=True)
        return np.bincount(index.ravel(), contribution).astype(float)

    def _losses(self) -> list[Floats]:
        return [loss for loss in (self.random, self.extrapolation) if len(loss)]


def values(
    expression: Expression, theta: Floats, columns: Columns, group: Indices | None
) -> Floats:
    """Value (N,) on every row, by the constants of its group.

    Parameters
    ----------
    theta : (P,) constants; (G, P) with groups.
    group : (N,) group of every row; None without groups.
    """
    if theta.ndim == 1 or group is None:
        return expression.evaluate(columns, theta)
    return expression.evaluate_rows(columns, theta[group])


def numeric(expression: Expression, theta: Floats) -> Expression:
    """The expression with numbers for constants, those of the first group where there are any."""
    first = theta[0] if theta.ndim == 2 else theta
    numbers = dict(zip(expression.constants, first.tolist(), strict=True))
    return compiled(expression.tree.with_constants(numbers))


def fit_candidate(candidate: Candidate, data: Rows, domain: Domain, seed: int) -> Fitted | None:
    """Constants on all rows and validity over the domain; None where nothing fits."""
    rules, expression = data.rules.search, compiled(candidate.tree)
    own = candidate.origin == OWN
    count, iterations = (
        (rules.own_starts, rules.own_iterations) if own else (rules.starts, rules.iterations)
    )
    starts = propose_starts(expression, data.sample, count, seed_of(candidate.text, seed))
    fit = fit_constants(expression, data.sample, starts, iterations)
    return None if fit is None else checked(candidate, fit, domain)


def checked(candidate: Candidate, fit: Fit, domain: Domain) -> Fitted:
    """A candidate with its constants, checked over the domain, in every group."""
    expression = compiled(candidate.tree)
    defect = limits = None
    implausible, groups = 0, len(np.atleast_2d(fit.theta))
    for theta in np.atleast_2d(fit.theta):
        defect = find_defect(expression, theta, domain)
        if defect is not None:
            break
        limit = find_limit_defect(expression, theta, domain)
        implausible += limit is not None
        limits = limits or limit
    if (
        2 * implausible < groups
    ):  # implausible limits in a minority of groups do not condemn the form
        limits = None
    complexity = numeric(expression, fit.theta).complexity
    return Fitted(candidate, expression, fit, complexity, defect, limits)


def seed_of(text: str, seed: int) -> int:
    """A seed for the template, so that results do not depend on the order of candidates."""
    return zlib.crc32(f"{seed}:{text}".encode())


def score(
    fitted: Fitted, data: Rows, random: Sequence[Fold], extrapolation: Sequence[Fold], seed: int
) -> Scored:
    """Losses on every fold, constants refitted on each fold's training rows."""
    fresh = data.rules.search.fold_starts
    losses = [
        np.array([fold_loss(fitted, data, fold, seed, starts) for fold in folds])
        for folds, starts in ((random, 0), (extrapolation, fresh))
    ]
    return Scored(fitted, *(loss.reshape(-1, len(data)) for loss in losses))


def fold_loss(fitted: Fitted, data: Rows, fold: Fold, seed: int, fresh: int) -> Floats:
    """Loss (N,) of one fold: squared errors of its test rows over variance and weight.

    Parameters
    ----------
    fresh : starts of the fit beside the constants on all rows.
    """
    rules, train = data.rules.search, data.take(~fold.test).sample
    expression, text = fitted.expression, fitted.candidate.text
    starts = fitted.fit.theta[None, ...]
    if fresh and expression.constants:
        proposals = propose_starts(expression, train, fresh, seed_of(text, seed))
        if data.group is not None:
            proposals = np.broadcast_to(proposals[:, None, :], (len(proposals), *starts.shape[1:]))
        starts = np.concatenate([proposals, starts])
    fit = fit_constants(expression, train, starts, rules.fold_iterations, shared=fitted.shared)
    test, most = data.take(fold.test), data.rules.selection.worst
    loss = np.zeros(len(data))
    error = most if fit is None else row_errors(expression, fit, test) / data.scale[fold.test]
    loss[fold.test] = test.weights / test.weights.sum() * np.minimum(error, most)
    return loss


def row_errors(expression: Expression, fit: Fit, data: Rows) -> Floats:
    """Squared error (N,) of every row; inf where the law has no value."""
    with np.errstate(all="ignore"):
        error = (data.target - values(expression, fit.theta, data.filled, data.group)) ** 2
    return np.where(np.isfinite(error), error, np.inf)


def share_constants(
    law: Scored,
    data: Rows,
    domain: Domain,
    folds: tuple[Sequence[Fold], Sequence[Fold]],
    seed: int,
) -> Scored:
    """The law with every constant shared by all groups whose sharing costs no fold error.

    A greedy search: all constants start per group, and the one that gains most is shared first.
    """
    best = law
    if data.group is None:
        return best
    while True:
        fitted = best.fitted
        unshared = [name for name in fitted.expression.constants if name not in fitted.shared]
        fits = [_fit_shared((*fitted.shared, name), best, data, domain) for name in unshared]
        valid_fits = [fit for fit in fits if fit and fit.valid >= law.fitted.valid]
        candidates = [score(fit, data, *folds, seed) for fit in valid_fits]
        improvements = [each for each in candidates if no_worse(each, best, data)]
        if not improvements:
            return best
        best = min(improvements, key=lambda each: each.error)


def no_worse(law: Scored, other: Scored, data: Rows) -> bool:
    """Whether a law is no worse than another on random folds and on any extrapolation fold."""
    slack = 1.0 + data.rules.selection.no_worse
    inside = law.random.sum(axis=1).mean() <= slack * other.random.sum(axis=1).mean()
    outside = law.extrapolation.sum(axis=1) <= slack * other.extrapolation.sum(axis=1)
    return bool(law.error <= other.error and inside and outside.all())


def _fit_shared(shared: Collection[str], law: Scored, data: Rows, domain: Domain) -> Fitted | None:
    rules, fitted = data.rules.search, law.fitted
    starts = propose_starts(fitted.expression, data.sample, rules.starts, 0)
    each = np.broadcast_to(starts[:, None, :], (len(starts), *fitted.fit.theta.shape))
    starts = np.concatenate([fitted.fit.theta[None, ...], each])
    fit = fit_constants(
        fitted.expression, data.sample, starts, rules.iterations, shared=tuple(shared)
    )
    if fit is None:
        return None
    place = [fitted.expression.constants.index(name) for name in shared]
    common = fit.theta[:, place]
    if not np.allclose(common, common[0], rtol=1e-9, atol=0.0):
        return (
            None  # shared in one unit of a factor only: its unit enters with a power of the group
        )
    return replace(checked(fitted.candidate, fit, domain), shared=tuple(sorted(shared)))


def r_squared(target: Floats, predicted: Floats, group: Indices | None = None) -> float | None:
    """Fraction of the variance explained; None where the target does not vary.

    With groups, total squares are taken about each group's own mean, or about one mean where some
    group has a single row.
    """
    if not len(target):
        return None
    mean = np.full(len(target), target.mean())
    if group is not None and np.bincount(group)[np.unique(group)].min() > 1:
        mean = (np.bincount(group, target) / np.maximum(np.bincount(group), 1))[group]
    total = float(np.sum((target - mean) ** 2))
    return 1.0 - float(np.sum((target - predicted) ** 2)) / total if total > 0 else None
