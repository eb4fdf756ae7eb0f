"""Tables of a report, the same for every output: their structure, and those about laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mtl_laws.pipeline.laws.law import Constant, Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.record import ExponentEstimate, FactorEvidence
from mtl_laws.pipeline.report.evidence_text import form_name
from mtl_laws.pipeline.report.figure_text import CAPTIONS, standing_text
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.typeset import formula_text
from mtl_laws.pipeline.symbolic.typeset.formula import subtracted
from mtl_laws.pipeline.symbolic.typeset.numbers import MISSING, interval, number, percent, score

if TYPE_CHECKING:
    from mtl_laws.pipeline.report.figures.front import Entry


@dataclass(frozen=True)
class Formula:
    """A table cell that is typeset."""

    expression: str


Cell: TypeAlias = str | Formula


@dataclass(frozen=True)
class Row:
    """Cells of one row; the first is its header. ``key`` links it to a mark in a figure."""

    cells: tuple[Cell, ...]
    key: str = ""
    emphasis: str = ""


@dataclass(frozen=True)
class Grid:
    """A table; columns that are empty in every row are left out by `grid`.

    Parameters
    ----------
    caption : what the rows are.
    headers : one per column.
    rows : equal lengths.
    numeric : places of the columns that are numbers and set flush right.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.rows)


def grid(
    caption: str, headers: Sequence[str], rows: Sequence[Row], numeric: Sequence[int] = ()
) -> Grid:
    """A `Grid` without the columns that are empty in every row."""
    places = [
        place
        for place in range(len(headers))
        if place == 0 or any(row.cells[place] not in ("", MISSING) for row in rows)
    ]
    return Grid(
        caption,
        tuple(headers[place] for place in places),
        tuple(Row(tuple(row.cells[p] for p in places), row.key, row.emphasis) for row in rows),
        frozenset(places.index(place) for place in numeric if place in places),
    )


# --- scores --------------------------------------------------------------------------------------

SCORES = {
    "train": ("fitted", "the rows that its constants were fitted on"),
    "cv": ("cross-validated", "random cells left out in turn"),
    "extrapolation": ("extrapolated", "highest levels left out in turn"),
    "hold_out": ("held out", "rows used once, after the law was selected"),
}
"""The four scores of a law by their ends in ``laws.json``: name, and the rows they are over."""


def score_rows(law: Law) -> list[tuple[str, str, str, str]]:
    """Name, R², RMSE and rows of each score that is known."""
    rows = [
        (name, score(law.scores.get(f"r2_{key}")), number(law.scores.get(f"rmse_{key}")), meaning)
        for key, (name, meaning) in SCORES.items()
    ]
    return [row for row in rows if row[1] != MISSING or row[2] != MISSING]


def _r2_headers(*keys: str) -> tuple[str, ...]:
    return tuple(f"R² {SCORES[key][0]}" for key in keys)


def _r2_cells(law: Law, *keys: str) -> tuple[str, ...]:
    return tuple(score(law.scores.get(f"r2_{key}")) for key in keys)


# --- laws ----------------------------------------------------------------------------------------

BRIEF = ("train", "extrapolation", "hold_out")


def front_grid(entries: Sequence[Entry], caption: str) -> Grid:
    """Laws with complexity, scores, origin and standing."""
    rows = []
    for entry in entries:
        law = entry.law
        cells: tuple[Cell, ...] = (
            entry.label,
            Formula(law.shown),
            str(law.complexity),
            *_r2_cells(law, *BRIEF),
            law.origin,
            standing_text(law, entry.selected, leads=entry.leads),
        )
        rows.append(Row(cells, entry.key, _emphasis(law, entry.selected)))
    headers = ("law", "formula", "nodes", *_r2_headers(*BRIEF), "found by", "standing")
    return grid(caption, headers, rows, numeric=(2, 3, 4, 5))


def _emphasis(law: Law, selected: bool) -> str:
    return "selected" if selected else "" if law.valid else "invalid"


def theory_grid(theory: Sequence[Law]) -> Grid:
    """Named theoretical forms, those that extrapolate best first."""

    def rank(law: Law) -> tuple[bool, float]:
        r2 = law.scores.get("r2_extrapolation")
        return law.valid, -np.inf if r2 is None else r2

    rows = []
    for law in sorted(theory, key=rank, reverse=True):
        cells: tuple[Cell, ...] = (
            form_name(law),
            Formula(law.shown),
            str(law.complexity),
            *_r2_cells(law, *BRIEF),
            standing_text(law),
        )
        rows.append(Row(cells, emphasis=_emphasis(law, False)))
    headers = ("form", "fitted here", "nodes", *_r2_headers(*BRIEF), "standing")
    return grid(CAPTIONS["theory"], headers, rows, numeric=(2, 3, 4, 5))


