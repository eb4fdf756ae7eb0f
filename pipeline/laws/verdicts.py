"""Verdicts: what is found, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.laws.exponents import Exponent
from pipeline.laws.inclusion import Inclusion
from pipeline.laws.law import Law
from pipeline.laws.plainpower import PlainPower
from pipeline.laws.transfer import Transfer
from pipeline.laws.typeset.numbers import interval, level, number, percent, score

#: a difference in BIC above this is strong evidence
STRONG = 10.0
#: a factor that wins more often by less than this than when shuffled says little
CHANCE = 0.3
ROOT = 0.5


def on_factor(factor: str, present: bool, delta: float | None, r2: float | None) -> str:
    """Whether the data ask for the factor, by the best laws with and without it."""
    if delta is None or r2 is None:
        everywhere = "every" if present else "no"
        return f"{factor} is in {everywhere} valid law that was found."
    least = f"the best law without {factor} explains {percent(max(r2, 0.0))} of the variance"
    change = f"ΔBIC = {number(round(delta))}"
    if present and delta > STRONG:
        return f"{factor} matters: {least} ({change} in favour of {factor})."
    if present:
        return f"{factor} is in the law, but the data hardly ask for it: {least} ({change})."
    if delta > STRONG:
        return (
            f"{factor} is not in the law, although laws with it fit better where there are data "
            f"({change}): they do not extrapolate better."
        )
    return f"{factor} is not in the law, and the data do not ask for it ({change})."


def on_exponents(factor: str, found: Sequence[Exponent]) -> str:
    """With which power the factor enters the law; empty where it does not."""
    if not found:
        return ""
    if len(found) == 1:
        return f"Given this form of law, {factor} {_enters(factor, found[0])}."
    each = [f"in {exponent.inside} it {_enters(factor, exponent)}" for exponent in found]
    return f"Given this form of law, {factor} enters in {len(found)} places: {'; '.join(each)}."


def _enters(factor: str, exponent: Exponent) -> str:
    if exponent.logarithm:
        return f"enters by its logarithm, not by a power such as √{factor}"
    if exponent.varies_with:
        others = " and ".join(exponent.varies_with)
        low, high = exponent.over or (None, None)
        return (
            f"has no single power such as √{factor}: its exponent depends on {others} and runs "
            f"from {number(low, 2)} to {number(high, 2)}"
        )
    if exponent.value is None:
        return "has an exponent that is not identified"
    return f"enters with exponent {_with_interval(exponent.value, exponent.ci95)}" + on_root(
        factor, exponent.ci95
    )


def _with_interval(value: float, ci95: tuple[float, float] | None) -> str:
    return f"{number(value, 2)} ({'no interval' if ci95 is None else f'95 % {interval(ci95, 2)}'})"


def on_root(
    factor: str, ci95: tuple[float, float] | None, root: str = "", straight: str = ""
) -> str:
    """Whether an exponent's interval holds ½ or −½, as the end of a sentence.

    Parameters
    ----------
    root, straight : what to call the powers ½ and 1 of the factor, where not √f and f.
    """
    if ci95 is None:
        return ""
    root, straight = root or f"√{factor}", straight or factor
    low, high = sorted(abs(end) for end in ci95)
    if ci95[0] <= 0.0 <= ci95[1]:
        return ": the data do not even tell its sign" + ("" if high >= ROOT else f", nor {root}")
    one = low <= 1.0 <= high
    if low <= ROOT <= high:
        return f": the data allow {root}, and {straight}" if one else f": the data support {root}"
    return f": the data do not support {root}" + (f", but {straight} itself" if one else "")


def on_plain_power(factor: str, plain: PlainPower | None) -> str:
    """The power that rows alike in everything else ask for; empty where they cannot tell."""
    if plain is None:
        return ""
    told, ends = _with_interval(plain.value, plain.ci95), plain.ci95
    roots = {ROOT: f"√{factor}", -ROOT: f"1/√{factor}"}
    if ends[0] <= 0.0 <= ends[1]:
        held = [name for power, name in roots.items() if ends[0] <= power <= ends[1]]
        verdict = f": the data allow a logarithm{''.join(f' and {name}' for name in held)}"
    elif ends[1] < 0.0:
        verdict = on_root(factor, ends, roots[-ROOT], f"1/{factor}")
    else:
        verdict = on_root(factor, ends)
    return f"Without any law, rows alike in all else ask for exponent {told}{verdict}."


def on_inclusion(factor: str, present: bool, shares: Inclusion | None) -> str:
    """How often the factor wins, where that is worth a sentence."""
    if shares is None:
        return ""
    told = f"{percent(shares.observed)} of the time, {percent(shares.permuted)} when shuffled"
    little = shares.observed - shares.permuted < CHANCE
    if present and little:
        return f"Laws with {factor} win hardly more often than by luck: {told}."
    if not present and not little:
        return f"Yet laws with {factor} win on halves of the cells: {told}."
    return ""


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


def on_transfer(target: str, change: Transfer | None) -> str:
    """Where the law lies below its own value at T = 1; empty where there is no such factor."""
    if change is None:
        return ""
    alone = f"its value at {change.count} = 1"
    span = f"{number(change.lowest, 2)} to {number(change.highest, 2)}"
    if not change.lowered:
        return (
            f"Nowhere within the fitted ranges does the law fall below {alone}: training together "
            f"changes {target} by {span}."
        )
    if change.lowered == 1.0:
        return (
            f"Everywhere within the fitted ranges the law lies below {alone}: training together "
            f"changes {target} by {span}."
        )
    at = ", ".join(f"{name} = {level(value)}" for name, value in change.at.items())
    return (
        f"The law falls below {alone} on {percent(change.lowered)} of the fitted ranges (negative "
        f"transfer, if a higher {target} is better), by {number(-change.lowest, 2)} at most, at "
        f"{at}{_thresholds(change)}."
    )


def _thresholds(change: Transfer) -> str:
    told = []
    if change.always_below is not None:
        told.append(f"always up to {change.share} = {level(change.always_below)}")
    if change.never_from is not None:
        told.append(f"never from {change.share} = {level(change.never_from)} on")
    return f"; {', '.join(told)}" if told else ""
