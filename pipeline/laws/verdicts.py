"""Verdicts: what is found, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.laws.bands import Certainty, Uncertainty
from pipeline.laws.evidence.exponents import Exponent
from pipeline.laws.evidence.harm import Transfer
from pipeline.laws.evidence.inclusion import Inclusion
from pipeline.laws.evidence.model_free_exponent import PlainPower
from pipeline.laws.law import Law
from pipeline.symbolic.typeset import formula_text
from pipeline.symbolic.typeset.numbers import interval, level, number, percent, score

#: a difference in BIC above this is strong evidence
STRONG = 10.0
#: a place of a factor that moves the law by at least this share of its main place is no lesser one
EQUAL = 0.8
#: a factor that wins more often by less than this than when shuffled says little
CHANCE = 0.3
ROOT = 0.5


@dataclass(frozen=True)
class Worth:
    """The best laws with and without a factor.

    Attributes
    ----------
    delta_bic : BIC without it minus BIC with it; positive speaks for the factor.
    r2_with, r2_without : share of the variance of the fitted rows that they explain.
    """

    delta_bic: float
    r2_with: float
    r2_without: float


def on_factor(factor: str, present: bool, worth: Worth | None) -> str:
    """How much the factor matters, by the best laws with and without it."""
    if worth is None:
        return f"{factor} is in {'every' if present else 'no'} valid law that was found."
    less, more = _shares(worth.r2_without, worth.r2_with)
    change = f"ΔBIC {number(round(worth.delta_bic))}"
    if present and worth.delta_bic > STRONG:
        return (
            f"{factor} matters: without it the best law explains {less} of the variance instead "
            f"of {more} ({change} in its favour)."
        )
    if present:
        return (
            f"{factor} is in the law, but these data hardly ask for it: without it the best law "
            f"explains {less} of the variance, with it {more} ({change})."
        )
    if worth.delta_bic > STRONG:
        return (
            f"{factor} is not in the law, although laws with it fit better where there are data "
            f"({change}): they are not better where there are none."
        )
    return f"{factor} is not in the law, and these data do not ask for it ({change})."


def _shares(less: float, more: float) -> tuple[str, str]:
    """Two shares of variance in percent, with a decimal where they would read the same."""
    whole = percent(max(less, 0.0)), percent(max(more, 0.0))
    if whole[0] != whole[1]:
        return whole
    return f"{number(100 * max(less, 0.0), 4)} %", f"{number(100 * max(more, 0.0), 4)} %"


def on_exponents(factor: str, found: Sequence[Exponent]) -> str:
    """Where the factor stands in the law and with which power; empty where it does not."""
    if not found:
        return ""
    first = found[0]
    stands = "acts mainly" if len(found) > 1 else "stands"
    told = [
        f"Given this form of law, {factor} {stands} in {_part(first)}: there it "
        f"{_enters(factor, first)}."
    ]
    for other in found[1:]:
        share = other.moves / first.moves if first.moves > 0 else 1.0
        weight = f", which moves the law {percent(share)} as much" if share < EQUAL else ""
        told.append(f"In {_part(other)}{weight}, it {_enters(factor, other)}.")
    return " ".join(told)


def _part(exponent: Exponent) -> str:
    part = formula_text(exponent.part or exponent.inside)
    return f"{part}, of which {exponent.under} is taken" if exponent.under else part


def _enters(factor: str, exponent: Exponent) -> str:
    if exponent.logarithm:
        return f"is under a logarithm, which is slower than any power, √{factor} included"
    if exponent.varies_with:
        return _varies(factor, exponent)
    if exponent.value is None:
        return (
            f"has an exponent that these data do not tell, so √{factor} is neither shown nor "
            "ruled out"
        )
    told = f"has exponent {_with_interval(exponent.value, exponent.ci95)}"
    ends = exponent.ci95 or (exponent.value, exponent.value)
    if ends[1] >= 0.0:
        return f"{told}{on_root(factor, exponent.ci95)}"
    fades = f"{told}, so that part tends to 0 as {factor} grows"
    return f"{fades}{on_root(factor, exponent.ci95).replace(', so', ', and', 1)}"


def _varies(factor: str, exponent: Exponent) -> str:
    others = " and ".join(exponent.varies_with)
    low, high = exponent.over or (0.0, 0.0)
    told = f"has no single power, for its exponent runs from {number(low, 2)} to {number(high, 2)}"
    small, large = sorted((abs(low), abs(high)))
    where = f"at one {others} only" if small <= ROOT <= large else "nowhere"
    return f"{told} with {others}, so {_root(factor, low + high)} holds {where}"


def on_root_in_law(found: Sequence[Exponent]) -> str | None:
    """In a word, whether the law's main place of a factor is its root; None where it has none."""
    if not found:
        return None
    first = found[0]
    if first.logarithm:
        return "a logarithm"
    if first.varies_with:
        return "no single power"
    if first.value is None or first.ci95 is None or first.ci95[0] <= 0.0 <= first.ci95[1]:
        return "cannot be told"
    low, high = sorted(abs(end) for end in first.ci95)
    if not low <= ROOT <= high:
        return "not supported"
    return "possible" if low <= 1.0 <= high else "supported"


