"""Small multiples: the law of each group along one factor, with the rows of that group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.report.figure_text import groups_alt, groups_caption, rows_drawn_text
from mtl_laws.pipeline.report.figures.canvas import (
    FAINT,
    FONT_SIZE,
    HELD_OUT,
    INK,
    LAW,
    PAPER,
    Drawing,
    factor_axis,
    shorten_label,
)
from mtl_laws.pipeline.report.figures.curves import LAW_BAND
from mtl_laws.pipeline.report.surface import Grouped, Mask, Surface, finite, subsample

#: panels of the figure; rows drawn in one of them
MOST_PANELS, MOST_POINTS = 24, 200
#: inches
WIDTH, PANEL_HEIGHT = 9.4, 1.75
MOST_COLUMNS = 4
#: one vertical axis for all if together they span less than this many times what one group does
ALIKE = 2.5
#: a tick within this fraction of the axis from its end has its label inside
EDGE = 0.08


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One group: its curve, and its rows, moved by the law to the values of the curve.

    Attributes
    ----------
    grid, law : the curve.
    band : 95 % interval of the mean; None where no bands are recorded.
    x, y : the rows that are drawn; inside : which of them were fitted; rows : how many there are.
    """

    level: str
    grid: Floats
    law: Floats
    band: tuple[Floats, Floats] | None
    x: Floats
    y: Floats
    inside: Mask
    rows: int


def main_factor(surface: Surface) -> str:
    """The factor to draw groups along: the size where the law uses it, else the strongest."""
    roles = surface.data.roles
    if roles is not None and roles.size in surface.used:
        return roles.size
    varied = surface.varied
    return next((n for n in varied if surface.logarithmic(n) and n in surface.used), varied[0])


def draw_groups(groups: Grouped) -> Drawing:
    """One small panel per group, of the first `MOST_PANELS`."""
    whole = groups.surface
    x = main_factor(whole)
    surfaces = list(groups.surfaces())
    panels = [_panel(level, surface, x) for level, surface in surfaces[:MOST_PANELS]]
    columns = min(len(panels), MOST_COLUMNS)
    if len(panels) > MOST_COLUMNS:  # one column less where that leaves fewer places empty
        columns = min((MOST_COLUMNS, MOST_COLUMNS - 1), key=lambda count: -len(panels) % count)
    rows = -(-len(panels) // columns)
    limits = [_limits(panel) for panel in panels]
    lows, highs = np.array(limits).T
    alike = bool(highs.max() - lows.min() <= ALIKE * np.median(highs - lows))
    if alike:
        limits = [(float(lows.min()), float(highs.max()))] * len(limits)
    figure = Figure(figsize=(WIDTH, PANEL_HEIGHT * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=alike)
    span = whole.extent(x)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        factor_axis(axes, whole.logarithmic(x), whole.levels[x], span)
        _thin_ticks(axes)
        _draw(axes, panels[place])
        axes.set_ylim(*limits[place])
        axes.tick_params(labelbottom=place + columns >= len(panels))
    figure.supxlabel(x, x=0.99, ha="right", fontsize=FONT_SIZE, color=INK.light)
    figure.suptitle(whole.target, x=0.01, ha="left", fontsize=FONT_SIZE, color=INK.light)
    contents = {
        "held_out": any(not panel.inside.all() for panel in panels),
        "band": any(panel.band is not None for panel in panels),
        "alike": alike,
    }
    others = [name for name in whole.used if name != x]
    rest = [level for level, _ in surfaces[MOST_PANELS:]]
    drawn = rows_drawn_text(sum(len(one.x) for one in panels), sum(one.rows for one in panels))
    return Drawing(
        name="groups",
        title=f"{whole.target} along {x}, by {groups.column}",
        caption=groups_caption(others, contents, rest) + (f" {drawn}" if drawn else ""),
        alt=groups_alt(whole, groups.column, x, {panel.level: panel.law for panel in panels}),
        figure=figure,
    )


def _panel(group: str, surface: Surface, x: str) -> Panel:
    grid = surface.grid(x, *surface.extent(x))
    law = surface.along(x, grid, {})
    defined = np.isfinite(surface.columns[x]) & np.isfinite(surface.residuals)
    rows = int(defined.sum())
    defined = subsample(defined, MOST_POINTS)
    values = surface.columns[x][defined]
    return Panel(
        level=group,
        grid=grid,
        law=law,
        band=surface.bands_along(x, grid, {}).law,
        x=values,
        y=np.interp(values, grid, law) + surface.residuals[defined],
        inside=surface.inside[defined],
        rows=rows,
    )


def _thin_ticks(axes: Axes) -> None:
    """Every second tick, from the last, until at most four are left: a panel is narrow."""
    ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    while len(ticks) > 4:
        ticks = ticks[::-2][::-1]
    axes.set_xticks(ticks)
    for tick, label in zip(ticks, axes.get_xticklabels(), strict=True):
        place = axes.transAxes.inverted().transform(axes.transData.transform((tick, 0.0)))[0]
        if not EDGE < place < 1 - EDGE:  # an outer label stays off the next panel
            label.set_horizontalalignment("left" if place < EDGE else "right")


def _draw(axes: Axes, panel: Panel) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=3, width=0.7, labelsize=FONT_SIZE - 1.5)
    axes.locator_params(axis="y", nbins=4)
    axes.grid(axis="y", color=FAINT.light, linewidth=0.8)
    axes.set_axisbelow(True)
    if panel.band is not None:
        axes.fill_between(panel.grid, *panel.band, color=LAW.light, alpha=LAW_BAND, linewidth=0)
    axes.plot(panel.grid, panel.law, color=LAW.light, linewidth=1.5)
    for mask, marker, face, edge in (
        (panel.inside, "o", INK.light, PAPER.light),
        (~panel.inside, "D", PAPER.light, HELD_OUT.light),
    ):
        axes.plot(
            panel.x[mask],
            panel.y[mask],
            marker=marker,
            linestyle="none",
            markersize=3.4,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=0.4 if marker == "o" else 0.9,
            zorder=3,
        )
    axes.set_title(
        shorten_label(panel.level), loc="left", fontsize=FONT_SIZE - 0.5, color=INK.light, pad=3
    )


def _limits(panel: Panel) -> tuple[float, float]:
    """Vertical range of one group, not stretched by a pole of the law."""
    low, high = (float(panel.y.min()), float(panel.y.max())) if len(panel.y) else (0.0, 1.0)
    room = (high - low) or abs(high) or 1.0
    law = finite(panel.law).clip(low - room, high + room)
    low, high = min([low, *law]), max([high, *law])
    return low - 0.07 * room, high + 0.07 * room
