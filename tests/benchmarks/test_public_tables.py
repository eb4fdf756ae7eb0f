"""The benchmark of the public tables: its rivals, its means, and the page that it writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import public_tables as bench
from rivals import PublicTable, boosting, engine, power_law, read_tables

LAWS = {"left": (1.0, 3.0, -0.5), "right": (2.0, 5.0, -0.3)}
"""Floor, factor and exponent of each group."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tables: one with two groups, one without groups."""
    n = np.array([10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 2560.0])
    parts = [
        pd.DataFrame({"group": name, "n": n, "y": a + b * n**c, "test": (n > 1000).astype(int)})
        for name, (a, b, c) in LAWS.items()
    ]
    pd.concat(parts).to_csv(tmp_path / "two.csv", index=False)
    parts[0].to_csv(tmp_path / "one.csv", index=False)
    common = {"target": "y", "factors": ["n"], "bounds": [0, None], "test": "test"}
    two = {"column": "group", "levels": list(LAWS)}
    meta = {"two": {**common, "groups": two}, "one": {**common, "groups": None}}
    (tmp_path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return tmp_path


@pytest.fixture
def two(folder: Path) -> PublicTable:
    return read_tables(folder, ["two"])[0]


def test_tables_are_split_by_their_test_column(folder: Path) -> None:
    found = {table.name: table for table in read_tables(folder)}
    assert [len(found["two"].train), len(found["two"].test)] == [14, 4]
    assert found["two"].group == "group"
    assert found["one"].group is None
    assert found["one"].bounds == (0, None)


def test_the_power_law_finds_every_groups_own_constants(two: PublicTable) -> None:
    assert power_law(two, 0) == pytest.approx(two.test["y"].to_numpy(), rel=1e-4)


def test_trees_predict_their_last_value_beyond_the_rows(two: PublicTable) -> None:
    left, same, right, _ = boosting(two, 0)
    assert left == same
    assert right > left


def test_an_engine_alone_knows_the_levels_of_the_groups(two: PublicTable) -> None:
    predicted = engine("operon", 4_000)(two, 0)
    assert np.isfinite(predicted).all()
    assert predicted[2:].mean() > predicted[:2].mean()


def test_the_command_fits_training_rows_only_and_groups_only_where_there_are_several(
    folder: Path,
) -> None:
    one, two = (
        bench.command(table, 3, 2, folder / "out") for table in read_tables(folder, ["one", "two"])
    )
    assert one[one.index("--where") + 1] == "test == 0"
    assert one[one.index("--bounds") + 1] == "0,"
    assert "--groups" not in one
    assert two[two.index("--groups") + 1] == "group"


def fake_scorer(laws: Mapping[str, Any], law: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    return {"r2": law["r2"], "r2_all": law["r2"], "missing": 0, "law": None, "run": 0.9}


def test_the_best_of_the_front_is_a_valid_law(two: PublicTable) -> None:
    selected = {"r2": 0.2, "scores": {"r2_extrapolation": 0.8}, "expression": "c0"}
    front = [{"r2": 0.5}, {"r2": 0.9, "valid": False}, {"r2": float("-inf")}]
    scorer: Any = SimpleNamespace(score_law=fake_scorer)
    found = bench.scores_of_laws({"selected": selected, "front": front}, two, scorer)
    assert found["r2"] == 0.2
    assert found["r2_best"] == 0.5
    assert found["claimed"] == 0.8


@pytest.mark.parametrize(
    ("value", "expected"), [(0.3, 0.3), (-7.0, -1.0), (2.0, 1.0), (None, -1.0)]
)
def test_scores_are_clipped_and_no_number_counts_as_the_worst(
    value: float | None, expected: float
) -> None:
    assert bench.clipped(value) == expected


def ours(table: str, seed: int, r2: float | None, claimed: float | None = None) -> dict[str, Any]:
    row = {
        "table": table,
        "by": bench.OURS,
        "seed": seed,
        "r2": r2,
        "r2_all": r2,
        "claimed": claimed,
    }
    return {**row, "seconds": 2.0, "r2_best": r2, "law": None, "run": 0.9}


ROWS = [
    ours("a", 0, 0.5, 0.9),
    ours("a", 1, -9.0, 0.7),
    ours("b", 0, 0.9, 1.0),
    ours("b", 1, 0.9, 1.0),
    ours("c", 0, 0.1, 0.6),
    ours("c", 1, 0.1, 0.6),
]


def test_means_are_over_seeds_first_then_over_tables() -> None:
    assert bench.of_tables(ROWS, bench.OURS, "r2") == pytest.approx(
        {"a": -0.25, "b": 0.9, "c": 0.1}
    )
    found = bench.summary(ROWS)
    assert found["means"][bench.OURS]["r2"] == pytest.approx(0.25)
    assert found["overstatement"] == pytest.approx((1.05 + 0.1 + 0.5) / 3)
    assert found["spearman"] == pytest.approx(0.5)


def test_a_fit_without_a_law_counts_but_claims_nothing() -> None:
    failed = {"table": "d", "by": bench.OURS, "seed": 0, "r2": None, "r2_all": None}
    assert "d" not in bench.claims([*ROWS, failed])
    assert bench.of_tables([*ROWS, failed], bench.OURS, "r2")["d"] == -1.0


def test_no_rank_correlation_of_two_tables_or_of_equal_claims() -> None:
    assert bench.rank_correlation([(0.1, 0.2), (0.3, 0.4)]) is None
    assert bench.rank_correlation([(0.5, 0.2), (0.5, 0.4), (0.5, 0.1)]) is None


def results() -> dict[str, Any]:
    facts = {"train": 14, "test": 4, "groups": 2, "human": 0.5}
    return {
        "made_with": {"version": "0.1.0", "commit": "0123456789+changes", "python": "3.11"},
        "seeds": [0, 1],
        "missing": {"gplearn": "gplearn is not installed: pip install gplearn"},
        "tables": dict.fromkeys("abc", facts),
        "summary": bench.summary(ROWS),
        "rows": ROWS,
    }


def test_the_page_changes_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n", encoding="utf-8")
    figure = tmp_path / "figure.png"
    bench.write_page(results(), page, figure)
    once = page.read_text(encoding="utf-8")
    bench.write_page(results(), page, figure)
    assert page.read_text(encoding="utf-8") == once
    assert once.startswith(
        f"before\n{bench.BEGIN}\n3 tables, seeds 0 and 1, commit 0123456 with changes."
    )
    assert once.endswith(f"\n{bench.END}\nafter\n")
    assert "| `a` | 14 + 4 | −0.25 | −0.25 | 0.80 | – | 0.90 | – | 2 |" in once
    assert "Without gplearn: gplearn is not installed." in once
    assert "images/" not in once
    bench.draw(results(), figure)
    bench.write_page(results(), page, figure)
    told = (
        "![Claimed and true R² of each table: a 0.80 and −0.25, b 1.00 and 0.90, c 0.60 and 0.10.]"
    )
    assert f"{told}(images/figure.png)" in page.read_text(encoding="utf-8")


def test_the_page_agrees_with_the_results_file() -> None:
    stored = json.loads(bench.RESULTS.read_text(encoding="utf-8"))
    stale = "docs/public-tables.md is stale: python benchmarks/public_tables.py --page"
    assert bench.in_markdown(stored) in bench.PAGE.read_text(encoding="utf-8"), stale


def test_the_summary_is_that_of_the_rows() -> None:
    stored = json.loads(bench.RESULTS.read_text(encoding="utf-8"))
    assert stored["summary"] == bench.summary(stored["rows"])
