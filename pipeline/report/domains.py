"""The factors of a report: what each was taken for, and where the law had to be valid for it."""

from __future__ import annotations

from typing import TypeAlias

import pandas as pd

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.rows import infer_domains
from mtl_laws.pipeline.laws.rules import Rules
from mtl_laws.pipeline.report.grid import Grid, Row, grid
from mtl_laws.pipeline.symbolic.kinds import RULES, Kinds, classify, value_range
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.typeset.numbers import interval, number

Pair: TypeAlias = tuple[float, float]

CAPTION = (
    "Factors. Every law had to be valid over the whole domain; another one is set by "
    "--domain FACTOR=LOW:HIGH, or domain: in a study."
)


def factors_grid(laws: LawSet, table: pd.DataFrame) -> Grid:
    """One row per factor: column, fitted range, domain, and where the domain comes from."""
    data, columns = laws.data, _fitted(laws, table)
    kinds, inferred = classify(columns), infer_domains(columns)
    rows = [
        Row(
            (
                name,
                data.columns.get(name, ""),
                interval(data.ranges.get(name) or value_range(columns[name]), 4),
                interval(data.domain.get(name), 4),
                _basis(name, kinds, data.domain.get(name), inferred[name]),
            )
        )
        for name in columns
    ]
    headers = ("factor", "column of the table", "fitted range", "domain", "why this domain")
    return grid(CAPTION, headers, rows)


def doubts(laws: LawSet, table: pd.DataFrame) -> list[str]:
    """Factors that may be small quantities but were taken for fractions, with assumed domains.

    A fraction that reaches 0 or more than half of 1 is hardly anything else.
    """
    columns = _fitted(laws, table)
    stated, inferred = laws.data.domain, infer_domains(columns)
    return [
        f"{name}, {number(low)} to {number(high)}, was taken for a share, so every law had to be "
        f"valid from 0 to 1; if it is none, search again with --domain {name}=LOW:HIGH."
        for name in classify(columns).fractions
        for low, high in [value_range(columns[name])]
        if low > 0.0 and high < RULES.half and _same(stated.get(name), inferred[name])
    ]


def few_levels(laws: LawSet, table: pd.DataFrame) -> list[str]:
    """Factors with too few levels in the fitted rows for an extrapolation fold, in every group."""
    rows = table[table["role"] == "fit"]
    parts = [rows]
    if laws.groups is not None:
        levels = rows["group"] if "group" in rows else laws.groups.of_rows(rows)
        parts = [part for _, part in rows.groupby(levels)]
    least = min_levels(laws)
    return [name for name in laws.factors if all(part[name].nunique() < least for part in parts)]


def min_levels(laws: LawSet) -> int:
    """Levels that a factor needed for an extrapolation fold when the laws were found."""
    return Rules.from_json(laws.rules).folds.min_levels


def _fitted(laws: LawSet, table: pd.DataFrame) -> dict[str, Floats]:
    rows = table[table["role"] == "fit"]
    return {name: rows[name].to_numpy(dtype=float) for name in laws.factors}


def _basis(name: str, kinds: Kinds, stated: Pair | None, inferred: Pair) -> str:
    """Where a domain comes from, in words; empty where none is recorded."""
    if not stated:
        return ""
    if not _same(stated, inferred):
        return "given"
    if name in kinds.fractions:
        return "assumed: a share, 0 to 1"
    if name in (*kinds.sizes, *kinds.amounts):
        return "assumed: a size, up to twice the largest"
    return "assumed: as seen"


def _same(stated: Pair | None, inferred: Pair) -> bool:
    return stated is not None and stated == tuple(map(float, inferred))
