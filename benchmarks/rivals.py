"""What others predict for the test rows of a public table: the rivals of `public_tables.py`.

Every rival is fitted on the rows with ``test == 0`` and predicts the others.

Notation
--------
N : training rows.    M : test rows.    F : factors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_laws.pipeline.symbolic.engines import ENGINES, Request
from mtl_laws.pipeline.symbolic.fit import RULES, Sample, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts

Floats: TypeAlias = npt.NDArray[np.float64]
Predict: TypeAlias = Callable[["PublicTable", int], Floats]


@dataclass(frozen=True, kw_only=True)
class PublicTable:
    """A table in the layout of ``../shared/tables``.

    Attributes
    ----------
    path : the CSV file.
    factors, target : its columns.
    bounds : lowest and highest value of the target; None where it has none.
    group : column of the groups; None where there is one group.
    train, test : rows with 0 and with 1 in the column `test_column`.
    """

    name: str
    path: Path
    factors: tuple[str, ...]
    target: str
    bounds: tuple[float | None, float | None]
    group: str | None
    test_column: str
    train: pd.DataFrame
    test: pd.DataFrame

    def groups(self, rows: pd.DataFrame) -> pd.Series[str]:
        """Group of every row; one and the same where there are no groups."""
        if self.group is None:
            return pd.Series("", index=rows.index)
        return rows[self.group].astype(str)


def read_tables(folder: Path, names: Sequence[str] = ()) -> list[PublicTable]:
    """The tables that the ``meta.json`` of a folder describes; those of `names` where any."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return [_read(folder, name, meta[name]) for name in names or meta]


def _read(folder: Path, name: str, meta: dict[str, Any]) -> PublicTable:
    path = folder / f"{name}.csv"
    rows = pd.read_csv(path)
    kept_out = rows[meta["test"]] == 1
    groups = meta["groups"]
    low, high = meta["bounds"]
    return PublicTable(
        name=name,
        path=path,
        factors=tuple(meta["factors"]),
        target=meta["target"],
        bounds=(low, high),
        group=groups["column"] if groups and len(groups["levels"]) > 1 else None,
        test_column=meta["test"],
        train=rows[~kept_out].reset_index(drop=True),
        test=rows[kept_out].reset_index(drop=True),
    )


def sample_of(rows: pd.DataFrame, factors: Sequence[str], target: Floats) -> Sample:
    """Rows and a target (N,) for the fitter and the engines, all of weight 1."""
    return Sample(columns_of(rows, factors), target, np.ones(len(rows)))


def columns_of(rows: pd.DataFrame, factors: Sequence[str]) -> dict[str, Floats]:
    return {name: rows[name].to_numpy(dtype=float) for name in factors}


def power_law(table: PublicTable, seed: int) -> Floats:
    """c0 + c1 · x1^c2 · x2^c3 …, with constants of its own for each group: (M,)."""
    powers = " * ".join(f"{name}**c{k + 2}" for k, name in enumerate(table.factors))
    expression = Expression.parse(f"c0 + c1 * {powers}", table.factors)
    predicted = np.full(len(table.test), np.nan)
    labels, asked = table.groups(table.train), table.groups(table.test)
    for label in labels.unique():
        rows = table.train[labels == label]
        sample = sample_of(rows, table.factors, rows[table.target].to_numpy(dtype=float))
        starts = propose_starts(expression, sample, 24, seed)
        fit = fit_constants(expression, sample, starts, 200, RULES.exact)
        chosen = (asked == label).to_numpy()
        if fit is not None and chosen.any():
            columns = columns_of(table.test[chosen], table.factors)
            predicted[chosen] = expression.evaluate(columns, fit.theta)
    return predicted


def boosting(table: PublicTable, seed: int) -> Floats:
    """Gradient boosting of regression trees, with an indicator column for every group: (M,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    labels = sorted(set(table.groups(table.train)))

    def design(rows: pd.DataFrame) -> Floats:
        own = [table.groups(rows) == label for label in labels]
        return np.column_stack([*columns_of(rows, table.factors).values(), *own])

    model = HistGradientBoostingRegressor(
        min_samples_leaf=int(np.clip(len(table.train) // 50, 3, 20)),
        early_stopping=False,
        random_state=seed,
    )
    model.fit(design(table.train), table.train[table.target])
    return np.asarray(model.predict(design(table.test)), dtype=float)


def engine(name: str, evaluations: int) -> Predict:
    """An engine by itself: the law of least training error on its own front.

    Engines know no groups: they see the target in standard deviations from its group's mean.
    """

    def predict(table: PublicTable, seed: int) -> Floats:
        labels = table.groups(table.train)
        target = table.train[table.target].groupby(labels)
        mean, spread = target.mean(), target.std(ddof=0)
        scaled = (table.train[table.target] - labels.map(mean)) / labels.map(spread)
        sample = sample_of(table.train, table.factors, scaled.to_numpy(dtype=float))
        texts = ENGINES[name].search(Request(sample, evaluations, seed, 20))
        laws = [Expression.parse(text, table.factors) for text in texts]
        with np.errstate(all="ignore"):
            best = min(laws, key=lambda law: _error(law, sample))
            value = best.evaluate(columns_of(table.test, table.factors))
        asked = table.groups(table.test)
        return np.asarray(asked.map(mean) + asked.map(spread) * value, dtype=float)

    return predict


def _error(law: Expression, sample: Sample) -> float:
    error = float(np.sum((sample.target - law.evaluate(sample.columns)) ** 2))
    return error if np.isfinite(error) else float("inf")


RIVALS: dict[str, Predict] = {
    "power law + floor": power_law,
    "gradient boosting": boosting,
    "Operon": engine("operon", 200_000),
    "gplearn": engine("gplearn", 20_000),
}
"""By the name that the page gives them; an engine that is not installed is left out."""


def ready_rivals() -> tuple[dict[str, Predict], dict[str, str]]:
    """The rivals that can run here, and why the others cannot."""
    missing = {
        name: ENGINES[name.lower()].readiness().reason
        for name in RIVALS
        if name.lower() in ENGINES and not ENGINES[name.lower()].readiness().ready
    }
    return {name: rival for name, rival in RIVALS.items() if name not in missing}, missing
