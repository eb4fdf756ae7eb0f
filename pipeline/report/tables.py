"""What the tables of a report say, from ``laws.json`` and the analysed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.report.front import Entry
from pipeline.report.grid import Formula, Grid, Row, grid
from pipeline.symbolic.typeset.numbers import (
    MISSING,
    duration,
    interval,
    is_number,
    number,
    percent,
    score,
)
from pipeline.symbolic.typeset.signs import subtracted

Record = Mapping[str, Any]
SCORES = (
    ("r2_train", "rmse_train", "fitted rows", "the rows its constants were fitted on"),
    ("r2_cv", "rmse_cv", "cross-validated", "cells left out in turn"),
    ("r2_extrapolation", "rmse_extrapolation", "extrapolated", "highest levels left out in turn"),
    ("r2_hold_out", "rmse_hold_out", "held out", "rows touched once, after the choice"),
)


def score_rows(law: Record) -> list[tuple[str, str, str, str]]:
    """Label, R², RMSE and meaning of each score that is known."""
    scores = law.get("scores", {})
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
    scores = entry.law.get("scores", {})
    cells = (
        entry.label,
        Formula(str(entry.law["expression"])),
        str(entry.complexity),
        score(scores.get("r2_train")),
        score(scores.get("r2_extrapolation")),
        score(scores.get("r2_hold_out")),
        str(entry.law.get("origin", "")),
        _standing(entry),
    )
    emphasis = "selected" if entry.selected else ("" if entry.valid else "invalid")
    return Row(cells, entry.key, emphasis)


def _standing(entry: Entry) -> str:
    if not entry.valid:
        return f"not valid: {entry.law.get('reason') or 'breaks the bounds or has a pole'}"
    if entry.selected:
        return "selected"
    if entry.limits:
        return f"implausible: {entry.limits}"
    return "" if entry.leads else "a simpler law leads"


def constants_grid(law: Record) -> Grid:
    """Constants of the selected law with standard errors and intervals.

    A negative constant that the formula subtracts is given as −c, as it stands there.
    """
    constants = law.get("constants", {})
    turned = {
        name
        for name in subtracted(str(law.get("template") or "0"))
        if is_number(constants.get(name, {}).get("value")) and constants[name]["value"] < 0
    }
    rows = [_constant_row(name, c, name in turned) for name, c in constants.items()]
    headers = ("constant", "value", "standard error", "95 % interval", "why none")
    return grid("Constants of the selected law.", headers, rows, numeric=(1, 2, 3))


def _constant_row(name: str, record: Record, turned: bool) -> Row:
    value, ends = record.get("value"), record.get("ci95")
    if turned:
        value = -value if is_number(value) else value
        ends = [-end for end in reversed(ends)] if ends else ends
    cells = number(value, 4), number(record.get("se"), 2), interval(ends, 4)
    return Row((Formula(f"-{name}" if turned else name), *cells, str(record.get("reason") or "")))


def evidence_grid(evidence: Sequence[Record]) -> Grid:
    """What the data say for each factor, in numbers."""
    rows = [_evidence_row(record) for record in evidence]
    headers = (
        *("factor", "R² without it", "ΔBIC without it", "wins", "wins when shuffled"),
        *("exponent, 95 %", "its square root"),
    )
    return grid("Evidence for each factor.", headers, rows, numeric=(1, 2, 3, 4, 5))


def _evidence_row(record: Record) -> Row:
    exponent = record.get("exponent") or {}
    value, bounds = number(exponent.get("value"), 2), interval(exponent.get("ci95"), 2)
    told = "" if value == MISSING else f"{value} ({bounds})"
    return Row(
        (
            str(record.get("factor", "")),
            score(record.get("r2_without")),
            number(record.get("delta_bic")),
            percent(record.get("inclusion")),
            percent(record.get("inclusion_permuted")),
            told,
            str(record.get("root") or ""),
        )
    )


def theory_grid(theory: Sequence[Record]) -> Grid:
    """Named theoretical forms, best outside first."""
    ranked = sorted(theory, key=_outside, reverse=True)
    rows = [
        Row(
            (
                str(law.get("origin", "")).removeprefix("theory:").strip(),
                Formula(str(law["expression"])),
                str(law.get("complexity", "")),
                score(law.get("scores", {}).get("r2_train")),
                score(law.get("scores", {}).get("r2_extrapolation")),
                score(law.get("scores", {}).get("r2_hold_out")),
                "" if law.get("valid", True) else f"not valid: {law.get('reason') or ''}",
            ),
            emphasis="" if law.get("valid", True) else "invalid",
        )
        for law in ranked
    ]
    headers = ("form", "fitted here", "nodes", "R² fitted", "R² outside", "R² held out", "standing")
    return grid("Theoretical forms, best outside first.", headers, rows, numeric=(2, 3, 4, 5))


def _outside(law: Record) -> tuple[bool, float]:
    value = law.get("scores", {}).get("r2_extrapolation")
    return bool(law.get("valid", True)), -np.inf if value is None else float(value)


def card_grid(laws: Record) -> Grid:
    """Size and identity of the data."""
    data = laws.get("data", {})
    told = (
        ("rows", _count(data.get("rows"))),
        ("rows fitted", _count(data.get("rows_fit"))),
        ("rows held out", _count(data.get("rows_hold_out"))),
        ("held out by", str(data.get("hold_out") or "")),
        ("distinct cells", _count(data.get("cells"))),
        ("spread of replicates (SD)", number(data.get("replicate_sd"))),
        ("target", str(laws.get("target", ""))),
        ("bounds of the target", _limits(*(data.get("bounds") or (None, None)))),
        ("digest of the rows", str(data.get("digest", ""))),
    )
    return _facts("The data.", told)


def _limits(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    at_least = "" if low is None else f"at least {number(low)}"
    return at_least or ("" if high is None else f"at most {number(high)}")


def provenance_grid(laws: Record) -> Grid:
    """Versions and settings that make the law come out again."""
    p = laws.get("provenance", {})
    engine, packages = p.get("engine") or {}, p.get("packages") or {}
    told = (
        ("mtl-laws", str(p.get("version") or "")),
        ("commit", str(p.get("commit") or "")),
        ("engine", _engine(engine)),
        ("seed", _text(p.get("seed"))),
        ("budget", _text(p.get("budget"))),
        ("candidates tried", _count(p.get("candidates"))),
        ("time limit", duration(p.get("time_limit"))),
        ("search took", f"{duration(p.get('seconds'))}{', cut short' if p.get('cut') else ''}"),
        ("engine failures", "; ".join(map(str, p.get("engine_failures") or []))),
        ("Python", str(p.get("python") or "")),
        ("packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
        ("made", str(p.get("created") or "")),
    )
    return _facts("Versions and settings.", told)


def _engine(engine: Record) -> str:
    used, requested = _text(engine.get("used")), _text(engine.get("requested"))
    reason = f": {engine['reason']}" if engine.get("reason") else ""
    asked = f" (asked for {requested})" if requested and requested != used else ""
    return f"{used}{asked}{reason}"


def _facts(caption: str, told: Sequence[tuple[str, str]]) -> Grid:
    rows = [Row((name, value)) for name, value in told if value not in ("", MISSING)]
    return grid(caption, ("what", "value"), rows)


def _count(value: object) -> str:
    return f"{int(value):,}" if isinstance(value, int | float) else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
