"""From trials to `laws.json`: replicates are the trials that differ in the seed only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.fit import Source, fit_to_folder
from mtl_laws.pipeline.laws.lawset import LAWS_NAME, TABLE_NAME
from mtl_laws.pipeline.laws.question import pose
from mtl_laws.pipeline.study.preflight import question_of
from mtl_laws.pipeline.study.store import Row
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.trials import expand
from support.tiny_runs import result, study

NOISE = 0.004
WIDTHS = """
question: does the width of the encoder matter?
factors: {tasks: [1, 3], tokens: [40, 80, 160, 320], ami: [0.2, 0.8], hidden: [4, 16]}
seeds: 3
laws: {factors: [n, T, ami], engine: grammar, budget: quick}
"""
CELLS = 4 * (1 + 2) * 2


def planted(of: Study) -> pd.DataFrame:
    """Trials whose accuracy rises with n and hidden; seeds differ by `NOISE`."""
    rng = np.random.default_rng(0)
    rows = []
    for cell in expand(of):
        found = result(cell)
        clean = 0.8 - 1 / np.sqrt(cell.task.tokens) + (0.1 if cell.settings.hidden == 16 else 0)
        scores = {"accuracy": clean + rng.normal(0, NOISE), "span_f1": rng.uniform()}
        measured = {**found.measured, "ami": cell.task.ami and cell.task.ami + rng.normal(0, 0.002)}
        rows.append(Row(cell.digest, cell.to_json(), {**found.outcome, "scores": scores}, measured))
    return outcomes_table(rows, {})


def laws_of(table: pd.DataFrame, of: Study, out: Path) -> dict[str, Any]:
    question = replace(question_of(of, 1, None), budget="tiny")
    fit_to_folder(table, question, Source("table", "a study"), out)
    document: dict[str, Any] = json.loads((out / LAWS_NAME).read_text(encoding="utf-8"))
    return document


def posed_rows(table: pd.DataFrame, of: Study) -> tuple[list[int], list[str]]:
    """Rows in each cell, and the factors of the notes, before a search."""
    problem = pose(table, question_of(of, 1, None), "a study")
    counts = problem.rows["cell"].value_counts().tolist()
    return counts, [note.name for note in problem.notes]


def test_widths_of_the_encoder_are_cells_and_no_noise(tmp_path: Path) -> None:
    of = study(WIDTHS)
    data = laws_of(planted(of), of, tmp_path)["data"]
    assert data["cells"] == CELLS
    assert data["replicate_sd"] == pytest.approx(NOISE, rel=0.3)
    rows = pd.read_parquet(tmp_path / TABLE_NAME)
    assert rows["cell"].value_counts().tolist() == [3] * CELLS
    assert [note.split()[0] for note in data["notes"]] == ["hidden"]


def test_cells_need_no_column_but_the_settings_themselves() -> None:
    of = study(WIDTHS)
    table = planted(of).drop(columns=["settings", "options", "n_aux_request"])
    assert posed_rows(table, of) == ([3] * CELLS, ["hidden"])


def test_a_width_that_is_a_factor_needs_no_note() -> None:
    of = study(WIDTHS.replace("[n, T, ami]", "[n, T, ami, hidden]"))
    assert posed_rows(planted(of), of) == ([3] * CELLS, [])
