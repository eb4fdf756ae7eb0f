"""Sentences on answers of a law: how far a point lies outside, and where a target is reached."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_laws.pipeline.laws.excess import Excess, Outside
from mtl_laws.pipeline.laws.solve import Solution, Solved
from mtl_laws.pipeline.report.evidence_text import listed
from mtl_laws.pipeline.symbolic.typeset.numbers import MISSING, digits_apart, number


def outside_text(outside: Outside) -> str:
    """By how much a point lies outside the fitted region; empty where it lies inside."""
    if outside.factors:
        return listed([_excess_text(one) for one in outside.factors])
    if outside.corner:
        return (
            f"no row combines {listed(outside.corner)} like this; the nearest ones are "
            f"{number(outside.distance, 2)} of the fitted range away"
        )
    return ""


def _excess_text(excess: Excess) -> str:
    """``n = 16,000 is 4 times the largest fitted (4,000)``."""
    place = f"{excess.factor} = {number(excess.value)}"
    end = f"the {'largest' if excess.above else 'smallest'} fitted ({number(excess.limit)})"
    if excess.multiple is None:
        return f"{place} is {'above' if excess.above else 'below'} {end}"
    return f"{place} is {number(excess.multiple)} times {end}"


def place_text(point: Mapping[str, object]) -> str:
    """``n = 500, T = 1, ami undefined``: a point that was asked about."""
    parts = [
        f"{name} = {value}"
        if isinstance(value, str)
        else f"{name} undefined"
        if number(value) == MISSING
        else f"{name} = {number(value)}"
        for name, value in point.items()
    ]
    return ", ".join(parts)


def interval_text(low: float | None, high: float | None) -> str:
    """``271 to 394``; open ends in words; a dash where nothing is known."""
    digits = digits_apart(low, high)
    ends = number(low, digits), number(high, digits)
    if ends == (MISSING, MISSING):
        return MISSING
    if MISSING in ends:
        return f"from {ends[0]} on" if ends[1] == MISSING else f"up to {ends[1]}"
    return f"{ends[0]} to {ends[1]}"


def solution_text(solved: Solved, solution: Solution) -> str:
    """``n = 330 (95 % interval: 271 to 394)``."""
    text = f"{solved.factor} = {number(solution.value)}"
    if not solved.banded:
        return f"{text} (no interval is known)"
    if solution.low is None and solution.high is None:
        return f"{text} (95 % interval: open on both sides)"
    return f"{text} (95 % interval: {interval_text(solution.low, solution.high)})"


def solved_text(solved: Solved, target: str) -> str:
    """Where a law reaches the target, or that it does not, as a clause and further sentences."""
    goal = f"{target} = {number(solved.target)}"
    inside = [solution_text(solved, one) for one in solved.solutions if one.inside]
    beyond = [solution_text(solved, one) for one in solved.solutions if not one.inside]
    if inside:
        further = f"; outside the law's domain also at {listed(beyond)}" if beyond else ""
        return f"{goal} at {listed(inside)}{further}"
    if solved.lowest is None or solved.highest is None:
        return f"{goal} is not reachable: the law has no value there"
    if solved.flat:
        only = f"{target} is {number(solved.lowest)} for every {solved.factor}"
        return f"{goal} is not reachable: {only} here"
    domain = f"{solved.factor} = {interval_text(*solved.domain)}"
    extremes = f"where the law goes from {number(solved.lowest)} to {number(solved.highest)}"
    if beyond:
        within = f"{goal} is not reachable within {domain}, the law's domain, {extremes}"
        return f"{within}; outside it, at {listed(beyond)}"
    nowhere = f"{goal} is not reachable: not within {domain}, {extremes}"
    if solved.examined != solved.domain:
        nowhere += f", and not within {solved.factor} = {interval_text(*solved.examined)}"
    return f"{nowhere}{_held(solved)}"


def _held(solved: Solved) -> str:
    """Where the interval of the mean holds the target all the same; empty where it does nowhere."""
    if solved.possible is None:
        return ""
    ends = interval_text(*solved.possible)
    return f"; the 95 % interval of the mean holds it at {solved.factor} = {ends}"
