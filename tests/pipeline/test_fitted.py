"""A folder read back gives the report that was written when the laws were found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.fit import Source, fit_to_folder, rewrite_report
from pipeline.laws.question import Question


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([(n, T) for n in (50, 100, 200, 400, 800) for T in (1, 2, 4)] * 2)
    rows.columns = pd.Index(["n", "T"])
    clean = 0.9 - 2.0 * (rows["n"] * rows["T"] ** 0.5) ** -0.4
    rows["accuracy"] = clean + rng.normal(0, 0.002, len(rows))
    out = tmp_path_factory.mktemp("fitted")
    question = Question(
        "accuracy", {"n": "n", "T": "T"}, (0.0, 1.0), engine="grammar", budget="tiny"
    )
    source = Source("rows.csv", "Of two tasks", "Do two tasks help?", command="mtl-laws fit")
    fit_to_folder(rows, question, source, out)
    return out


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_a_report_written_again_is_the_same(folder: Path, name: str) -> None:
    path = folder / name
    before = path.read_text(encoding="utf-8")
    assert "Of two tasks" in before
    assert "Do two tasks help?" in before
    path.unlink()
    rewrite_report(folder)
    assert path.read_text(encoding="utf-8") == before
