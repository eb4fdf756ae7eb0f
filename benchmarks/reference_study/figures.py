"""The pictures of the findings, drawn from the facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mtl_laws.pipeline.report.figures.canvas import (
    HELD_OUT,
    INK,
    LAW,
    MUTED,
    PAPER,
    RAMP,
    drawing_style,
    label_axes,
    new_panel,
)

Facts = Mapping[str, Any]
Points = Sequence[Mapping[str, Any]]

WIDTH, HEIGHT, DPI = 6.4, 3.7, 150
POINTS = 100.0
"""Gains are shown in points, hundredths of the score."""
LINE_GAP = 0.062
"""Height of a line of text, as a share of the axis."""


def draw_all(facts: Facts, folder: Path) -> list[Path]:
    """Draw every figure into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with drawing_style("findings"):
        for name, draw in FIGURES.items():
            figure = draw(facts)
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=DPI, facecolor=PAPER.light, metadata={"Software": None})
            written.append(path)
    return written


def line(axes: Axes, x: Sequence[float], points: Points, **style: Any) -> None:
    """A series with its intervals: a line through the means, a bar through each."""
    values = [POINTS * point["value"] for point in points]
    low = [POINTS * (point["value"] - point["low"]) for point in points]
    high = [POINTS * (point["high"] - point["value"]) for point in points]
    settings = {"marker": "o", "markersize": 4, "linewidth": 1.6, "capsize": 2, "elinewidth": 1.0}
    axes.errorbar(x, values, yerr=[low, high], **{**settings, **style})


def end_labels(axes: Axes, told: Sequence[tuple[float, float, str, str]]) -> None:
    """Names of series right of the last point of all, moved apart where they would overprint."""
    low, high = axes.get_ylim()
    x = max(one[0] for one in told)
    ordered = sorted(told, key=lambda one: one[1])
    for (_, _, text, colour), y in zip(
        ordered, apart([one[1] for one in ordered], (high - low) * LINE_GAP), strict=True
    ):
        axes.annotate(
            text, (x, y), xytext=(9, 0), textcoords="offset points", va="center", color=colour
        )


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Rising places moved as little as needed to stand a gap from each other."""
    moved = list(places)
    for _ in range(len(places) * 20):
        for k in range(len(moved) - 1):
            short = gap - (moved[k + 1] - moved[k])
            if short > 1e-9:
                moved[k] -= short / 2
                moved[k + 1] += short / 2
    return moved


def causes_figure(facts: Facts) -> Figure:
    """Parts of the gain by n."""
    figure, axes = new_panel(WIDTH, HEIGHT)
    by_n = facts["causes"]["by_n"]
    sizes = [entry["n"] for entry in by_n]
    series = (
        ("ceiling", "T·n tokens of the main task", MUTED.light, "--"),
        ("gain", "all of it", INK.light, "-"),
        ("labels", "related labels", LAW.light, "-"),
        ("features", "shared features", RAMP[0].light, "-"),
        ("rest", "neither", HELD_OUT.light, "-"),
        ("updates", "more updates", MUTED.light, ":"),
    )
    told = []
    for key, text, colour, dashes in series:
        points = [entry[key] for entry in by_n]
        line(axes, sizes, points, color=colour, linestyle=dashes)
        told.append((sizes[-1], POINTS * points[-1]["value"], text, colour))
    _levels(axes, sizes, logarithmic=True)
    axes.set_xlim(sizes[0] * 0.85, sizes[-1] * 7.5)
    _finish(axes, "training tokens n of the main task", "accuracy over the single task, points")
    end_labels(axes, told)
    return figure


def harm_figure(facts: Facts) -> Figure:
    """Mean gain by AMI, per family."""
    figure, axes = new_panel(WIDTH, HEIGHT)
    told = []
    names = {0.0: "private features", 0.5: "half shared", 1.0: "shared features"}
    colours = {0.0: HELD_OUT.light, 0.5: RAMP[0].light, 1.0: LAW.light}
    for family in facts["harm"]["teacher"]:
        overlap, points = family["overlap"], family["by_ami"]
        levels = [point["level"] for point in points]
        line(axes, levels, points, color=colours[overlap])
        end = POINTS * points[-1]["value"]
        told.append((levels[-1], end, names[overlap], colours[overlap]))
    points = facts["harm"]["channel"]["by_ami"]
    levels = [point["level"] for point in points]
    line(axes, levels, points, color=MUTED.light, linestyle="--")
    told.append((levels[-1], POINTS * points[-1]["value"], "channel (F1)", MUTED.light))
    axes.set_xlim(-0.03, 1.3)
    axes.xaxis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, 0.8, 1.0]))
    _finish(axes, "AMI of the auxiliaries with the main task", "gain over the single task, points")
    end_labels(axes, told)
    return figure


def enough_figure(facts: Facts) -> Figure:
    """Mean gain by the number of auxiliaries."""
    figure, axes = new_panel(WIDTH, HEIGHT)
    told = []
    series = (
        ("related", "related", LAW.light, "-"),
        ("channel", "noisy copies (F1)", MUTED.light, "--"),
        ("unrelated", "nothing in common", HELD_OUT.light, "-"),
    )
    for key, text, colour, dashes in series:
        points = facts["enough"][key]
        counts = [point["level"] - 1 for point in points]
        line(axes, counts, points, color=colour, linestyle=dashes)
        told.append((counts[-1], POINTS * points[-1]["value"], text, colour))
    _levels(axes, [1, 2, 4, 8, 14], logarithmic=True)
    axes.set_xlim(0.9, 40)
    _finish(axes, "auxiliary tasks, T − 1", "gain over the single task, points")
    end_labels(axes, told)
    return figure


def noise_figure(facts: Facts) -> Figure:
    """Gain by label noise, for related and unrelated auxiliaries."""
    figure, axes = new_panel(WIDTH, HEIGHT)
    told = []
    names = {0.0: "private", 1.0: "shared features"}
    colours = {0.0: HELD_OUT.light, 0.06: RAMP[0].light, 0.13: LAW.light}
    for group in facts["noise"]["groups"]:
        points = group["by_noise"]
        levels = [point["level"] for point in points]
        dashes = "-" if group["overlap"] else "--"
        line(axes, levels, points, color=colours[group["ami"]], linestyle=dashes)
        text = f"AMI {group['ami']:g}, {names[group['overlap']]}"
        told.append((levels[-1], POINTS * points[-1]["value"], text, colours[group["ami"]]))
    axes.set_xlim(-0.01, 0.43)
    axes.xaxis.set_major_locator(FixedLocator([0, 0.1, 0.2, 0.3]))
    _finish(axes, "share of training labels replaced", "gain over the single task, points")
    end_labels(axes, told)
    return figure


def _levels(axes: Axes, levels: Sequence[float], logarithmic: bool) -> None:
    if logarithmic:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(levels)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.axhline(0, color=INK.light, linewidth=0.8)
    label_axes(axes, x, y)


FIGURES: Mapping[str, Callable[[Facts], Figure]] = {
    "findings-causes": causes_figure,
    "findings-harm": harm_figure,
    "findings-enough": enough_figure,
    "findings-noise": noise_figure,
}
"""File name -> figure."""
