"""Sentences about laws: what a law says, how far it can be trusted, what speaks against it.

Every function takes records and needs only their attributes, which are named like the fields of
``laws.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.report.evidence_text import (
    RULES,
    baseline_text,
    equivalent_data_text,
    factor_text,
    harm_text,
    listed,
    measured_gain_text,
    point_text,
    theory_text,
    unpredicted_harm_text,
)
from mtl_laws.pipeline.report.surface import direction, limit
from mtl_laws.pipeline.symbolic.typeset import formula_text
from mtl_laws.pipeline.symbolic.typeset.numbers import level, number, percent, score, settled

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.bands import Certainty, Uncertainty
    from mtl_laws.pipeline.laws.checks import Defect
    from mtl_laws.pipeline.laws.law import Law, LawDefect
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.question import Note
    from mtl_laws.pipeline.laws.record import Groups, Reach
    from mtl_laws.pipeline.report.surface import Surface

GAPS = {
    "confounded": "not identifiable: confounded with other constants",
    "scattered": "not identifiable: it can vary widely without changing the law",
    "too_few_resamples": "too few bootstrap samples of the cells could be fitted",
}
"""Why a constant has no interval."""

MAX_LISTED = 8
"""Rows or groups that a sentence names at most."""

KINDS = {"fraction": "0 to 1", "positive": "numbers above 0", "whole": "whole numbers from 1"}
"""What the cells of a factor are, beside which others are odd."""

FIRST_NOTES = ("left out", " is read ", ": check th")
"""Words of the notes on the rows that the terminal shows too: numbers may be wrong or missing."""

OVER_GROUPS = "These are medians over the groups."
CUT = "Inclusion was not computed, because the time limit ended the search early."
NO_LAW = "No law is valid on the whole domain. The front below gives the reasons."


# --- what is stored in laws.json -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """The verdicts on a law, and one text for every factor, in the order of the evidence."""

    verdicts: tuple[str, ...]
    factors: tuple[str, ...]


def sentences(laws: LawSet, rules: EvidenceRules = RULES) -> Sentences:
    """All sentences on the laws of a search.

    Parameters
    ----------
    laws : with a selected law.
    """
    selected = laws.law
    verdicts = (
        theory_text(selected, laws.theory),
        "" if laws.baseline is None else baseline_text(selected, laws.baseline),
        certainty_text(laws.target, laws.certainty, selected.uncertainty),
        harm_text(laws.target, laws.harm, laws.data.lower_is_better),
        measured_gain_text(laws.target, laws.measured_gain, laws.data.lower_is_better),
        all_reach_text(laws.reach, bool(selected.levels)),
        shared_text(selected),
        outliers_text(laws),
        CUT if laws.provenance.cut else "",
    )
    return Sentences(
        verdicts=tuple(verdict for verdict in verdicts if verdict),
        factors=tuple(factor_text(evidence, rules) for evidence in laws.evidence),
    )


def with_sentences(laws: LawSet) -> LawSet:
    """The laws with verdicts, a sentence for every factor, and defects and gaps in words."""
    text = sentences(laws)
    factors = zip(laws.evidence, text.factors, strict=True)
    update: dict[str, Any] = {
        "verdicts": text.verdicts,
        "evidence": tuple(
            each.model_copy(update={"sentence": sentence}) for each, sentence in factors
        ),
        "selected": _in_words(laws.law),
        "front": tuple(map(_in_words, laws.front)),
        "theory": tuple(map(_in_words, laws.theory)),
        "forms": tuple(map(_in_words, laws.forms)),
    }
    return laws.model_copy(update=update)


def _in_words(law: Law) -> Law:
    """The law with its defects and the missing intervals of its constants in words."""
    texts = {"reason": "", "limits": ""}
    for defect in law.defects:
        texts["limits" if defect.kind.startswith("limit_") else "reason"] = defect_text(defect)
    constants = {
        name: each.model_copy(update={"reason": GAPS.get(each.reason, each.reason)})
        for name, each in law.constants.items()
    }
    intervals = law.group_intervals and {
        group: {
            name: each.model_copy(update={"reason": GAPS.get(each.reason, each.reason)})
            for name, each in own.items()
        }
        for group, own in law.group_intervals.items()
    }
    return law.model_copy(update={**texts, "constants": constants, "group_intervals": intervals})


# --- rows, groups and outliers ------------------------------------------------------------------


def note_text(note: Note) -> str:
    """An observation about the rows, as a sentence without its full stop."""
    rows = f"{note.rows} {'row' if note.rows == 1 else 'rows'}"
    texts = {
        "placeholder": f"{note.name} is taken as undefined in the {rows} with {note.other} = 1: "
        "the number there never varies or does not change the target",
        "where": f"{rows} left out that {'does' if note.rows == 1 else 'do'} not meet {note.name}",
        "no_target": f"{rows} left out without a value of {note.name}",
        "missing_factor": f"{rows} left out without a value of {note.name}",
        "comma": f"{note.name} is read with a decimal comma",
        "thousands": f"{note.name} is read with separators of thousands",
        "percent": f"{note.name} is in percent: its percent signs are dropped",
        "truth": f"{note.name} is read with true as 1 and false as 0",
        "unmodelled": f"{note.name} varies in this table but is not a factor: its levels are "
        "separate cells",
        "zero_count": f"{note.name} is 0 in {rows}: a law may have no value there",
        "odd": f"{note.name} is {listed([f'{number(v)} in {where}' for where, v in note.cells])}, "
        f"while all other rows have {KINDS.get(note.other)}: check "
        f"{'that cell' if note.rows == 1 else 'those cells'}",
        "small_group": f"{note.name} has {rows}, too few for constants of its own: it uses those "
        "of all groups together",
    }
    return texts[note.kind]


def shared_text(law: Law) -> str:
    """Which constants all groups share; empty for a law without groups."""
    if not law.levels and not law.shared:
        return ""
    own = list(next(iter((law.group_constants or {}).values()), {}))
    if not law.shared:
        return f"Every group has constants of its own: {listed(own)}."
    together = f"{listed(list(law.shared))} {'is' if len(law.shared) == 1 else 'are'}"
    shared = f"{together} shared by all groups"
    differ = "differs" if len(own) == 1 else "differ"
    return f"{shared}; {listed(own)} {differ} between them." if own else f"{shared}."


def groups_text(law: Law, groups: Groups) -> str:
    """How many levels there are, and which constants they share: "c2 shared, c0 per group"."""
    own = list(next(iter((law.group_constants or {}).values()), {}))
    parts = [f"{listed(list(law.shared))} shared"] if law.shared else []
    parts += [f"{listed(own)} per group"] if own else []
    levels = f"{len(groups.levels)} levels of {listed(list(groups.columns))}"
    return f"{levels}; {', '.join(parts)}" if parts else levels


def small_groups_text(groups: Groups) -> str:
    """Which groups have too few rows for constants of their own; empty where none has."""
    if not groups.small:
        return ""
    first = list(groups.small.items())[:MAX_LISTED]
    more = len(groups.small) - len(first)
    shown = ", ".join(f"{name} ({rows} rows)" for name, rows in first)
    shown += f" and {more} more" if more else ""
    one = len(groups.small) == 1
    return (
        f"{len(groups.small)} {'group has' if one else 'groups have'} too few rows for constants "
        f"of {'its' if one else 'their'} own and {'uses' if one else 'use'} those of all groups "
        f"together: {shown}."
    )


def outliers_text(laws: LawSet) -> str:
    """Which rows lie far from every good law, and the law without them; empty where none does."""
    total = laws.outlier_total
    if not total:
        return ""
    first = ", ".join(
        f"row {each.row + 1} ({number(each.residual_sd, 2)} SD)"
        for each in laws.outliers[:MAX_LISTED]
    )
    more = total - MAX_LISTED
    rows = f"{first} and {more} more" if more > 0 else first
    count = "1 row lies" if total == 1 else f"{total:,} rows lie"
    less = "counts" if total == 1 else "count"
    words = f"{count} far from every good law and {less} less in the fit: {rows}."
    without = laws.without_outliers
    if without is None:
        return words
    shown = formula_text(without.shown)
    return f"{words} Without {'it' if total == 1 else 'them'} the law is {shown}."


# --- the law in words ----------------------------------------------------------------------------


def describe(surface: Surface) -> list[str]:
    """Sentences on what the law says, most important first."""
    used = [factor for factor in surface.by_effect if factor in surface.used]
    unused = [factor for factor in surface.factors if factor not in surface.used]
    sentences = [
        *_directions(surface, used),
        *(_effect(surface, factor) for factor in used),
        *_limits(surface, used),
        equivalent_data_text(surface),
        f"The law does not use {listed(unused, 'or')}." if unused else "",
    ]
    return [sentence for sentence in sentences if sentence]


def _directions(surface: Surface, used: Sequence[str]) -> list[str]:
    ways: dict[str, list[str]] = {}
    for factor in used:
        ways.setdefault(direction(surface, factor), []).append(factor)
    clauses = [
        f"{surface.target} {way} with {listed(ways[way])}"
        for way in ("rises", "falls")
        if way in ways
    ]
    texts = [f"{', and '.join(clauses)}."] if clauses else []
    for factor in ways.get("varies", []):
        texts.append(
            f"{surface.target} rises or falls with {factor}, depending on the values of the "
            "factors."
        )
    return texts


def direction_text(surface: Surface, factor: str) -> str:
    """``accuracy rises with n``: which way the law moves, as a heading."""
    if factor not in surface.used:
        return f"the law does not use {factor}"
    way = direction(surface, factor)
    if way == "varies":
        return f"{surface.target} rises or falls with {factor}, depending on the factors"
    return f"{surface.target} {'does not change' if way == 'none' else way} with {factor}"


def _effect(surface: Surface, factor: str) -> str:
    low, high = surface.fitted_range(factor)
    start, end = surface.along(factor, np.array([low, high]), {})
    if low == high or not np.isfinite([start, end]).all():
        return ""
    others = [f"{f} = {level(surface.reference[f])}" for f in surface.used if f != factor]
    at = f" at {listed(others)}" if others else ""
    return (
        f"From {factor} = {level(low)} to {level(high)}{at}, "
        f"{surface.target} goes from {number(settled(start, surface.scale))} to "
        f"{number(settled(end, surface.scale))}."
    )


def _limits(surface: Surface, used: Sequence[str]) -> list[str]:
    """Where the law tends as its sizes grow without bound."""
    limits: dict[str, list[str]] = {}
    for factor in used:
        tendency = limit(surface, factor) if surface.logarithmic(factor) else None
        if tendency is not None:
            value, others = tendency
            at = listed([point_text({name: surface.reference[name]}) for name in others])
            limits.setdefault(f"{number(value)}{f' at {at}' if at else ''}", []).append(factor)
    return [
        f"As {listed(factors, 'or')} grows without bound, {surface.target} tends to {value}."
        for value, factors in limits.items()
    ]


def relatedness_text(surface: Surface) -> str:
    """What AMI is, where it is the relatedness of the table; empty elsewhere."""
    roles = surface.multitask
    if roles is None or roles.relatedness.lower() != "ami":
        return ""
    return (
        f"{roles.relatedness} is the adjusted mutual information (AMI) of two tasks: 0 means that "
        "the labels of one say nothing about those of the other, 1 that each determines the other."
    )


# --- what speaks against it ----------------------------------------------------------------------


def law_notes(laws: LawSet, few_levels: Sequence[str], min_levels: int) -> list[str]:
    """What a reader must know before trusting the law.

    Parameters
    ----------
    few_levels : factors with fewer than `min_levels` levels in the fitted rows.
    """
    law = laws.selected
    notes = [few_levels_text(few_levels, min_levels)]
    if law is None:
        notes.append(NO_LAW)
    elif not law.valid:
        notes.append(f"The law shown is not valid: {law.reason or 'see the front'}.")
    else:
        notes += [limits_text(law), held_out_text(law)]
    if law is not None and law.levels:
        notes.append(
            "The law has constants by group. The words, the curves along one factor and the map of "
            f"gains show group {law.levels[0]}, the first of {len(law.levels)}. Every other figure "
            "and table uses for each row the constants of its own group."
        )
    lower = laws.data.lower_is_better
    notes += [unpredicted_harm_text(laws.target, laws.measured_gain, lower), _noise_text(laws)]
    return [note for note in notes if note]


def _noise_text(laws: LawSet) -> str:
    """How the law's error compares with the spread of replicates; empty where unknown."""
    spread = laws.data.replicate_sd
    error = None if laws.selected is None else laws.selected.scores.get("rmse_cv")
    if not spread or error is None:
        return ""
    return (
        f"Replicates of one cell differ by {number(spread, 2)} (standard deviation, over cells "
        f"with replicates). The cross-validated error of this law is {number(error, 2)} (RMSE)."
    )


