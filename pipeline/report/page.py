"""One report as data: what its sections hold, before any output format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.errors import UserError
from pipeline.report import tables
from pipeline.report.context import ReportContext
from pipeline.report.domains import doubts, factors_grid
from pipeline.report.figures import Gallery, draw_gallery
from pipeline.report.front import Front, build_front
from pipeline.report.grid import Grid
from pipeline.report.guide import guide
from pipeline.report.regions import region_grid
from pipeline.report.surface import Surface
from pipeline.report.words import describe, direction_in_words
from pipeline.symbolic.typeset.numbers import is_number, number


@dataclass(frozen=True)
class Page:
    """Everything a template needs; `law` is None where no valid law was found."""

    context: ReportContext
    laws: Mapping[str, Any]
    law: Mapping[str, Any] | None
    front: Front
    gallery: Gallery
    words: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[tuple[str, str], ...]
    verdicts: tuple[str, ...]
    scores: tuple[tuple[str, str, str, str], ...]
    grids: Mapping[str, Grid]
    guide: Mapping[str, str]

    @property
    def target(self) -> str:
        """Name of the predicted score."""
        return str(self.laws["target"])

    @property
    def held_out(self) -> bool:
        """Whether rows were kept out of the search."""
        return bool(self.laws.get("data", {}).get("rows_hold_out"))


def build_page(laws: Mapping[str, Any], table: pd.DataFrame, context: ReportContext) -> Page:
    """Assemble a report.

    Raises
    ------
    UserError
        if the table lacks a column that the laws speak of.
    """
    surface = _surface(laws, table)
    law = laws.get("selected")
    front = build_front(laws.get("front", []), law)
    return Page(
        context=context,
        laws=laws,
        law=law,
        front=front,
        gallery=draw_gallery(surface, front, context.curves),
        words=tuple(describe(surface)) if surface else (),
        notes=(*context.notes, *_warnings(laws), *doubts(laws, table)),
        findings=tuple(_findings(laws, surface)),
        verdicts=tuple(map(str, laws.get("verdicts") or ())),
        scores=tuple(tables.score_rows(law)) if law else (),
        grids=_grids(laws, table, front, surface),
        guide=guide(laws, front, surface),
    )


def _findings(laws: Mapping[str, Any], surface: Surface | None) -> list[tuple[str, str]]:
    """For each factor which way it moves the law, and what was found about it, in words."""
    return [
        (_heading(str(e.get("factor", "")), surface), str(e["sentence"]))
        for e in laws.get("evidence", [])
        if e.get("sentence")
    ]


def _heading(factor: str, surface: Surface | None) -> str:
    known = surface is not None and factor in surface.factors
    return direction_in_words(surface, factor) if surface is not None and known else factor


def _surface(laws: Mapping[str, Any], table: pd.DataFrame) -> Surface | None:
    factors, target = tuple(laws["factors"]), str(laws["target"])
    for column in (*factors, target, "role", "cell"):
        if column not in table:
            raise UserError("table", column, f"one of {', '.join(map(str, table.columns))}")
    if not laws.get("selected"):
        return None
    return Surface(laws["selected"], factors, target, table, laws.get("data", {}))


def _grids(
    laws: Mapping[str, Any], table: pd.DataFrame, front: Front, surface: Surface | None
) -> dict[str, Grid]:
    grids = {
        "leaders": tables.front_grid(front.leaders, "The laws that lead, simplest first."),
        "others": tables.front_grid(front.others, "The other laws of the front."),
        "evidence": tables.evidence_grid(laws.get("evidence", [])),
        "theory": tables.theory_grid(laws.get("theory", [])),
        "factors": factors_grid(laws, table),
        "card": tables.card_grid(laws),
        "provenance": tables.provenance_grid(laws),
    }
    if surface is not None:
        grids["constants"] = tables.constants_grid(surface.law)
        grids["regions"] = region_grid(surface)
    return grids


def _warnings(laws: Mapping[str, Any]) -> list[str]:
    """What a reader must know before trusting the law."""
    law = laws.get("selected")
    told = []
    if not law:
        told.append("No law was valid on the whole domain; the front below says why.")
    elif not law.get("valid", True):
        told.append(f"The law shown is not valid: {law.get('reason') or 'see the front'}.")
    elif law.get("limits"):
        told.append(f"The law has an implausible limit: {law['limits']}.")
    return told + _noise(laws)


def _noise(laws: Mapping[str, Any]) -> list[str]:
    """How the law's error compares with the spread of replicates."""
    spread = laws.get("data", {}).get("replicate_sd")
    error = (laws.get("selected") or {}).get("scores", {}).get("rmse_cv")
    if not is_number(spread) or not is_number(error) or not spread:
        return []
    return [
        f"Replicates of one cell differ by {number(spread, 2)} (standard deviation, over the cells "
        f"that have some); this law misses a run of a new cell by {number(error, 2)} (RMSE)."
    ]