def _with_interval(value: float, ci95: tuple[float, float] | None) -> str:
    return f"{number(value, 2)} ({'no interval' if ci95 is None else f'95 % {interval(ci95, 2)}'})"


def _root(factor: str, exponent: float) -> str:
    """The root of a factor, below the line where its exponent is negative."""
    return f"√{factor}" if exponent >= 0.0 else f"1/√{factor}"


def on_root(factor: str, ci95: tuple[float, float] | None) -> str:
    """Whether an exponent's interval holds ½ or −½, as the end of a sentence."""
    if ci95 is None:
        return ""
    root = _root(factor, ci95[0] + ci95[1])
    itself = f"{factor} itself" if ci95[1] >= 0.0 else f"1/{factor}"
    low, high = sorted(abs(end) for end in ci95)
    if ci95[0] <= 0.0 <= ci95[1]:
        return ", so these data do not even tell its sign" + (
            "" if high >= ROOT else f", but rule out {root}"
        )
    one = low <= 1.0 <= high
    if low <= ROOT <= high:
        return (
            f", so these data allow {root} and {itself}"
            if one
            else (f", so these data support {root}")
        )
    return f", so these data do not support {root}" + (f" but {itself}" if one else "")


def on_plain_power(factor: str, plain: PlainPower | None) -> str:
    """The power that rows alike in everything else ask for; empty where they cannot tell."""
    if plain is None:
        return ""
    told = _with_interval(plain.value, plain.ci95)
    towards = " as a limit is approached" if plain.ci95[1] < 0.0 else ""
    held = [name for power, name in _powers(factor) if plain.ci95[0] <= power <= plain.ci95[1]]
    if not held:
        verdict = f"which is none of √{factor}, {factor} and ln {factor}"
    else:
        verdict = f"which {'supports' if len(held) == 1 else 'allows'} {_listed(held)}"
    return (
        f"Without any law, rows alike in all else follow a + b·{factor}^p best at p = {told}"
        f"{towards}, {verdict}."
    )


def _powers(factor: str) -> list[tuple[float, str]]:
    """Powers that have a name."""
    return [
        (ROOT, f"√{factor}"),
        (1.0, factor),
        (0.0, f"ln {factor}"),
        (-ROOT, f"1/√{factor}"),
        (-1.0, f"1/{factor}"),
    ]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def on_inclusion(factor: str, present: bool, shares: Inclusion | None) -> str:
    """How often laws with the factor clearly win on half of the cells, and when it is shuffled."""
    if shares is None:
        return ""
    told = f"{percent(shares.observed)} of random halves of the cells"
    luck = f"{percent(shares.permuted)} when {factor} is shuffled"
    little = shares.observed - shares.permuted < CHANCE
    if present and little:
        return f"Laws with it clearly win hardly more often than by luck: on {told}, on {luck}."
    if present:
        return f"Laws with it clearly win on {told}, on {luck}."
    return "" if little else f"Yet laws with it clearly win on {told}, on {luck}."


