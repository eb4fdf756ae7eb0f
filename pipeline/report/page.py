"""What a report shows, in order: one immutable model of the page, before any output format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report import data_tables, first_screen, tables
from mtl_laws.pipeline.report.explorer import Explorer, explorer
from mtl_laws.pipeline.report.figure_text import (
    APPENDIX,
    CAPTIONS,
    EVIDENCE_COLUMNS,
    Heading,
    constants_caption,
    headings,
    of_group,
)
from mtl_laws.pipeline.report.figures.canvas import Drawing, drawing_style
from mtl_laws.pipeline.report.figures.curves import draw_curves
from mtl_laws.pipeline.report.figures.fit import draw_fit, draw_residuals
from mtl_laws.pipeline.report.figures.front import Front, build_front, draw_front
from mtl_laws.pipeline.report.figures.gain import draw_gain
from mtl_laws.pipeline.report.figures.groups import draw_groups
from mtl_laws.pipeline.report.figures.learning import draw_learning
from mtl_laws.pipeline.report.rounds import draw_rounds, rounds_grid
from mtl_laws.pipeline.report.surface import Grouped, Surface, grouped
from mtl_laws.pipeline.report.tables import Grid
from mtl_laws.pipeline.report.text import (
    assumed_fraction_text,
    describe,
    direction_text,
    law_notes,
    main_reach_text,
    relatedness_text,
)
from mtl_laws.pipeline.symbolic.effective import EffectiveForm

#: factors by which measured against predicted is coloured
MOST_FITS = 3


@dataclass(frozen=True)
class ReportContext:
    """Title, provenance and extras of one report.

    Parameters
    ----------
    title : heading of the report.
    command : the exact command that made it, as typed.
    question : the question the study asks, in one sentence; empty for a table of other origin.
    notes : caveats to print beside the law, one sentence each.
    curves : learning curves with columns trial, T, n, ami, step, train_loss, validation_loss,
        best_step (one row per evaluation), or None.
    rounds : rounds of an active design with columns trials, seconds, share, width, error, or None.
    """

    title: str
    command: str
    question: str = ""
    notes: tuple[str, ...] = ()
    curves: pd.DataFrame | None = None
    rounds: pd.DataFrame | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that a template needs.

    Attributes
    ----------
    law : the selected law; None where no valid law was found.
    title : the question, or what is predicted from what.
    answer, trust : the first sentences: what the law says in numbers, how far it can be trusted.
    terms : what the measure of relatedness is; empty where the table has none.
    explorer : fields that ask the law, in a browser with JavaScript.
    form : the law with its effective quantity under a name.
    words, notes : sentences beside the law: what it says, and what speaks against it.
    scores : name, R², RMSE and rows of each score.
    sections, appendix : the headings of the sections below the law, in order; those of the appendix
        are further down and closed at first.
    figures : figures by section; the first of ``curves`` stands beside the
        answer.
    grids : tables by name.
    forms : the constants of each of the user's own forms that could be fitted.
    findings : for each factor which way it moves the law, and its evidence in words.
    verdicts : sentences on the evidence as a whole.
    evidence_columns : what the columns of the table of evidence are.
    """

    context: ReportContext
    laws: LawSet
    law: Law | None
    front: Front
    title: str
    answer: tuple[str, ...]
    trust: str
    terms: str
    explorer: Explorer | None
    form: EffectiveForm | None
    words: tuple[str, ...]
    notes: tuple[str, ...]
    scores: tuple[tuple[str, str, str, str], ...]
    sections: Mapping[str, Heading]
    appendix: Mapping[str, Heading]
    figures: Mapping[str, tuple[Drawing, ...]]
    grids: Mapping[str, Grid]
    forms: tuple[Grid, ...]
    findings: tuple[tuple[str, str], ...]
    verdicts: tuple[str, ...]
    evidence_columns: str

    @property
    def target(self) -> str:
        """Name of the predicted score."""
        return self.laws.target

    @property
    def drawings(self) -> Iterator[Drawing]:
        """Every figure."""
        for drawings in self.figures.values():
            yield from drawings


