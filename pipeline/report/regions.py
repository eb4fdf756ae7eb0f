"""How the law does inside and outside: on the fitted rows, and on those beyond them by factor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtl_laws.pipeline.report.grid import Grid, Row, grid
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.words import listed
from mtl_laws.pipeline.symbolic.typeset.numbers import is_number, number, percent, score

#: an R² over fewer rows says more about the rows than about the law
FEWEST_ROWS = 5
#: rows hardly vary below this share of the spread of all rows, or this many times the replicates'
STILL, NOISY = 0.25, 1.5
#: a mean error smaller than this share of the RMSE is rounding
NOTHING = 1e-6


def region_grid(surface: Surface) -> Grid:
    """How the law does on fitted rows and beyond them, by the factors that lie outside."""
    rows = [_region_row(surface, name, mask) for name, mask in _regions(surface)]
    rows[0] = _beside_score(surface, rows[0])
    headers = (
        *("region", "rows", "R² there", "RMSE", "mean absolute error", "mean error"),
        *("in the run's band", "note"),
    )
    return grid("The law inside and outside.", headers, rows, numeric=(1, 2, 3, 4, 5, 6))


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
    enough = len(measured) >= FEWEST_ROWS
    spread = float(measured.var()) if enough else 0.0
    mse = float((errors**2).mean()) if len(errors) else float("nan")
    r2 = 1 - mse / spread if spread > 0 else None
    bias = float(-errors.mean()) if len(errors) else float("nan")
    if abs(bias) < NOTHING * mse**0.5:
        bias = 0.0
    size = float(np.abs(errors).mean()) if len(errors) else float("nan")
    held = surface.within
    share = percent(float(held[mask].mean())) if held is not None and mask.any() else ""
    told = number(mse**0.5), number(size), number(bias, 2), share
    note = _still(surface, spread**0.5) if enough else "too few rows for an R²"
    missing = int((mask & ~known).sum())
    note = f"the law has no value on {missing:,} of these rows" if missing else note
    return Row((name, f"{int(mask.sum()):,}", score(r2), *told, note))


def _beside_score(surface: Surface, row: Row) -> Row:
    """The row of the fitted rows, with the reason where the law's own score is another number."""
    undefined = [name for name in surface.used if np.isnan(surface.columns[name]).any()]
    told = surface.law.scores.get("r2_train")
    if not undefined or not is_number(told) or row.cells[2] == score(told):
        return row
    note = f"{score(told)} where rows without {listed(undefined)} count at five values each"
    return replace(row, cells=(*row.cells[:-1], note))


def _still(surface: Surface, spread: float) -> str:
    """Why an R² on rows of this spread (standard deviation) says little; empty where it says."""
    known = surface.measured[np.isfinite(surface.measured)]
    whole, noise = float(known.std()), surface.data.replicate_sd
    if spread >= STILL * whole and not (is_number(noise) and spread < NOISY * noise):
        return ""
    told = f"these rows hardly vary (SD {number(spread, 2)}; all rows {number(whole, 2)}"
    told += f", replicates {number(noise, 2)})" if is_number(noise) else ")"
    return f"{told}: go by the errors, not by R²"
