"""The map of gain over single-task training, with the line where multi-task learning stops helping.

The colours are the law's. Markers are measured cells, paired with the single task and pooled over
their neighbours; hatching marks where the measured mean is clearly below zero, whatever the law
says.

Notation
--------
G : grid points per axis.
gain : the law at (size, tasks, relatedness) minus the law at (size, one task), (G, G), its sign
    turned where a lower target is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.laws.record import GainCell, PooledGain, Roles
from mtl_laws.pipeline.report.figures.canvas import (
    DIVERGING,
    FONT_SIZE,
    INK,
    PAPER,
    Drawing,
    factor_axis,
    label_axes,
    new_panel,
)
from mtl_laws.pipeline.report.surface import SPREAD, Surface
from mtl_laws.pipeline.report.text import gain_map_text
from mtl_laws.pipeline.symbolic.typeset.numbers import level, number, percent, settled, signed

GRID = 60
#: a gain smaller than this share of the target's range is none
FLAT = 1e-9
COLOURS = [tone.light for tone in DIVERGING]


@dataclass(frozen=True)
class Map:
    """Gain at one number of tasks; ``reach`` is the largest size of any gain, for the colours."""

    sizes: Floats
    shares: Floats
    gain: Floats
    tasks: float
    reach: float


def draw_gain(
    surface: Surface, roles: Roles, paired: PooledGain | None = None, group: str = ""
) -> list[Drawing]:
    """Predicted gain over (size, relatedness) for the fewest and the most tasks fitted.

    Parameters
    ----------
    paired : measured gains; None where none were recorded.
    group : whose cells are drawn; empty without groups.
    """
    sizes = surface.grid(roles.size, *surface.fitted_range(roles.size), GRID)
    shares = np.linspace(*surface.fitted_range(roles.relatedness), GRID)
    maps = {
        tasks: gain_over_single(surface, roles, sizes, shares, tasks)
        for tasks in _task_counts(surface, roles)
    }
    reach = max((float(np.nanmax(np.abs(gain), initial=0.0)) for gain in maps.values()), default=0)
    if reach <= FLAT * surface.scale:
        return []
    return [
        _draw_map(
            surface,
            roles,
            Map(sizes, shares, gain, tasks, reach),
            _cells(surface, roles, paired, tasks, group),
        )
        for tasks, gain in maps.items()
    ]


def _draw_map(surface: Surface, roles: Roles, gains: Map, cells: Sequence[GainCell]) -> Drawing:
    figure, axes = new_panel(height=3.5)
    factor_axis(axes, True, surface.levels[roles.size], surface.fitted_range(roles.size))
    axes.grid(False)
    filled = axes.contourf(
        gains.sizes, gains.shares, gains.gain, levels=_steps(gains.reach), colors=COLOURS
    )
    bar = figure.colorbar(
        filled, ax=axes, pad=0.02, aspect=28, format=lambda value, _: signed(value)
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=FONT_SIZE - 1)
    _break_even(axes, gains)
    _hatch(axes, surface, roles, cells)
    _mark(axes, roles, cells)
    label_axes(axes, roles.size, roles.relatedness)
    axes.set_ylim(gains.shares[0], gains.shares[-1])
    return Drawing(
        name=f"gain-{number(gains.tasks).replace(',', '')}",
        title=f"{roles.tasks} = {number(gains.tasks)} against {roles.tasks} = 1",
        caption=" ".join(
            (*_held(surface, roles), gain_map_text(roles.tasks, _ends(gains.gain), cells))
        ),
        alt=_alt(surface, roles, gains),
        figure=figure,
    )


def gain_over_single(
    surface: Surface, roles: Roles, sizes: Floats, shares: Floats, tasks: float
) -> Floats:
    """Predicted gain (len(shares), len(sizes)); other factors at their middle."""
    size, share = np.meshgrid(sizes, shares)
    together = _at(surface, roles, size.ravel(), share.ravel(), tasks)
    spread = [surface.point_of_domain(roles.relatedness, part) for part in SPREAD]
    alone = [_at(surface, roles, sizes, np.full(len(sizes), value), 1.0) for value in spread]
    gain = surface.sign * (together.reshape(size.shape) - np.mean(alone, axis=0)[None, :])
    gain[np.abs(gain) < FLAT * surface.scale] = 0.0
    return np.where(np.isfinite(gain), gain, np.nan)


def _at(surface: Surface, roles: Roles, sizes: Floats, shares: Floats, tasks: float) -> Floats:
    points = {name: np.full(len(sizes), value) for name, value in surface.reference.items()}
    points |= {roles.size: sizes, roles.relatedness: shares}
    return surface.at(points | {roles.tasks: np.full(len(sizes), tasks)})


def _task_counts(surface: Surface, roles: Roles) -> list[float]:
    """The smallest and the largest fitted number of tasks above one."""
    low, high = surface.fitted_range(roles.tasks)
    values = surface.levels[roles.tasks].values
    several = [float(value) for value in values if value > 1 and low <= value <= high]
    return sorted({several[0], several[-1]}) if several else []


def _steps(reach: float) -> list[float]:
    half = len(COLOURS) // 2
    edges = np.linspace(0, reach * 1.0001, half + 1)
    return [*(-edges[:0:-1]), *edges]


def _break_even(axes: Axes, gains: Map) -> None:
    low, high = _ends(gains.gain)
    if low < 0 < high:
        axes.contour(
            gains.sizes, gains.shares, gains.gain, levels=[0.0], colors=[INK.light], linewidths=1.6
        )


def _ends(gain: Floats) -> tuple[float, float]:
    """Lowest and highest gain of the map; zeros where the law has no value at all."""
    known = gain[np.isfinite(gain)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


def _others(surface: Surface, roles: Roles) -> list[str]:
    """Factors besides the three of which the map shows one level."""
    three = (roles.size, roles.tasks, roles.relatedness)
    return [f for f in surface.factors if f not in three and len(surface.levels[f].values) > 1]


def _held(surface: Surface, roles: Roles) -> list[str]:
    """At which values of the other factors the map is."""
    told = [f"{name} = {level(surface.reference[name])}" for name in _others(surface, roles)]
    return [f"At {', '.join(told)}."] if told else []


def _cells(
    surface: Surface, roles: Roles, paired: PooledGain | None, tasks: float, group: str
) -> list[GainCell]:
    """Measured cells at this number of tasks and at the level that the map holds of the others."""
    if paired is None:
        return []
    cells = [
        cell
        for cell in paired.cells
        if cell.group == group
        and np.isclose(cell.at.get(roles.tasks) or np.nan, tasks)
        and None not in (cell.at.get(roles.size), cell.at.get(roles.relatedness))
    ]
    for name in _others(surface, roles):
        levels = surface.levels[name]
        held = levels.nearest(surface.reference[name])
        if not levels.binned:
            cells = [
                cell
                for cell in cells
                if (value := cell.at.get(name)) is None or levels.nearest(value) == held
            ]
    return cells


def _place(cell: GainCell, roles: Roles) -> tuple[float, float]:
    return cell.at[roles.size] or 0.0, cell.at[roles.relatedness] or 0.0


def _mark(axes: Axes, roles: Roles, cells: Sequence[GainCell]) -> None:
    """Cells, pointing down where the pooled gain is below zero; large where that is clear."""
    for marker, sign in (("^", 1.0), ("v", -1.0)):
        for clear, size in ((False, 3.2), (True, 6.0)):
            chosen = [c for c in cells if direction(c) == sign and (c.region != 0) == clear]
            places = np.array([_place(cell, roles) for cell in chosen]).reshape(-1, 2)
            axes.plot(
                places[:, 0],
                places[:, 1],
                marker=marker,
                linestyle="none",
                markersize=size,
                markerfacecolor=PAPER.light if marker == "^" else INK.light,
                markeredgecolor=INK.light,
                markeredgewidth=0.8,
                clip_on=False,
                zorder=5,
            )


def direction(cell: GainCell) -> float:
    """1 or −1: the sign of the region of a cell, or of its pooled gain where it is in none."""
    return float(np.sign(cell.region)) or (-1.0 if cell.pooled < 0 else 1.0)


def _hatch(axes: Axes, surface: Surface, roles: Roles, cells: Sequence[GainCell]) -> None:
    """Hatching around the cells of every region of harm, halfway to the next level."""
    for region in sorted({cell.region for cell in cells if cell.region < 0}):
        places = np.array([_place(cell, roles) for cell in cells if cell.region == region])
        left, right = _around(surface, roles.size, places[:, 0])
        bottom, top = _around(surface, roles.relatedness, places[:, 1])
        patch = Rectangle((left, bottom), right - left, top - bottom)
        patch.set(fill=False, hatch="///", edgecolor=INK.light, linewidth=0.0, zorder=3)
        axes.add_patch(patch)


def _around(surface: Surface, factor: str, values: Floats) -> tuple[float, float]:
    """From halfway below the lowest value to halfway above the highest, in the fitted range."""
    low, high = surface.fitted_range(factor)
    levels = surface.levels[factor].values
    below, above = levels[levels < values.min()], levels[levels > values.max()]
    middle = (lambda a, b: (a * b) ** 0.5) if surface.logarithmic(factor) else _mean
    start = middle(below[-1], values.min()) if len(below) else low
    end = middle(values.max(), above[0]) if len(above) else high
    return max(float(start), low), min(float(end), high)


def _mean(first: float, second: float) -> float:
    return (first + second) / 2


def _alt(surface: Surface, roles: Roles, gains: Map) -> str:
    low, high = (signed(settled(end, surface.scale)) for end in _ends(gains.gain))
    return (
        f"Map of the predicted gain in {surface.target} at {roles.tasks} = {number(gains.tasks)} "
        f"over {roles.size} and {roles.relatedness}: from {low} to {high}; "
        f"{percent(float(np.nanmean(gains.gain < 0)))} of the map is below zero."
    )