def assumed_fraction_text(name: str, low: float, high: float) -> str:
    """That a factor was taken for a fraction, which it may not be."""
    return (
        f"{name} ranges from {number(low)} to {number(high)} and was taken for a fraction, so "
        f"every law had to be valid from 0 to 1. If {name} is not a fraction, search again with "
        f"--domain {name}=LOW:HIGH."
    )


def limits_text(law: Law) -> str:
    """What is implausible about the limits of a law; empty where nothing is."""
    if not law.limits:
        return ""
    return f"The law {law.limits}, which is implausible. Do not use it far beyond the fitted rows."


def held_out_text(law: Law) -> str:
    """That the law fails on the held-out rows; empty where it does not."""
    r2 = law.scores.get("r2_hold_out")
    if r2 is None or r2 >= 0.0:
        return ""
    return (
        f"The law predicts the held-out rows worse than their own mean does (R² {score(r2)}, RMSE "
        f"{number(law.scores.get('rmse_hold_out'), 2)})."
    )


def few_levels_text(factors: Sequence[str], least: int) -> str:
    """Which factors have too few levels to test a law beyond them; empty where none has.

    Parameters
    ----------
    factors : names of factors with fewer than `least` levels in the fitted rows.
    """
    if not factors:
        return ""
    has, them = ("has", "it") if len(factors) == 1 else ("have", "them")
    return (
        f"{listed(factors)} {has} fewer than {least} levels in the fitted rows, so the law was "
        f"chosen without a test beyond {them}."
    )