def build_page(laws: LawSet, table: pd.DataFrame, context: ReportContext) -> Page:
    """Assemble a report.

    Raises
    ------
    UserError
        if the table lacks a column that the laws need.
    """
    for column in (*laws.factors, laws.target, "role", "cell"):
        if column not in table:
            raise UserError("table", f"one of {', '.join(map(str, table.columns))}", column)
    study = bool(context.question)
    groups = grouped(laws, table, study)
    surface = _surface(laws, table, groups, study)
    front = build_front(laws.front, laws.selected)
    figures = _figures(laws, front, surface, groups, context)
    grids = _grids(laws, table, front, surface if groups is None else groups.surface)
    grids["predictions"] = first_screen.predictions_grid(surface)
    grids["rounds"] = rounds_grid(context.rounds)
    sections = _sections(laws, front, surface, figures, grids)
    law, roles = laws.selected, laws.data.roles
    return Page(
        context=context,
        laws=laws,
        law=law,
        front=front,
        title=first_screen.title_text(context.question, laws),
        answer=first_screen.answer(laws, surface),
        trust=first_screen.trust(laws, data_tables.few_levels(laws, table)),
        terms="" if surface is None else relatedness_text(surface),
        explorer=explorer(laws, surface if groups is None else groups.surface),
        form=None if law is None else law.effective(roles.size if roles else ""),
        words=_words(laws, surface),
        notes=(*context.notes, *_notes(laws, table)),
        scores=() if law is None else tuple(tables.score_rows(law)),
        sections={key: heading for key, heading in sections.items() if key not in APPENDIX},
        appendix={key: heading for key, heading in sections.items() if key in APPENDIX},
        figures=figures,
        grids=grids,
        forms=tuple(
            tables.constants_grid(law, constants_caption(law.template))
            for law in laws.forms
            if law.fitted and (law.constants or law.levels)
        ),
        findings=_findings(laws, surface),
        verdicts=laws.verdicts,
        evidence_columns=EVIDENCE_COLUMNS.format(target=laws.target),
    )


def _surface(
    laws: LawSet, table: pd.DataFrame, groups: Grouped | None, study: bool
) -> Surface | None:
    """The law over its rows; where groups have constants of their own, that of the first one."""
    law = laws.selected
    if law is None:
        return None
    if groups is not None and law.levels:
        return groups.of(groups.levels[0])
    return Surface(law, laws.target, table, laws.data, study=study)


def _words(laws: LawSet, surface: Surface | None) -> tuple[str, ...]:
    """The law in words, and how far it can be trusted."""
    if surface is None:
        return ()
    sentences = (*describe(surface), main_reach_text(laws))
    return tuple(sentence for sentence in sentences if sentence)


def _notes(laws: LawSet, table: pd.DataFrame) -> list[str]:
    """What a reader must know before trusting the law."""
    few, least = data_tables.few_levels(laws, table), data_tables.min_levels(laws)
    fractions = data_tables.assumed_fractions(laws, table)
    assumed = [assumed_fraction_text(name, *ends) for name, ends in fractions.items()]
    return [*law_notes(laws, few, least), *assumed]


def _findings(laws: LawSet, surface: Surface | None) -> tuple[tuple[str, str], ...]:
    """For each factor which way it moves the law, and its evidence in words."""
    return tuple(
        (
            direction_text(surface, one.factor)
            if surface is not None and one.factor in surface.factors
            else one.factor,
            one.sentence,
        )
        for one in laws.evidence
        if one.sentence
    )


