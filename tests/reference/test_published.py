"""The published study's table: chosen on n ≤ 5,000 and T ≤ 5, right on the other rows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws

SHARED = Path(os.environ.get("MTL_LAWS_SHARED", Path(__file__).parents[2].parent / "shared"))
TABLE = SHARED / "paper" / "balanced.csv"
FACTORS = {"n": "n_tokens_per_task", "T": "n_tasks", "ami": "mutual_info"}
OUTSIDE = "n > 5000 or T > 5"

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not TABLE.exists(), reason=f"{TABLE} is not there"),
]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(TABLE)


def chosen(table: pd.DataFrame) -> Law:
    """The law that a quick search selects with the rows outside held out."""
    question = Question("fscore", FACTORS, (0.0, 1.0), hold_out=OUTSIDE)
    problem = pose(table, question, TABLE.name)
    options = SearchOptions(engine="operon", budget="quick")
    found = find_laws(problem.data, problem.held_out, options)
    return laws_document(problem, found, seed=0).law


def r2(law: Law, rows: pd.DataFrame) -> float:
    columns = {name: rows[column].to_numpy(dtype=float) for name, column in FACTORS.items()}
    residual = rows["fscore"] - law.predict(columns)
    return float(1 - np.mean(residual**2) / np.var(rows["fscore"]))


def test_the_law_holds_where_no_model_was_seen(table: pd.DataFrame) -> None:
    """On the numbers as the table has them, the made-up AMI at T = 1 included."""
    law = chosen(table)
    outside = (table["n_tokens_per_task"] > 5000) | (table["n_tasks"] > 5)
    assert outside.sum() == 531
    assert law.complexity <= 25
    assert r2(law, table[~outside]) >= 0.92
    assert r2(law, table[outside]) >= 0.85


def test_held_out_scores_have_no_say(table: pd.DataFrame) -> None:
    outside = (table["n_tokens_per_task"] > 5000) | (table["n_tasks"] > 5)
    noisy = table.copy()
    noise = np.random.default_rng(0).uniform(0, 1, int(outside.sum()))
    noisy.loc[outside, "fscore"] = noise
    assert chosen(noisy).expression == chosen(table).expression
