"""Learning curves go from a run's folder into its report's picture."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mtl_laws.pipeline.fit import CURVE_COLUMNS, curves_of
from mtl_laws.pipeline.report.figures.learning import NEEDED, _choose, draw_learning
from mtl_laws.pipeline.study import storefile, workers
from mtl_laws.pipeline.study.store import STORE_NAME, read_rows
from mtl_laws.pipeline.study.table import learning_curves
from mtl_laws.pipeline.study.train import train_study
from mtl_laws.pipeline.study.trials import Trial
from mtl_laws.pipeline.study.workers import Result
from support.tiny_runs import QUIET, Trainer, result, study

FIVE_SIZES = """
question: q
factors: {tasks: [1, 2], tokens: [40, 80, 160, 320, 640], ami: [0.1, 0.5]}
seeds: 2
"""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pd.DataFrame:
    """The table of a run of five sizes in `tmp_path`; some of its trials have no score."""

    def train(trials: Sequence[Trial], device: str) -> list[Result]:
        results = [result(trial) for trial in trials]
        return [
            replace(one, outcome={**one.outcome, "scores": {}, "curve": [[20, None, None]]})
            if trial.seed and trial.task.tokens == 40
            else replace(
                one,
                outcome={
                    **one.outcome,
                    "scores": {**one.outcome["scores"], "validation_loss": 1.0},
                    "curve": [
                        [20, 1.0, 1.0 + trial.task.tokens],
                        [40, 0.5, 1.0 / (trial.seed + 1)],
                    ],
                },
            )
            for trial, one in zip(trials, results, strict=True)
        ]

    monkeypatch.setattr(workers, "train_together", train)
    return train_study(study(FIVE_SIZES), tmp_path, QUIET)


def test_a_runs_curves_are_drawn(table: pd.DataFrame, tmp_path: Path) -> None:
    curves = curves_of(tmp_path)
    assert curves is not None
    assert set(NEEDED) <= set(curves.columns)
    drawing = draw_learning(curves)
    assert drawing is not None
    drawn = [n for n in (40, 80, 160, 320, 640) if f"n = {n}" in drawing.alt]
    assert drawn == [40, 80, 320, 640]


def test_the_figure_is_that_of_all_curves(table: pd.DataFrame, tmp_path: Path) -> None:
    """The trials are chosen before their curves are read, and are the same ones."""
    everything = learning_curves(
        (row.trial, row.outcome["curve"]) for row in read_rows(tmp_path / STORE_NAME)
    ).merge(table[["trial", *CURVE_COLUMNS]], on="trial")
    for table_at_hand in (None, table):
        curves = curves_of(tmp_path, table_at_hand)
        assert curves is not None
        few, all_of_them = _choose(curves), _choose(everything)
        assert [size for size, _ in few] == [size for size, _ in all_of_them]
        for (_, one), (_, other) in zip(few, all_of_them, strict=True):
            pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def test_only_the_curves_that_are_drawn_are_read(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[object] = []
    statements: list[str] = []
    connect = storefile._connect_reader

    def traced(path: Path) -> sqlite3.Connection:
        db = connect(path)
        db.set_trace_callback(statements.append)
        db.row_factory = lambda _, row: (rows.append(row), row)[1]  # type: ignore[func-returns-value]
        return db

    monkeypatch.setattr(storefile, "_connect_reader", traced)
    curves_of(tmp_path, table)
    assert len([row for row in rows if isinstance(row, tuple) and len(row) == 8]) == 4
    asked = [text for text in statements if "FROM outcomes" in text and "LIMIT 0" not in text]
    assert len(asked) == 1
    assert "WHERE trial IN" in asked[0]


def test_a_run_without_a_score_has_no_curve_to_draw(table: pd.DataFrame, tmp_path: Path) -> None:
    curves = curves_of(tmp_path, table.assign(validation_loss=float("nan")))
    assert curves is not None
    assert draw_learning(curves) is None


def test_a_folder_without_models_has_no_curves(tmp_path: Path) -> None:
    assert curves_of(tmp_path) is None


def test_a_stand_in_without_validation_loss_is_not_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workers, "train_together", Trainer())
    train_study(study(), tmp_path, QUIET)
    curves = curves_of(tmp_path)
    assert curves is not None
    assert curves.empty