def defect_text(defect: Defect | LawDefect) -> str:
    """What is wrong with a law, as the end of a sentence: "is not finite at n = 10"."""
    at, value = point_text(defect.at), number(defect.value)
    grown = listed(list(defect.at))
    grow = f"as {grown} {'grows' if len(defect.at) == 1 else 'grow'}"
    condition = f"at {at}, where {defect.factor} is" if at else f"where {defect.factor} is"
    texts = {
        "not_fitted": "could not be fitted: no constants give it a value on every row",
        "not_finite": f"is not finite at {at}",
        "pole": f"has a pole near {at}",
        "step": "contains a power without bound, which acts as a step"
        if defect.value is None
        else f"contains a power of {value}, which acts as a step",
        "below_bounds": f"falls to {value} at {at}",
        "above_bounds": f"rises to {value} at {at}",
        "depends_on_undefined": f"depends on {defect.factor} {condition} undefined",
        "limit_not_finite": f"is not finite {grow}",
        "limit_leaves_bounds": f"leaves the bounds {grow}",
        "limit_turns_back": f"turns back {grow}",
        "limit_depends_on_fraction": f"has a limit that depends on {defect.factor}",
    }
    return texts[defect.kind]


# --- how far it can be trusted -------------------------------------------------------------------


def certainty_text(
    target: str, certainty: Certainty | None, uncertainty: Uncertainty | None
) -> str:
    """How certain the law is, and how far one more trial may lie off; empty without intervals."""
    if certainty is None or uncertainty is None:
        return ""
    about, replicate = uncertainty.fit_sd, uncertainty.replicate_sd
    about = uncertainty.misfit_sd if about is None else about
    misfit = number(about, 2)
    noise = (
        f"rows differ from the law by {misfit}"
        if replicate is None
        else f"replicates differ by {number(replicate, 2)}, cells differ from the law by {misfit}"
    )
    if replicate is not None and about == 0.0:
        noise = f"replicates differ by {number(replicate, 2)}, cells from the law by no more"
    inside = f"{percent(certainty.held_fit)} of the fitted rows"
    if certainty.held_out is not None:
        inside += f" and {percent(certainty.held_out)} of the held-out rows"
    return (
        f"The law predicts the mean {target} to within ± "
        f"{number(certainty.law, 2)} at the median fitted row and ± "
        f"{number(certainty.law_most, 2)} at the least certain one (95 %). One more trial lies "
        f"within ± {number(certainty.run, 2)} of the law ({noise}, standard deviations). This "
        f"interval contains {inside}."
    )


