"""What a law says when the sizes grow without end: plausible limits of a bounded score.

Rows near each other cannot tell a law that saturates from one that merely bends: both fit, and part
only where nobody trained a model. What is known about limits can. For a target with bounds, with
unlimited data

* the score stays within its bounds,
* it does not turn back: what the largest sizes have begun, larger ones go on with, and
* it tends to the same value whatever the shares (relatedness, noise) are: they change how fast the
  limit is approached, not where it lies;

and where a factor is undefined (AMI at T = 1) the law does not move with it.

The rule is a preference, not a filter: `selection` follows it only as long as no law fits to within
replicate noise (docs/decisions/003-limits.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.symbolic.kinds import classify, value_range
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats

#: how much larger than the largest seen "without end" is; even a logarithm gets somewhere
FAR = 1e60
#: values of each factor from which the sizes grow
STEPS = 4
#: multiples of the largest size seen, from within the rows to without end, between which a law may
#: not turn back
PATH = (*(2.0**k for k in range(-1, 9)), *np.geomspace(1e3, FAR, 8).tolist())


def implausibility(expression: Expression, theta: Floats, data: Rows) -> str:
    """What is wrong with the law's limits, in words; empty where nothing is.

    Parameters
    ----------
    theta : (P,) its constants.
    data : the rows it is fitted on: bounds, domains, tolerance, undefined factors.
    """
    return _moves_where_undefined(expression, theta, data) or _far_away(expression, theta, data)


def _moves_where_undefined(expression: Expression, theta: Floats, data: Rows) -> str:
    """Whether the law moves, by more than the tolerance, with a factor on rows that have none."""
    origin, columns = data.stand_in
    value = expression.evaluate(columns, theta)
    low = np.full(len(data), np.inf)
    high = np.full(len(data), -np.inf)
    np.minimum.at(low, origin, value)
    np.maximum.at(high, origin, value)
    undefined = np.any([np.isnan(column) for column in data.columns.values()], axis=0)
    if undefined.any() and np.max((high - low)[undefined]) > 2.0 * data.tolerance:
        return "moves with a factor where that factor is undefined"
    return ""


def _far_away(expression: Expression, theta: Floats, data: Rows) -> str:
    kinds = classify(data.columns)
    low, high = data.bounds
    if not kinds.sizes or not (np.isfinite(low) or np.isfinite(high)):
        return ""
    start = _start(data)
    for grown in [*((name,) for name in kinds.sizes), kinds.sizes]:
        where = f"as {' and '.join(grown)} {'grows' if len(grown) == 1 else 'grow'}"
        along = [expression.evaluate(_grow(start, grown, data, far), theta) for far in PATH]
        value = along[-1]
        if not np.isfinite(value).all():
            return f"is not finite {where}"
        if value.min() < low - data.tolerance or value.max() > high + data.tolerance:
            return f"leaves the bounds {where}"
        if _turning(along) > data.tolerance:
            return f"turns back {where}"
    if kinds.fractions and np.ptp(value) > 2.0 * data.tolerance:
        return f"has a limit that depends on {' and '.join(kinds.fractions)}"
    return ""


def _turning(along: Sequence[Floats]) -> float:
    """How far the law goes both up and down along the path, at the worst of its starts."""
    with np.errstate(invalid="ignore"):
        step = np.diff(along, axis=0)
    up, down = step.clip(min=0).sum(axis=0), -step.clip(max=0).sum(axis=0)
    turning = np.minimum(up, down)
    return float(np.where(np.isnan(turning), np.inf, turning).max())


def _start(data: Rows) -> dict[str, Floats]:
    axes = [np.linspace(*data.domains[name], STEPS) for name in data.factors]
    if len(axes) > 6:
        rows = np.random.default_rng(0).random((4_000, len(axes)))
        ends = np.array([data.domains[name] for name in data.factors])
        points = ends[:, 0] + rows * (ends[:, 1] - ends[:, 0])
    else:
        points = np.array(list(product(*axes)))
    return {name: points[:, i] for i, name in enumerate(data.factors)}


def _grow(
    start: dict[str, Floats], grown: tuple[str, ...], data: Rows, far: float
) -> dict[str, Floats]:
    """The points with some sizes at a multiple of the largest seen."""
    tops = {name: far * value_range(data.columns[name])[1] for name in grown}
    return start | {name: np.full_like(start[name], top) for name, top in tops.items()}