def forms_grid(laws: LawSet) -> Grid:
    """The user's own forms in the order given, then the selected law, with the same scores."""
    selected = laws.selected
    chosen = None if selected is None else selected.expression
    most = laws.rules.get("search", {}).get("max_complexity")
    most = most if isinstance(most, int) else None
    candidates = list(laws.forms)
    if candidates and selected is not None and all(law.expression != chosen for law in candidates):
        candidates.append(selected)
    rows = []
    for law in candidates:
        own = law.expression == chosen
        cells: tuple[Cell, ...] = (
            Formula(law.template),
            Formula(law.shown) if law.fitted else "",
            str(law.complexity),
            *_r2_cells(law, *SCORES),
            standing_text(law, own, most=most),
        )
        rows.append(Row(cells, emphasis=_emphasis(law, own)))
    headers = ("form", "fitted here", "nodes", *_r2_headers(*SCORES), "standing")
    return grid(CAPTIONS["forms"], headers, rows, numeric=(2, 3, 4, 5, 6))


# --- constants -----------------------------------------------------------------------------------


def constants_grid(law: Law, caption: str = CAPTIONS["constants"]) -> Grid:
    """Constants of a law with standard errors and intervals; one row per group where it has groups.

    A negative constant that the formula subtracts is given as −c, as it stands there.
    """
    if law.levels:
        return _group_constants_grid(law, caption)
    minus = set(subtracted(law.template))
    rows = []
    for name, constant in law.constants.items():
        value, ends = constant.value, constant.ci95
        turned = name in minus and value < 0
        if turned:
            value, ends = -value, (-ends[1], -ends[0]) if ends else ends
        cells = number(value, 4), number(constant.se, 2), interval(ends, 4)
        rows.append(Row((Formula(f"-{name}" if turned else name), *cells, constant.reason)))
    headers = ("constant", "value", "standard error", "95 % interval", "why none")
    return grid(caption, headers, rows, numeric=(1, 2, 3))


def _group_constants_grid(law: Law, caption: str) -> Grid:
    """One row of shared constants, then one row per group; an interval follows each value."""
    names = Expression.parse(law.template, law.factors).constants
    intervals = law.group_intervals or {}
    rows = [_group_row("shared by all", law.constants, names)] if law.shared else []
    for level, values in (law.group_constants or {}).items():
        constants = {name: Constant(value=value) for name, value in values.items()}
        for name, own in intervals.get(level, {}).items():
            if name in values:
                constants[name] = Constant(
                    value=values[name], se=own.se, ci95=own.ci95, reason=own.reason
                )
        rows.append(_group_row(level, constants, names))
    headers = ("group", *(f"{formula_text(name)} (95 %)" for name in names), "why no interval")
    return grid(caption, headers, rows, numeric=range(1, len(names) + 1))


def _group_row(head: str, constants: Mapping[str, Constant], names: Sequence[str]) -> Row:
    cells: list[str] = []
    gaps: dict[str, list[str]] = {}
    for name in names:
        constant = constants.get(name)
        if constant is None:
            cells.append(MISSING)
            continue
        ends = "" if constant.ci95 is None else f" ({interval(constant.ci95, 3)})"
        cells.append(f"{number(constant.value, 4)}{ends}")
        if constant.ci95 is None:
            gaps.setdefault(constant.reason, []).append(formula_text(name))
    why = "; ".join(f"{', '.join(of)}: {text or 'none was computed'}" for text, of in gaps.items())
    return Row((head, *cells, why))


# --- outliers and evidence -----------------------------------------------------------------------


def outliers_grid(laws: LawSet) -> Grid:
    """Rows that lie far from every good law, in the order of the user's table."""
    rows = [
        Row(
            (
                str(each.row + 1),
                each.group or "",
                *(number(each.factors.get(name), 4) for name in laws.factors),
                number(each.value, 4),
                number(each.predicted, 4),
                number(each.residual_sd),
            )
        )
        for each in sorted(laws.outliers, key=lambda each: each.row)
    ]
    last = f"{laws.target} measured", "predicted", "residual in robust SD"
    headers = ("row", "group", *laws.factors, *last)
    return grid(CAPTIONS["outliers"], headers, rows, numeric=range(2, len(headers)))


def evidence_grid(evidence: Sequence[FactorEvidence]) -> Grid:
    """What the data say for each factor, in numbers."""
    rows = []
    for one in evidence:
        exponent = one.exponent or ExponentEstimate()
        value, bounds = number(exponent.value, 2), interval(exponent.ci95, 2)
        cells = (
            one.factor,
            score(one.r2_without),
            number(one.delta_bic),
            percent(one.inclusion),
            percent(one.inclusion_permuted),
            "" if value == MISSING else f"{value} ({bounds})",
            one.root or "",
        )
        rows.append(Row(cells))
    headers = (
        *("factor", "R² without it", "ΔBIC without it", "inclusion", "inclusion, permuted"),
        *("exponent, 95 %", "its square root"),
    )
    return grid(CAPTIONS["evidence"], headers, rows, numeric=(1, 2, 3, 4, 5))
