"""The map of gain over single-task training, with the line where multi-task learning stops helping.

Notation
--------
G : grid points per axis.
gain : the law at (size, tasks, relatedness) minus the law at (size, one task), (G, G).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from pipeline.laws.levels import Floats
from pipeline.laws.record import Roles
from pipeline.report.figures.canvas import (
    FONT_SIZE,
    Drawing,
    factor_axis,
    label_axes,
    new_panel,
)
from pipeline.report.palette import DIVERGING, INK, PAPER
from pipeline.report.surface import SPREAD, Surface
from pipeline.symbolic.typeset.numbers import number

GRID = 60
#: a gain smaller than this everywhere is no gain to map
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


def draw_gain(surface: Surface, roles: Roles) -> list[Drawing]:
    """Predicted gain over (size, relatedness) for the fewest and the most tasks fitted."""
    sizes = surface.grid(roles.size, *surface.fitted_range(roles.size), GRID)
    shares = np.linspace(*surface.fitted_range(roles.relatedness), GRID)
    maps = {
        tasks: gain_over_single(surface, roles, sizes, shares, tasks)
        for tasks in _task_counts(surface, roles)
    }
    reach = max((float(np.nanmax(np.abs(gain), initial=0.0)) for gain in maps.values()), default=0)
    if reach < FLAT:
        return []
    return [
        _draw_map(surface, roles, Map(sizes, shares, gain, tasks, reach))
        for tasks, gain in maps.items()
    ]


def _draw_map(surface: Surface, roles: Roles, gains: Map) -> Drawing:
    figure, axes = new_panel(height=3.5)
    factor_axis(axes, True, surface.levels[roles.size], surface.fitted_range(roles.size))
    axes.grid(False)
    filled = axes.contourf(
        gains.sizes, gains.shares, gains.gain, levels=_steps(gains.reach), colors=COLOURS
    )
    bar = figure.colorbar(filled, ax=axes, pad=0.02, aspect=28, format=_signed)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=FONT_SIZE - 1)
    _break_even(axes, gains)
    _measured(axes, surface, roles, gains.tasks)
    label_axes(axes, roles.size, roles.relatedness)
    axes.set_ylim(gains.shares[0], gains.shares[-1])
    return Drawing(
        name=f"gain-{number(gains.tasks).replace(',', '')}",
        title=f"{roles.tasks} = {number(gains.tasks)} against {roles.tasks} = 1",
        caption=_sign_note(gains.gain),
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
    gain = together.reshape(size.shape) - np.mean(alone, axis=0)[None, :]
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


def _signed(value: float, _: object = None) -> str:
    return ("+" if value > 0 else "") + number(float(value), 2)


def _break_even(axes: Axes, gains: Map) -> None:
    if _changes_sign(gains.gain):
        axes.contour(
            gains.sizes, gains.shares, gains.gain, levels=[0.0], colors=[INK.light], linewidths=1.6
        )


def _changes_sign(gain: Floats) -> bool:
    known = gain[np.isfinite(gain)]
    return bool(len(known) and known.min() < 0 < known.max())


def _sign_note(gain: Floats) -> str:
    if _changes_sign(gain):
        return "The line is where training together stops helping."
    known = gain[np.isfinite(gain)]
    hurts = len(known) > 0 and known.max() <= 0
    return f"The law predicts {'no gain anywhere' if hurts else 'a gain everywhere'} on this map."


def _measured(axes: Axes, surface: Surface, roles: Roles, tasks: float) -> None:
    """Cells at this number of tasks, pointing up or down by their measured gain."""
    sizes = surface.levels[roles.size]
    same_size = surface.columns[roles.size] if sizes.binned else sizes.code
    frame = surface.table.assign(level=same_size)[surface.inside]
    alone = frame[frame[roles.tasks] == 1].groupby("level")[surface.target].mean()
    rows = frame[np.isclose(frame[roles.tasks], tasks) & frame["level"].isin(alone.index)]
    rows = rows[rows[roles.relatedness].notna()]
    cells = rows.groupby("cell")[[roles.size, roles.relatedness, surface.target, "level"]].mean()
    gained = cells[surface.target].to_numpy() - alone.reindex(cells["level"]).to_numpy()
    for marker, chosen in (("^", gained > 0), ("v", gained <= 0)):
        axes.plot(
            cells.loc[chosen, roles.size],
            cells.loc[chosen, roles.relatedness],
            marker=marker,
            linestyle="none",
            markersize=5,
            markerfacecolor=PAPER.light if marker == "^" else INK.light,
            markeredgecolor=INK.light,
            markeredgewidth=0.8,
            clip_on=False,
            zorder=5,
        )


def _alt(surface: Surface, roles: Roles, gains: Map) -> str:
    gain = gains.gain
    low, high = _signed(float(np.nanmin(gain))), _signed(float(np.nanmax(gain)))
    return (
        f"Map of the predicted gain in {surface.target} at {roles.tasks} = {number(gains.tasks)} "
        f"over {roles.size} and {roles.relatedness}: from {low} to {high}; "
        f"{100 * float(np.nanmean(gain < 0)):.0f} percent of the map is below zero."
    )
