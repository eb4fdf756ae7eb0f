"""The map of gain over single-task training, with the line where multi-task learning stops helping.

Notation
--------
G : grid points per axis.
gain : the law at (size, tasks, relatedness) minus the law at (size, one task), (G, G).
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pipeline.report.figures.canvas import (
    FONT_SIZE,
    Drawing,
    factor_axis,
    label_axes,
    new_panel,
)
from pipeline.report.levels import Floats
from pipeline.report.numbers import number
from pipeline.report.palette import DIVERGING, INK, PAPER
from pipeline.report.roles import Roles
from pipeline.report.surface import SPREAD, Surface

GRID = 60
COLOURS = [tone.light for tone in DIVERGING]


def draw_gain(surface: Surface, roles: Roles) -> Drawing | None:
    """Predicted gain over (size, relatedness) at a middle number of tasks; None if it is flat."""
    tasks = _middle_tasks(surface, roles)
    sizes = surface.grid(roles.size, *surface.fitted_range(roles.size), GRID)
    shares = np.linspace(*surface.fitted_range(roles.relatedness), GRID)
    gain = gain_over_single(surface, roles, sizes, shares, tasks)
    reach = float(np.nanmax(np.abs(gain), initial=0.0))
    if reach < 1e-9:
        return None
    figure, axes = new_panel(height=3.5)
    factor_axis(axes, True, surface.levels[roles.size].values, surface.fitted_range(roles.size))
    axes.grid(False)
    filled = axes.contourf(sizes, shares, gain, levels=_steps(reach), colors=COLOURS)
    bar = figure.colorbar(filled, ax=axes, pad=0.02, aspect=28, format=_signed)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=FONT_SIZE - 1)
    _break_even(axes, sizes, shares, gain)
    _measured(axes, surface, roles, tasks)
    label_axes(axes, roles.size, roles.relatedness)
    axes.set_ylim(shares[0], shares[-1])
    return Drawing(
        name="gain",
        title=f"Gain over single-task training at {roles.tasks} = {number(tasks)}",
        caption=(
            f"Predicted change in {surface.target} when {roles.tasks} goes from 1 to "
            f"{number(tasks)}. The dark line is where it changes sign, if it does. Triangles: "
            "measured cells, pointing up where multi-task training helped and down where it hurt."
        ),
        alt=_alt(surface, roles, tasks, gain),
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


def _middle_tasks(surface: Surface, roles: Roles) -> float:
    several = [float(v) for v in surface.levels[roles.tasks].values if v > 1]
    low, high = surface.fitted_range(roles.tasks)
    inside = [value for value in several if low <= value <= high] or several
    return inside[len(inside) // 2] if inside else 2.0


def _steps(reach: float) -> list[float]:
    half = len(COLOURS) // 2
    edges = np.linspace(0, reach * 1.0001, half + 1)
    return [*(-edges[:0:-1]), *edges]


def _signed(value: float, _: object = None) -> str:
    return ("+" if value > 0 else "") + number(float(value), 2)


def _break_even(axes: Axes, sizes: Floats, shares: Floats, gain: Floats) -> None:
    known = gain[np.isfinite(gain)]
    if len(known) and known.min() < 0 < known.max():
        axes.contour(sizes, shares, gain, levels=[0.0], colors=[INK.light], linewidths=1.6)


def _measured(axes: Axes, surface: Surface, roles: Roles, tasks: float) -> None:
    """Cells at this number of tasks, pointing up or down by their measured gain."""
    frame = surface.table.assign(level=surface.levels[roles.size].code)
    frame = frame[(frame["level"] >= 0) & surface.inside]
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


def _alt(surface: Surface, roles: Roles, tasks: float, gain: Floats) -> str:
    low, high = _signed(float(np.nanmin(gain))), _signed(float(np.nanmax(gain)))
    return (
        f"Map of the predicted gain in {surface.target} at {roles.tasks} = {number(tasks)} over "
        f"{roles.size} and {roles.relatedness}: from {low} to {high}; "
        f"{100 * float(np.nanmean(gain < 0)):.0f} percent of the map is below zero."
    )
