"""Canonical JSON and its digest: the name under which a trial is stored, the same everywhere.

Two descriptions that mean the same give the same text: keys are sorted, tuples are lists, a float
that is a whole number is written as that number (``1.0`` and ``1`` are one level), and other floats
are written by `repr`, the shortest text that reads back to the same float on every Python since
3.1. What JSON cannot hold (NaN, infinities, other objects) is refused, never guessed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

DIGEST_LENGTH = 32
"""Hexadecimal digits kept of SHA-256: 128 bits, so that no two trials ever meet by chance."""


def _plain(value: Json) -> Json:
    """`value` in the one form in which it is written."""
    if isinstance(value, Mapping):
        return {_key(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} has no canonical JSON")


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the key {name!r} is not text and has no canonical JSON")
    return name


def canonical(value: Json) -> str:
    """The one text that stands for `value`.

    Raises
    ------
    TypeError : `value` holds something JSON has no form for.
    ValueError : `value` holds NaN or an infinity.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Json) -> str:
    """SHA-256 of the canonical text, its first `DIGEST_LENGTH` hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:DIGEST_LENGTH]
