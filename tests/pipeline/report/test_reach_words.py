"""How far a law can be trusted: its sentences follow from the numbers, its curves go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.fit import summary
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.record import Reach
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.figures.curves import draw_curves, slice_along
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.text import (
    all_reach_text,
    main_reach_text,
    reach_text,
    sentences,
    trust_text,
)
from support.planted_report import law

FAR = Reach(
    factor="n",
    fitted_to=3200,
    asked_to=409_600,
    trusted_to=12_800,
    tested_to=409_600,
    half_width=0.03,
    limit=0.05,
    parts_at=6400,
)


def but(**changes: object) -> Reach:
    return FAR.model_copy(update=changes)


def numbers_in(text: str) -> list[float]:
    """Every number of a sentence but the 95 of the interval."""
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", text.replace("95 %", ""))
    return [float(each.replace(",", "")) for each in found]


def test_a_law_that_reaches_far_names_both_ends() -> None:
    text = reach_text(FAR)
    assert numbers_in(text) == [12_800, 4, 0.03, 6400]
    assert "says little" not in text
    assert numbers_in(reach_text(but(parts_at=None))) == [12_800, 4, 0.03]
    assert "twice the largest n" in reach_text(but(trusted_to=6400))


def test_a_law_without_reach_says_from_where_it_says_little() -> None:
    edge = reach_text(but(trusted_to=3200, parts_at=None))
    assert numbers_in(edge) == [3200, 0.05]
    assert edge.startswith("Beyond n = 3,200")
    assert edge.endswith("says little there.")
    wide = reach_text(but(trusted_to=None, half_width=0.08, parts_at=None))
    assert numbers_in(wide) == [3200, 0.08, 0.05]
    assert "says little" in wide
    assert "no finite width" in reach_text(but(trusted_to=None, half_width=None))


def test_laws_that_differ_within_the_rows_are_said_to_do_so_there() -> None:
    text = reach_text(but(parts_at=3200))
    assert numbers_in(text) == [12_800, 4, 0.03, 3200]
    assert "Already at n = 3,200" in text


def test_trust_that_ends_with_the_tests_says_so() -> None:
    ends = but(tested_to=12_800, parts_at=None)
    assert numbers_in(reach_text(ends)) == [12_800, 4, 0.03]
    assert reach_text(ends).endswith("no held-out row tests the law further.")
    assert trust_text(ends).endswith("; no row tests it further")
    nowhere = but(trusted_to=3200, tested_to=3200, parts_at=None)
    assert numbers_in(reach_text(nowhere)) == [3200, 0.03]
    assert "says little" not in reach_text(nowhere)
    assert reach_text(nowhere).endswith("No row tests the law at a larger n.")
    assert "test" not in reach_text(FAR) + trust_text(FAR)


def test_held_out_rows_that_contradict_a_law_are_named() -> None:
    ends = but(tested_to=12_800, contradicted_from=25_600, parts_at=None)
    assert numbers_in(reach_text(ends)) == [12_800, 4, 0.03, 25_600]
    assert "contradict" in trust_text(ends)
    assert "no row tests" not in trust_text(ends)


def test_of_an_older_file_it_is_not_known_how_far_it_was_tested() -> None:
    older = but(tested_to=None, parts_at=None)
    assert "not recorded" in reach_text(older)
    assert "not recorded" in trust_text(older)
    edge = but(tested_to=None, trusted_to=3200)
    assert "recorded" not in reach_text(edge) + trust_text(edge)
    assert "says little" in reach_text(edge)


def test_what_was_tried_has_an_end() -> None:
    assert "largest value examined" in reach_text(but(trusted_to=409_600))
    assert "largest value examined" not in reach_text(FAR)


def test_all_sizes_and_groups_are_said_once() -> None:
    text = all_reach_text([FAR, but(factor="T", fitted_to=4, trusted_to=8, parts_at=None)], True)
    assert text.count("the largest n fitted") == text.count("the largest T fitted") == 1
    assert "medians over the groups" in text
    assert "groups" not in all_reach_text([FAR])
    assert all_reach_text([]) == ""


@pytest.mark.parametrize(
    ("reach", "numbers"),
    [
        (FAR, [12_800, 4, 0.03]),
        (but(trusted_to=3200), [3200, 0.03]),
        (but(trusted_to=None), [3200]),
    ],
)
def test_the_terminal_has_one_line(reach: Reach, numbers: list[float]) -> None:
    text = trust_text(reach)
    assert numbers_in(text) == numbers
    assert text.startswith("up to n = ") == (reach.trusted_to is not None)


@pytest.fixture
def known(laws: Mapping[str, Any], table: pd.DataFrame) -> LawSet:
    """The planted laws with a region, a rival and a drift, as a search writes them."""
    inside = table[table["role"] == "fit"]
    told = {
        **laws["selected"]["uncertainty"],
        "region": Region.of({n: inside[n].to_numpy() for n in ("n", "T", "ami")}).to_json(),
        "rivals": [{"expression": "0.91 - 4.4/sqrt(n*T**0.4)", "weight": 0.5}],
        "drift": 0.3,
        "target_sd": 0.15,
    }
    selected = {**laws["selected"], "uncertainty": told}
    return LawSet.from_json({**laws, "selected": selected, "reach": [FAR.to_json()]})


def test_the_report_and_the_terminal_say_how_far(
    known: LawSet, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_report(tmp_path, known, table, ReportContext("t", "c"))
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8").replace("\\", "")
    first = markdown.partition("## One factor at a time")[0]
    assert f"- {reach_text(FAR)}" in first
    assert "12,800" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "grows outside the fitted region" in markdown
    assert reach_text(FAR) in " ".join(sentences(known).verdicts)
    lines = summary(known.with_rows(table)).splitlines()
    assert [line for line in lines if line.startswith("trust:")] == [f"trust:  {trust_text(FAR)}"]


def test_an_older_record_says_nothing_of_it(laws: Mapping[str, Any], table: pd.DataFrame) -> None:
    read = LawSet.from_json(laws)
    assert main_reach_text(read) == ""
    assert "trust:" not in summary(read.with_rows(table))
    drawing = draw_curves(Surface(read.law, "accuracy", table, read.data), "n")
    assert "given the form" in drawing.caption


def test_curves_of_a_size_go_on_to_four_times_the_largest(
    known: LawSet, table: pd.DataFrame
) -> None:
    surface = Surface(known.law, "accuracy", table, known.data)
    for factor, largest in (("n", 5120), ("T", 8)):
        piece = slice_along(surface, factor)
        assert piece.span == pytest.approx((surface.extent(factor)[0], 4 * largest))
        assert piece.logarithmic
        for line in piece.lines:
            assert line.grid[-1] == pytest.approx(4 * largest)
            band = line.bands.law
            assert band is not None
            width = band[1] - band[0]
            edge = int(np.searchsorted(line.grid, surface.fitted_range(factor)[1]))
            assert width[-1] > 1.2 * width[edge]
    assert slice_along(surface, "ami").span[1] == 1.0


def test_sizes_close_to_each_other_are_not_squeezed(table: pd.DataFrame) -> None:
    """From 2010 to 2020 the axis ends at 2030, not at 8080."""
    years = table.assign(n=2010 + np.arange(len(table)) % 11)
    known = LawSet.from_json(
        {
            "schema": 2,
            "target": "accuracy",
            "factors": ["n"],
            "selected": law("0.1*log(n)", 4, 0.5),
            "front": [],
        }
    )
    span = slice_along(Surface(known.law, "accuracy", years, known.data), "n").span
    assert span == pytest.approx((2010, 2020 * 2020 / 2010))


def test_the_panel_shows_the_band_outside(known: LawSet, table: pd.DataFrame) -> None:
    surface = Surface(known.law, "accuracy", table, known.data)
    axes = draw_curves(surface, "n").figure.axes[0]
    bands = [line.bands.law for line in slice_along(surface, "n").lines]
    measured = surface.measured
    room = 0.35 * (measured.max() - measured.min())
    lowest = min(band[0].min() for band in bands if band is not None)
    assert axes.get_ylim()[0] <= max(lowest, measured.min() - room)
    assert any("not fitted" in text.get_text() for text in axes.texts)


def test_labels_of_large_sizes_do_not_overprint(laws: Mapping[str, Any]) -> None:
    """Levels of data-constrained training, to which the end of the axis is added."""
    sizes = [1e8, 4e9, 1.4e10, 2.75e10, 5.75e10, 1.04e11, 1.74e11]
    table = pd.DataFrame({"n": np.repeat(sizes, 2), "role": "fit", "cell": np.repeat(range(7), 2)})
    table["accuracy"] = 0.02 * np.log(table["n"])
    bare = {**laws, "factors": ["n"], "selected": law("0.02*log(n)", 4, 0.5), "front": []}
    known = LawSet.from_json({**bare, "theory": [], "evidence": [], "data": {}})
    figure = draw_curves(Surface(known.law, "accuracy", table, known.data), "n").figure
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    labels = [
        label.get_window_extent()
        for label in figure.axes[0].get_xticklabels()
        if low <= label.get_position()[0] <= high
    ]
    assert len(labels) >= 3
    assert all(one.x1 < other.x0 for one, other in pairwise(labels))
