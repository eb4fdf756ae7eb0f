"""The map of gain over single-task training, with the line where the gain changes sign.

The colours are the law's. Markers are measured cells, paired with the single task and averaged over
their neighbours; hatching marks where the measured mean is clearly below zero, whatever the law
predicts.

Notation
--------
G : grid points per axis.
gain : the law at (size, tasks, relatedness) minus the law at (size, one task), (G, G), its sign
    turned where a lower target is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.laws.record import GainCell, PooledGain, Range, Roles
from mtl_laws.pipeline.report.figure_text import axis_text, gain_alt, gain_caption, rows_drawn_text
from mtl_laws.pipeline.report.figures.canvas import (
    DIVERGING,
    FONT_SIZE,
    INK,
    PAPER,
    Drawing,
    factor_axis,
    label_axes,
    middle,
    new_panel,
)
from mtl_laws.pipeline.report.single_task import FLAT, fewest_and_most_tasks, gain_over_single
from mtl_laws.pipeline.report.surface import Surface, finite
from mtl_laws.pipeline.symbolic.typeset.numbers import number, signed

GRID = 60
COLOURS = [tone.light for tone in DIVERGING]
#: measured cells that a map shows at most
MOST_CELLS = 400


@dataclass(frozen=True, kw_only=True)
class GainMap:
    """Gain at one number of tasks, and the measured cells there.

    Attributes
    ----------
    sizes, relatedness : the axes (G,).
    gain : (G, G).
    most : the largest absolute gain of all maps, for the colours.
    held : values of the other factors that vary.
    cells : the measured cells on it, or those of the sample that was recorded.
    harmed : regions of clear harm on it: ranges of size and relatedness.
    sample : the measured gains, where their cells are a sample; None where they are all.
    """

    tasks: float
    sizes: Floats
    relatedness: Floats
    gain: Floats
    most: float
    held: dict[str, float]
    cells: tuple[GainCell, ...]
    harmed: tuple[tuple[Range, Range], ...]
    sample: PooledGain | None


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
    relatedness = np.linspace(*surface.fitted_range(roles.relatedness), GRID)
    gains = {
        tasks: gain_over_single(surface, roles, sizes, relatedness, tasks)
        for tasks in fewest_and_most_tasks(surface, roles)
    }
    most = max((float(np.nanmax(np.abs(gain), initial=0.0)) for gain in gains.values()), default=0)
    if most <= FLAT * surface.scale:
        return []
    three = (roles.size, roles.tasks, roles.relatedness)
    held = {name: surface.reference[name] for name in surface.varied if name not in three}
    held = {name: held[name] for name in surface.factors if name in held}
    cells = [] if paired is None else [cell for cell in paired.cells if cell.group == group]
    sample = paired if paired is not None and paired.sampled else None
    drawings = []
    for tasks, gain in gains.items():
        place = {**held, roles.tasks: tasks}
        here = tuple(_cells_at(surface, roles, cells, dict(place)))
        gain_map = GainMap(
            tasks=tasks,
            sizes=sizes,
            relatedness=relatedness,
            gain=gain,
            most=most,
            held=held,
            cells=here,
            harmed=tuple(
                _harmed_among(here, roles)
                if sample is None
                else _harmed_at(place, surface, roles, sample)
            ),
            sample=sample,
        )
        drawings.append(_draw_map(surface, roles, gain_map))
    return drawings


def _cells_at(
    surface: Surface, roles: Roles, cells: Sequence[GainCell], at: dict[str, float]
) -> list[GainCell]:
    """Measured cells at these levels; a factor that is undefined or binned admits every cell."""
    tasks = at.pop(roles.tasks)
    cells = [
        cell
        for cell in cells
        if np.isclose(cell.at.get(roles.tasks) or np.nan, tasks)
        and None not in (cell.at.get(roles.size), cell.at.get(roles.relatedness))
    ]
    for name, value in at.items():
        levels = surface.levels[name]
        held = levels.nearest(value)
        cells = [
            cell
            for cell in cells
            if levels.binned or (own := cell.at.get(name)) is None or levels.nearest(own) == held
        ]
    return list(cells)


def _draw_map(surface: Surface, roles: Roles, gain_map: GainMap) -> Drawing:
    figure, axes = new_panel(height=3.5)
    factor_axis(axes, True, surface.levels[roles.size], surface.fitted_range(roles.size))
    axes.grid(False)
    grid = gain_map.sizes, gain_map.relatedness, gain_map.gain
    edges = _edges(1.0001 * gain_map.most, len(COLOURS) // 2)
    filled = axes.contourf(*grid, levels=[*(-edges[:0:-1]), *edges], colors=COLOURS)
    bar = figure.colorbar(
        filled, ax=axes, pad=0.02, aspect=28, format=lambda value, _: signed(value)
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=FONT_SIZE - 1)
    bar.set_label(f"gain in {surface.target}", size=FONT_SIZE - 1)
    values = finite(gain_map.gain)
    if len(values) and values.min() < 0 < values.max():
        axes.contour(*grid, levels=[0.0], colors=[INK.light], linewidths=1.6)
    for size, relatedness in gain_map.harmed:
        _hatch(axes, surface, roles, size, relatedness)
    count = len(gain_map.cells)
    picks = np.unique(np.linspace(0, count - 1, min(count, MOST_CELLS)).round().astype(int))
    _mark(axes, roles, [gain_map.cells[pick] for pick in picks])
    which = "sampled cells" if gain_map.sample else "measured cells"
    drawn = rows_drawn_text(len(picks), count, which)
    caption = gain_caption(roles, gain_map.held, gain_map.gain, gain_map.cells, gain_map.sample)
    label_axes(axes, *(axis_text(surface, name) for name in (roles.size, roles.relatedness)))
    axes.set_ylim(gain_map.relatedness[0], gain_map.relatedness[-1])
    return Drawing(
        name=f"gain-{number(gain_map.tasks).replace(',', '')}",
        title=f"{roles.tasks} = {number(gain_map.tasks)} against {roles.tasks} = 1",
        caption=f"{caption} {drawn}" if drawn else caption,
        alt=gain_alt(surface, roles, gain_map.tasks, gain_map.gain),
        figure=figure,
    )


def _edges(most: float, count: int) -> Floats:
    """`count` steps from 0 to a largest gain or beyond it, at round numbers."""
    ten = 10.0 ** np.floor(np.log10(most / count))
    steps = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]) * ten
    step = steps[steps * count >= most][0]
    return np.asarray(step * np.arange(count + 1))


def _place(cell: GainCell, roles: Roles) -> tuple[float, float]:
    return cell.at[roles.size] or 0.0, cell.at[roles.relatedness] or 0.0


def _mark(axes: Axes, roles: Roles, cells: Sequence[GainCell]) -> None:
    """Cells, pointing down where the pooled gain is below zero; large where that is clear."""
    for marker, sign in (("^", 1.0), ("v", -1.0)):
        for clear, size in ((False, 3.2), (True, 6.0)):
            chosen = [c for c in cells if _sign(c) == sign and (c.region != 0) == clear]
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


def _sign(cell: GainCell) -> float:
    """1 or −1: the sign of the region of a cell, or of its pooled gain where it is in none."""
    return float(np.sign(cell.region)) or (-1.0 if cell.pooled < 0 else 1.0)


def _harmed_among(cells: Sequence[GainCell], roles: Roles) -> Iterator[tuple[Range, Range]]:
    """The sizes and the relatedness of the cells of every region of harm."""
    for region in sorted({cell.region for cell in cells if cell.region < 0}):
        sizes, relatedness = zip(
            *(_place(cell, roles) for cell in cells if cell.region == region), strict=True
        )
        yield (min(sizes), max(sizes)), (min(relatedness), max(relatedness))


def _harmed_at(
    place: Mapping[str, float], surface: Surface, roles: Roles, sample: PooledGain
) -> Iterator[tuple[Range, Range]]:
    """The same for a sample of cells, which may hold none of a region: by what the region says."""
    for region in sample.harm:
        ranges = {**sample.ranges, **region.where}
        ends = ((name, *region.where[name]) for name in place if name in region.where)
        if all(low <= place[name] <= high for name, low, high in ends):
            size, relatedness = (
                ranges.get(name, surface.fitted_range(name))
                for name in (roles.size, roles.relatedness)
            )
            yield size, relatedness


def _hatch(axes: Axes, surface: Surface, roles: Roles, size: Range, relatedness: Range) -> None:
    """Hatching around a region of harm, halfway to the next level."""
    left, right = _around(surface, roles.size, np.array(size))
    bottom, top = _around(surface, roles.relatedness, np.array(relatedness))
    patch = Rectangle((left, bottom), right - left, top - bottom)
    patch.set(fill=False, hatch="///", edgecolor=INK.light, linewidth=0.0, zorder=3)
    axes.add_patch(patch)


def _around(surface: Surface, factor: str, values: Floats) -> tuple[float, float]:
    """From halfway below the lowest value to halfway above the highest, in the fitted range."""
    low, high = surface.fitted_range(factor)
    levels = surface.levels[factor].values
    below, above = levels[levels < values.min()], levels[levels > values.max()]
    logarithmic = surface.logarithmic(factor)
    start = middle(below[-1], values.min(), logarithmic) if len(below) else low
    end = middle(values.max(), above[0], logarithmic) if len(above) else high
    return max(float(start), low), min(float(end), high)
