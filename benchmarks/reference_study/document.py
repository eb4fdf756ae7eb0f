"""The document: facts poured into sentences. No number stands in the template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mtl_laws.pipeline.laws.record import GainRegion, PooledGain
from mtl_laws.pipeline.report.evidence_text import region_place

TEMPLATE = "findings.md.j2"
MINUS = "−"


def render(facts: Mapping[str, Any]) -> str:
    """``docs/findings.md``."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(FILTERS)
    return environment.get_template(TEMPLATE).render(**facts)


def points(estimate: Mapping[str, Any]) -> str:
    """A gain in points with its interval: ``+4.1 [3.2, 5.0]``."""
    return _with_interval(_signed(100 * estimate["value"]), estimate, 100.0, ".1f")


def amount(estimate: Mapping[str, Any]) -> str:
    """A difference in points with its interval, without a plus."""
    value = _minus(f"{100 * estimate['value']:.1f}")
    return _with_interval(value, estimate, 100.0, ".1f")


def point(estimate: Mapping[str, Any]) -> str:
    """A gain in points without its interval."""
    return _signed(100 * estimate["value"])


def number(estimate: Mapping[str, Any]) -> str:
    """A number with its interval, two decimals."""
    return _with_interval(two(estimate["value"]), estimate, 1.0, ".2f")


def percent(estimate: Mapping[str, Any]) -> str:
    """A share with its interval, in per cent."""
    return _with_interval(share(estimate["value"]), estimate, 100.0, ".0f")


def _with_interval(text: str, estimate: Mapping[str, Any], unit: float, digits: str) -> str:
    """A value and its interval; without one where there is none."""
    ends = estimate["low"], estimate["high"]
    if None in ends:
        return f"{text} [no interval]"
    low, high = (_minus(format(unit * end, digits)) for end in ends)
    return f"{text} [{low}, {high}]"


def crossing(estimate: Mapping[str, Any] | None) -> str:
    """Where a mean rises through zero; in words where it never does."""
    return "nowhere" if estimate is None else number(estimate)


def place(region: Mapping[str, Any], clear: Mapping[str, Any]) -> str:
    """Where a range of levels is: ``at n ≤ 160 and overlap = 1``."""
    ranges = PooledGain(ranges=clear["ranges"])
    return region_place(GainRegion(where=region["where"], gain=0.0, ci95=(0.0, 0.0)), ranges)


def power(plain: Mapping[str, Any] | None) -> str:
    """An exponent with its interval, bold where ½ lies inside; a dash where there is none."""
    if plain is None:
        return "not told"
    text = number(plain)
    return f"**{text}**" if plain["half"] else text


def best(value: float, chosen: bool) -> str:
    """A score, bold where it is the best of its row."""
    return f"**{value:.2f}**" if chosen else f"{value:.2f}"


def times(value: float) -> str:
    """A ratio: a fraction below one, a whole number from one on."""
    return f"1/{1 / value:.0f}" if value < 1 else f"{value:.0f}"


def signed(value: float) -> str:
    """A difference in score with two decimals and its sign."""
    return _minus(f"{value:+.2f}")


def two(value: float | None) -> str:
    """A number with two decimals; a dash where there is none."""
    return "–" if value is None else _minus(f"{value:.2f}")


def share(value: float) -> str:
    """A share in per cent."""
    return _minus(f"{100 * value:.0f} %")


def count(value: float) -> str:
    """A whole number with separators."""
    return f"{value:,.0f}"


def _signed(value: float) -> str:
    return _minus(f"{value:+.1f}")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


FILTERS = {
    function.__name__: function
    for function in (
        amount,
        best,
        count,
        crossing,
        number,
        percent,
        place,
        point,
        points,
        power,
        share,
        signed,
        times,
        two,
    )
}