def reach_text(reach: Reach) -> str:
    """How far one size of the law can grow, and from where on good laws differ."""
    name, text = reach.factor, _trusted_text(reach)
    differ = "laws that score about as well differ by more than the noise of one trial"
    if reach.parts_at is None:
        text = f"{text}."
    elif reach.parts_at == reach.fitted_to:
        text = f"{text}. Already at {name} = {level(reach.fitted_to)}, {differ}."
    else:
        text = f"{text}; from {name} = {level(reach.parts_at)} on, {differ}."
    return f"{text} {_tests_text(reach)}".strip()


def _tests_text(reach: Reach) -> str:
    """What ends the trust where it is not the width of the interval; empty where it is that."""
    if reach.tested_to is None and reach.trusted_to not in (None, reach.fitted_to):
        return "How far rows test the law is not recorded in this file."
    if not _ends_with_tests(reach):
        return ""
    if reach.contradicted_from is not None:
        return (
            f"Held-out rows at {reach.factor} = {level(reach.contradicted_from)} contradict the "
            "law: too few lie in the interval of one more trial."
        )
    if reach.tested_to == reach.fitted_to:
        return f"No row tests the law at a larger {reach.factor}."
    return "No level left out in turn and no held-out row tests the law further."


def _ends_with_tests(reach: Reach) -> bool:
    """Whether the trust ends where the tests end."""
    return reach.tested_to is not None and reach.trusted_to == reach.tested_to


