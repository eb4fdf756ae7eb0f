"""How far beyond its training rows a law was tested: by extrapolation folds and by held-out rows.

A distance is a *multiple*: the value of a size in a row, divided by the largest one among the rows
of the same group that the law was fitted to. It is the same whether the law was fitted to all rows
or, in a fold, to the lower levels.

Notation
--------
N : test rows.    G : groups, 1 without any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.laws.folds import Fold
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class UnseenRows:
    """Rows that a law predicted without being fitted to them.

    Attributes
    ----------
    data, folds : rows of the search, and its extrapolation folds.
    held_out : rows kept out of the search; None without any.
    """

    data: Rows
    folds: Sequence[Fold]
    held_out: Rows | None = None


@dataclass(frozen=True, kw_only=True)
class Extrapolation:
    """How far one size was tested.

    Attributes
    ----------
    multiple : the largest multiple tested, at least 1.
    contradicted : the smallest multiple of held-out rows that contradict the law; None for none.
    """

    multiple: float = 1.0
    contradicted: float | None = None


def extrapolation(factor: str, law: Law, fitted: Rows, unseen: UnseenRows) -> Extrapolation:
    """How far the law was tested along a size.

    Held-out rows that lie outside the interval of one more trial end what the law was tested on,
    whatever the folds say.

    Parameters
    ----------
    fitted : the rows that the law was fitted to.
    """
    rules = fitted.rules.evidence
    multiple = 1.0
    for fold in unseen.folds:
        test = unseen.data.take(fold.test)
        multiples = _multiples(factor, unseen.data.take(~fold.test), test)
        multiple = max(multiple, _furthest(multiples, test, rules))
    if unseen.held_out is None:
        return Extrapolation(multiple=multiple)
    beyond, rows = _multiples(factor, fitted, unseen.held_out), unseen.held_out
    contradicted = _contradicted(law, beyond, rows, rules)
    if contradicted is None:
        return Extrapolation(multiple=max(multiple, _furthest(beyond, rows, rules)))
    nearer = np.where(beyond < contradicted, beyond, np.nan)
    return Extrapolation(
        multiple=max(1.0, _furthest(nearer, rows, rules)), contradicted=contradicted
    )


def _multiples(factor: str, train: Rows, test: Rows) -> Floats:
    """Multiple (N,) of every test row; nan where there is none."""
    multiples = np.full(len(test), np.nan)
    for group in np.unique(test.group_index):
        own = train.columns[factor][train.group_index == group]
        own = own[np.isfinite(own)]
        mask = test.group_index == group
        if len(own) and own.max() > 0:
            multiples[mask] = test.columns[factor][mask] / own.max()
    return multiples


def _furthest(multiples: Floats, rows: Rows, rules: EvidenceRules) -> float:
    """The largest multiple that enough cells reach: the median over the groups."""
    furthest = np.ones(max(len(rows.levels), 1))
    for group in range(len(furthest)):
        mask = (rows.group_index == group) & np.isfinite(multiples)
        _, cell = np.unique(rows.cell[mask], return_inverse=True)
        by_cell = np.full(int(cell.max(initial=-1)) + 1, -np.inf)
        np.maximum.at(by_cell, cell.ravel(), multiples[mask])
        if len(by_cell) >= rules.reach_cells:
            furthest[group] = max(np.sort(by_cell)[-rules.reach_cells], 1.0)
    return float(np.median(furthest))


def _contradicted(law: Law, multiples: Floats, rows: Rows, rules: EvidenceRules) -> float | None:
    """The smallest multiple of rows outside the interval of one more trial, where too many are.

    Rows are counted from half a distance on to that distance, by logarithms, so that many near rows
    do not hide what happens further out.
    """
    levels = None if rows.group is None else [rows.levels[k] for k in rows.group]
    band = law.bands(rows.columns, levels).run
    if band is None:
        return None
    inside = (band[0] <= rows.target) & (rows.target <= band[1])
    for multiple in np.unique(multiples[multiples > 1.0]):
        near = (multiples > 1.0) & (multiples >= np.sqrt(multiple)) & (multiples <= multiple)
        if near.sum() >= rules.reach_held_rows and inside[near].mean() < rules.reach_held:
            return float(multiples[near & ~inside].min())
    return None
