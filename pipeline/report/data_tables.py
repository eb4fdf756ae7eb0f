"""Tables about the data: how the law does by region, factors and domains, identity, provenance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.rows import infer_domains
from mtl_laws.pipeline.laws.rules import Rules
from mtl_laws.pipeline.report.figure_text import (
    CAPTIONS,
    DOMAIN_BASIS,
    FEW_ROWS,
    REGION_NAMES,
    little_spread_text,
    region_name,
    undefined_rows_text,
    without_value_text,
)
from mtl_laws.pipeline.report.surface import Mask, Surface, finite
from mtl_laws.pipeline.report.tables import Grid, Row, grid
from mtl_laws.pipeline.symbolic.kinds import RULES, Kinds, classify, value_range
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.typeset.numbers import (
    MISSING,
    duration,
    interval,
    is_number,
    number,
    percent,
    score,
)

#: an R² over fewer rows says more about the rows than about the law
FEWEST_ROWS = 5
#: rows hardly vary below this fraction of the SD of all rows, or this many times the replicates'
STILL, NOISY = 0.25, 1.5
#: a mean error smaller than this fraction of the RMSE is rounding
NOTHING = 1e-6


# --- regions -------------------------------------------------------------------------------------


def region_grid(surface: Surface) -> Grid:
    """How the law does on fitted rows and beyond them, by the factors that lie outside."""
    rows = [_region_row(surface, name, mask) for name, mask in _regions(surface)]
    headers = (
        *("region", "rows", "R² there", "RMSE", "mean absolute error", "mean error"),
        *("in the band of one trial", "note"),
    )
    return grid(CAPTIONS["regions"], headers, rows, numeric=(1, 2, 3, 4, 5, 6))


def _regions(surface: Surface) -> Iterator[tuple[str, Mask]]:
    yield REGION_NAMES["fit"], surface.inside
    if surface.inside.all():
        return
    yield REGION_NAMES["held_out"], ~surface.inside
    outside = np.array([surface.beyond(factor) for factor in surface.factors])
    held_out = np.flatnonzero(~surface.inside)
    for pattern in sorted({tuple(outside[:, row]) for row in held_out}, key=sum):
        names = [f for f, is_out in zip(surface.factors, pattern, strict=True) if is_out]
        mask = ~surface.inside & (outside == np.array(pattern)[:, None]).all(axis=0)
        yield region_name(names), mask


def _region_row(surface: Surface, name: str, mask: Mask) -> Row:
    defined = mask & np.isfinite(surface.residuals)
    errors, measured = surface.residuals[defined], surface.measured[defined]
    enough = len(measured) >= FEWEST_ROWS
    spread = float(measured.var()) if enough else 0.0
    mse, bias, size = (
        (float((errors**2).mean()), float(-errors.mean()), float(np.abs(errors).mean()))
        if len(errors)
        else (float("nan"),) * 3
    )
    r2 = 1 - mse / spread if spread > 0 else None
    bias = 0.0 if abs(bias) < NOTHING * mse**0.5 else bias
    band = surface.within
    covered = percent(float(band[mask].mean())) if band is not None and mask.any() else ""
    errors_shown = number(mse**0.5), number(size), number(bias, 2)
    if missing := int((mask & ~defined).sum()):
        note = without_value_text(missing)
    else:
        note = _spread_note(surface, spread**0.5) if enough else FEW_ROWS
    if mask is surface.inside:
        note = _own_score_note(surface, score(r2)) or note
    return Row((name, f"{int(mask.sum()):,}", score(r2), *errors_shown, covered, note))


def _own_score_note(surface: Surface, r2: str) -> str:
    """Why the law's own score is another number than `r2`; empty where it is the same."""
    undefined = [name for name in surface.used if np.isnan(surface.columns[name]).any()]
    own = surface.law.scores.get("r2_train")
    if not undefined or not is_number(own) or r2 == score(own):
        return ""
    return undefined_rows_text(own, undefined)


def _spread_note(surface: Surface, spread: float) -> str:
    """Why an R² on rows of this standard deviation says little; empty where it says enough."""
    whole, noise = float(finite(surface.measured).std()), surface.data.replicate_sd
    noisy = is_number(noise) and spread < NOISY * noise
    if spread >= STILL * whole and not noisy:
        return ""
    return little_spread_text(spread, whole, noise if is_number(noise) else None)


# --- factors -------------------------------------------------------------------------------------


