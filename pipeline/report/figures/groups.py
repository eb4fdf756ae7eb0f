"""Small multiples: the law of each group along one factor, with the rows of that group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtl_laws.pipeline.laws.levels import Floats
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
from mtl_laws.pipeline.report.groups import Grouped
from mtl_laws.pipeline.report.slices import thin
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.words import listed
from mtl_laws.pipeline.symbolic.typeset.numbers import number

#: panels of the figure; rows drawn in one of them
MOST_PANELS, MOST_POINTS = 24, 200
#: inches
WIDTH, PANEL_HEIGHT = 9.4, 1.75
MOST_COLUMNS = 4
#: one vertical axis for all if together they span less than this many times what one group does
ALIKE = 2.5
#: a tick in this share of the axis from its end has its label inside
EDGE = 0.08


@dataclass(frozen=True)
class Panel:
    """One group: its curve and its rows, moved by the law to the values that the curve is for.

    Attributes
    ----------
    grid, law : the curve.
    band : 95 % of the law; None where there are no draws.
    x, y : the rows; inside : which of them were fitted.
    """

    level: str
    grid: Floats
    law: Floats
    band: tuple[Floats, Floats] | None
    x: Floats
    y: Floats
    inside: np.ndarray


def main_factor(surface: Surface) -> str:
    """The factor to draw groups along: the size where the law uses it, else the strongest."""
    roles = surface.data.roles
    if roles is not None and roles.size in surface.used:
        return roles.size
    varied = [name for name in surface.by_effect if len(surface.levels[name].values) > 1]
    return next((n for n in varied if surface.logarithmic(n) and n in surface.used), varied[0])


def draw_groups(groups: Grouped) -> Drawing:
    """One small panel per group, of the first `MOST_PANELS`."""
    whole = groups.surface
    x = main_factor(whole)
    surfaces = list(groups.surfaces())
    panels = [_panel(level, surface, x) for level, surface in surfaces[:MOST_PANELS]]
    columns = _columns(len(panels))
    rows = -(-len(panels) // columns)
    limits = [_limits(panel) for panel in panels]
    alike = _alike(limits)
    if alike:
        limits = [(min(low for low, _ in limits), max(high for _, high in limits))] * len(limits)
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
    rest = [level for level, _ in surfaces[MOST_PANELS:]]
    return Drawing(
        name="groups",
        title=f"{whole.target} along {x}, by {groups.column}",
        caption=_caption(panels, whole, x, alike, rest),
        alt=_alt(panels, groups, x),
        figure=figure,
    )


def _columns(panels: int) -> int:
    """Panels in a row: as many as fit, or one less where that leaves fewer places empty."""
    if panels <= MOST_COLUMNS:
        return panels
    return min((MOST_COLUMNS, MOST_COLUMNS - 1), key=lambda columns: -panels % columns)


def _panel(level: str, surface: Surface, x: str) -> Panel:
    low, high = surface.extent(x)
    grid = surface.grid(x, low, high)
    law = surface.along(x, grid, {})
    at = {name: np.full(len(grid), surface.reference[name]) for name in surface.factors}
    known = np.isfinite(surface.columns[x]) & np.isfinite(surface.residuals)
    known = thin(known, MOST_POINTS)
    values = surface.columns[x][known]
    return Panel(
        level,
        grid,
        law,
        surface.bands({**at, x: grid}).law,
        values,
        np.interp(values, grid, law) + surface.residuals[known],
        surface.inside[known],
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
    law = panel.law[np.isfinite(panel.law)].clip(low - room, high + room)
    low, high = min([low, *law]), max([high, *law])
    return low - 0.07 * room, high + 0.07 * room


def _alike(limits: Sequence[tuple[float, float]]) -> bool:
    """Whether the groups' values lie so close that one vertical axis serves them all."""
    lows, highs = np.array(limits).T
    return bool(highs.max() - lows.min() <= ALIKE * np.median(highs - lows))


def _caption(
    panels: Sequence[Panel], whole: Surface, x: str, alike: bool, rest: Sequence[str]
) -> str:
    others = [name for name in whole.used if name != x]
    parts = ["Lines: the law with the constants of each group."]
    if others:
        parts.append(
            f"{listed(others)} {'is' if len(others) == 1 else 'are'} held at the middle of each "
            "group. Points: measured rows moved to these values by the law, each with its own "
            "residual."
        )
    else:
        parts.append("Points: measured rows.")
    if any(not panel.inside.all() for panel in panels):
        parts.append("Open diamonds were held out.")
    if any(panel.band is not None for panel in panels):
        parts.append("Band: the law, 95 %.")
    if not alike:
        parts.append("Each panel has its own vertical axis.")
    if rest:
        parts.append(f"Not drawn: {listed(rest)}.")
    return " ".join(parts)


def _alt(panels: Sequence[Panel], groups: Grouped, x: str) -> str:
    whole = groups.surface
    low, high = whole.extent(x)
    curves = []
    for panel in panels:
        known = panel.law[np.isfinite(panel.law)]
        if len(known):
            curves.append(f"{panel.level}: from {number(known[0])} to {number(known[-1])}")
    return (
        f"{len(panels)} small panels by {groups.column}: {whole.target} measured and predicted "
        f"as {x} goes from {number(low)} to {number(high)}. {'; '.join(curves)}."
    )
