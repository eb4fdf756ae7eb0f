"""The law along one factor, with the data it was fitted on and the region it was not fitted in."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.report.figures.canvas import (
    FONT_SIZE,
    MUTED,
    PAPER,
    Drawing,
    end_labels,
    factor_axis,
    header,
    label_axes,
    new_panel,
    ramp,
    shade_outside,
)
from mtl_laws.pipeline.report.slices import Line, Slice, slice_along
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.symbolic.typeset.numbers import level, number, settled

#: names longer than this would not fit beside the end labels
LONG_NAME = 9
#: opacity of the band of the law and of one more run
LAW_BAND, RUN = 0.3, 0.1


def draw_curves(surface: Surface, x: str) -> Drawing:
    """One panel: the law along `x` for a few levels of the factor that matters most beside it."""
    piece = slice_along(surface, x)
    figure, axes = new_panel()
    factor_axis(axes, piece.logarithmic, surface.levels[x], piece.span)
    colours = ramp(len(piece.lines))
    for line, colour in zip(piece.lines, colours, strict=True):
        _draw_line(axes, line, colour)
    axes.set_ylim(*_limits(surface, piece))
    label_axes(axes, x, surface.target)
    shade_outside(axes, surface.fitted_range(x))
    _label_lines(axes, piece, colours)
    _legend(figure, piece)
    return Drawing(
        name=f"curve-{x}",
        title=f"{surface.target} along {x}",
        caption=_caption(piece),
        alt=_alt(surface, piece),
        figure=figure,
    )


def _draw_line(axes: Axes, line: Line, colour: str) -> None:
    for band, opacity in ((line.bands.run, RUN), (line.bands.law, LAW_BAND)):
        if band is not None:
            axes.fill_between(line.grid, *band, color=colour, alpha=opacity, linewidth=0)
    axes.plot(line.grid, line.law, color=colour, linewidth=1.9, solid_capstyle="round")
    if np.isfinite(line.flat):
        ends = (line.grid[0], line.grid[-1])
        axes.plot(ends, (line.flat, line.flat), color=colour, linewidth=1, linestyle=(0, (2, 2)))
    inside = line.points["inside"].to_numpy(dtype=bool)
    _draw_points(axes, line, inside, colour, filled=True)
    _draw_points(axes, line, ~inside, colour, filled=False)


def _legend(figure: Figure, piece: Slice) -> None:
    """What the two bands are, below the panel."""
    bands = piece.lines[0].bands
    told = ((bands.law, LAW_BAND, "the law, 95 %"), (bands.run, RUN, "one more run, 95 %"))
    handles = [
        Patch(facecolor=MUTED.light, alpha=min(1.0, 1.6 * opacity), label=label, linewidth=0)
        for band, opacity, label in told
        if band is not None
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=len(handles),
            frameon=False,
            fontsize=FONT_SIZE - 1,
            labelcolor=MUTED.light,
            handlelength=1.6,
            borderaxespad=0.0,
        )


def _draw_points(axes: Axes, line: Line, mask: np.ndarray, colour: str, *, filled: bool) -> None:
    points = line.points[mask]
    if not len(points):
        return
    spread = points["spread"]
    axes.errorbar(
        points["x"],
        points["y"],
        yerr=spread.fillna(0.0) if spread.notna().any() else None,
        fmt="o" if filled else "D",
        markersize=4.2,
        markerfacecolor=colour if filled else PAPER.light,
        markeredgecolor=PAPER.light if filled else colour,
        markeredgewidth=0.6 if filled else 1.1,
        ecolor=colour,
        elinewidth=0.8,
        alpha=0.9,
        zorder=3,
    )


def _limits(surface: Surface, piece: Slice) -> tuple[float, float]:
    """Vertical range of what is drawn, not stretched by a pole of the law."""
    measured = [line.points["y"].to_numpy(dtype=float) for line in piece.lines]
    known = surface.measured[np.isfinite(surface.measured)]
    low, high = float(known.min()), float(known.max())
    room = 0.35 * ((high - low) or 1.0)
    bands = [end for line in piece.lines for end in line.bands.law or ()]
    drawn = np.concatenate([*measured, *bands, *[line.law for line in piece.lines]])
    drawn = drawn[np.isfinite(drawn)].clip(low - room, high + room)
    if not len(drawn):
        return low, high
    edge = 0.06 * (float(np.ptp(drawn)) or 1.0)
    return float(drawn.min()) - edge, float(drawn.max()) + edge


def _label_lines(axes: Axes, piece: Slice, colours: list[str]) -> None:
    if piece.hue is None:
        return
    ends = [_last(line.law) for line in piece.lines]
    short = len(piece.hue) <= LONG_NAME
    texts = [level(line.level) for line in piece.lines]
    if short:
        texts[int(np.argmax(ends))] = f"{piece.hue} = {texts[int(np.argmax(ends))]}"
    else:
        header(axes, piece.hue)
    end_labels(axes, texts, ends, colours)


def _last(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else 0.0


def _caption(piece: Slice) -> str:
    held = ", ".join(f"{name} = {level(value)}" for name, value in piece.held.items())
    parts = [f"Lines: the law{f' at {held}' if held else ''}."]
    if piece.adjusted:
        parts.append(
            "Points: measured rows moved to these values by the law, each with its own residual."
        )
    else:
        parts.append("Points: measured at these values, mean and spread of replicates.")
    if any(not line.points["inside"].astype(bool).all() for line in piece.lines):
        parts.append("Open diamonds were held out.")
    if any(np.isfinite(line.flat) for line in piece.lines):
        parts.append(f"Dotted: measured where {piece.x} is undefined.")
    if piece.lines[0].bands.law is not None:
        parts.append(_band_text(piece))
    if piece.lines[0].bands.run is not None:
        parts.append("Wide band: where 95 % of further runs are expected.")
    return " ".join(parts)


def _band_text(piece: Slice) -> str:
    """What the narrow band holds; a law of an older file knows nothing of other forms."""
    if not np.isfinite(piece.lines[0].bands.distance).any():
        return "Narrow band: how sure the law is, given its form."
    return (
        "Narrow band: the 95 % interval of the mean; it includes the uncertainty of the form and "
        "grows outside the fitted region."
    )


def _alt(surface: Surface, piece: Slice) -> str:
    told = []
    for line in piece.lines:
        known = line.law[np.isfinite(line.law)]
        if len(known):
            name = "" if piece.hue is None else f" for {piece.hue} = {level(line.level)}"
            ends = [number(settled(known[k], surface.scale)) for k in (0, -1)]
            told.append(f"from {ends[0]} to {ends[1]}{name}")
    low, high = piece.span
    return (
        f"{surface.target} predicted by the law as {piece.x} goes from {number(low)} to "
        f"{number(high)}: {'; '.join(told)}. Measured points are drawn on the lines."
    )
