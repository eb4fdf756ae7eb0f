"""Sentences about the evidence: factors, other predictors, harm and gains.

Every function takes records and needs only their attributes, which are named like the fields of
``laws.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.report.single_task import (
    Gap,
    equivalent_data,
    followed_sizes,
    middle_and_most_tasks,
    together,
)
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
    from mtl_laws.pipeline.laws.law import Law
    from mtl_laws.pipeline.laws.record import (
        Baseline,
        FactorEvidence,
        GainCell,
        GainRegion,
        Harm,
        ModelFreeExponent,
        PooledGain,
        Roles,
    )
    from mtl_laws.pipeline.laws.record import PlaceExponent as Exponent
    from mtl_laws.pipeline.report.surface import Surface

RULES = EvidenceRules()
#: regions of measured gain that a sentence names at most; it names all those of harm
MOST_GAINS = 2
#: the scores that are not on the fitted rows
SCORES = {"r2_cv": "cross-validated", "r2_extrapolation": "extrapolated", "r2_hold_out": "held out"}
NOT_STATED = "How much single-task data training together is worth cannot be stated: "


def listed(names: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {word} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def point_text(values: Mapping[str, float]) -> str:
    """``n = 50, T = 6``."""
    return ", ".join(f"{name} = {level(value)}" for name, value in values.items())


# --- factors -------------------------------------------------------------------------------------


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
    strong = evidence.delta_bic > rules.strong
    if not evidence.in_law and strong:
        return (
            f"{factor} is not in the law. Laws with {factor} fit the measured rows better, but "
            "they do not extrapolate better."
        )
    if not evidence.in_law:
        return f"{factor} is not in the law, and adding it improves the fit little."
    less, more = max(evidence.r2_without, 0.0), max(evidence.r2_with, 0.0)
    fractions = percent(less), percent(more)
    if fractions[0] == fractions[1]:
        fractions = f"{number(100 * less, 4)} %", f"{number(100 * more, 4)} %"
    verdict = (
        f"{factor} matters" if strong else f"{factor} is in the law, but dropping it costs little"
    )
    return (
        f"{verdict}: the law explains {fractions[1]} of the variance, the best law without "
        f"{factor} explains {fractions[0]}."
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
        relative = other.moves / first.moves if first.moves > 0 else 1.0
        minor = relative < rules.minor_place
        weight = f" This place moves the law {percent(relative)} as much." if minor else ""
        texts.append(f"It also appears in {_part(other)}, {_power(factor, other)}.{weight}")
    return " ".join(texts)


def _part(exponent: Exponent) -> str:
    part = formula_text(exponent.part or exponent.inside)
    return f"{part}, the argument of {exponent.under}" if exponent.under else part


def _power(factor: str, exponent: Exponent) -> str:
    """The power of a factor in one place of the law, and what it says about a root."""
    if exponent.logarithm:
        return f"the argument of a logarithm, which grows more slowly than any power of {factor}"
    if exponent.varies_with:
        low, high = exponent.over or (0.0, 0.0)
        others = listed(exponent.varies_with)
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
        verdict = f"{'supports' if len(inside) == 1 else 'is compatible with'} {listed(inside)}"
    limit = ", the rate of approach to a limit" if high < 0.0 else ""
    return (
        f"Without a law, cells that agree in all other factors follow a + b·{factor}^p best with "
        f"p = {_with_interval(exponent.value, exponent.ci95)}{limit}. This {verdict}."
    )


# --- other predictors ----------------------------------------------------------------------------


def form_name(law: Law) -> str:
    """The name of a theoretical form: its origin without its kind."""
    return law.origin.removeprefix("theory:").strip()


def theory_text(selected: Law, theory: Sequence[Law]) -> str:
    """The theoretical form that extrapolates best, beside the selected law."""
    key = "r2_extrapolation" if selected.scores.get("r2_extrapolation") is not None else "r2_cv"
    own = selected.scores.get(key)
    scores = [(law.scores.get(key), form_name(law)) for law in theory if law.valid]
    ranked = sorted(((r2, name) for r2, name in scores if r2 is not None), reverse=True)
    if own is None or not ranked:
        return ""
    if selected.origin.startswith("theory:"):
        return f'The selected law is itself a theoretical form, "{form_name(selected)}".'
    best, name = ranked[0]
    return (
        f'Of {len(theory)} theoretical forms, "{name}" has the best {SCORES[key]} R²: '
        f"{score(best)}, {score(abs(own - best))} {'below' if best <= own else 'above'} the "
        f"selected law ({score(own)})."
    )


def baseline_text(selected: Law, baseline: Baseline) -> str:
    """The law beside a predictor that need not be a formula."""
    texts = [
        f"{score(baseline.scores[key])} {name} (the law: {score(selected.scores[key])})"
        for key, name in SCORES.items()
        if baseline.scores.get(key) is not None and selected.scores.get(key) is not None
    ]
    if not texts:
        return ""
    return f"{baseline.name.capitalize()}, which is not a formula, reaches R² {', '.join(texts)}."


# --- one task against several --------------------------------------------------------------------


def harm_text(target: str, harm: Harm | None, lower: bool = False) -> str:
    """Where the law is worse than its own value at T = 1; empty where there is no such factor.

    Parameters
    ----------
    lower : whether a lower target is better.
    """
    if harm is None:
        return ""
    single = f"its value at {harm.count} = 1"
    worse, side = ("rises above", "above") if lower else ("falls below", "below")
    changes = sorted((-harm.lowest, -harm.highest)) if lower else (harm.lowest, harm.highest)
    texts = [
        f"Within the fitted ranges the law {'always lies' if harm.lowered else 'never'} "
        f"{side if harm.lowered else worse} {single}: {target} changes by "
        f"{interval(changes, 2)}."
    ]
    if 0.0 < harm.lowered < 1.0:
        always, never = harm.always_below, harm.never_from
        texts = [
            f"The law {worse} {single} on {percent(harm.lowered)} of the fitted ranges (negative "
            f"transfer), by at most {number(-harm.lowest, 2)}, at {point_text(harm.at)}"
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
        start = "It" if texts else "In the measurements, training together"
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
    """Where a region is, its mean, and what the law predicts there."""
    ends = sorted(abs(end) for end in region.ci95)
    law = region.law if region.law is None else (-region.law if lower else region.law)
    prediction = "" if law is None else f"; the law predicts {signed(settled(law, region.gain))}"
    cells = f"{number(region.cells)} cell{'' if region.cells == 1 else 's'}"
    return (
        f"{region_place(region, paired)}, by {number(abs(region.gain), 2)} on average (95 % "
        f"{interval(ends, 2)}; {cells}, {number(round(region.runs))} trials{prediction})"
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
    return f"at {listed(parts)}" if parts else "over all measured cells"


def _pooled_text(paired: PooledGain, lower: bool) -> str:
    """How many cells are worse than the single task, and how that was judged."""
    side = "above" if lower else "below"
    cells, below, pooled = paired.counts
    lie = "lies" if below == 1 else "lie"
    counts = (
        f"{number(below)} of {number(cells)} measured cells with {paired.count} > 1 {lie} "
        f"{side} single-task training, {number(pooled)} after averaging over neighbouring cells"
    )
    if not paired.tested:
        return f"{counts}; without replicates no sign is certain."
    how = "by seed" if paired.by_seed else "with the mean of the single-task trials"
    none = "" if paired.harm else "; no range of cells is clearly harmed"
    return (
        f"{counts}{none}. Trials are paired {how}. Signs are judged over ranges of cells, and the "
        "intervals are corrected for the number of ranges examined."
    )


def gain_map_text(
    count: str,
    ends: tuple[float, float],
    cells: Sequence[GainCell],
    sample: PooledGain | None = None,
) -> str:
    """What the law predicts on a map of gains, and what the measured cells on it show.

    Parameters
    ----------
    ends : lowest and highest predicted gain.
    cells : the measured cells on the map.
    sample : the measured gains, where their cells are a sample; None where they are all.
    """
    low, high = ends
    up = [cell for cell in cells if cell.region > 0 or (cell.region == 0 and cell.pooled >= 0)]
    clear, harmed = sum(c.region < 0 for c in cells), len(cells) - len(up)
    worse, better = harmed > 0, len(up) > 0
    if sample is not None:
        total, _, below = sample.counts
        worse, better = below > 0, below < total
    contradicted = (low >= 0 and worse) or (high <= 0 and better)
    if low < 0 < high:
        law = "On the line, the law predicts no gain and no harm from training together."
    elif contradicted:
        law = f"The law predicts {'no harm' if low >= 0 else 'no gain'} on this map."
    elif low > 0:
        law = "The law predicts a gain everywhere on this map."
    else:
        law = f"The law predicts {'no harm' if low == 0 else 'no gain'} anywhere on this map."
    if not cells:
        return law
    where = "In the measurements"
    if sample is not None:
        some, all_cells = number(len(sample.cells)), number(sample.counts[0])
        where = f"In a random sample of {some} of all {all_cells} measured cells"
    measured = (
        f"{where}, {harmed} of {len(cells)} cells{' here' if sample else ''} are worse than "
        f"{count} = 1 after averaging over neighbouring cells"
    )
    return f"{law} {measured}{f', {clear} of them clearly' if clear else ''}."


def equivalent_data_text(surface: Surface) -> str:
    """How much single-task data is worth as much as training together, or why none is.

    Empty where the table has no number of tasks.
    """
    roles = surface.multitask
    if roles is None:
        reason = _no_comparison(surface)
        return f"{NOT_STATED}{reason}." if reason else ""
    unused = [name for name in (roles.size, roles.tasks) if name not in surface.used]
    if unused:
        return f"{NOT_STATED}the law does not use {listed(unused, 'or')}."
    results = {n: equivalent_data(surface, roles, n) for n in middle_and_most_tasks(surface, roles)}
    values = [(tasks, times) for tasks, times in results.items() if isinstance(times, float)]
    if not values:
        tasks, gap = next(iter(results.items()))
        return f"{NOT_STATED}{_gap_text(surface, roles, tasks, gap)}."
    related = roles.relatedness
    place = {name: surface.reference[name] for name in (roles.size, related)}
    place = {name: value for name, value in place.items() if name in surface.used}
    (first, times), *rest = values
    more = "".join(f", {number(tasks)} tasks {number(one, 2)} times" for tasks, one in rest)
    at = listed([point_text({name: value}) for name, value in place.items()])
    return (
        f"At {at}, training {number(first)} tasks together is worth {number(times, 2)} times as "
        f"much single-task data{more}."
    )


def _no_comparison(surface: Surface) -> str:
    """Why a table with factors of the customary names has no comparison with one task."""
    names = {name.lower(): name for name in surface.factors}
    if "t" not in names or "ami" not in names:
        return ""
    if not (surface.columns[names["t"]] == 1).any():
        return f"the table has no row with {names['t']} = 1"
    return "no factor of the table is a number of tokens over a wide range"


def _gap_text(surface: Surface, roles: Roles, tasks: float, gap: float | Gap) -> str:
    """Why the law for one task has no size at which it reaches what `tasks` do."""
    size = roles.size
    if gap == "no_value":
        return f"the law for one task has no value everywhere along {size}"
    if gap == "several":
        return f"the law for one task reaches the same value at several values of {size}"
    sizes, value = followed_sizes(surface, roles), together(surface, roles, tasks)
    return (
        f"the law for one task stays {gap} what {number(tasks)} tasks reach, {number(value)}, from "
        f"{size} = {level(sizes[0])} to {level(sizes[-1])}"
    )
