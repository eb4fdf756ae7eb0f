"""Canonical JSON and its digest: the key of a trial, the same on every machine.

Equal descriptions have equal texts: keys are sorted, tuples are lists, a whole number is written
without a fraction (``1.0`` and ``1`` are one level), and other floats are written by `repr`, the
shortest text that reads back to the same float. Values without a JSON form (NaN, infinities, other
objects) are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

DIGEST_LENGTH = 32
"""Hexadecimal digits of the digest: 128 bits, so that two trials never share one by chance."""


def _plain(value: Json) -> Json:
    """`value` in canonical form."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"the key {name!r} is not text and has no canonical JSON")
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} has no canonical JSON")


def canonical(value: Json) -> str:
    """The canonical JSON text of `value`.

    Raises
    ------
    TypeError : `value` contains an object without a JSON form.
    ValueError : `value` contains NaN or an infinity.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Json) -> str:
    """The first `DIGEST_LENGTH` hexadecimal digits of the SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:DIGEST_LENGTH]