def on_theory(selected: Law, theory: Sequence[Law]) -> str:
    """Which form of theory is best outside, and how far behind the selected law."""
    key = "r2_extrapolation" if selected.scores.get("r2_extrapolation") is not None else "r2_cv"
    ours = selected.scores.get(key)
    known = [(law.scores[key], law) for law in theory if law.valid and law.scores.get(key)]
    ranked = sorted(((r2, law.origin) for r2, law in known if r2 is not None), reverse=True)
    if ours is None or not ranked:
        return ""
    best, origin = ranked[0]
    name = origin.removeprefix("theory:").strip()
    if selected.origin.startswith("theory:"):
        own = selected.origin.removeprefix("theory:").strip()
        return f"The selected law is itself a form of theory, {own}."
    where = "beyond the levels it had seen" if key == "r2_extrapolation" else "cross-validated"
    gap = abs(ours - best)
    side = "behind" if best <= ours else "ahead of"
    return (
        f"Of {len(theory)} forms of theory, {name} does best {where}: R² {score(best)}, "
        f"{score(gap)} {side} the selected law ({score(ours)})."
    )


def on_reference(selected: Law, reference: Mapping[str, Any]) -> str:
    """The law beside a predictor that need not be a formula, inside and outside."""
    places = (
        ("r2_cv", "cross-validated"),
        ("r2_extrapolation", "beyond the levels it had seen"),
        ("r2_hold_out", "on the rows held out"),
    )
    told = [
        f"{score(reference['scores'][key])} {where} (the law {score(selected.scores[key])})"
        for key, where in places
        if reference["scores"].get(key) is not None and selected.scores.get(key) is not None
    ]
    if not told:
        return ""
    name = str(reference["name"]).capitalize()
    return f"{name}, which need not be a formula, reaches R² {', '.join(told)}."


def on_certainty(target: str, sure: Certainty | None, known: Uncertainty | None) -> str:
    """How sure the law is and how far one more run may lie off; empty where nothing is known."""
    if sure is None or known is None:
        return ""
    off = number(known.misfit_sd, 2)
    noise = (
        f"rows lie off the law by {off}"
        if known.replicate_sd is None
        else f"replicates differ by {number(known.replicate_sd, 2)}, cells lie off the law by {off}"
    )
    held = f"{percent(sure.held_fit)} of the fitted rows"
    if sure.held_out is not None:
        held += f" and {percent(sure.held_out)} of the held-out ones"
    return (
        f"Given its form, the law knows {target} to ± {number(sure.law, 2)} at the median fitted "
        f"row and ± {number(sure.law_most, 2)} at the least certain one (95 %). One more run is "
        f"expected within ± {number(sure.run, 2)} ({noise}, standard deviations); {held} lie "
        "within such a band."
    )


def on_transfer(target: str, change: Transfer | None) -> str:
    """Where the law lies below its own value at T = 1; empty where there is no such factor."""
    if change is None:
        return ""
    alone = f"its value at {change.count} = 1"
    span = f"{number(change.lowest, 2)} to {number(change.highest, 2)}"
    if not change.lowered:
        told = (
            f"Nowhere within the fitted ranges does the law fall below {alone}: against that it "
            f"changes {target} by {span}."
        )
    elif change.lowered == 1.0:
        told = (
            f"Everywhere within the fitted ranges the law lies below {alone}: against that it "
            f"changes {target} by {span}."
        )
    else:
        at = ", ".join(f"{name} = {level(value)}" for name, value in change.at.items())
        told = (
            f"The law falls below {alone} on {percent(change.lowered)} of the fitted ranges "
            f"(negative transfer, if a higher {target} is better), by {number(-change.lowest, 2)} "
            f"at most, at {at}{_thresholds(change)}."
        )
    return " ".join(part for part in (told, _surely(change), _measured(change)) if part)


def _surely(change: Transfer) -> str:
    if change.surely is None or not change.lowered:
        return ""
    share = percent(change.surely) if change.surely else "none"
    return f"Its 95 % band lies below too on {share} of them."


def _measured(change: Transfer) -> str:
    if not change.cells:
        return ""
    told = (
        f"Measured: {change.below} of {change.cells} cells with {change.count} > 1 lie below "
        "single-task training on the same data"
    )
    if change.clearly is None or not change.below:
        return f"{told}."
    clearly = str(change.clearly) if change.clearly else "none"
    return f"{told}, {clearly} of them by more than twice the standard error."


def _thresholds(change: Transfer) -> str:
    told = []
    if change.always_below is not None:
        told.append(f"always up to {change.share} = {level(change.always_below)}")
    if change.never_from is not None:
        told.append(f"never from {change.share} = {level(change.never_from)} on")
    return f"; {', '.join(told)}" if told else ""
