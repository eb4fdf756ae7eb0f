"""Horizontal intervals, one row each (a forest plot): estimates with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mtl_laws.pipeline.errors import printable
from mtl_laws.pipeline.report.figures.canvas import (
    FAINT,
    FONT_SIZE,
    INK,
    LAW,
    LINE,
    Drawing,
    drawing_style,
    new_panel,
    shorten_label,
)
from mtl_laws.pipeline.symbolic.typeset.numbers import signed

#: inches: width of the figure, height of a row and of the axis below the rows
WIDTH, ROW_HEIGHT, AXIS_HEIGHT = 5.6, 0.3, 0.6
#: line widths of the narrow and of the wide interval
THICK, THIN = 5.0, 1.3


@dataclass(frozen=True, kw_only=True)
class IntervalRow:
    """One estimate.

    Attributes
    ----------
    label : its name, left of the axis.
    value : the estimate, a dot.
    narrow : interval of the mean, a thick line; None where unknown.
    wide : interval of one more observation, a thin line; None where unknown.
    tip : tooltip; empty for none.
    """

    label: str
    value: float
    narrow: tuple[float, float] | None = None
    wide: tuple[float, float] | None = None
    tip: str = ""


def draw_intervals(
    rows: Sequence[IntervalRow], *, name: str, title: str, axis: str, alt: str, caption: str = ""
) -> Drawing:
    """A drawing of the rows from top to bottom over one axis, with a line at zero.

    Parameters
    ----------
    rows : at least one; intervals with an end that is not finite are left out.
    name : stem of its file names and of the ids in the SVG.
    axis : label of the axis, with its unit.
    alt : the content in words.
    """
    with drawing_style():
        figure, axes = new_panel(WIDTH, AXIS_HEIGHT + ROW_HEIGHT * len(rows))
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color=FAINT.light, linewidth=0.8)
        axes.axvline(0.0, color=INK.light, linewidth=0.9, zorder=1.5)
        for place, row in enumerate(rows):
            _draw_row(axes, row, place)
        axes.set_yticks(range(len(rows)), [printable(shorten_label(row.label)) for row in rows])
        axes.tick_params(axis="y", length=0, labelsize=FONT_SIZE, labelcolor=INK.light)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.spines["bottom"].set_color(LINE.light)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value)))
        axes.set_xlabel(axis, loc="right", color=INK.light)
    tips = {f"row{place}": row.tip for place, row in enumerate(rows) if row.tip}
    return Drawing(name=name, title=title, caption=caption, alt=alt, figure=figure, tips=tips)


def _draw_row(axes: Axes, row: IntervalRow, place: int) -> None:
    for ends, width, opacity in ((row.wide, THIN, 0.7), (row.narrow, THICK, 0.4)):
        if ends is not None and all(map(math.isfinite, ends)):
            axes.plot(
                ends,
                (place, place),
                color=LAW.light,
                linewidth=width,
                alpha=opacity,
                solid_capstyle="butt",
            )
    (dot,) = axes.plot([row.value], [place], marker="o", markersize=5.5, color=LAW.light, zorder=4)
    dot.set_gid(f"row{place}")
