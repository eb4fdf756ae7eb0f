"""Names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def deferred(places: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that finds each name in the module of `places`."""

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"no {name!r} here; there are {', '.join(places)}")
        return getattr(import_module(places[name]), name)

    return find
