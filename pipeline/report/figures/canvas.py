"""The drawing surface of every figure: colours by meaning, one style, one panel with its axes.

Panels are drawn at the width of a phone, so that one drawing serves both: a wide page sets them
side by side, a narrow one below each other, and the text stays legible.

Figures are drawn in the light colours. In the page a CSS variable replaces each of them
(`svg.inline`), so the same drawing follows the reader's theme. Series run along a ramp that is
ordered in lightness as well as hue, and gains along a blue–orange scale; both are legible with any
common colour-vision deficiency, and no meaning rests on red against green.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mtl_laws.pipeline.laws.levels import Floats, Levels, scaled
from mtl_laws.pipeline.symbolic.typeset.numbers import level


@dataclass(frozen=True)
class Tone:
    """One meaning: its CSS variable and its colour in either theme."""

    variable: str
    light: str
    dark: str


INK = Tone("ink", "#1c2128", "#e4e8ec")
MUTED = Tone("muted", "#59636e", "#9ba6b1")
LINE = Tone("line", "#c9d1d9", "#3b434c")
FAINT = Tone("faint", "#e6e9ec", "#272e36")
PAPER = Tone("paper", "#fefefe", "#161b21")
OUTSIDE = Tone("outside", "#f1f2f4", "#20262d")
LAW = Tone("law", "#0a5c9e", "#6db3f2")
HELD_OUT = Tone("held", "#b4500f", "#f2a060")

RAMP = (
    Tone("s0", "#5e8018", "#3d8f9e"),
    Tone("s1", "#0b757b", "#3fb08a"),
    Tone("s2", "#2a5291", "#86cc5a"),
    Tone("s3", "#521a68", "#f0e04a"),
)
DIVERGING = (
    Tone("d0", "#a84f06", "#f09a55"),
    Tone("d1", "#d97a12", "#c26c2a"),
    Tone("d2", "#f5ad5c", "#8a4b1c"),
    Tone("d3", "#fcdcae", "#523519"),
    Tone("d4", "#d3e4f1", "#1e3b52"),
    Tone("d5", "#94c4df", "#255f8a"),
    Tone("d6", "#4592c4", "#3c88c0"),
    Tone("d7", "#2065ab", "#78b8ea"),
)
TONES = (INK, MUTED, LINE, FAINT, PAPER, OUTSIDE, LAW, HELD_OUT, *RAMP, *DIVERGING)


def ramp(count: int) -> list[str]:
    """`count` series colours, lowest level first."""
    if count <= 1:
        return [LAW.light] * count
    steps = [round(k * (len(RAMP) - 1) / (count - 1)) for k in range(count)]
    return [RAMP[step].light for step in steps]


def theme_variables(theme: str) -> str:
    """CSS declarations of all tones for ``light`` or ``dark``."""
    return " ".join(
        f"--{tone.variable}: {tone.dark if theme == 'dark' else tone.light};" for tone in TONES
    )


WIDTH, HEIGHT = 4.6, 3.2  # inches
FONT_SIZE = 8.8
#: ticks closer than this fraction of the axis would overprint
TICK_GAP = 0.115
#: width of a character of a label, and of the space between labels, as fractions of the axis
CHARACTER, SPACE = 0.018, 0.02
#: space left of the first and right of the last value, as a fraction of the axis
MARGIN = 0.03
#: letters of a label that fit beside or above a panel
LABEL_LENGTH = 26

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT_SIZE,
    "text.color": INK.light,
    "axes.edgecolor": LINE.light,
    "axes.labelcolor": INK.light,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Drawing:
    """A finished panel.

    Attributes
    ----------
    name : stem of its file names, unique in a report.
    title, caption : what it shows and how to read it.
    alt : the same for readers who cannot see it, with the figures that matter.
    figure : the matplotlib figure.
    tips : tooltip of each marked element, by its SVG id.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure
    tips: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def drawing_style(hashsalt: str | None = None) -> Iterator[None]:
    """Matplotlib settings of the report, for the time of drawing or saving only.

    The user's own settings (a matplotlibrc, a style) do not reach the report.

    Parameters
    ----------
    hashsalt : makes the ids inside an SVG the same on every run.
    """
    with style.context(["default", {**STYLE, "svg.hashsalt": hashsalt}]):
        yield


