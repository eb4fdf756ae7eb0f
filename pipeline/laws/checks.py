"""Whether a law may be believed over its whole domain: finite, within bounds, no pole.

A law that fits well and has a pole just outside the data is the commonest failure of symbolic
regression, so every candidate is evaluated on a dense grid, the held-out rows' factors included,
and everything it divides by or takes a logarithm of must keep its sign there.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats

#: grid points at most; with many factors corners and a low-discrepancy sample stand for the grid
MAX_GRID = 8_000
#: a target without bounds may not leave its observed range by more than this many ranges
REACH = 3.0
#: powers beyond the first, and below the second of what may be 0, are no power laws but steps: they
#: pick out one level of a factor
STEEP, FLAT = 20.0, 0.01


def domain_grid(data: Rows, others: Rows | None = None) -> dict[str, Floats]:
    """Factor values on which laws must be valid: factor name -> (G,).

    Parameters
    ----------
    data : gives the domains; sizes are spaced evenly in their logarithm.
    others : further rows (the held-out ones) whose factor values must be valid too.
    """
    axes = [_axis(*data.domains[name], len(data.factors)) for name in data.factors]
    if np.prod([len(axis) for axis in axes]) <= MAX_GRID:
        points = np.array(list(product(*axes)))
    else:
        points = _sampled(axes)
    grid = {name: points[:, i] for i, name in enumerate(data.factors)}
    for rows in (data, others):
        if rows is not None:
            seen = rows.stand_in[1]
            grid = {name: np.concatenate([grid[name], seen[name]]) for name in grid}
    return grid


def _axis(low: float, high: float, factors: int) -> Floats:
    count = max(int(MAX_GRID ** (1.0 / factors)), 3) if factors > 2 else 40
    count = min(count, 40)
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


def invalidity(
    expression: Expression, theta: Floats, grid: Mapping[str, Floats], data: Rows
) -> str:
    """Why the law must not be used over the grid, in words; empty where it may.

    Parameters
    ----------
    theta : (P,) its constants.
    data : the rows it is fitted on, for the target's bounds and tolerance.
    """
    with np.errstate(all="ignore"):
        slots = expression.trace(grid, theta[None, :])
    value = np.broadcast_to(slots[-1], (1, len(next(iter(grid.values())))))[0]
    if not np.isfinite(value).all():
        return f"not finite at {_where(~np.isfinite(value), grid)}"
    pole = _pole(expression, slots)
    if pole:
        return f"{pole} changes sign within the domain"
    power = _step(expression, slots)
    if power is not None:
        return f"holds a power of {power:.3g}: a step"
    low, high = _limits(data)
    if value.min() < low:
        return f"falls to {value.min():.3g} at {_where(value == value.min(), grid)}"
    if value.max() > high:
        return f"rises to {value.max():.3g} at {_where(value == value.max(), grid)}"
    return ""


def _limits(data: Rows) -> tuple[float, float]:
    low, high = data.bounds
    span = float(np.ptp(data.target))
    reach_low = float(data.target.min()) - REACH * span
    reach_high = float(data.target.max()) + REACH * span
    return (
        low - data.tolerance if np.isfinite(low) else reach_low,
        high + data.tolerance if np.isfinite(high) else reach_high,
    )


def _pole(expression: Expression, slots: list[Floats]) -> str:
    """A divisor, or the base of a power, that changes sign between grid points."""
    for step in expression.program:
        if step.op == "/":
            watched = slots[step.right]
        elif step.op == "**":
            watched = slots[step.left] if np.min(slots[step.right]) < 0 else np.ones(1)
        else:
            continue
        if np.min(watched) < 0 < np.max(watched):
            return "what it divides by"
    return ""


def _step(expression: Expression, slots: list[Floats]) -> float | None:
    """A power that makes a step of what is raised, over the grid; None where there is none."""
    for raised in (step for step in expression.program if step.op == "**"):
        base, power = slots[raised.left], slots[raised.right]
        if np.max(np.abs(power)) > STEEP:
            return float(power.flat[np.argmax(np.abs(power))])
        if np.min(np.abs(base)) == 0.0 and 0.0 < np.max(np.abs(power)) < FLAT:
            return float(np.max(power))
    return None


def _where(mask: Floats, grid: Mapping[str, Floats]) -> str:
    k = int(np.argmax(mask))
    return ", ".join(f"{name} = {column[k]:.4g}" for name, column in grid.items())
