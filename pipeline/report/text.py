"""Sentences about laws and their evidence.

Every function takes records and needs nothing but their attributes, which have the names of the
fields of ``laws.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.symbolic.typeset import formula_text
from mtl_laws.pipeline.symbolic.typeset.numbers import (
    interval,
    level,
    number,
    percent,
    score,
    settled,
    signed,
)

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.bands import Certainty, Uncertainty
    from mtl_laws.pipeline.laws.checks import Defect
    from mtl_laws.pipeline.laws.law import Law, LawDefect
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.question import Note
    from mtl_laws.pipeline.laws.record import (
        Baseline,
        FactorEvidence,
        GainCell,
        GainRegion,
        Groups,
        Harm,
        ModelFreeExponent,
        PooledGain,
        Reach,
    )
    from mtl_laws.pipeline.laws.record import PlaceExponent as Exponent

RULES = EvidenceRules()
GAPS = {
    "confounded": "not identifiable: other constants can take its place",
    "scattered": "not identifiable: it can move far without the law changing",
    "too_few_resamples": "too few resamples of the cells could be fitted",
}
"""Why a constant has no interval."""

MOST_GAINS = 2
"""Regions of measured gain that a sentence names at most; all those of harm are named."""

MAX_LISTED = 8
"""Rows or groups that a sentence names at most."""

OVER_GROUPS = "These are medians over the groups."
CUT = "Inclusion was not computed, because the time limit ended the search early."
SCORES = {"r2_cv": "cross-validated", "r2_extrapolation": "extrapolated", "r2_hold_out": "held out"}


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
        "evidence": tuple(each.model_copy(update={"sentence": words}) for each, words in factors),
        "selected": _in_words(laws.law),
        "front": tuple(map(_in_words, laws.front)),
        "theory": tuple(map(_in_words, laws.theory)),
        "forms": tuple(map(_in_words, laws.forms)),
    }
    return laws.model_copy(update=update)


def _in_words(law: Law) -> Law:
    """The law with its defects and the missing intervals of its constants in words."""
    words = {"reason": "", "limits": ""}
    for defect in law.defects:
        words["limits" if defect.kind.startswith("limit_") else "reason"] = defect_text(defect)
    constants = {
        name: each.model_copy(update={"reason": GAPS.get(each.reason, each.reason)})
        for name, each in law.constants.items()
    }
    intervals = law.group_intervals and {
        level: {
            name: each.model_copy(update={"reason": GAPS.get(each.reason, each.reason)})
            for name, each in known.items()
        }
        for level, known in law.group_intervals.items()
    }
    return law.model_copy(update={**words, "constants": constants, "group_intervals": intervals})


def note_text(note: Note) -> str:
    """What was noticed about the rows, as a sentence without its full stop."""
    rows = f"{note.rows} {'row' if note.rows == 1 else 'rows'}"
    texts = {
        "placeholder": f"{note.name} is taken as undefined in the {rows} with {note.other} = 1: "
        "the number there never varies or does not change the target",
        "where": f"{rows} that do not meet {note.name} left out",
        "no_target": f"{rows} without a value of {note.name} left out",
        "missing_factor": f"{rows} without a value of {note.name} left out",
        "comma": f"{note.name} is read with a decimal comma",
        "thousands": f"{note.name} is read with separators of thousands",
        "percent": f"{note.name} is in percent: its percent signs are dropped",
        "truth": f"{note.name} is read with true as 1 and false as 0",
        "unmodelled": f"{note.name} varies in this table but is not a factor: its levels are "
        "separate cells",
        "small_group": f"{note.name} has {rows}, too few for constants of its own: it takes those "
        "of all groups together",
    }
    return texts[note.kind]


def shared_text(law: Law) -> str:
    """Which constants all groups share; empty for a law without groups."""
    if not law.levels and not law.shared:
        return ""
    own = list(next(iter((law.group_constants or {}).values()), {}))
    if not law.shared:
        return f"Every group has constants of its own: {_listed(own)}."
    together = f"{_listed(list(law.shared))} {'is' if len(law.shared) == 1 else 'are'}"
    shared = f"{together} shared by all groups"
    return f"{shared}; {_listed(own)} differ between them." if own else f"{shared}."


def groups_text(law: Law, groups: Groups) -> str:
    """How many levels there are, and which constants they share: "c2 shared, c0 per group"."""
    own = list(next(iter((law.group_constants or {}).values()), {}))
    parts = [f"{_listed(list(law.shared))} shared"] if law.shared else []
    parts += [f"{_listed(own)} per group"] if own else []
    levels = f"{len(groups.levels)} levels of {_listed(list(groups.columns))}"
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
        f"of {'its' if one else 'their'} own and {'takes' if one else 'take'} those of all groups "
        f"together: {shown}."
    )


def outliers_text(laws: LawSet) -> str:
    """Which rows lie far from every good law, and the law without them; empty where none does."""
    if not laws.outliers:
        return ""
    first = ", ".join(
        f"row {each.row + 1} ({number(each.residual_sd, 2)} SD)"
        for each in laws.outliers[:MAX_LISTED]
    )
    more = len(laws.outliers) - MAX_LISTED
    rows = f"{first} and {more} more" if more > 0 else first
    count = "1 row lies" if len(laws.outliers) == 1 else f"{len(laws.outliers)} rows lie"
    less = "counts" if len(laws.outliers) == 1 else "count"
    words = f"{count} far from every good law and {less} less in the fit: {rows}."
    without = laws.without_outliers
    if without is None:
        return words
    shown = formula_text(without.shown)
    return f"{words} Without {'it' if len(laws.outliers) == 1 else 'them'} the law is {shown}."


def limits_text(law: Law) -> str:
    """What is implausible about the limits of a law; empty where nothing is."""
    if not law.limits:
        return ""
    return f"The law {law.limits}, which is implausible. Do not use it far beyond the fitted rows."


def held_out_text(law: Law) -> str:
    """That the law is of no use on the held-out rows; empty where it is."""
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
    has, them, these = ("has", "it", "its") if len(factors) == 1 else ("have", "them", "their")
    return (
        f"{_listed(factors)} {has} fewer than {least} levels in the fitted rows, so no law was "
        f"tested beyond {them}: nothing is known outside {these} levels."
    )


def defect_text(defect: Defect | LawDefect) -> str:
    """What is wrong with a law, as the end of a sentence: "is not finite at n = 10"."""
    at, value = _point(defect.at), number(defect.value)
    grown = _listed(list(defect.at))
    grow = f"as {grown} {'grows' if len(defect.at) == 1 else 'grow'}"
    condition = f"at {at}, where {defect.factor} is" if at else f"where {defect.factor} is"
    texts = {
        "not_fitted": "could not be fitted: no constants tried give it a value on every row",
        "not_finite": f"is not finite at {at}",
        "pole": f"has a pole near {at}",
        "step": f"contains a power of {value}, which acts as a step",
        "below_bounds": f"falls to {value} at {at}",
        "above_bounds": f"rises to {value} at {at}",
        "depends_on_undefined": f"depends on {defect.factor} {condition} undefined",
        "limit_not_finite": f"is not finite {grow}",
        "limit_leaves_bounds": f"leaves the bounds {grow}",
        "limit_turns_back": f"turns back {grow}",
        "limit_depends_on_fraction": f"has a limit that depends on {defect.factor}",
    }
    return texts[defect.kind]


def factor_text(evidence: FactorEvidence, rules: EvidenceRules = RULES) -> str:
    """All evidence on one factor."""
    parts = (
        ablation_text(evidence, rules),
        inclusion_text(evidence, rules),
        exponents_text(evidence.factor, evidence.exponents, rules),
        model_free_text(evidence.factor, evidence.plain_exponent),
    )
    return " ".join(part for part in parts if part)


def ablation_text(evidence: FactorEvidence, rules: EvidenceRules = RULES) -> str:
    """How much the factor matters, by the best laws with and without it."""
    factor = evidence.factor
    if evidence.delta_bic is None or evidence.r2_with is None or evidence.r2_without is None:
        return f"{factor} is in {'every' if evidence.in_law else 'no'} valid law of the search."
    change = f"ΔBIC {number(round(evidence.delta_bic))}"
    strong = evidence.delta_bic > rules.strong
    if not evidence.in_law and strong:
        return (
            f"{factor} is not in the law. Laws with {factor} fit the measured rows better "
            f"({change}), but they do not extrapolate better."
        )
    if not evidence.in_law:
        return f"{factor} is not in the law, and adding it improves the fit little ({change})."
    less, more = max(evidence.r2_without, 0.0), max(evidence.r2_with, 0.0)
    shares = percent(less), percent(more)
    if shares[0] == shares[1]:
        shares = f"{number(100 * less, 4)} %", f"{number(100 * more, 4)} %"
    verdict = (
        f"{factor} matters" if strong else f"{factor} is in the law, but dropping it costs little"
    )
    return (
        f"{verdict}: the law explains {shares[1]} of the variance, the best law without {factor} "
        f"{shares[0]} ({change})."
    )


def inclusion_text(evidence: FactorEvidence, rules: EvidenceRules = RULES) -> str:
    """How often laws with the factor clearly win on halves of the cells, and when permuted."""
    factor, observed, permuted = evidence.factor, evidence.inclusion, evidence.inclusion_permuted
    if observed is None or permuted is None:
        return ""
    wins = (
        f"the best law with {factor} clearly beats the best law without it on {percent(observed)} "
        "of random halves of the cells"
    )
    if observed - permuted >= rules.chance:
        start = f"T{wins[1:]}" if evidence.in_law else f"Yet {wins}"
        return f"{start}, and on {percent(permuted)} when the values of {factor} are permuted."
    if not evidence.in_law:
        return ""
    return (
        f"T{wins[1:]}, hardly more often than when the values of {factor} are permuted "
        f"({percent(permuted)})."
    )


def exponents_text(factor: str, exponents: Sequence[Exponent], rules: EvidenceRules = RULES) -> str:
    """Where the factor is in the law and with which power; empty where it is not."""
    if not exponents:
        return ""
    first, *others = exponents
    verb = "has its main effect" if others else "appears"
    texts = [f"Given this form of law, {factor} {verb} in {_part(first)}, {_power(factor, first)}."]
    if first.ci95 is not None and first.ci95[1] < 0.0:
        texts.append(f"This part tends to 0 as {factor} grows.")
    for other in others:
        share = other.moves / first.moves if first.moves > 0 else 1.0
        minor = share < rules.minor_place
        weight = f" This place moves the law {percent(share)} as much." if minor else ""
        texts.append(f"It also appears in {_part(other)}, {_power(factor, other)}.{weight}")
    return " ".join(texts)


def model_free_text(factor: str, exponent: ModelFreeExponent | None) -> str:
    """The power in cells that agree in all other factors; empty where there are too few."""
    if exponent is None:
        return ""
    low, high = exponent.ci95
    named = {0.5: f"√{factor}", 1.0: factor, 0.0: f"ln {factor}"}
    named |= {-0.5: f"1/√{factor}", -1.0: f"1/{factor}"}
    inside = [name for power, name in named.items() if low <= power <= high]
    if not inside:
        verdict = f"rules out √{factor}, {factor} and ln {factor}"
    else:
        verdict = f"{'supports' if len(inside) == 1 else 'is compatible with'} {_listed(inside)}"
    limit = ", the rate of approach to a limit" if high < 0.0 else ""
    return (
        f"Without a law, cells that agree in all other factors follow a + b·{factor}^p best with "
        f"p = {_with_interval(exponent.value, exponent.ci95)}{limit}. This {verdict}."
    )


def theory_text(selected: Law, theory: Sequence[Law]) -> str:
    """The theoretical form that extrapolates best, beside the selected law."""
    key = "r2_extrapolation" if selected.scores.get("r2_extrapolation") is not None else "r2_cv"
    own = selected.scores.get(key)
    scores = [(law.scores.get(key), law.origin) for law in theory if law.valid]
    ranked = sorted(((r2, origin) for r2, origin in scores if r2 is not None), reverse=True)
    if own is None or not ranked:
        return ""
    if selected.origin.startswith("theory:"):
        return f"The selected law is itself a theoretical form, {_form(selected.origin)}."
    best, origin = ranked[0]
    return (
        f"Of {len(theory)} theoretical forms, {_form(origin)} has the best {SCORES[key]} R²: "
        f"{score(best)}, {score(abs(own - best))} {'below' if best <= own else 'above'} the "
        f"selected law ({score(own)})."
    )


def baseline_text(selected: Law, baseline: Baseline) -> str:
    """The law beside a predictor that need not be a formula."""
    texts = [
        f"{score(baseline.scores[key])} {name} (the law {score(selected.scores[key])})"
        for key, name in SCORES.items()
        if baseline.scores.get(key) is not None and selected.scores.get(key) is not None
    ]
    if not texts:
        return ""
    return f"{baseline.name.capitalize()}, which is not a formula, reaches R² {', '.join(texts)}."


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
    if reach.parts_at is None:
        return f"{text}."
    differ = "laws that score about as well differ by more than the noise of a run"
    if reach.parts_at == reach.fitted_to:
        return f"{text}. At {name} = {level(reach.fitted_to)} already, {differ}."
    return f"{text}; from {name} = {level(reach.parts_at)} on, {differ}."


def _trusted_text(reach: Reach) -> str:
    """Up to where the interval of the mean is narrow, without a full stop."""
    name, width, limit = reach.factor, number(reach.half_width, 2), number(reach.limit, 2)
    edge = f"{name} = {level(reach.fitted_to)}, the largest {name} fitted,"
    mean = "the 95 % interval of the mean"
    if reach.trusted_to is None and reach.half_width is None:
        return f"At {edge} {mean} has no finite width: the law says nothing beyond"
    if reach.trusted_to is None:
        return f"At {edge} {mean} is ± {width}, wider than ± {limit}: the law says little beyond"
    if reach.trusted_to == reach.fitted_to:
        return f"Beyond {edge} {mean} is wider than ± {limit}: the law says little there"
    furthest = ", the furthest that was tried," if reach.trusted_to == reach.asked_to else ","
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
        "The other factors are held at their medians and at the largest fitted ones, whichever is "
        "less certain."
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
    return (
        f"up to {name} = {level(reach.trusted_to)}, {how_far}the largest fitted, the mean is known "
        f"to within ± {width} (95 %)"
    )


def _times(reach: Reach) -> str:
    """``twice`` or ``4 times``."""
    times = number((reach.trusted_to or 0.0) / reach.fitted_to, 2)
    return "twice" if times == "2" else f"{times} times"


def harm_text(target: str, harm: Harm | None, lower: bool = False) -> str:
    """Where the law is worse than its own value at T = 1; empty where there is no such factor.

    Parameters
    ----------
    lower : whether a lower target is better.
    """
    if harm is None:
        return ""
    alone = f"its value at {harm.count} = 1"
    worse, side = ("rises above", "above") if lower else ("falls below", "below")
    changes = sorted((-harm.lowest, -harm.highest)) if lower else (harm.lowest, harm.highest)
    texts = [
        f"Within the fitted ranges the law {'always lies' if harm.lowered else 'never'} "
        f"{side if harm.lowered else worse} {alone}: {target} changes by "
        f"{interval(changes, 2)}."
    ]
    if 0.0 < harm.lowered < 1.0:
        always, never = harm.always_below, harm.never_from
        texts = [
            f"The law {worse} {alone} on {percent(harm.lowered)} of the fitted ranges (negative "
            f"transfer), by at most {number(-harm.lowest, 2)}, at {_point(harm.at)}"
            + ("" if always is None else f"; always up to {harm.share} = {level(always)}")
            + ("" if never is None else f"; never from {harm.share} = {level(never)}")
            + "."
        ]
    if harm.surely is not None and harm.lowered:
        where = f"on {percent(harm.surely)} of the fitted ranges" if harm.surely else "nowhere"
        texts.append(f"The 95 % band of this change lies {side} 0 {where}.")
    return " ".join(texts)


def measured_gain_text(target: str, paired: PooledGain | None, lower: bool = False) -> str:
    """Where training together was measured to help and to harm; empty where it was not measured.

    Parameters
    ----------
    lower : whether a lower target is better.
    """
    if paired is None:
        return ""
    worse, better = ("raises", "lowers") if lower else ("lowers", "raises")
    texts: list[str] = []
    for verb, regions in ((worse, paired.harm), (better, paired.help[:MOST_GAINS])):
        places = "; and ".join(_region_text(region, paired, lower) for region in regions)
        start = "It" if texts else "Measured: training together"
        texts += [f"{start} {verb} {target} {places}."] if places else []
    return " ".join([*texts, _pooled_text(paired, lower)])


def unpredicted_harm_text(target: str, paired: PooledGain | None, lower: bool = False) -> str:
    """Where clear harm was measured that the law does not predict; empty where there is none."""
    missed = [] if paired is None else [r for r in paired.harm if r.law is not None and r.law >= 0]
    if paired is None or not missed:
        return ""
    places = ", and ".join(
        f"{region_place(region, paired)} by {number(abs(region.gain), 2)}" for region in missed
    )
    return (
        f"The law does not predict harm that was measured: training together "
        f"{'raises' if lower else 'lowers'} {target} {places}."
    )


def _region_text(region: GainRegion, paired: PooledGain, lower: bool) -> str:
    """Where a region is, its mean, and what the law says there."""
    ends = sorted(abs(end) for end in region.ci95)
    law = region.law if region.law is None else (-region.law if lower else region.law)
    told = "" if law is None else f"; the law says {signed(settled(law, region.gain))}"
    cells = f"{number(region.cells)} cell{'' if region.cells == 1 else 's'}"
    return (
        f"{region_place(region, paired)}, by {number(abs(region.gain), 2)} on average (95 % "
        f"{interval(ends, 2)}; {cells}, {number(round(region.runs))} runs{told})"
    )


def region_place(region: GainRegion, paired: PooledGain) -> str:
    """``at n ≤ 100 and ami = 0.05``."""
    parts = []
    for name, (low, high) in region.where.items():
        first, last = paired.ranges.get(name, (low, high))
        if low == high:
            parts.append(f"{name} = {level(low)}")
        elif low == first:
            parts.append(f"{name} ≤ {level(high)}")
        elif high == last:
            parts.append(f"{name} ≥ {level(low)}")
        else:
            parts.append(f"{name} from {level(low)} to {level(high)}")
    return f"at {_listed(parts)}" if parts else "over all measured cells"


def _pooled_text(paired: PooledGain, lower: bool) -> str:
    """How many cells are worse than the single task, and how that was judged."""
    side, cells = "above" if lower else "below", paired.cells
    below, pooled = sum(c.gain < 0 for c in cells), sum(c.pooled < 0 for c in cells)
    lie = "lies" if below == 1 else "lie"
    counted = (
        f"{number(below)} of {number(len(cells))} measured cells with {paired.count} > 1 {lie} "
        f"{side} single-task training, {number(pooled)} after averaging over neighbouring cells"
    )
    if not paired.tested:
        return f"{counted}; without replicates no sign is sure."
    how = "by seed" if paired.by_seed else "with the mean of the single-task runs"
    none = "" if paired.harm else "; no range of cells is clearly harmed"
    return (
        f"{counted}{none}. Runs are paired {how}, signs judged over ranges of cells, and the "
        "intervals allow for all the ranges that were looked at."
    )


def gain_map_text(count: str, ends: tuple[float, float], cells: Sequence[GainCell]) -> str:
    """What the law says on a map of gains, and what the measured cells on it say.

    Parameters
    ----------
    ends : lowest and highest predicted gain.
    cells : the measured cells on the map.
    """
    low, high = ends
    up = [cell for cell in cells if cell.region > 0 or (cell.region == 0 and cell.pooled >= 0)]
    clear, harmed = sum(c.region < 0 for c in cells), len(cells) - len(up)
    contradicted = (low >= 0 and harmed > 0) or (high <= 0 and len(up) > 0)
    if low < 0 < high:
        law = "The line is where the law says that training together stops helping."
    elif contradicted:
        law = f"The law predicts {'no harm' if low >= 0 else 'no gain'} on this map."
    elif low > 0:
        law = "The law predicts a gain everywhere on this map."
    else:
        law = f"The law predicts {'no harm' if low == 0 else 'no gain'} anywhere on this map."
    if not cells:
        return law
    told = f"Measured, {harmed} of {len(cells)} cells are worse than {count} = 1 once pooled"
    return f"{law} {told}{f', {clear} of them clearly' if clear else ''}."


def _part(exponent: Exponent) -> str:
    part = formula_text(exponent.part or exponent.inside)
    return f"{part}, the argument of {exponent.under}" if exponent.under else part


def _power(factor: str, exponent: Exponent) -> str:
    """The power of a factor in one place of the law, and what it says about a root."""
    if exponent.logarithm:
        return f"the argument of a logarithm, which grows more slowly than any power of {factor}"
    if exponent.varies_with:
        low, high = exponent.over or (0.0, 0.0)
        others = _listed(exponent.varies_with)
        small, large = sorted((abs(low), abs(high)))
        holds = f"only at one value of {others}" if small <= 0.5 <= large else "nowhere"
        return (
            f"with an exponent that depends on {others} and ranges from {number(low, 2)} to "
            f"{number(high, 2)}, so {_root(factor, low + high)} holds {holds}"
        )
    if exponent.value is None:
        return (
            f"with an exponent that these data do not identify, so √{factor} is neither supported "
            "nor ruled out"
        )
    text = f"with exponent {_with_interval(exponent.value, exponent.ci95)}"
    return text if exponent.ci95 is None else f"{text}, {_verdict(factor, exponent.ci95)}"


def _verdict(factor: str, ci95: tuple[float, float]) -> str:
    """Whether an interval of an exponent contains ½ or −½, and 1 or −1."""
    root = _root(factor, ci95[0] + ci95[1])
    itself = factor if ci95[1] >= 0.0 else f"1/{factor}"
    low, high = sorted(abs(end) for end in ci95)
    if ci95[0] <= 0.0 <= ci95[1]:
        return f"whose sign is undetermined{'' if high >= 0.5 else f', but {root} is ruled out'}"
    one = low <= 1.0 <= high
    if low <= 0.5 <= high:
        return f"which is compatible with {root} and {itself}" if one else f"which supports {root}"
    return f"which rules out {root}{f' and is compatible with {itself}' if one else ''}"


def _root(factor: str, exponent: float) -> str:
    """The root of a factor, below the line where its exponent is negative."""
    return f"√{factor}" if exponent >= 0.0 else f"1/√{factor}"


def _with_interval(value: float, ci95: tuple[float, float] | None) -> str:
    return f"{number(value, 2)} ({'no interval' if ci95 is None else f'95 % {interval(ci95, 2)}'})"


def _point(at: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {level(value)}" for name, value in at.items())


def _form(origin: str) -> str:
    return origin.removeprefix("theory:").strip()


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
