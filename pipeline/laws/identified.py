"""Which constants the rows can tell: by the rank of the Jacobian, and by how far resamples scatter.

A constant is *not identified* where it can move without the law moving on the rows: two constants
that do the same, a power of something that does not vary. Rank says so exactly. A law may also be
all but flat in a direction: then resamples run off along it, and an interval such as (−10²¹, 0.03)
is a sign of that, not a finding. Such intervals are not given.

Notation
--------
N : merged rows.    P : constants.    M : draws of the constants over resamples.
J : (P, N) derivatives of the law with respect to its constants, weighted, rows at unit length.
"""

from __future__ import annotations

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats

#: singular values of J below this share of the largest count as zero
RANK = 1e-7
#: a constant with more than this share (squared) of its direction in J's null space moves freely
FREE = 1e-6
#: an interval over which the constant alone would move the law by so many SDs of the target …
FAR = 100.0
#: … or that reaches so many times the constant's own size, holds nothing
WILD = 1e4
#: an interval that is so many times shorter than that of the linearised law is no interval
STUCK = 4.0

TWINS = "not identified by these data: other constants can take its place"
SCATTERED = "not identified by these data: it can move far without the law moving"


def rank(expression: Expression, theta: Floats, data: Rows) -> int:
    """How many constants the rows can tell apart: the rank of J."""
    return int(np.sum(spectrum(expression, theta, data)[0] > 0))


def spectrum(expression: Expression, theta: Floats, data: Rows) -> tuple[Floats, Floats]:
    """Singular values (P,) of J, those that count as zero put to 0, and directions (P, P).

    Directions are steps of the constants themselves, of unit length in units of J's rows.
    """
    if not len(theta):
        return np.zeros(0), np.zeros((0, 0))
    singular, directions, length = _decomposed(expression, theta, data)
    return singular, directions / np.where(length > 0, length, 1.0)[:, None]


def _decomposed(expression: Expression, theta: Floats, data: Rows) -> tuple[Floats, Floats, Floats]:
    """Singular values (P,) of J, its left directions (P, P), and the length of its rows (P,)."""
    _, jacobian = expression.jacobian(data.sample.columns, theta[None, :])
    rows = np.nan_to_num(jacobian[0] * np.sqrt(data.sample.weight), posinf=0.0, neginf=0.0)
    length = np.linalg.norm(rows, axis=1)
    unit = rows / np.where(length > 0, length, 1.0)[:, None]
    values, directions = np.linalg.eigh(unit @ unit.T)
    singular = np.sqrt(np.maximum(values, 0.0))
    return np.where(singular > RANK * singular.max(), singular, 0.0), directions, length


def sandwich_root(expression: Expression, theta: Floats, data: Rows) -> Floats | None:
    """Square root (P, C) of the constants' covariance, clustered by cell; None below full rank
    and where a slope is beyond what a float holds.

    White 1980; Liang and Zeger 1986.
    """
    singular, directions, length = _decomposed(expression, theta, data)
    if not len(theta) or not singular.all():
        return None
    sample = data.sample
    value, jacobian = expression.jacobian(sample.columns, theta[None, :])
    _, index = np.unique(data.merged_cell, return_inverse=True)
    with np.errstate(all="ignore"):
        pull = jacobian[0] * (sample.weight * (sample.target - value[0])) / length[:, None]
    if not np.isfinite(pull).all():
        return None
    slope = np.array([np.bincount(index.ravel(), row) for row in pull])
    bread = (directions / singular**2) @ directions.T
    return np.asarray(bread @ slope / length[:, None])


def unidentified(
    expression: Expression, theta: Floats, ends: Floats | None, data: Rows
) -> dict[str, str]:
    """Constants that these rows do not tell, each with the reason in words.

    Resamples alone would not show it: in a narrow valley a descent stops where it began, and the
    interval is far too short. So the standard errors of the linearised law are asked, too.

    Parameters
    ----------
    theta : (P,) constants on all rows.
    ends : (2, P) lowest and highest of their intervals; None where there are none.
    """
    if not len(theta):
        return {}
    singular, directions, length = _decomposed(expression, theta, data)
    free = np.sum(directions[:, singular == 0] ** 2, axis=1) > FREE
    told = {name: TWINS for name, loose in zip(expression.constants, free, strict=True) if loose}
    if ends is None:
        return told
    root = sandwich_root(expression, theta, data)
    linear = np.zeros(len(theta)) if root is None else 2.0 * np.linalg.norm(root, axis=1)
    wild = _wild(theta, ends, linear, length / np.sqrt(data.sample.weight.sum()), data)
    scattered = {n: SCATTERED for n, far in zip(expression.constants, wild, strict=True) if far}
    return {**scattered, **told}


def _wild(theta: Floats, ends: Floats, linear: Floats, slope: Floats, data: Rows) -> Floats:
    """Which intervals (2, P) mean nothing: too wide, or far shorter than the law's slopes allow.

    `linear` is two standard errors of the linearised law, `slope` the root mean square of J.
    """
    drawn = np.abs(ends - theta).max(axis=0)
    reach = np.maximum(drawn, linear)
    moved = reach * slope / max(float(np.sqrt(data.variance)), 1e-300)
    size = np.maximum(np.abs(theta), 1e-300)
    too_wide = ~np.isfinite(reach) | (moved > FAR) | (reach > WILD * size)
    return np.asarray(too_wide | (linear > STUCK * drawn))
