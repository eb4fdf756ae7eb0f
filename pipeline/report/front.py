"""The laws of the front as a reader meets them: those that lead lettered, the others numbered.

The *front* is what ``laws.json`` calls so: every law that no simpler one beats, inside or outside.
A valid law that no simpler valid one beats outside *leads*.

Notation
--------
error : unexplained share of the variance in the extrapolation folds, 1 − R², the figure that the
    report calls extrapolated; the RMSE there where no R² is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase

from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.symbolic.typeset.numbers import score
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text

UNEXPLAINED = "unexplained share outside (1 − R²)"
OUTSIDE_RMSE = "error outside (RMSE)"
#: laws that are told apart by letters
MOST_LETTERS = 12


@dataclass(frozen=True)
class Entry:
    """One law of the front.

    Attributes
    ----------
    law : the law.
    key : id of its mark in the figure.
    label : its name in figure and table: a letter, or a number where another law leads.
    error : see Notation; None where unknown.
    leads : valid, and beaten outside by no simpler valid law.
    """

    law: Law
    key: str
    label: str
    complexity: int
    error: float | None
    r2: float | None
    valid: bool
    selected: bool
    leads: bool

    @property
    def limits(self) -> str:
        """What is implausible about where the law leads; empty where nothing is."""
        return self.law.limits

    @property
    def tip(self) -> str:
        """Tooltip: the formula in one line and what it scores."""
        limits = f" · implausible: {self.limits}" if self.limits else ""
        reason = self.law.reason or "breaks the bounds"
        verdict = limits if self.valid else f" · not valid: {reason}"
        chosen = " · selected" if self.selected else ""
        return (
            f"{self.label}: {formula_text(self.law.shown)} · "
            f"complexity {self.complexity} · "
            f"R² outside {score(self.r2)}{chosen}{verdict}"
        )


@dataclass(frozen=True)
class Front:
    """Entries by complexity, and what their errors are."""

    entries: tuple[Entry, ...]
    measure: str

    @property
    def leaders(self) -> tuple[Entry, ...]:
        """Those with a letter: the laws that lead, and the selected one."""
        return tuple(entry for entry in self.entries if entry.label.isalpha())

    @property
    def others(self) -> tuple[Entry, ...]:
        """Those with a number."""
        return tuple(entry for entry in self.entries if not entry.label.isalpha())


def build_front(laws: Sequence[Law], selected: Law | None) -> Front:
    """Entries for `laws`, the selected one added if it is not among them."""
    pool = list(laws)
    chosen = None if selected is None else selected.expression
    if selected is not None and all(law.expression != chosen for law in pool):
        pool.append(selected)
    pool.sort(key=lambda law: (law.complexity, _sortable(_error(law, UNEXPLAINED))))
    measure = _measure(pool)
    best = _leading(pool, measure)
    labels = _labels(pool, best, chosen)
    entries = tuple(
        Entry(
            law=law,
            key=f"law{place}",
            label=labels[place],
            complexity=law.complexity,
            error=_error(law, measure),
            r2=law.scores.get("r2_extrapolation"),
            valid=law.valid,
            selected=law.expression == chosen,
            leads=place in best,
        )
        for place, law in enumerate(pool)
    )
    return Front(entries, measure)


def _error(law: Law, measure: str) -> float | None:
    if measure == OUTSIDE_RMSE:
        return law.scores.get("rmse_extrapolation")
    r2 = law.scores.get("r2_extrapolation")
    return None if r2 is None else max(1.0 - r2, 1e-9)


def _measure(pool: Sequence[Law]) -> str:
    known = any(_error(law, UNEXPLAINED) is not None for law in pool)
    return UNEXPLAINED if known else OUTSIDE_RMSE


def _sortable(error: float | None) -> float:
    return math.inf if error is None else error


def _leading(pool: Sequence[Law], measure: str) -> set[int]:
    """Places of the valid laws that no simpler valid law beats (`pool` is sorted)."""
    best, kept = math.inf, set()
    for place, law in enumerate(pool):
        error = _error(law, measure)
        if law.valid and error is not None and error < best:
            best = error
            kept.add(place)
    return kept


def _labels(pool: Sequence[Law], best: set[int], chosen: object) -> list[str]:
    """A, B, C… for the laws that lead and the selected one, 1, 2, 3… for the others.

    Where more lead than a table is read for, the most complex ones get numbers.
    """
    must = {place for place, law in enumerate(pool) if law.expression == chosen}
    named = {*sorted(best | must)[:MOST_LETTERS], *must}
    letters, numbers = iter(ascii_uppercase), count(1)
    return [next(letters) if place in named else str(next(numbers)) for place in range(len(pool))]
