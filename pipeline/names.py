"""Names a user may have mistyped: the nearest one that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def mistyped(name: str, given: Iterable[str]) -> str | None:
    """That of the `given` names that is most like `name`, where one is."""
    close = difflib.get_close_matches(name, list(given), n=1, cutoff=0.7)
    return close[0] if close else None


def nearest(name: str, known: Iterable[object], kind: str = "a valid name") -> str:
    """What was expected instead of an unknown `name`: its `kind`, the nearest one, then all."""
    names = [str(other) for other in known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; the nearest is {close[0]!r}" if close else ""
    return f"{kind}{hint}; valid: {', '.join(names)}" if names else kind
