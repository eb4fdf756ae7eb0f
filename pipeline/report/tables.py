"""What the tables of a report say, from ``laws.json`` and the analysed rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.laws.typeset.numbers import MISSING, duration, interval, number, percent, score
from pipeline.report.front import Entry, Front
from pipeline.report.grid import Formula, Grid, Row, grid
from pipeline.report.surface import Surface
from pipeline.report.words import listed

Record = Mapping[str, Any]
SCORES = (
    ("r2_train", "rmse_train", "fitted rows", "the rows its constants were fitted on"),
    ("r2_cv", "rmse_cv", "cross-validated", "cells left out in turn"),
    ("r2_extrapolation", "rmse_extrapolation", "extrapolated", "highest levels left out in turn"),
    ("r2_hold_out", "rmse_hold_out", "held out", "rows touched once, after the choice"),
)
#: an R² over fewer rows says more about the rows than about the law
FEWEST_ROWS = 5
#: a mean error smaller than this share of the RMSE is rounding
NOTHING = 1e-6


def score_rows(law: Record) -> list[tuple[str, str, str, str]]:
    """Label, R², RMSE and meaning of each score that is known."""
    scores = law.get("scores", {})
    rows = [
        (label, score(scores.get(r2)), number(scores.get(rmse)), meaning)
        for r2, rmse, label, meaning in SCORES
    ]
    return [row for row in rows if row[1] != MISSING or row[2] != MISSING]


def front_grid(front: Front, entries: Sequence[Entry], caption: str) -> Grid:
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
        entry.letter or "·",
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
    return "" if entry.on_front else "beaten by a simpler law"


def constants_grid(law: Record) -> Grid:
    """Constants of the selected law with standard errors and intervals."""
    rows = [
        Row(
            (
                Formula(name),
                number(c.get("value"), 4),
                number(c.get("se"), 2),
                _bounds(c),
                str(c.get("reason") or ""),
            )
        )
        for name, c in law.get("constants", {}).items()
    ]
    headers = ("constant", "value", "standard error", "95 % interval", "why none")
    return grid("Constants of the selected law.", headers, rows, numeric=(1, 2, 3))


def _bounds(record: Record) -> str:
    return interval(record.get("ci95"), 4)


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


def region_grid(surface: Surface) -> Grid:
    """How the law does on fitted rows and beyond them, by the factors that lie outside."""
    rows = [_region_row(surface, name, mask) for name, mask in _regions(surface)]
    headers = ("region", "rows", "R² there", "RMSE", "mean error", "in the run's band")
    return grid("The law inside and outside.", headers, rows, numeric=(1, 2, 3, 4, 5))


def _regions(surface: Surface) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    yield "fitted rows", surface.inside
    if surface.inside.all():
        return
    yield "all held-out rows", ~surface.inside
    beyond = {factor: surface.beyond(factor) for factor in surface.factors}
    outside = np.array([beyond[factor] for factor in surface.factors])
    held = np.flatnonzero(~surface.inside)
    for pattern in sorted({tuple(outside[:, row]) for row in held}, key=sum):
        names = [f for f, is_out in zip(surface.factors, pattern, strict=True) if is_out]
        mask = ~surface.inside & (outside == np.array(pattern)[:, None]).all(axis=0)
        yield (f"beyond the fitted {listed(names)}" if names else "inside the fitted ranges"), mask


def _region_row(surface: Surface, name: str, mask: npt.NDArray[np.bool_]) -> Row:
    known = mask & np.isfinite(surface.residuals)
    errors, measured = surface.residuals[known], surface.measured[known]
    spread = float(measured.var()) if len(measured) >= FEWEST_ROWS else 0.0
    mse = float((errors**2).mean()) if len(errors) else float("nan")
    r2 = 1 - mse / spread if spread > 0 else None
    bias = float(-errors.mean()) if len(errors) else float("nan")
    if abs(bias) < NOTHING * mse**0.5:
        bias = 0.0
    held = surface.within
    share = percent(float(held[mask].mean())) if held is not None and mask.any() else ""
    cells = name, f"{int(mask.sum()):,}", score(r2), number(mse**0.5), number(bias, 2), share
    return Row(cells)


def data_grid(data: Record) -> Grid:
    """One row per factor: column, fitted range, domain."""
    names = data.get("ranges", {}) or data.get("columns", {})
    rows = [
        Row(
            (
                str(name),
                str(data.get("columns", {}).get(name, "")),
                interval(data.get("ranges", {}).get(name), 4),
                interval(data.get("domain", {}).get(name), 4),
            )
        )
        for name in names
    ]
    headers = ("factor", "column of the table", "fitted range", "domain it must hold on")
    return grid("Factors.", headers, rows)


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
