"""One report as data: what its sections hold, before any output format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.laws.law import Law
from pipeline.laws.lawset import LawSet
from pipeline.laws.record import Groups
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
from pipeline.symbolic.typeset.numbers import number


@dataclass(frozen=True)
class Page:
    """Everything a template needs; `law` is None where no valid law was found."""

    context: ReportContext
    laws: LawSet
    law: Law | None
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
        return self.laws.target

    @property
    def held_out(self) -> bool:
        """Whether rows were kept out of the search."""
        return bool(self.laws.data.rows_hold_out)


def build_page(laws: LawSet, table: pd.DataFrame, context: ReportContext) -> Page:
    """Assemble a report.

    Raises
    ------
    UserError
        if the table lacks a column that the laws speak of.
    """
    surface = _surface(laws, table)
    law = laws.selected
    front = build_front(laws.front, law)
    return Page(
        context=context,
        laws=laws,
        law=law,
        front=front,
        gallery=draw_gallery(surface, front, context.curves),
        words=tuple(describe(surface)) if surface else (),
        notes=(*context.notes, *_warnings(laws), *doubts(laws, table)),
        findings=tuple(_findings(laws, surface)),
        verdicts=laws.verdicts,
        scores=tuple(tables.score_rows(law)) if law else (),
        grids=_grids(laws, table, front, surface),
        guide=guide(laws, front, surface),
    )


def _findings(laws: LawSet, surface: Surface | None) -> list[tuple[str, str]]:
    """For each factor which way it moves the law, and what was found about it, in words."""
    return [(_heading(one.factor, surface), one.sentence) for one in laws.evidence if one.sentence]


def _heading(factor: str, surface: Surface | None) -> str:
    known = surface is not None and factor in surface.factors
    return direction_in_words(surface, factor) if surface is not None and known else factor


def _surface(laws: LawSet, table: pd.DataFrame) -> Surface | None:
    for column in (*laws.factors, laws.target, "role", "cell"):
        if column not in table:
            raise UserError("table", column, f"one of {', '.join(map(str, table.columns))}")
    law = laws.selected
    if law is None:
        return None
    if laws.groups is not None and law.levels:
        law, table = _first_group(law, laws.groups, table)
    return Surface(law, laws.target, table, laws.data)


def _first_group(law: Law, groups: Groups, table: pd.DataFrame) -> tuple[Law, pd.DataFrame]:
    """The law of the first group and its rows: what a single figure can show."""
    level = law.levels[0]
    of_rows = np.array(groups.of_rows(table), dtype=object)
    return law.for_group(level), table[of_rows == level].reset_index(drop=True)


def _grids(
    laws: LawSet, table: pd.DataFrame, front: Front, surface: Surface | None
) -> dict[str, Grid]:
    grids = {
        "leaders": tables.front_grid(front.leaders, "The laws that lead, simplest first."),
        "others": tables.front_grid(front.others, "The other laws of the front."),
        "evidence": tables.evidence_grid(laws.evidence),
        "theory": tables.theory_grid(laws.theory),
        "factors": factors_grid(laws, table),
        "card": tables.card_grid(laws),
        "provenance": tables.provenance_grid(laws),
    }
    if surface is not None:
        grids["constants"] = tables.constants_grid(surface.law)
        grids["regions"] = region_grid(surface)
    return grids


def _warnings(laws: LawSet) -> list[str]:
    """What a reader must know before trusting the law."""
    law = laws.selected
    told = []
    if law is None:
        told.append("No law was valid on the whole domain; the front below says why.")
    elif not law.valid:
        told.append(f"The law shown is not valid: {law.reason or 'see the front'}.")
    elif law.limits:
        told.append(f"The law has an implausible limit: {law.limits}.")
    if law is not None and law.levels:
        told.append(
            f"Figures and tables show group {law.levels[0]}, the first of {len(law.levels)}."
        )
    return told + _noise(laws)


def _noise(laws: LawSet) -> list[str]:
    """How the law's error compares with the spread of replicates."""
    spread = laws.data.replicate_sd
    error = None if laws.selected is None else laws.selected.scores.get("rmse_cv")
    if not spread or error is None:
        return []
    return [
        f"Replicates of one cell differ by {number(spread, 2)} (standard deviation, over the cells "
        f"that have some); this law misses a run of a new cell by {number(error, 2)} (RMSE)."
    ]
