"""Whether a law may be believed over its whole domain, and whether its limits are plausible.

A law that fits well and has a pole just outside the data is the commonest failure of symbolic
regression. So every candidate is evaluated on a dense grid, the held-out rows' factors included:
it must be finite and within the target's bounds everywhere, and whatever it divides by must keep its
sign. It must also be exactly independent of a factor where that factor is undefined (AMI at T = 1).

Rows near each other cannot tell a law that saturates from one that merely bends. What is known about
limits can. For a target with bounds, with unlimited data

* the score stays within its bounds,
* it does not turn back: what the largest sizes have begun, larger ones continue, and
* it tends to the same value whatever the fractions (relatedness, noise) are: they change how fast
  the limit is approached, not where it lies.

Limits are a preference, not a filter (docs/decisions/003-limits.md).

Notation
--------
N : rows.    P : constants.    D : points of the domain grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.symbolic.kinds import classify, value_range
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class Defect:
    """Why a law is invalid, or what is implausible about its limits.

    Attributes
    ----------
    kind : ``not_finite``, ``pole``, ``step``, ``below_bounds``, ``above_bounds`` or
        ``depends_on_undefined``; of limits ``limit_not_finite``, ``limit_leaves_bounds``,
        ``limit_turns_back`` or ``limit_depends_on_fraction``.
    factor : factors concerned, joined by " and "; empty where none is.
    value : the value or power that is at fault; None where there is no single one.
    at : factor -> value where it happens; empty where it is not one place.
    """

    kind: str
    factor: str = ""
    value: float | None = None
    at: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``."""
        return asdict(self)


def domain_grid(data: Rows, others: Rows | None = None) -> dict[str, Floats]:
    """Factor values on which laws must be valid: factor name -> (D,).

    Parameters
    ----------
    data : gives the domains; sizes are spaced evenly in their logarithm.
    others : further rows (the held-out ones) whose factor values must be valid too.
    """
    most = data.rules.checks.max_grid
    axes = [_axis(*data.domain(name), len(data.factors), most) for name in data.factors]
    if np.prod([len(axis) for axis in axes]) <= most:
        points = np.array(list(product(*axes)))
    else:
        points = _sampled(axes)
    grid = {name: points[:, i] for i, name in enumerate(data.factors)}
    for rows in (data, others):
        if rows is not None:
            grid = {name: np.concatenate([grid[name], rows.filled[name]]) for name in grid}
    return grid


def _axis(low: float, high: float, factors: int, most: int) -> Floats:
    count = min(max(int(most ** (1.0 / factors)), 3) if factors > 2 else 40, 40)
    if low > 0 and high / low > 5:
        return np.geomspace(low, high, count)
    return np.linspace(low, high, count)


def _sampled(axes: list[Floats]) -> Floats:
    from scipy.stats import qmc

    corners = np.array(list(product(*[(axis[0], axis[-1]) for axis in axes[:10]])))
    if len(axes) > 10:
        middle = np.tile([float(np.median(axis)) for axis in axes[10:]], (len(corners), 1))
        corners = np.hstack([corners, middle])
    unit = qmc.Sobol(len(axes), rng=0).random(4096)
    inner = np.column_stack(
        [np.interp(unit[:, i], np.linspace(0, 1, len(axis)), axis) for i, axis in enumerate(axes)]
    )
    return np.vstack([corners, inner])


def find_defect(
    expression: Expression, theta: Floats, grid: Mapping[str, Floats], data: Rows
) -> Defect | None:
    """Why the law must not be used over the grid; None where it may.

    Parameters
    ----------
    theta : (P,) its constants.
    data : the rows it is fitted on, for the target's bounds and undefined factors.
    """
    with np.errstate(all="ignore"):
        slots = expression.trace(grid, theta)
    value = np.broadcast_to(slots[-1], np.shape(next(iter(grid.values()))))
    if not np.isfinite(value).all():
        return Defect(kind="not_finite", at=_place(~np.isfinite(value), grid))
    if _has_pole(expression, slots):
        return Defect(kind="pole", at={})
    power = _steep_power(expression, slots, data)
    if power is not None:
        return Defect(kind="step", value=power, at={})
    low, high = _limits(data)
    if value.min() < low:
        least = float(value.min())
        return Defect(kind="below_bounds", value=least, at=_place(value == least, grid))
    if value.max() > high:
        most = float(value.max())
        return Defect(kind="above_bounds", value=most, at=_place(value == most, grid))
    return _dependence_on_undefined(expression, theta, data)


def _limits(data: Rows) -> tuple[float, float]:
    low, high = data.bounds
    rules, span = data.rules.checks, float(np.ptp(data.target))
    rounding = rules.rounding * span
    return (
        low - rounding if np.isfinite(low) else float(data.target.min()) - rules.reach * span,
        high + rounding if np.isfinite(high) else float(data.target.max()) + rules.reach * span,
    )


