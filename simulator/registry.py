"""Registries: name -> entry, or ``module:name`` of an entry that is imported at first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from importlib import import_module
from typing import TypeVar

from mtl_laws.simulator.errors import SpecError

Entry = TypeVar("Entry")


def enter(
    registry: MutableMapping[str, Entry], name: str, entry: Entry, reserved: Iterable[str] = ()
) -> None:
    """Put an entry into a registry, under a name that nothing else there has.

    Parameters
    ----------
    reserved : names that are taken though no entry has them.

    Raises
    ------
    SpecError : the name is taken, or could not be written in a study or on a command line.
    """
    if not name.isidentifier():
        raise SpecError("name", name, "letters, digits and _, no digit first")
    taken = [*reserved, *registry]
    if name in taken:
        raise SpecError("name", name, f"a name that is not taken, as these are: {', '.join(taken)}")
    registry[name] = entry


def made(place: str | Callable[[], Entry]) -> Entry:
    """Make what an entry stands for: a callable, or the ``module:name`` of one."""
    if not isinstance(place, str):
        return place()
    module, _, attribute = place.partition(":")
    maker: Callable[[], Entry] = getattr(import_module(module), attribute)
    return maker()