def _trusted_text(reach: Reach) -> str:
    """Up to where the interval of the mean is narrow, without a full stop."""
    name, width, limit = reach.factor, number(reach.half_width, 2), number(reach.limit, 2)
    edge = f"{name} = {level(reach.fitted_to)}, the largest {name} fitted,"
    mean = "the 95 % interval of the mean"
    if reach.trusted_to is None and reach.half_width is None:
        return f"At {edge} {mean} has no finite width: the law says nothing beyond"
    if reach.trusted_to is None:
        return f"At {edge} {mean} is ± {width}, wider than ± {limit}: the law says little beyond"
    if reach.trusted_to == reach.fitted_to and _ends_with_tests(reach):
        return f"Up to {edge} {mean} stays within ± {width}"
    if reach.trusted_to == reach.fitted_to:
        return f"Beyond {edge} {mean} is wider than ± {limit}: the law says little there"
    furthest = ", the largest value examined," if reach.trusted_to == reach.asked_to else ","
    return (
        f"Up to {name} = {level(reach.trusted_to)}, {_times(reach)} the largest {name} fitted"
        f"{furthest} {mean} stays within ± {width}"
    )


def all_reach_text(reaches: Sequence[Reach], grouped: bool = False) -> str:
    """`reach_text` of every size, and what holds for all of them; empty without any.

    Parameters
    ----------
    grouped : whether the law has constants by group.
    """
    if not reaches:
        return ""
    texts = [reach_text(reach) for reach in reaches]
    texts.append(
        "The other factors are held at their medians or at their largest fitted values, whichever "
        "is less certain."
    )
    return " ".join([*texts, *([OVER_GROUPS] if grouped else [])])


def main_reach_text(laws: LawSet) -> str:
    """`reach_text` of the law's first size; empty where it has none."""
    if not laws.reach or laws.selected is None:
        return ""
    text = reach_text(laws.reach[0])
    return f"{text} {OVER_GROUPS}" if laws.selected.levels else text


def trust_text(reach: Reach) -> str:
    """How far one size can grow, for a line of the terminal: "up to n = 12,800, …"."""
    name, last, width = reach.factor, level(reach.fitted_to), number(reach.half_width, 2)
    if reach.trusted_to is None:
        return f"not even at {name} = {last}, the largest fitted"
    how_far = "" if reach.trusted_to == reach.fitted_to else f"{_times(reach)} "
    text = (
        f"up to {name} = {level(reach.trusted_to)}, {how_far}the largest fitted, the mean is known "
        f"to within ± {width} (95 %)"
    )
    if reach.tested_to is None and reach.trusted_to != reach.fitted_to:
        return f"{text}; how far rows test it is not recorded"
    if not _ends_with_tests(reach):
        return text
    if reach.contradicted_from is not None:
        return f"{text}; held-out rows beyond contradict the law"
    return f"{text}; no row tests it further"


def _times(reach: Reach) -> str:
    """``twice`` or ``4 times``."""
    times = number((reach.trusted_to or 0.0) / reach.fitted_to, 2)
    return "twice" if times == "2" else f"{times} times"