def _has_pole(expression: Expression, slots: Sequence[Floats]) -> bool:
    """Whether a divisor, or the base of a falling power, changes sign between grid points."""
    for step in expression.program.steps:
        if step.op == "/":
            watched = slots[step.right]
        elif step.op == "**" and np.min(slots[step.right]) < 0:
            watched = slots[step.left]
        else:
            continue
        if np.min(watched) < 0 < np.max(watched):
            return True
    return False


def _steep_power(expression: Expression, slots: Sequence[Floats], data: Rows) -> float | None:
    """A power that makes a step of what is raised, over the grid; None where there is none."""
    rules = data.rules.checks
    for raised in (step for step in expression.program.steps if step.op == "**"):
        base, power = slots[raised.left], slots[raised.right]
        if np.max(np.abs(power)) > rules.steep:
            return float(power.flat[np.argmax(np.abs(power))])
        if np.min(np.abs(base)) == 0.0 and 0.0 < np.max(np.abs(power)) < rules.flat:
            return float(np.max(power))
    return None


def _dependence_on_undefined(expression: Expression, theta: Floats, data: Rows) -> Defect | None:
    """A factor on which the law depends where it is undefined: any value must give the same."""
    undefined = [name for name in expression.factors if name in data.undefined_rows]
    if not undefined:
        return None
    tolerance = data.rules.checks.rounding * float(np.ptp(data.target))
    for name in undefined:
        columns = data.undefined_rows[name]
        reference = expression.evaluate(columns, theta)
        low, high = data.domain(name)
        for share in (0.03, 0.31, 0.77, 1.0):
            other = np.full_like(columns[name], low + share * (high - low))
            change = np.abs(expression.evaluate({**columns, name: other}, theta) - reference)
            if not np.all(change <= tolerance):
                place = _place(~(change <= tolerance), columns)
                del place[name]
                return Defect(kind="depends_on_undefined", factor=name, at=place)
    return None


def find_limit_defect(expression: Expression, theta: Floats, data: Rows) -> Defect | None:
    """What is wrong with the law where the sizes grow without end; None where nothing is.

    Parameters
    ----------
    theta : (P,) its constants.
    data : the rows it is fitted on: bounds, domains, tolerance.
    """
    kinds, (low, high), rules = classify(data.columns), data.bounds, data.rules.checks
    if not kinds.sizes or not (np.isfinite(low) or np.isfinite(high)):
        return None
    start = _start(data)
    path = (*(2.0**k for k in range(-1, 9)), *np.geomspace(1e3, rules.far, 8).tolist())
    for grown in [*((name,) for name in kinds.sizes), kinds.sizes]:
        tops = {name: value_range(data.columns[name])[1] for name in grown}
        along = [
            expression.evaluate(
                start | {n: np.full_like(start[n], far * top) for n, top in tops.items()}, theta
            )
            for far in path
        ]
        value, names = along[-1], " and ".join(grown)
        if not np.isfinite(value).all():
            return Defect(kind="limit_not_finite", factor=names, at={})
        if value.min() < low - data.tolerance or value.max() > high + data.tolerance:
            return Defect(kind="limit_leaves_bounds", factor=names, at={})
        if _turning(along) > data.tolerance:
            return Defect(kind="limit_turns_back", factor=names, at={})
    if kinds.fractions and np.ptp(value) > 2.0 * data.tolerance:
        names = " and ".join(kinds.fractions)
        return Defect(kind="limit_depends_on_fraction", factor=names, at={})
    return None


def _turning(along: Sequence[Floats]) -> float:
    """How far the law goes both up and down along the path, at the worst of its starts."""
    with np.errstate(invalid="ignore"):
        step = np.diff(along, axis=0)
    up, down = step.clip(min=0).sum(axis=0), -step.clip(max=0).sum(axis=0)
    turning = np.minimum(up, down)
    return float(np.where(np.isnan(turning), np.inf, turning).max())


def _start(data: Rows) -> dict[str, Floats]:
    """Points of the domain from which the sizes grow."""
    axes = [np.linspace(*data.domain(name), data.rules.checks.grow_steps) for name in data.factors]
    if len(axes) > 6:
        rows = np.random.default_rng(0).random((4_000, len(axes)))
        ends = np.array([data.domain(name) for name in data.factors])
        points = ends[:, 0] + rows * (ends[:, 1] - ends[:, 0])
    else:
        points = np.array(list(product(*axes)))
    return {name: points[:, i] for i, name in enumerate(data.factors)}


def _place(mask: Floats, grid: Mapping[str, Floats]) -> dict[str, float]:
    k = int(np.argmax(mask))
    return {name: float(column[k]) for name, column in grid.items()}
