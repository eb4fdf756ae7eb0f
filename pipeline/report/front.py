"""The laws of the front as a reader meets them: lettered, ranked, the dominated ones set aside.

Notation
--------
error : unexplained share of the variance in the extrapolation folds, 1 − R², the figure that the
    selection compares; the RMSE there where no R² is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from pipeline.laws.typeset.numbers import is_number, score
from pipeline.laws.typeset.plain import formula_text

UNEXPLAINED = "unexplained share outside (1 − R²)"
OUTSIDE_RMSE = "error outside (RMSE)"
#: rows of the table that are open from the start
MOST_SHOWN = 12


@dataclass(frozen=True)
class Entry:
    """One law of the front.

    Attributes
    ----------
    law : its JSON record.
    key : id of its mark in the figure.
    letter : its name in figure and table; empty for the dominated ones.
    error : see Notation; None where unknown.
    on_front : valid and not dominated.
    """

    law: Mapping[str, Any]
    key: str
    letter: str
    complexity: int
    error: float | None
    r2: float | None
    valid: bool
    selected: bool
    on_front: bool

    @property
    def limits(self) -> str:
        """What is implausible about where the law leads; empty where nothing is."""
        return str(self.law.get("limits") or "")

    @property
    def tip(self) -> str:
        """Tooltip: the formula in one line and what it scores."""
        limits = f" · implausible: {self.limits}" if self.limits else ""
        reason = self.law.get("reason") or "breaks the bounds"
        verdict = limits if self.valid else f" · not valid: {reason}"
        chosen = " · selected" if self.selected else ""
        return (
            f"{formula_text(str(self.law['expression']))} · {self.complexity} nodes · "
            f"R² outside {score(self.r2)}{chosen}{verdict}"
        )


@dataclass(frozen=True)
class Front:
    """Entries by complexity, and what their errors are."""

    entries: tuple[Entry, ...]
    measure: str

    @property
    def shown(self) -> tuple[Entry, ...]:
        """Those with a letter."""
        return tuple(entry for entry in self.entries if entry.letter)

    @property
    def others(self) -> tuple[Entry, ...]:
        """Those without."""
        return tuple(entry for entry in self.entries if not entry.letter)


def build_front(laws: Sequence[Mapping[str, Any]], selected: Mapping[str, Any] | None) -> Front:
    """Entries for `laws`, the selected one added if it is not among them."""
    pool = list(laws)
    chosen = None if selected is None else selected["expression"]
    if selected is not None and all(law["expression"] != chosen for law in pool):
        pool.append(selected)
    pool.sort(key=lambda law: (law["complexity"], _sortable(_error(law, UNEXPLAINED))))
    measure = _measure(pool)
    best = _undominated(pool, measure)
    letters = _letters(pool, best, chosen)
    entries = tuple(
        Entry(
            law=law,
            key=f"law{place}",
            letter=letters.get(place, ""),
            complexity=int(law["complexity"]),
            error=_error(law, measure),
            r2=_score(law, "r2_extrapolation"),
            valid=bool(law["valid"]),
            selected=law["expression"] == chosen,
            on_front=place in best,
        )
        for place, law in enumerate(pool)
    )
    return Front(entries, measure)


def _score(law: Mapping[str, Any], name: str) -> float | None:
    value = law.get("scores", {}).get(name)
    return float(value) if is_number(value) and math.isfinite(value) else None


def _error(law: Mapping[str, Any], measure: str) -> float | None:
    if measure == OUTSIDE_RMSE:
        return _score(law, "rmse_extrapolation")
    r2 = _score(law, "r2_extrapolation")
    return None if r2 is None else max(1.0 - r2, 1e-9)


def _measure(pool: Sequence[Mapping[str, Any]]) -> str:
    known = any(_error(law, UNEXPLAINED) is not None for law in pool)
    return UNEXPLAINED if known else OUTSIDE_RMSE


def _sortable(error: float | None) -> float:
    return math.inf if error is None else error


def _undominated(pool: Sequence[Mapping[str, Any]], measure: str) -> set[int]:
    """Places of the valid laws that no simpler valid law beats (`pool` is sorted)."""
    best, kept = math.inf, set()
    for place, law in enumerate(pool):
        error = _error(law, measure)
        if law["valid"] and error is not None and error < best:
            best = error
            kept.add(place)
    return kept


def _letters(pool: Sequence[Mapping[str, Any]], best: set[int], chosen: object) -> dict[int, str]:
    """A, B, C… for the undominated laws and the selected one; the most complex ones give way."""
    named = [
        place for place, law in enumerate(pool) if place in best or law["expression"] == chosen
    ]
    extra = [place for place in range(len(pool)) if place not in named]
    if len(named) < MOST_SHOWN:
        named = sorted(named + extra[: MOST_SHOWN - len(named)])
    must = [place for place in named if pool[place]["expression"] == chosen]
    shown = sorted({*named[:MOST_SHOWN], *must})
    return dict(zip(shown, ascii_uppercase, strict=False))