def factors_grid(laws: LawSet, table: pd.DataFrame) -> Grid:
    """One row per factor: column, fitted range, domain, and where the domain comes from."""
    data, columns = laws.data, _fitted_columns(laws, table)
    kinds, inferred = classify(columns), infer_domains(columns)
    rows = []
    for name, values in columns.items():
        domain = data.domain.get(name)
        cells = (
            name,
            data.columns.get(name, ""),
            interval(data.ranges.get(name) or value_range(values), 4),
            interval(domain, 4),
            DOMAIN_BASIS[_domain_basis(name, kinds, domain, inferred[name])],
        )
        rows.append(Row(cells))
    headers = ("factor", "column of the table", "fitted range", "domain", "why this domain")
    return grid(CAPTIONS["factors"], headers, rows)


def _domain_basis(
    name: str, kinds: Kinds, domain: tuple[float, float] | None, inferred: tuple[float, float]
) -> str:
    """Where a domain comes from: a key of `DOMAIN_BASIS`, empty where none is recorded."""
    if not domain:
        return ""
    if domain != tuple(map(float, inferred)):
        return "given"
    if name in kinds.fractions:
        return "fraction"
    return "size" if name in (*kinds.sizes, *kinds.amounts) else "range"


def assumed_fractions(laws: LawSet, table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Ranges of factors that were taken for fractions, but may be small quantities.

    A fraction that reaches 0 or more than half of 1 can hardly be anything else. A domain that the
    user gave settles the matter.
    """
    columns = _fitted_columns(laws, table)
    inferred = infer_domains(columns)
    ranges = {name: value_range(columns[name]) for name in classify(columns).fractions}
    return {
        name: (low, high)
        for name, (low, high) in ranges.items()
        if low > 0.0
        and high < RULES.half
        and laws.data.domain.get(name) == tuple(map(float, inferred[name]))
    }


def _fitted_columns(laws: LawSet, table: pd.DataFrame) -> dict[str, Floats]:
    rows = table[table["role"] == "fit"]
    return {name: rows[name].to_numpy(dtype=float) for name in laws.factors}


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


# --- identity ------------------------------------------------------------------------------------


def card_grid(laws: LawSet) -> Grid:
    """Size and identity of the data."""
    data = laws.data
    low, high = data.bounds or (None, None)
    bounds = "" if low is None else f"at least {number(low)}"
    bounds = bounds or ("" if high is None else f"at most {number(high)}")
    if low is not None and high is not None:
        bounds = f"{number(low)} to {number(high)}"
    facts = (
        ("rows", _count(data.rows)),
        ("rows fitted", _count(data.rows_fit)),
        ("rows held out", _count(data.rows_hold_out)),
        ("held out by", data.hold_out or ""),
        ("distinct cells", _count(data.cells)),
        ("spread of replicates (SD)", number(data.replicate_sd)),
        ("target", laws.target),
        ("bounds of the target", bounds),
        ("digest of the rows", data.digest),
    )
    return _facts(CAPTIONS["card"], facts)


def provenance_grid(laws: LawSet) -> Grid:
    """Versions and settings that reproduce the law."""
    p, engine = laws.provenance, laws.provenance.engine
    requested = engine.requested if engine.requested != engine.used else ""
    evaluations = _count(engine.evaluations_asked)
    if engine.evaluations_made is not None:
        evaluations = f"{_count(engine.evaluations_made)} of {evaluations}"
    facts = (
        ("mtl-laws", p.version),
        ("commit", p.commit),
        (
            "engine",
            f"{engine.used}{f' (requested: {requested})' if requested else ''}"
            f"{f': {engine.reason}' if engine.reason else ''}",
        ),
        ("options of the engine", ", ".join(f"{k} = {v}" for k, v in engine.options.items())),
        ("evaluations by the engine", evaluations),
        ("seed", "" if p.seed is None else str(p.seed)),
        ("budget", "" if p.budget is None else str(p.budget)),
        ("candidates tried", _count(p.candidates)),
        ("time limit", duration(p.time_limit)),
        ("search took", f"{duration(p.seconds)}{', ended by the time limit' if p.cut else ''}"),
        ("engine failures", "; ".join(p.engine_failures)),
        ("Python", p.python),
        ("packages", ", ".join(f"{name} {version}" for name, version in p.packages.items())),
        ("created", p.created),
    )
    return _facts(CAPTIONS["provenance"], facts)


def _facts(caption: str, facts: Sequence[tuple[str, str]]) -> Grid:
    rows = [Row(fact) for fact in facts if fact[1] not in ("", MISSING)]
    return grid(caption, ("what", "value"), rows)


def _count(value: object) -> str:
    return f"{int(value):,}" if isinstance(value, int | float) else ""