def _sections(
    laws: LawSet,
    front: Front,
    surface: Surface | None,
    figures: Mapping[str, tuple[Drawing, ...]],
    grids: Mapping[str, Grid],
) -> dict[str, Heading]:
    """The headings of the sections that have something to show."""
    filled = {"front", "data", "reproduce"}
    filled |= {name for name, section in grids.items() if section}
    filled |= {"numbers"} if grids["evidence"] else set()
    filled |= {name for name, drawings in figures.items() if drawings}
    if len(figures.get("curves", ())) < 2:  # the first one stands beside the answer
        filled.discard("curves")
    leads = [entry.leads for entry in front.entries]
    held_out = surface is not None and not surface.inside.all()
    return {
        key: heading for key, heading in headings(laws, leads, held_out).items() if key in filled
    }


def _grids(
    laws: LawSet, table: pd.DataFrame, front: Front, surface: Surface | None
) -> dict[str, Grid]:
    grids = {
        "leaders": tables.front_grid(front.leaders, CAPTIONS["leaders"]),
        "others": tables.front_grid(front.others, CAPTIONS["others"]),
        "evidence": tables.evidence_grid(laws.evidence),
        "theory": tables.theory_grid(laws.theory),
        "forms": tables.forms_grid(laws),
        "factors": data_tables.factors_grid(laws, table),
        "card": data_tables.card_grid(laws),
        "provenance": data_tables.provenance_grid(laws),
        "outliers": tables.outliers_grid(laws),
    }
    if surface is not None:
        grids["constants"] = tables.constants_grid(laws.law)
        grids["regions"] = data_tables.region_grid(surface)
    if laws.outliers and laws.without_outliers is not None:
        grids["without"] = tables.constants_grid(laws.without_outliers, CAPTIONS["without"])
    return grids


def _figures(
    laws: LawSet,
    front: Front,
    surface: Surface | None,
    groups: Grouped | None,
    context: ReportContext,
) -> dict[str, tuple[Drawing, ...]]:
    """Figures by section.

    Curves and maps of gain show one set of constants, that of the first group where groups have
    their own; fit and residuals are over all rows.
    """
    with drawing_style():
        sections: dict[str, list[Drawing | None]] = {"front": [draw_front(front)]}
        if surface is not None:
            whole = surface if groups is None else groups.surface
            varied, roles = whole.varied, surface.multitask
            group = "" if groups is None else groups.levels[0]
            curves = [draw_curves(surface, factor) for factor in surface.varied]
            gain = [] if roles is None else draw_gain(surface, roles, laws.measured_gain, group)
            if groups is not None and whole.law.levels:
                curves = [_of_group(drawing, group) for drawing in curves]
                gain = [_of_group(drawing, group) for drawing in gain]
            sections["groups"] = [] if groups is None or not varied else [draw_groups(groups)]
            sections["curves"] = [*curves]
            sections["gain"] = [*gain]
            sections["fit"] = [draw_fit(whole, factor) for factor in varied[:MOST_FITS]]
            sections["residuals"] = [draw_residuals(whole, factor) for factor in (None, *varied)]
        sections["learning"] = [draw_learning(context.curves)]
        sections["rounds"] = [draw_rounds(context.rounds, laws.target)]
    return _unique_names(sections)


def _of_group(drawing: Drawing, group: str) -> Drawing:
    """The drawing of one group, with words that say so."""
    title, caption, alt = of_group(group, drawing.title, drawing.caption, drawing.alt)
    return replace(drawing, title=title, caption=caption, alt=alt)


def _unique_names(
    sections: Mapping[str, list[Drawing | None]],
) -> dict[str, tuple[Drawing, ...]]:
    """Drawings with names that differ even where a file system ignores case (``n`` and ``N``)."""
    seen: set[str] = set()
    named: dict[str, tuple[Drawing, ...]] = {}
    for section, drawings in sections.items():
        renamed = []
        for drawing in (drawing for drawing in drawings if drawing is not None):
            taken = drawing.name.lower() in seen
            name = f"{drawing.name}-{len(seen)}" if taken else drawing.name
            seen.add(name.lower())
            renamed.append(replace(drawing, name=name))
        named[section] = tuple(renamed)
    return named
