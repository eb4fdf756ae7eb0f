"""Command-line values that are small languages: ``n=COLUMN``, ``LOW,HIGH``, ``FACTOR=LOW:HIGH``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.errors import InputError

FACTORS_FORM = "NAME=COLUMN,NAME=COLUMN, as in n=n_tokens,T=n_tasks"
BOUNDS_FORM = "LOW,HIGH, either may be left out: 0,1 or 0,"
DOMAIN_FORM = "FACTOR=LOW:HIGH, as in ami=0:1"


def parse_factors(text: str) -> dict[str, str]:
    """``n=tokens,T=tasks`` as {factor: column}; a bare column is a factor of its own name.

    Raises
    ------
    InputError
        if a part is empty or a factor is named twice.
    """
    factors: dict[str, str] = {}
    for part in text.split(","):
        name, found, column = (piece.strip() for piece in part.partition("="))
        if not name or (found and not column):
            raise InputError("--factors", text, FACTORS_FORM)
        if name in factors:
            raise InputError("--factors", text, f"each factor once, not {name} twice")
        factors[name] = column or name
    return factors


def parse_bounds(text: str) -> tuple[float | None, float | None]:
    """``0,1`` as (0.0, 1.0), ``0,`` as (0.0, None).

    Raises
    ------
    InputError
        if it is not two numbers or one and a comma.
    """
    parts = text.split(",")
    if len(parts) != 2:
        raise InputError("--bounds", text, BOUNDS_FORM)
    low, high = (_number(part, "--bounds", text, BOUNDS_FORM) for part in parts)
    return low, high


def parse_domains(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """``["ami=0:1"]`` as {"ami": (0.0, 1.0)}.

    Raises
    ------
    InputError
        if an item is not ``FACTOR=LOW:HIGH``.
    """
    domains = {}
    for text in texts:
        name, found, ends = text.partition("=")
        pieces = ends.split(":")
        if not name.strip() or not found or len(pieces) != 2:
            raise InputError("--domain", text, DOMAIN_FORM)
        low, high = (_number(piece, "--domain", text, DOMAIN_FORM) for piece in pieces)
        if low is None or high is None:
            raise InputError("--domain", text, DOMAIN_FORM)
        domains[name.strip()] = (low, high)
    return domains


def _number(part: str, field: str, text: str, accepted: str) -> float | None:
    if not part.strip():
        return None
    try:
        value = float(part)
    except ValueError as error:
        raise InputError(field, text, accepted) from error
    if not math.isfinite(value):
        raise InputError(field, text, accepted)
    return value
