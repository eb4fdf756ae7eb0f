"""What the tables of a report say, from ``laws.json`` and the analysed rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_laws.pipeline.laws.law import Constant, Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.record import EngineRecord, ExponentEstimate, FactorEvidence
from mtl_laws.pipeline.report.front import Entry
from mtl_laws.pipeline.report.grid import Formula, Grid, Row, grid
from mtl_laws.pipeline.symbolic.typeset.numbers import (
    MISSING,
    duration,
    interval,
    number,
    percent,
    score,
)
from mtl_laws.pipeline.symbolic.typeset.signs import subtracted

SCORES = (
    ("r2_train", "rmse_train", "fitted rows", "the rows its constants were fitted on"),
    ("r2_cv", "rmse_cv", "cross-validated", "cells left out in turn"),
    ("r2_extrapolation", "rmse_extrapolation", "extrapolated", "highest levels left out in turn"),
    ("r2_hold_out", "rmse_hold_out", "held out", "rows touched once, after the choice"),
)
OUTLIERS = "Outliers. Rows are counted from 1 in the table that was given, without its header."


def score_rows(law: Law) -> list[tuple[str, str, str, str]]:
    """Label, R², RMSE and meaning of each score that is known."""
    scores = law.scores
    rows = [
        (label, score(scores.get(r2)), number(scores.get(rmse)), meaning)
        for r2, rmse, label, meaning in SCORES
    ]
    return [row for row in rows if row[1] != MISSING or row[2] != MISSING]


def front_grid(entries: Sequence[Entry], caption: str) -> Grid:
    """Laws with complexity, scores, origin and standing."""
    rows = [_front_row(entry) for entry in entries]
    headers = (
        *("law", "formula", "nodes", "R² fitted", "R² outside", "R² held out"),
        *("found by", "standing"),
    )
    return grid(caption, headers, rows, numeric=(2, 3, 4, 5))


def _front_row(entry: Entry) -> Row:
    scores = entry.law.scores
    cells = (
        entry.label,
        Formula(entry.law.shown),
        str(entry.complexity),
        score(scores.get("r2_train")),
        score(scores.get("r2_extrapolation")),
        score(scores.get("r2_hold_out")),
        entry.law.origin,
        _standing(entry),
    )
    emphasis = "selected" if entry.selected else ("" if entry.valid else "invalid")
    return Row(cells, entry.key, emphasis)


def _standing(entry: Entry) -> str:
    if not entry.valid:
        return f"not valid: {entry.law.reason or 'breaks the bounds or has a pole'}"
    if entry.selected:
        return "selected"
    if entry.limits:
        return f"implausible: {entry.limits}"
    return "" if entry.leads else "a simpler law leads"


def constants_grid(law: Law, caption: str = "Constants of the selected law.") -> Grid:
    """Constants of a law with standard errors and intervals.

    A negative constant that the formula subtracts is given as −c, as it stands there.
    """
    constants = law.constants
    turned = {
        name for name in subtracted(law.template) if name in constants and constants[name].value < 0
    }
    rows = [_constant_row(name, c, name in turned) for name, c in constants.items()]
    headers = ("constant", "value", "standard error", "95 % interval", "why none")
    return grid(caption, headers, rows, numeric=(1, 2, 3))


def _constant_row(name: str, constant: Constant, turned: bool) -> Row:
    value, ends = constant.value, constant.ci95
    if turned:
        value, ends = -value, (-ends[1], -ends[0]) if ends else ends
    cells = number(value, 4), number(constant.se, 2), interval(ends, 4)
    return Row((Formula(f"-{name}" if turned else name), *cells, constant.reason))


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
    return grid(OUTLIERS, headers, rows, numeric=range(2, len(headers)))


def evidence_grid(evidence: Sequence[FactorEvidence]) -> Grid:
    """What the data say for each factor, in numbers."""
    rows = [_evidence_row(one) for one in evidence]
    headers = (
        *("factor", "R² without it", "ΔBIC without it", "wins", "wins when shuffled"),
        *("exponent, 95 %", "its square root"),
    )
    return grid("Evidence for each factor.", headers, rows, numeric=(1, 2, 3, 4, 5))


def _evidence_row(one: FactorEvidence) -> Row:
    exponent = one.exponent or ExponentEstimate()
    value, bounds = number(exponent.value, 2), interval(exponent.ci95, 2)
    told = "" if value == MISSING else f"{value} ({bounds})"
    return Row(
        (
            one.factor,
            score(one.r2_without),
            number(one.delta_bic),
            percent(one.inclusion),
            percent(one.inclusion_permuted),
            told,
            one.root or "",
        )
    )


def theory_grid(theory: Sequence[Law]) -> Grid:
    """Named theoretical forms, best outside first."""
    ranked = sorted(theory, key=_outside, reverse=True)
    rows = [
        Row(
            (
                law.origin.removeprefix("theory:").strip(),
                Formula(law.shown),
                str(law.complexity),
                score(law.scores.get("r2_train")),
                score(law.scores.get("r2_extrapolation")),
                score(law.scores.get("r2_hold_out")),
                "" if law.valid else f"not valid: {law.reason}",
            ),
            emphasis="" if law.valid else "invalid",
        )
        for law in ranked
    ]
    headers = ("form", "fitted here", "nodes", "R² fitted", "R² outside", "R² held out", "standing")
    return grid("Theoretical forms, best outside first.", headers, rows, numeric=(2, 3, 4, 5))


def forms_grid(laws: LawSet) -> Grid:
    """The user's own forms in the order given, then the selected law, with the same scores."""
    chosen = None if laws.selected is None else laws.selected.expression
    most = laws.rules.get("search", {}).get("max_complexity")
    rows = [_form_row(law, law.expression == chosen, most) for law in laws.forms]
    if rows and laws.selected is not None and all(law.expression != chosen for law in laws.forms):
        rows.append(_form_row(laws.selected, True, most))
    headers = (
        *("form", "fitted here", "nodes", "R² fitted", "R² cross-validated", "R² outside"),
        *("R² held out", "standing"),
    )
    caption = "Your forms, in the order given, beside the selected law."
    return grid(caption, headers, rows, numeric=(2, 3, 4, 5, 6))


