"""The benchmark of the choice of trials: budgets hold, scores are right, the page is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import active as bench
import active_ways as ways
from active_forms import COSTS, FORMS
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.tree import Tree
from rivals import PublicTable

FORM = compiled(Tree.parse("c0 + c1*N**(-c2)", ["N", "E"]))


@pytest.fixture
def table() -> PublicTable:
    """Losses by a law that is known, in two sizes beyond the candidates."""
    cells = [(n, e) for n in np.geomspace(1e6, 1e9, 10) for e in (1.0, 2.0, 4.0)]
    rows = pd.DataFrame(cells, columns=["N", "E"])
    rows["y"] = 1.5 + 40 * rows["N"] ** -0.3
    rows["test"] = (rows["N"] > 3e8).astype(int)
    return PublicTable(
        name="moe",
        path=Path("moe.csv"),
        factors=("N", "E"),
        target="y",
        bounds=(0.0, None),
        group=None,
        test_column="test",
        train=rows[rows["test"] == 0],
        test=rows[rows["test"] == 1],
    )


@pytest.mark.parametrize("way", ways.WAYS)
def test_a_way_spends_its_budget_and_no_more(table: PublicTable, way: str) -> None:
    (offer,) = ways.offers_of(table)
    chosen = ways.WAYS[way](FORM, offer, 0.2, 0)
    assert len(set(chosen)) == len(chosen) >= 3
    assert offer.cost[chosen].sum() <= 0.2 + 1e-9
    assert not ways.affordable(offer, chosen, 0.2).any()


def test_all_rows_of_a_true_form_predict_the_goal(table: PublicTable) -> None:
    (offer,) = ways.offers_of(table)
    everything = range(len(offer.y))
    assert ways.r2_of([offer], [bench.predicted(FORM, offer, everything)]) > 0.99
    assert ways.r2_of([offer], [bench.predicted(FORM, offer, [])]) == -1.0


def test_a_row_says_how_often_it_was_repeated(
    table: PublicTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMS, "moe", (FORM.text, "c0 + c1*N**(-0.5)"))
    measured = list(bench.measure_given(table, ["random", "cheapest"], [0.2], repeats=3))
    assert [row["repeats"] for row in measured] == [3, 1]


def test_every_result_has_its_commit_and_repeats() -> None:
    for row in json.loads(bench.RESULTS.read_text(encoding="utf-8"))["rows"]:
        assert row["commit"]
        assert row["repeats"] >= 1


def test_every_form_is_a_formula_in_the_factors() -> None:
    factors = ["N", "P", "E", "U", "D", "lr", "bsz"]
    for name, texts in FORMS.items():
        assert name in COSTS
        for text in texts:
            tree = Tree.parse(text, factors)
            assert tree.constants == tuple(f"c{k}" for k in range(len(tree.constants)))


def test_rows_replace_those_that_were_measured_before(tmp_path: Path) -> None:
    row = {"table": "moe", "way": "ours", "share": 0.1, "r2": 0.5}
    bench.add([row], tmp_path / "active.json")
    bench.add([{**row, "r2": 0.7}, {**row, "share": 0.05}], tmp_path / "active.json")
    page = tmp_path / "next.md"
    page.write_text(f"a\n{bench.BEGIN}\nold\n{bench.END}\nb\n", encoding="utf-8")
    rows = json.loads((tmp_path / "active.json").read_text(encoding="utf-8"))["rows"]
    assert all(row["commit"] for row in rows)
    bench.write_page(rows, page)
    text = page.read_text(encoding="utf-8")
    assert "| mtl-laws | – / 0.50 / 0.70 |" in text
    assert text.startswith("a\n")
    assert text.endswith("\nb\n")
