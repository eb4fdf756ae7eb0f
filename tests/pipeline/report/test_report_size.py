"""Reports of many rows: figures subsample and say so, and the page stays small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.figures.curves import MOST_POINTS, slice_along
from mtl_laws.pipeline.report.surface import Surface
from support.asked_laws import asked_laws

ROWS = 20_000
#: bytes of ``report.html``
MOST = 3_000_000


def many_rows(design: str) -> pd.DataFrame:
    """Rows of the asked law: a random design, or replicates of many sizes at a few levels."""
    random = np.random.default_rng(0)
    cell = np.arange(ROWS) if design == "random" else np.arange(ROWS) // 4
    size = np.round(np.geomspace(40, 4000, 1000))[random.integers(0, 1000, cell.max() + 1)]
    tasks = random.choice([1.0, 2.0, 4.0], cell.max() + 1)
    share = random.uniform(0.1, 0.9, cell.max() + 1)
    ami = share if design == "random" else np.round(share, 0) * 0.8 + 0.1
    columns = {"n": size, "T": tasks, "ami": np.where(tasks == 1, np.nan, ami)}
    table = pd.DataFrame({name: values[cell] for name, values in columns.items()})
    laws = asked_laws()
    f1 = laws.predict(table) + random.normal(0, 0.02, ROWS)
    role = np.where(random.uniform(size=ROWS) < 0.2, "hold-out", "fit")
    return table.assign(f1=f1, cell=cell, role=role)


@pytest.mark.parametrize("design", ["random", "replicates"])
def test_curves_draw_some_points_and_count_all(design: str) -> None:
    laws, table = asked_laws(), many_rows(design)
    piece = slice_along(Surface(laws.law, "f1", table, laws.data), "n")
    assert piece.adjusted == (design == "random")
    assert 0.9 * MOST_POINTS <= piece.drawn <= MOST_POINTS + len(piece.lines)
    assert piece.points > 2 * MOST_POINTS
    for line in piece.lines:
        assert len(line.points) > 10  # every line keeps some


def test_a_report_of_many_rows_is_small_and_says_what_it_draws(tmp_path: Path) -> None:
    write_report(tmp_path, asked_laws(), many_rows("replicates"), ReportContext("t", "c"))
    assert (tmp_path / "report.html").stat().st_size < MOST
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"700 of {ROWS:,} rows drawn." in text
    assert "measured points drawn." in text
