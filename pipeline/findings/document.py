"""The document: facts poured into sentences. No number stands in the template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{_signed(value)} [{_plain(low)}, {_plain(high)}]"


def point(estimate: Mapping[str, Any]) -> str:
    """A gain in points without its interval."""
    return _signed(100 * estimate["value"])


def number(estimate: Mapping[str, Any]) -> str:
    """A number with its interval, two decimals."""
    value, low, high = (_minus(f"{estimate[key]:.2f}") for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def percent(estimate: Mapping[str, Any]) -> str:
    """A share with its interval, in per cent."""
    value, low, high = (_minus(f"{100 * estimate[key]:.0f}") for key in ("value", "low", "high"))
    return f"{value} % [{low}, {high}]"


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


def _plain(value: float) -> str:
    return _minus(f"{value:.1f}")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


FILTERS = {
    "points": points,
    "point": point,
    "number": number,
    "percent": percent,
    "two": two,
    "share": share,
    "count": count,
}
