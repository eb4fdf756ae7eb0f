"""Laws with constants by group, outliers and roles in the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.data_tables import assumed_fractions, region_grid
from mtl_laws.pipeline.report.figures.canvas import shorten_label
from mtl_laws.pipeline.report.figures.groups import MOST_PANELS, draw_groups, main_factor
from mtl_laws.pipeline.report.first_screen import answer
from mtl_laws.pipeline.report.page import build_page
from mtl_laws.pipeline.report.surface import grouped
from mtl_laws.pipeline.report.tables import constants_grid
from mtl_laws.pipeline.report.text import GAPS, with_sentences
from support.planted_report import NOISE, planted_laws, report_table

FLOORS = {"cnn": 5.0, "bilstm": 3.0, "lstm": 8.0}
INTERVAL = {"se": 0.1, "ci95": [4.8, 5.2]}
CONTEXT = ReportContext("t", "c")


def grouped_laws(floors: Mapping[str, float] = FLOORS, **more: Any) -> LawSet:
    """0.9 − c1/√n, with a c1 for each encoder; the last one has no interval."""
    last = list(floors)[-1]
    law = {
        "expression": f"0.9 - {floors[next(iter(floors))]}/sqrt(n)",
        "template": "c0 - c1/sqrt(n)",
        "complexity": 7,
        "valid": True,
        "constants": {"c0": {"value": 0.9, "se": 0.01, "ci95": [0.88, 0.92]}},
        "shared": ["c0"],
        "group_constants": {level: {"c1": value} for level, value in floors.items()},
        "group_intervals": {
            level: {"c1": INTERVAL if level != last else {"reason": "scattered"}}
            for level in floors
        },
        "scores": {"r2_train": 0.99},
    }
    groups = {"columns": ["encoder"], "column": "encoder", "levels": list(floors)}
    bare = {"evidence": [], "theory": [], "groups": groups, "selected": law, "front": [law]}
    return LawSet.from_json({**planted_laws(), **bare, **more})


def grouped_rows(floors: Mapping[str, float] = FLOORS) -> pd.DataFrame:
    """The planted design once per encoder, as `LawSet.rows` holds it."""
    random, parts = np.random.default_rng(3), []
    for level, floor in floors.items():
        part = report_table().assign(group=level)
        noise = random.normal(0, NOISE, len(part))
        part["accuracy"] = 0.9 - floor / np.sqrt(part["n"]) + noise
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def test_every_row_is_predicted_by_its_own_group() -> None:
    groups = grouped(grouped_laws(), grouped_rows())
    assert groups is not None
    table = groups.surface.table
    expected = 0.9 - table["group"].map(FLOORS) / np.sqrt(table["n"])
    assert np.allclose(groups.surface.predicted, expected)
    assert groups.surface.residuals.std() == pytest.approx(NOISE, rel=0.1)
    fitted = region_grid(groups.surface).rows[0].cells
    assert float(str(fitted[3])) == pytest.approx(NOISE, rel=0.15)


def test_a_group_has_its_own_rows_law_and_ranges() -> None:
    rows = grouped_rows()
    rows = rows[(rows["group"] != "cnn") | (rows["n"] <= 640)]
    groups = grouped(grouped_laws(), rows)
    assert groups is not None
    surface = groups.of("cnn")
    assert len(surface.table) == (rows["group"] == "cnn").sum()
    assert surface.fitted_range("n") == (40.0, 640.0)
    assert surface.along("n", np.array([100.0]), {}) == pytest.approx(0.4)
    assert groups.of("lstm").along("n", np.array([100.0]), {}) == pytest.approx(0.1)


def test_the_column_of_the_users_table_gives_the_groups_too() -> None:
    groups = grouped(grouped_laws(), grouped_rows().rename(columns={"group": "encoder"}))
    assert groups is not None
    assert set(groups.surface.group or ()) == set(FLOORS)


def test_constants_stand_once_if_shared_and_in_every_group_if_not() -> None:
    law = with_sentences(grouped_laws()).law
    grid = constants_grid(law, "Constants.")
    assert grid.headers[:3] == ("group", "c₀ (95 %)", "c₁ (95 %)")
    cells = [row.cells for row in grid.rows]
    assert [row[0] for row in cells] == ["shared by all", *FLOORS]
    assert cells[0][1:3] == ("0.9 (0.88 to 0.92)", "–")
    assert cells[1][1:3] == ("–", "5 (4.8 to 5.2)")
    assert cells[3][2] == "8"
    assert [row[3] for row in cells] == ["", "", "", f"c₁: {GAPS['scattered']}"]


def test_one_panel_per_group_with_its_curve_and_rows() -> None:
    groups = grouped(grouped_laws(), grouped_rows())
    assert groups is not None
    assert main_factor(groups.surface) == "n"
    drawing = draw_groups(groups)
    panels = [axes for axes in drawing.figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == list(FLOORS)
    for axes, floor in zip(panels, FLOORS.values(), strict=True):
        assert axes.get_xscale() == "log"
        curve, points, *_ = axes.lines
        x, y = np.asarray(curve.get_xdata(), float), np.asarray(curve.get_ydata(), float)
        assert np.allclose(y, 0.9 - floor / np.sqrt(x))
        x, y = np.asarray(points.get_xdata(), float), np.asarray(points.get_ydata(), float)
        assert len(x) > 50
        assert np.abs(y - (0.9 - floor / np.sqrt(x))).max() < 5 * NOISE
    assert all(level in drawing.alt for level in FLOORS)


def test_groups_beyond_the_most_panels_are_named() -> None:
    floors = {f"encoder {k:02d}": 3.0 + 0.1 * k for k in range(MOST_PANELS + 3)}
    groups = grouped(grouped_laws(floors), grouped_rows(floors))
    assert groups is not None
    drawing = draw_groups(groups)
    assert sum(axes.get_visible() for axes in drawing.figure.axes) == MOST_PANELS
    for level in list(floors)[MOST_PANELS:]:
        assert level in drawing.caption


def test_names_of_one_family_stay_apart_when_they_are_cut() -> None:
    names = [f"wmt19|cerebras/Cerebras-GPT-{size}" for size in ("256M", "1.3B")]
    assert len({shorten_label(name) for name in names}) == 2
    assert {len(shorten_label(name)) for name in names} == {26}


def test_both_reports_show_the_groups(tmp_path: Path) -> None:
    laws = with_sentences(grouped_laws())
    write_report(tmp_path, laws, grouped_rows(), CONTEXT)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "figures" / "groups.png").is_file()
    assert 'id="groups"' in html
    assert "](figures/groups.png)" in text
    for page in (unescape(html), text):
        assert page.count("(4.8 to 5.2)") == 2  # the last group has no interval
        assert GAPS["scattered"] in page
    assert re.search(r'class="scroll"[^>]*>\s*<table class="constants">', html)
    assert "without" not in build_page(laws, grouped_rows(), CONTEXT).grids


def test_a_figure_of_one_group_names_it_and_the_rest_take_every_row() -> None:
    figures = build_page(grouped_laws(), grouped_rows(), CONTEXT).figures
    assert all("cnn" in drawing.title for drawing in figures["curves"])
    assert not any("cnn" in drawing.title for drawing in (*figures["fit"], *figures["residuals"]))
    shown, rows = re.findall(r"[\d,]+", figures["fit"][0].caption)
    assert rows == f"{len(grouped_rows()):,}"
    assert int(shown) == 700


def test_a_law_that_all_groups_share_has_a_figure_of_groups_and_one_set_of_constants() -> None:
    content = grouped_laws().to_json()
    law = {**content["selected"], "group_constants": None, "group_intervals": None}
    law |= {"template": "c0 - 5/sqrt(n)", "expression": "0.9 - 5/sqrt(n)"}
    laws = LawSet.from_json({**content, "selected": law, "front": [law]})
    page = build_page(laws, grouped_rows(), CONTEXT)
    assert len(page.figures["groups"]) == 1
    assert [row.cells[1] for row in page.grids["constants"].rows] == ["0.9"]
    assert not any("cnn" in drawing.title for drawing in page.figures["curves"])


def outlying() -> LawSet:
    """Two outliers, and the law without them."""
    laws = grouped_laws()
    factors = {"n": 80.0, "T": 2.0, "ami": None}
    outliers = [
        {"row": 41, "group": "cnn", "value": 0.7, "predicted": 0.341, "residual_sd": 11.25},
        {"row": 6, "group": "lstm", "value": 0.1, "predicted": 0.4, "residual_sd": -9.0},
    ]
    content = laws.to_json()
    without = {**content["selected"], "constants": {"c0": {"value": 0.87}}}
    told = {"outliers": [{**each, "factors": factors} for each in outliers]}
    return LawSet.from_json({**content, **told, "without_outliers": without})


def test_outliers_are_named_with_the_law_without_them(tmp_path: Path) -> None:
    page = build_page(outlying(), grouped_rows(), CONTEXT)
    grid = page.grids["outliers"]
    assert [row.cells for row in grid.rows] == [
        ("7", "lstm", "80", "2", "0.1", "0.4", "−9"),
        ("42", "cnn", "80", "2", "0.7", "0.341", "11.2"),
    ]
    assert len(page.grids["without"].rows) == 4
    write_report(tmp_path, outlying(), grouped_rows(), CONTEXT)
    html = unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert 'id="outliers"' in html
    assert r"\mathrm{accuracy} = 0.87 - \frac{c_{1}}{\sqrt{n}}" in text
    for page_text in (html, text):
        assert page_text.count("11.2") >= 1


def test_a_table_without_outliers_has_no_section_on_them(tmp_path: Path) -> None:
    write_report(tmp_path, LawSet.from_json(planted_laws()), report_table(), CONTEXT)
    assert 'id="outliers"' not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "## Outliers" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert not (tmp_path / "figures" / "groups.png").exists()


def assumed(name: str, values: list[float], domain: tuple[float, float]) -> tuple[LawSet, Any]:
    table = pd.DataFrame({"n": [50.0, 100, 200, 400] * 3, name: values * (12 // len(values))})
    table = table.assign(role="fit", cell=range(12), y=table["n"])
    law = {"expression": "0.5*n", "complexity": 3, "valid": True}
    data = {"domain": {"n": [50, 800], name: domain}}
    record = {"schema": 2, "target": "y", "factors": ["n", name], "data": data}
    return LawSet.from_json({**record, "selected": law, "front": [law]}), table


def test_a_small_quantity_that_was_taken_for_a_fraction_is_noted(tmp_path: Path) -> None:
    laws, table = assumed("rate", [0.1, 0.2, 0.4], (0.0, 1.0))
    assert assumed_fractions(laws, table) == {"rate": (0.1, 0.4)}
    notes = build_page(laws, table, CONTEXT).notes
    (note,) = [note for note in notes if "--domain rate=LOW:HIGH" in note]
    assert "0.1 to 0.4" in note
    write_report(tmp_path, laws, table, CONTEXT)
    for name in ("report.html", "report.md"):
        assert "--domain rate=LOW:HIGH" in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([0.1, 0.2, 0.4], (0.0, 0.5)),  # given
        ([0.0, 0.2, 0.4], (0.0, 1.0)),  # may be none
        ([0.3, 0.6, 0.9], (0.0, 1.0)),  # most of the range
        ([0.01, 0.02, 0.03], (0.01, 0.06)),  # a size
    ],
)
def test_a_fraction_or_a_size_by_its_values_is_not_noted(
    values: list[float], domain: tuple[float, float]
) -> None:
    laws, table = assumed("rate", values, domain)
    assert assumed_fractions(laws, table) == {}
    assert not any("rate=LOW:HIGH" in note for note in build_page(laws, table, CONTEXT).notes)


def test_the_answer_names_its_group_and_compares_the_others() -> None:
    groups = grouped(grouped_laws(), grouped_rows())
    assert groups is not None
    text = " ".join(answer(grouped_laws(), groups.of("cnn")))
    for level in groups.levels:
        first = answer(grouped_laws(), groups.of(level))
        lead = next(sentence for sentence in first if sentence.startswith("With n = 320"))
        assert f"the law of group {level} predicts" in lead
    assert "These numbers are of group cnn, one of 3." in text
    low, high = 0.9 - 8 / 320**0.5, 0.9 - 3 / 320**0.5
    assert f"the groups go from {low:.3f} (lstm) to {high:.3f} (bilstm)." in text
