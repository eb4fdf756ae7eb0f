"""The forest plot: estimates with their intervals, one row each."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np

from mtl_laws.pipeline.report.figures.canvas import Drawing
from mtl_laws.pipeline.report.figures.intervals import IntervalRow, draw_intervals
from mtl_laws.pipeline.report.figures.svg import SVG, inline_svg

ROWS = (
    IntervalRow(label="chunks", value=0.02, narrow=(0.01, 0.03), wide=(-0.01, 0.05), tip="a tip"),
    IntervalRow(label="a very long name of an auxiliary layer", value=-0.01),
    IntervalRow(label="pos", value=0.0, narrow=(math.nan, 0.1)),
)


def drawing_of(rows: tuple[IntervalRow, ...] = ROWS) -> Drawing:
    return draw_intervals(
        rows, name="gains", title="Gains", axis="gain in f1", alt="Gains by layer."
    )


def test_each_row_has_a_dot_at_its_value_and_its_intervals() -> None:
    (axes,) = drawing_of().figure.axes
    dots = {line.get_gid(): line for line in axes.lines if line.get_marker() == "o"}
    assert [dots[f"row{k}"].get_xdata()[0] for k in range(3)] == [0.02, -0.01, 0.0]
    assert [dots[f"row{k}"].get_ydata()[0] for k in range(3)] == [0, 1, 2]
    bars = [tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"]
    assert bars == [(0.0, 0.0), (-0.01, 0.05), (0.01, 0.03)]  # the line at zero comes first
    assert axes.get_xlabel() == "gain in f1"
    top, bottom = axes.get_ylim()
    assert top > bottom, "the first row is on top"


def test_long_labels_are_shortened_in_the_middle() -> None:
    (axes,) = drawing_of().figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "chunks"
    assert labels[1].startswith("a very")
    assert labels[1].endswith("layer")
    assert len(labels[1]) < len(ROWS[1].label)


def test_the_axis_holds_every_interval_and_zero() -> None:
    (axes,) = drawing_of(ROWS[:1]).figure.axes
    low, high = axes.get_xlim()
    assert low <= -0.01 < 0.05 <= high
    assert np.isclose(axes.lines[0].get_xdata()[0], 0.0)


def test_inline_it_has_a_name_tips_and_theme_colours() -> None:
    root = ElementTree.fromstring(inline_svg(drawing_of()))
    assert root.get("aria-label") == "Gains by layer."
    (mark,) = [element for element in root.iter() if element.get("class") == "mark"]
    assert mark.get("id") == "gains-row0"
    assert [title.text for title in mark.iter(f"{{{SVG}}}title")] == ["a tip"]
    assert any("var(--law)" in (element.get("style") or "") for element in root.iter())
