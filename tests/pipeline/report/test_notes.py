"""What speaks against a law stands beside it: each doubt alone, and all of them on the page."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pytest

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.data_tables import few_levels, min_levels
from mtl_laws.pipeline.report.figure_text import headings, rows_drawn_text
from mtl_laws.pipeline.report.page import ReportContext, build_page
from mtl_laws.pipeline.report.text import NO_LAW, law_notes
from support.planted_report import PAIRED, planted_laws

Change = Callable[[dict[str, Any]], Any]

DOUBTS: dict[str, tuple[Change, str]] = {
    "limit": (lambda laws: laws["selected"].update(limits="turns back as n grows"), "turns back"),
    "held out": (lambda laws: laws["selected"]["scores"].update(r2_hold_out=-0.5), "−0.500"),
    "not valid": (lambda laws: laws["selected"].update(valid=False, reason="has a pole"), "a pole"),
    "no law": (lambda laws: laws.update(selected=None), NO_LAW),
    "harm": (lambda laws: laws.update(paired=PAIRED.to_json()), "n ≤ 100 and ami = 0.05"),
}


def quiet() -> dict[str, Any]:
    """The planted laws without the spread of replicates, on which nothing is to be said."""
    laws = copy.deepcopy(planted_laws())
    laws["data"]["replicate_sd"] = None
    return laws


def notes_of(laws: Mapping[str, Any]) -> list[str]:
    return law_notes(LawSet.from_json(laws), [], 4)


def test_a_law_without_faults_has_no_notes() -> None:
    assert notes_of(quiet()) == []


@pytest.mark.parametrize("doubt", sorted(DOUBTS))
def test_each_doubt_is_a_note(doubt: str) -> None:
    change, expected = DOUBTS[doubt]
    laws = quiet()
    change(laws)
    (note,) = notes_of(laws)
    assert expected in note


def test_the_error_is_set_beside_the_spread_of_replicates() -> None:
    (note,) = notes_of(planted_laws())
    assert "0.012" in note
    assert "0.013" in note


def test_the_page_has_every_note(table: pd.DataFrame) -> None:
    laws = quiet()
    for doubt in ("limit", "held out", "harm"):
        DOUBTS[doubt][0](laws)
    read = LawSet.from_json(laws)
    assert few_levels(read, table) == ["T"]  # one, two and four tasks were fitted
    assert min_levels(read) == 4
    page = build_page(read, table, ReportContext("t", "c", notes=("Mind this.",)))
    assert page.notes[0] == "Mind this."
    assert len(page.notes) == 5
    for expected in ("T has fewer than 4 levels", "turns back", "−0.500", "ami = 0.05"):
        assert any(expected in note for note in page.notes), expected


def test_only_sections_with_something_to_show_have_a_heading(table: pd.DataFrame) -> None:
    page = build_page(LawSet.from_json(quiet()), table, ReportContext("t", "c"))
    assert list(page.sections) == ["curves", "gain", "fit", "evidence", "front"]
    assert list(page.appendix) == [
        *("constants", "numbers", "theory", "residuals", "data", "reproduce")
    ]
    for heading in (*page.sections.values(), *page.appendix.values()):
        assert heading.title
        assert heading.link
        assert len(heading.intro) > 40


def test_introductions_count_what_their_sections_hold() -> None:
    laws = quiet()
    outlier = {"value": 0.1, "predicted": 0.4, "residual_sd": -9.0}
    laws |= {"forms": laws["front"][:2], "outliers": [{"row": 3, **outlier}, {"row": 8, **outlier}]}
    read = LawSet.from_json(laws)
    heads = headings(read, [True, True, False], held_out=True)
    assert "2 forms" in heads["forms"].intro
    assert heads["outliers"].intro.startswith("2 rows lie")
    assert "3 laws" in heads["front"].intro
    assert "2 of them lead" in heads["front"].intro
    assert "0.971" in heads["theory"].intro
    assert rows_drawn_text(700, 1775) == "700 of 1,775 rows drawn."
    assert rows_drawn_text(700, 700) == ""
