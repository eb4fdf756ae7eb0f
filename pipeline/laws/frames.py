"""Laws as DataFrames: the front, the evidence, the constants, predictions with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.law import SCORES, Constant, Interval, Law
from mtl_laws.pipeline.laws.record import ExponentEstimate, FactorEvidence
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text

CONSTANTS = ("constant", "group", "value", "se", "low", "high", "reason")
PREDICTED: Mapping[str, str] = {
    "law_low": "predicted_low",
    "law_high": "predicted_high",
    "run_low": "predicted_trial_low",
    "run_high": "predicted_trial_high",
    "outside": "predicted_outside",
    "distance": "predicted_distance",
}
"""Names of the columns of intervals, beside a table of results."""


def front_frame(front: Sequence[Law], selected: Law | None) -> pd.DataFrame:
    """The front, one law per row: formula, complexity, scores, standing."""
    expression = None if selected is None else selected.expression
    records = [
        {
            "law": formula_text(law.shown),
            "complexity": law.complexity,
            **{name: law.scores.get(name) for name in SCORES if name.startswith("r2_")},
            "valid": law.valid,
            "selected": law.expression == expression,
            "origin": law.origin,
            "reason": law.reason,
            "expression": law.expression,
        }
        for law in front
    ]
    return pd.DataFrame.from_records(records)


def evidence_frame(evidence: Sequence[FactorEvidence]) -> pd.DataFrame:
    """The evidence, one factor per row."""
    names = ("factor", "in_law", "sentence", "delta_bic", "r2_without", "inclusion")
    records = []
    for one in evidence:
        exponent = one.exponent or ExponentEstimate()
        low, high = exponent.ci95 or (None, None)
        power = {"exponent": exponent.value, "exponent_low": low, "exponent_high": high}
        records.append({**{name: getattr(one, name) for name in names}, **power})
    return pd.DataFrame.from_records(records)


def constants_frame(law: Law) -> pd.DataFrame:
    """The constants of a law, one per row and group; `group` is empty for a shared one."""
    rows = [_constant_row(name, "", constant) for name, constant in law.constants.items()]
    rows += list(_rows_of_groups(law))
    table = pd.DataFrame.from_records(rows, columns=list(CONSTANTS))
    return table.astype(dict.fromkeys(("value", "se", "low", "high"), "float64"))


def _rows_of_groups(law: Law) -> Iterator[dict[str, Any]]:
    intervals = law.group_intervals or {}
    for level, values in (law.group_constants or {}).items():
        for name, value in values.items():
            interval = intervals.get(level, {}).get(name, Interval())
            constant = Constant(
                value=value, se=interval.se, ci95=interval.ci95, reason=interval.reason
            )
            yield _constant_row(name, level, constant)


def _constant_row(name: str, group: str, constant: Constant) -> dict[str, Any]:
    low, high = constant.ci95 or (None, None)
    values = (name, group, constant.value, constant.se, low, high, constant.reason)
    return dict(zip(CONSTANTS, values, strict=True))


def as_table(points: pd.DataFrame | Mapping[str, object]) -> pd.DataFrame:
    """Points as a table: they are one already, or one point as ``{factor: value}``."""
    return points if isinstance(points, pd.DataFrame) else pd.DataFrame([dict(points)])


def bands_frame(bands: Bands, name: str, index: pd.Index[Any]) -> pd.DataFrame:
    """Predictions under a name, with the ends of their intervals, and what lies outside."""
    columns: dict[str, Floats | None] = {name: bands.mean}
    for kind, band in (("law", bands.law), ("run", bands.run)):
        low, high = (None, None) if band is None else band
        columns |= {f"{kind}_low": low, f"{kind}_high": high}
    outside = [", ".join(names) for names in bands.outside]
    return pd.DataFrame({**columns, "outside": outside, "distance": bands.distance}, index=index)


def beside(table: pd.DataFrame, intervals: pd.DataFrame, target: str) -> pd.DataFrame:
    """A table with predictions and intervals in further columns.

    Parameters
    ----------
    intervals : as `bands_frame` gives them under the name of the target.

    Raises
    ------
    UserError
        if the table has a column of such a name already.
    """
    names = {target: "predicted", **PREDICTED}
    taken = [name for name in names.values() if name in table.columns]
    if taken:
        raise UserError("table", "no column of this name: predictions are written to it", taken[0])
    predictions = intervals.rename(columns=names)
    ends = [name for name in PREDICTED.values() if name != "predicted_outside"]
    return pd.concat([table, predictions.astype(dict.fromkeys(ends, "float64"))], axis=1)
