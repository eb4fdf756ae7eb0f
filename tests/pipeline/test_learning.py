"""Learning curves go from a run's folder into its report's picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_laws.pipeline.fit import curves_of
from mtl_laws.pipeline.report.figures.learning import NEEDED, draw_learning
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.train import train_study
from support.tiny_runs import QUIET, Trainer, study


def test_a_runs_curves_are_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workers, "train_together", Trainer())
    table = train_study(study(), tmp_path, QUIET)
    curves = curves_of(tmp_path)
    assert curves is not None
    assert set(NEEDED) <= set(curves.columns)
    assert set(curves["trial"]) == set(table["trial"])
    drawing = draw_learning(curves)
    assert drawing is not None
    assert "n = 40" in drawing.alt


def test_a_folder_without_models_has_no_curves(tmp_path: Path) -> None:
    assert curves_of(tmp_path) is None
