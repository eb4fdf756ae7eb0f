"""The reference tables as the findings read them: levels asked for, gains in score and in F1."""

from __future__ import annotations

from functools import cache

import pandas as pd

from mtl_laws.pipeline.columns import ordinary_rows
from mtl_laws.pipeline.reference_data import load_reference

#: largest share of test tokens in one class, at which a run counts as stuck on that class
STUCK_F1 = 0.02


@cache
def reference(name: str) -> pd.DataFrame:
    """All rows of a table; `n` and `ami` are what the study asked for."""
    table = load_reference(name)
    table["n"] = table["n_request"]
    table["ami_measured"] = table["ami"]
    table["ami"] = table["ami_request"]
    table["gain_f1"] = table["macro_f1"] - table["stl"].map(_scores(table, "macro_f1"))
    return table


def runs(name: str) -> pd.DataFrame:
    """The ordinary rows of a table."""
    return ordinary_rows(reference(name))


def together(name: str) -> pd.DataFrame:
    """The ordinary multi-task rows, with the score of the paired single task as `alone`."""
    table = reference(name)
    rows = runs(name)
    rows = rows[rows["T"] > 1].reset_index(drop=True)
    return rows.assign(
        alone=rows["stl"].map(_scores(table, "accuracy")),
        alone_f1=rows["stl"].map(_scores(table, "macro_f1")),
    )


def alone(name: str) -> pd.DataFrame:
    """Single-task rows, those that are the control `tokens` at larger n among them."""
    table = reference(name)
    tokens = table["control"].isna() | (table["control"] == "tokens")
    return table[(table["T"] == 1) & tokens].reset_index(drop=True)


def _scores(table: pd.DataFrame, column: str) -> pd.Series[float]:
    return table.set_index("trial")[column]