def new_panel(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """An empty panel with quiet axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=3, width=0.7)
    axes.grid(axis="y", color=FAINT.light, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def label_axes(axes: Axes, x: str, y: str) -> None:
    """The x label below, the y label on top and level, where it is read first."""
    axes.set_xlabel(x, loc="right", color=INK.light)
    axes.set_title(y, loc="left", fontsize=FONT_SIZE, color=INK.light, pad=8)


def shorten_label(name: str) -> str:
    """A long name without its middle: names of one family often differ at their ends only."""
    if len(name) <= LABEL_LENGTH:
        return name
    head = LABEL_LENGTH // 3
    return f"{name[:head]}…{name[head + 1 - LABEL_LENGTH :]}"


def factor_axis(axes: Axes, logarithmic: bool, levels: Levels, span: tuple[float, float]) -> None:
    """The x axis of a factor: logarithmic for sizes, ticks at its levels where they fit."""
    if logarithmic:
        axes.set_xscale("log")
    low, high = scaled(np.array(span), logarithmic)
    margin = MARGIN * ((high - low) or 1.0)
    ends = np.array([low - margin, high + margin])
    axes.set_xlim(*(np.exp(ends) if logarithmic else ends))
    ticks = _level_ticks(levels, logarithmic, span)
    if ticks is not None:
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    elif logarithmic:
        wide = high - low > np.log(300)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=levels.whole))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: level(value)))


def _level_ticks(
    levels: Levels, logarithmic: bool, span: tuple[float, float]
) -> npt.NDArray[np.float64] | None:
    """Ticks at the levels and the ends of the axis; None where round numbers serve better."""
    if levels.binned or not (logarithmic or levels.whole):
        return None
    inside = levels.values[(levels.values >= span[0]) & (levels.values <= span[1])]
    low, high = scaled(np.array(span), logarithmic)
    ticks = _spaced(np.unique(np.append(inside, span)), logarithmic, (low, high))
    return ticks if len(ticks) >= 3 else None


def _spaced(levels: Floats, logarithmic: bool, ends: tuple[float, float]) -> Floats:
    """Levels far enough apart to be labelled, the ends first, then from the largest."""
    width = (ends[1] - ends[0]) or 1.0
    places = scaled(levels, logarithmic)
    length = np.array([len(level(value)) for value in levels], dtype=float)
    chosen: list[int] = []
    for k in [0, *range(len(levels) - 1, 0, -1)] if len(levels) else []:
        gaps = SPACE + CHARACTER * (length[k] + length[chosen]) / 2
        if (np.abs(places[k] - places[chosen]) >= width * np.maximum(gaps, TICK_GAP)).all():
            chosen.append(k)
    return np.asarray(levels[sorted(chosen)])


def shade_outside(axes: Axes, fitted: tuple[float, float]) -> None:
    """Grey outside the fitted range, labelled where there is room."""
    low, high = axes.get_xlim()
    sides = [(low, fitted[0]), (fitted[1], high)]
    for start, end in sides:
        if end <= start or _fraction(axes, start, end) <= 1.2 * MARGIN:
            continue
        axes.axvspan(start, end, facecolor=OUTSIDE.light, edgecolor="none", zorder=-1)
        if _fraction(axes, start, end) > 0.16:
            axes.annotate(
                "not fitted",
                (middle(start, end, axes.get_xscale() == "log"), 0.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                color=MUTED.light,
                fontsize=FONT_SIZE - 1,
            )
    axes.set_xlim(low, high)


def _fraction(axes: Axes, start: float, end: float) -> float:
    to_axes = axes.transData + axes.transAxes.inverted()
    return float(to_axes.transform((end, 0))[0] - to_axes.transform((start, 0))[0])


def middle(start: float, end: float, logarithmic: bool) -> float:
    """The point halfway between two values of an axis."""
    return float((start * end) ** 0.5 if logarithmic else (start + end) / 2)


def end_labels(
    axes: Axes, texts: Sequence[str], heights: Sequence[float], colours: Sequence[str]
) -> None:
    """Name lines at their right ends, moved apart where they would overprint."""
    low, high = axes.get_ylim()
    gap = 0.066 * (high - low)
    for text, height, colour in zip(texts, spread(heights, gap, (low, high)), colours, strict=True):
        axes.annotate(
            text,
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


def spread(heights: Sequence[float], gap: float, limits: tuple[float, float]) -> list[float]:
    """Heights moved as little as needed to be `gap` apart and within `limits`, in their order."""
    order = np.argsort(heights, kind="stable")
    placed = np.clip(np.asarray(heights, dtype=float)[order], *limits)
    for _ in range(60):
        short = gap - np.diff(placed)
        if not (short > 1e-9 * gap).any():
            break
        push = np.maximum(short, 0) / 2
        placed[1:] += push
        placed[:-1] -= push
        placed = np.clip(placed, *limits)
    result = np.empty(len(placed))
    result[order] = placed
    return [float(height) for height in result]


def header(axes: Axes, text: str) -> None:
    """The name of the factor over the end labels."""
    axes.annotate(
        text,
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(5, 8),
        textcoords="offset points",
        color=MUTED.light,
        annotation_clip=False,
    )
