"""Odd cells: one cell that changes the kind of a factor is named, and ordinary tables have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.fit import Source, fit_question, summary, write_report_of
from mtl_laws.pipeline.io.tablefile import read_table
from mtl_laws.pipeline.laws.factors import find_odd_cells
from mtl_laws.pipeline.laws.question import Note, Question, pose
from mtl_laws.pipeline.laws.rules import DataRules
from mtl_laws.pipeline.report.text import FIRST_NOTES, note_text
from mtl_laws.pipeline.symbolic.tree import Floats

ROWS = 300
QUESTION = Question("y", {name: name for name in ("n", "T", "ami")}, budget="tiny")


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns: dict[str, Floats] = {
        "n": rng.choice([100.0, 300.0, 1000.0, 3000.0], ROWS),
        "T": rng.choice([1.0, 2.0, 4.0, 8.0], ROWS),
        "ami": rng.choice([0.1, 0.3, 0.5, 0.7], ROWS),
    }
    noise = rng.normal(0.0, 0.003, ROWS)
    size = columns["n"] * columns["T"] ** columns["ami"]
    return pd.DataFrame({**columns, "y": 0.9 - 1.5 / np.sqrt(size) + noise})


def with_cells(*cells: tuple[int, str, float]) -> pd.DataFrame:
    changed = table()
    for row, name, value in cells:
        changed.loc[row, name] = value
    return changed


def odd_notes(rows: pd.DataFrame) -> list[Note]:
    return [note for note in pose(rows, QUESTION, "t.csv").notes if note.kind == "odd"]


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (("ami", 1.5), "fraction", "ami is 1.5 in row 3, while all other rows have 0 to 1"),
        (("T", 0.5), "whole", "T is 0.5 in row 3, while all other rows have whole numbers from 1"),
        (("n", 0.0), "positive", "n is 0 in row 3, while all other rows have numbers above 0"),
    ],
)
def test_one_cell_of_another_kind_is_named(cell: tuple[str, float], kind: str, text: str) -> None:
    (note,) = odd_notes(with_cells((2, *cell)))
    assert note == Note("odd", cell[0], kind, 1, (("row 3", cell[1]),))
    assert note_text(note) == f"{text}: check that cell"


def test_a_count_of_zero_that_is_odd_has_one_note() -> None:
    problem = pose(with_cells((2, "n", 0.0)), QUESTION, "t.csv")
    assert [note.kind for note in problem.notes if note.name == "n"] == ["odd"]


def test_the_line_of_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    with_cells((0, "ami", 2.0), (4, "ami", -0.5)).to_csv(file, index=False)
    (note,) = odd_notes(read_table(file))
    assert note.cells == (("line 2", 2.0), ("line 6", -0.5))
    assert "ami is 2 in line 2 and −0.5 in line 6, " in note_text(note)
    assert note_text(note).endswith("check those cells")


def test_more_cells_than_the_rule_allows_are_another_kind_of_factor() -> None:
    rules = DataRules()
    cells = [(row, "ami", 1.5) for row in range(rules.odd_rows + 1)]
    assert len(odd_notes(with_cells(*cells[:-1]))) == 1
    assert odd_notes(with_cells(*cells)) == []
    few = {"ami": np.array([0.1, 0.3, 0.5] * 6 + [1.5])}
    assert find_odd_cells(few, rules) == []
    assert len(find_odd_cells({"ami": np.append(few["ami"], [0.1])}, rules)) == 1


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0] * 60 + [4.0]),  # numbers of tasks
        np.array([0.0, 1.0] * 30 + [2.0]),  # numbers of auxiliary tasks
        np.array([0.0] + [0.2, 0.4] * 30),  # relatedness
        np.append(np.geomspace(0.001, 0.9, 60), 1.5),  # tokens in millions
        np.linspace(-2.0, 2.0, 61),
    ],
)
def test_an_ordinary_factor_has_no_odd_cell(column: Floats) -> None:
    assert find_odd_cells({"x": column}, DataRules()) == []


def test_a_factor_may_be_zero_where_another_is_undefined() -> None:
    tasks = np.array([0.0] + [1.0, 2.0, 4.0] * 20)
    ami = np.where(tasks == 0, np.nan, 0.5)
    assert find_odd_cells({"T_aux": tasks, "ami": ami}, DataRules()) == []
    assert len(find_odd_cells({"T_aux": tasks}, DataRules())) == 1


def test_the_terminal_and_the_report_name_the_cell(tmp_path: Path) -> None:
    source = Source("t.csv", "t")
    fit = fit_question(with_cells((2, "ami", 1.5)), QUESTION, source)
    text = "ami is 1.5 in row 3, while all other rows have 0 to 1: check that cell"
    assert f"note:   {text}" in summary(fit.laws).splitlines()
    write_report_of(fit.laws, source, tmp_path)
    assert text in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert any(words in text for words in FIRST_NOTES)


def test_a_slightly_negative_relatedness_is_ordinary() -> None:
    """AMI is adjusted for chance: between unrelated tasks it is now and then below 0."""
    assert odd_notes(with_cells((2, "ami", -0.002), (5, "ami", -0.01))) == []
    (note,) = odd_notes(with_cells((2, "ami", -0.002), (5, "ami", 1.5)))
    assert note.cells == (("row 6", 1.5),)
