"""Uncertainty of constants: cluster bootstrap, sandwich covariance, identifiability.

Replicates of a cell share their errors, so whole cells are drawn, never rows. Each resample starts
from the constants on all rows and is the same least-squares problem under other weights; where the
constants of groups are pooled, they are pooled in each resample, too. Where
there are very many rows, draws come from the normal distribution that the bootstrap then tends to,
with the sandwich covariance clustered by cell.

A constant is *not identifiable* if it can change without changing the law on the rows: two
constants with the same effect, or a power of something that does not vary. The rank of the Jacobian
shows this exactly. A law may also be almost flat in a direction. Resamples then diverge along it,
and an interval such as (−10²¹, 0.03) is meaningless. Such intervals are not given.

Notation
--------
M : resamples.    C : cells.    N : rows of the sample.    P : constants.    G : groups.
J : (P, N) derivatives of the law with respect to its constants, weighted, rows at unit length.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.symbolic.fit import Indices, Sample, descend
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class UncertaintyRules:
    """When a constant counts as identifiable.

    Attributes
    ----------
    rank : singular values of J below this fraction of the largest count as zero.
    free : a constant with more than this (squared) of its direction in J's null space moves freely.
    far : an interval over which the constant alone would move the law by so many SDs of the
        target holds nothing, …
    wild : … nor does one that reaches so many times the constant's own size.
    stuck : an interval so many times shorter than that of the linearised law is no interval.
    """

    rank: float = 1e-7
    free: float = 1e-6
    far: float = 100.0
    wild: float = 1e4
    stuck: float = 4.0


RULES = UncertaintyRules()

CONFOUNDED = "confounded"
"""Other constants can replace it."""

SCATTERED = "scattered"
"""It can change by much while the law hardly changes."""


def cluster_bootstrap(
    expression: Expression,
    theta: Floats,
    clusters: tuple[Sample, Indices],
    effort: tuple[int, int],
    seed: int,
    shared: Collection[str] = (),
) -> Floats:
    """Constants of every resample of cells that gave finite ones: (M, P), or (M, G, P).

    Cells are drawn within each group, where there are groups.

    Parameters
    ----------
    theta : (P,) or (G, P) constants on all rows.
    clusters : the sample and the cell (N,) of each of its rows.
    effort : resamples, and steps of each fit.
    """
    sample, cell = clusters
    resamples, steps = effort
    cells, first, index = np.unique(cell, return_index=True, return_inverse=True)
    rng = np.random.default_rng([seed, 23])
    group = np.zeros(len(cells), dtype=np.int64) if sample.group is None else sample.group[first]
    draws = np.zeros((resamples, len(cells)))
    for k in np.unique(group):
        places = np.flatnonzero(group == k)
        probability = np.full(len(places), 1.0 / len(places))
        draws[:, places] = rng.multinomial(len(places), probability, size=resamples)
    weighted = sample.weighted(draws[:, index.ravel()] * sample.weight)
    start = np.repeat(theta[None, ...], resamples, axis=0)
    constants, error = descend(expression, weighted, start, steps, shared=shared)
    return constants[np.isfinite(error) & np.isfinite(constants).reshape(resamples, -1).all(axis=1)]


def sandwich_draws(
    expression: Expression,
    theta: Floats,
    clusters: tuple[Sample, Indices],
    resamples: int,
    seed: int,
) -> Floats:
    """Draws (M, P) from the normal limit of the bootstrap; none where constants are confounded."""
    root = sandwich_root(expression, theta, *clusters)
    if root is None:
        return np.zeros((0, len(theta)))
    # the root's square is the covariance: one normal number for each cell suffices
    normal = np.random.default_rng([seed, 29]).standard_normal((resamples, root.shape[1]))
    return np.asarray(theta + normal @ root.T)


def rank(expression: Expression, theta: Floats, sample: Sample) -> int:
    """Number of constants that the rows identify: the rank of J."""
    return int(np.sum(spectrum(expression, theta, sample)[0] > 0))


def spectrum(expression: Expression, theta: Floats, sample: Sample) -> tuple[Floats, Floats]:
    """Singular values (P,) of J, those that count as zero put to 0, and directions (P, P).

    Directions are steps of the constants themselves, of unit length in units of J's rows.
    """
    if not len(theta):
        return np.zeros(0), np.zeros((0, 0))
    singular, directions, length = _decomposed(expression, theta, sample)
    return singular, directions / np.where(length > 0, length, 1.0)[:, None]


def _decomposed(
    expression: Expression, theta: Floats, sample: Sample
) -> tuple[Floats, Floats, Floats]:
    """Singular values (P,) of J, its left directions (P, P), and the length of its rows (P,)."""
    _, jacobian = expression.jacobian(sample.columns, theta[None, :])
    rows = np.nan_to_num(jacobian[0] * np.sqrt(sample.weight), posinf=0.0, neginf=0.0)
    with np.errstate(over="ignore"):
        length = np.nan_to_num(np.linalg.norm(rows, axis=1), posinf=1e300)
    unit = rows / np.where(length > 0, length, 1.0)[:, None]
    values, directions = np.linalg.eigh(unit @ unit.T)
    singular = np.sqrt(np.maximum(values, 0.0))
    return np.where(singular > RULES.rank * singular.max(), singular, 0.0), directions, length


def sandwich_root(
    expression: Expression, theta: Floats, sample: Sample, cell: Indices
) -> Floats | None:
    """Square root (P, C) of the constants' covariance, clustered by cell; None below full rank
    and where a slope is beyond what a float holds.

    White 1980; Liang and Zeger 1986.
    """
    if not len(theta):
        return None
    singular, directions, length = _decomposed(expression, theta, sample)
    if not singular.all():
        return None
    value, jacobian = expression.jacobian(sample.columns, theta[None, :])
    _, index = np.unique(cell, return_inverse=True)
    with np.errstate(all="ignore"):
        pull = jacobian[0] * (sample.weight * (sample.target - value[0])) / length[:, None]
    if not np.isfinite(pull).all():
        return None
    slope = np.array([np.bincount(index.ravel(), row) for row in pull])
    bread = (directions / singular**2) @ directions.T
    return np.asarray(bread @ slope / length[:, None])


def unidentified(
    expression: Expression, theta: Floats, ends: Floats | None, sample: Sample, cell: Indices
) -> dict[str, str]:
    """Constants that these rows do not determine: name -> `CONFOUNDED` or `SCATTERED`.

    In a narrow valley a descent stops where it began, and the bootstrap interval is far too short.
    The standard errors of the linearised law are therefore checked as well.

    Parameters
    ----------
    theta : (P,) constants on all rows.
    ends : (2, P) lowest and highest of their intervals; None where there are none.
    """
    if not len(theta):
        return {}
    singular, directions, length = _decomposed(expression, theta, sample)
    movable = np.sum(directions[:, singular == 0] ** 2, axis=1) > RULES.free
    names = expression.constants
    confounded = {name: CONFOUNDED for name, free in zip(names, movable, strict=True) if free}
    if ends is None:
        return confounded
    root = sandwich_root(expression, theta, sample, cell)
    linear = np.zeros(len(theta)) if root is None else 2.0 * np.linalg.norm(root, axis=1)
    total = sample.weight.sum()
    mean = float(np.average(sample.target, weights=sample.weight))
    spread = float(np.sqrt(np.average((sample.target - mean) ** 2, weights=sample.weight)))
    half_width = np.abs(ends - theta).max(axis=0)
    reach = np.maximum(half_width, linear)
    with np.errstate(over="ignore", invalid="ignore"):
        change = reach * length / np.sqrt(total) / max(spread, 1e-300)
    size = np.maximum(np.abs(theta), 1e-300)
    unbounded = ~np.isfinite(reach) | (change > RULES.far) | (reach > RULES.wild * size)
    scattered = unbounded | (linear > RULES.stuck * half_width)
    return {name: SCATTERED for name, far in zip(names, scattered, strict=True) if far} | confounded
