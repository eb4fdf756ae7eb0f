"""Arguments of the notebook's functions: mistakes are said by their names, not by options."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from pipeline.errors import InputError
from pipeline.names import nearest


def check_settings(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse a setting that a function does not have.

    Raises
    ------
    InputError
        naming the nearest one.
    """
    for name in given:
        if name not in known:
            raise InputError(function, name, nearest(name, known))


@contextmanager
def as_arguments() -> Iterator[None]:
    """Say what is wrong by the name of the argument, not by the option of the command."""
    try:
        yield
    except InputError as error:
        field = error.field
        if field.startswith("--"):
            option, gap, rest = field.removeprefix("--").partition(" ")
            field = f"{option.replace('-', '_')}{gap}{rest}"
        elif field.isupper():
            field = field.lower()
        raise type(error)(field, error.value, error.accepted) from error
