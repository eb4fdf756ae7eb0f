"""Labels that mark spans: which of them open one, go on with one and close one."""

from __future__ import annotations

from collections.abc import Sequence

OPENING = ("B-", "S-", "U-")
"""Marks of labels that open a span, in BIO, BIOES and BILOU."""
CLOSING = ("E-", "S-", "L-", "U-")
"""Marks of labels that close one."""
MARKS = (*OPENING, *CLOSING, "I-")
OUTSIDE = ("O", "_")
"""Labels of tokens in no span; CoNLL-U writes `_` where nothing is said."""


def has_spans(names: Sequence[str]) -> bool:
    """Whether labels mark spans: all that are not outside are types behind one of the marks."""
    marked = [name for name in names if name not in OUTSIDE]
    return bool(marked) and all(name.startswith(MARKS) for name in marked)
