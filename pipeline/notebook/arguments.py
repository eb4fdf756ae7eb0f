"""Arguments of the notebook's functions; they are called as the paths of a `UserError` are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pipeline.errors import UserError
from pipeline.names import nearest


def check_settings(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse a setting that a function does not have.

    Raises
    ------
    UserError
        naming the nearest one.
    """
    for name in given:
        if name not in known:
            raise UserError(function, name, nearest(name, known))