def _form_row(law: Law, selected: bool, most: object) -> Row:
    names = ("r2_train", "r2_cv", "r2_extrapolation", "r2_hold_out")
    cells = (
        Formula(law.template),
        Formula(law.shown) if law.fitted else "",
        str(law.complexity),
        *(score(law.scores.get(name)) for name in names),
        _form_standing(law, selected, most),
    )
    return Row(cells, emphasis="selected" if selected else "" if law.valid else "invalid")


def _form_standing(law: Law, selected: bool, most: object) -> str:
    if not law.fitted:
        return law.reason or "could not be fitted"
    parts = [
        "selected" if selected else "",
        "" if law.valid else f"not valid: {law.reason or 'breaks the bounds or has a pole'}",
        f"implausible: {law.limits}" if law.valid and law.limits else "",
        f"longer than {most} nodes: cannot be selected"
        if isinstance(most, int) and law.complexity > most
        else "",
    ]
    return "; ".join(part for part in parts if part)


def _outside(law: Law) -> tuple[bool, float]:
    value = law.scores.get("r2_extrapolation")
    return law.valid, -np.inf if value is None else value


def card_grid(laws: LawSet) -> Grid:
    """Size and identity of the data."""
    data = laws.data
    told = (
        ("rows", _count(data.rows)),
        ("rows fitted", _count(data.rows_fit)),
        ("rows held out", _count(data.rows_hold_out)),
        ("held out by", data.hold_out or ""),
        ("distinct cells", _count(data.cells)),
        ("spread of replicates (SD)", number(data.replicate_sd)),
        ("target", laws.target),
        ("bounds of the target", _limits(*(data.bounds or (None, None)))),
        ("digest of the rows", data.digest),
    )
    return _facts("The data.", told)


def _limits(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    at_least = "" if low is None else f"at least {number(low)}"
    return at_least or ("" if high is None else f"at most {number(high)}")


def provenance_grid(laws: LawSet) -> Grid:
    """Versions and settings that make the law come out again."""
    p = laws.provenance
    told = (
        ("mtl-laws", p.version),
        ("commit", p.commit),
        ("engine", _engine(p.engine)),
        ("seed", _text(p.seed)),
        ("budget", _text(p.budget)),
        ("candidates tried", _count(p.candidates)),
        ("time limit", duration(p.time_limit)),
        ("search took", f"{duration(p.seconds)}{', cut short' if p.cut else ''}"),
        ("engine failures", "; ".join(p.engine_failures)),
        ("Python", p.python),
        ("packages", ", ".join(f"{name} {version}" for name, version in p.packages.items())),
        ("made", p.created),
    )
    return _facts("Versions and settings.", told)


def _engine(engine: EngineRecord) -> str:
    used, requested = engine.used, engine.requested
    reason = f": {engine.reason}" if engine.reason else ""
    asked = f" (asked for {requested})" if requested and requested != used else ""
    return f"{used}{asked}{reason}"


def _facts(caption: str, told: Sequence[tuple[str, str]]) -> Grid:
    rows = [Row((name, value)) for name, value in told if value not in ("", MISSING)]
    return grid(caption, ("what", "value"), rows)


def _count(value: object) -> str:
    return f"{int(value):,}" if isinstance(value, int | float) else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
