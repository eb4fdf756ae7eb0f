"""One report as data: what its sections hold, before any output format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report import tables
from mtl_laws.pipeline.report.context import ReportContext
from mtl_laws.pipeline.report.domains import doubts, factors_grid, few_levels, min_levels
from mtl_laws.pipeline.report.figures import Gallery, draw_gallery
from mtl_laws.pipeline.report.front import Front, build_front
from mtl_laws.pipeline.report.grid import Grid
from mtl_laws.pipeline.report.groups import Grouped, group_constants_grid, grouped
from mtl_laws.pipeline.report.guide import guide
from mtl_laws.pipeline.report.regions import region_grid
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.text import (
    few_levels_text,
    held_out_text,
    limits_text,
    main_reach_text,
    unpredicted_harm_text,
)
from mtl_laws.pipeline.report.words import describe, direction_in_words
from mtl_laws.pipeline.symbolic.typeset.numbers import number
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text


@dataclass(frozen=True)
class Page:
    """Everything a template needs; `law` is None where no valid law was found.

    `forms` holds the constants of each of the user's own forms that could be fitted.
    """

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
    forms: tuple[Grid, ...]
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
    _check_columns(laws, table)
    law, groups = laws.selected, grouped(laws, table)
    surface = _surface(laws, table, groups)
    front = build_front(laws.front, law)
    return Page(
        context=context,
        laws=laws,
        law=law,
        front=front,
        gallery=draw_gallery(surface, front, context.curves, groups, laws.measured_gain),
        words=_words(laws, surface),
        notes=(*context.notes, *_warnings(laws, table), *doubts(laws, table)),
        findings=tuple(_findings(laws, surface)),
        verdicts=laws.verdicts,
        scores=tuple(tables.score_rows(law)) if law else (),
        grids=_grids(laws, table, front, surface, groups),
        forms=tuple(_form_constants(laws)),
        guide=guide(laws, front, surface),
    )


def _words(laws: LawSet, surface: Surface | None) -> tuple[str, ...]:
    """The law in words, and how far it can be trusted."""
    if surface is None:
        return ()
    reach = main_reach_text(laws)
    return (*describe(surface), *([reach] if reach else []))


def _findings(laws: LawSet, surface: Surface | None) -> list[tuple[str, str]]:
    """For each factor which way it moves the law, and what was found about it, in words."""
    return [(_heading(one.factor, surface), one.sentence) for one in laws.evidence if one.sentence]


def _heading(factor: str, surface: Surface | None) -> str:
    known = surface is not None and factor in surface.factors
    return direction_in_words(surface, factor) if surface is not None and known else factor


def _check_columns(laws: LawSet, table: pd.DataFrame) -> None:
    for column in (*laws.factors, laws.target, "role", "cell"):
        if column not in table:
            raise UserError("table", f"one of {', '.join(map(str, table.columns))}", column)


def _surface(laws: LawSet, table: pd.DataFrame, groups: Grouped | None) -> Surface | None:
    """The law over its rows; where groups have constants of their own, that of the first one."""
    law = laws.selected
    if law is None:
        return None
    if groups is not None and law.levels:
        return groups.of(groups.first)
    return Surface(law, laws.target, table, laws.data)


def _grids(
    laws: LawSet,
    table: pd.DataFrame,
    front: Front,
    surface: Surface | None,
    groups: Grouped | None,
) -> dict[str, Grid]:
    grids = {
        "leaders": tables.front_grid(front.leaders, "The laws that lead, simplest first."),
        "others": tables.front_grid(front.others, "The other laws of the front."),
        "evidence": tables.evidence_grid(laws.evidence),
        "theory": tables.theory_grid(laws.theory),
        "forms": tables.forms_grid(laws),
        "factors": factors_grid(laws, table),
        "card": tables.card_grid(laws),
        "provenance": tables.provenance_grid(laws),
        "outliers": tables.outliers_grid(laws),
    }
    if surface is not None:
        grids["constants"] = _constants(laws.law, "Constants of the selected law.")
        grids["regions"] = region_grid(surface if groups is None else groups.surface)
    if laws.outliers and laws.without_outliers is not None:
        caption = "Constants of the law without these rows."
        grids["without"] = _constants(laws.without_outliers, caption)
    return grids


def _form_constants(laws: LawSet) -> Iterator[Grid]:
    for law in laws.forms:
        if law.fitted and (law.constants or law.levels):
            yield _constants(law, f"Constants of {formula_text(law.template)}.")


def _constants(law: Law, caption: str) -> Grid:
    """Constants by group where there are such, else one table row per constant."""
    if law.levels:
        return group_constants_grid(law, caption)
    return tables.constants_grid(law, caption)


def _warnings(laws: LawSet, table: pd.DataFrame) -> list[str]:
    """What a reader must know before trusting the law."""
    law = laws.selected
    told = [few_levels_text(few_levels(laws, table), min_levels(laws))]
    if law is None:
        told.append("No law was valid on the whole domain; the front below says why.")
    elif not law.valid:
        told.append(f"The law shown is not valid: {law.reason or 'see the front'}.")
    else:
        told += [limits_text(law), held_out_text(law)]
    if law is not None and law.levels:
        told.append(
            "The law has constants by group. The words, the curves along one factor and the map of "
            f"gains show group {law.levels[0]}, the first of {len(law.levels)}; everything else "
            "takes for each row the constants of its own group."
        )
    missed = unpredicted_harm_text(laws.target, laws.measured_gain, laws.data.lower_is_better)
    return [each for each in (*told, missed, *_noise(laws)) if each]


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
