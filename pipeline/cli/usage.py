"""What Typer objects to in the words of a command line, said as one line with a remedy.

Typer brings its own copy of click or uses the installed one, depending on its age: errors are told
apart by the names of their classes, and only what both copies have in common is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mtl_laws.pipeline.cli.options import param_name
from mtl_laws.pipeline.errors import MissingError, UserError, nearest

#: what a number is called, for those who do not write programs
KINDS = {"integer": "a whole number", "float": "a number", "number": "a number"}
KIND = re.compile(rf"\bvalid ({'|'.join(KINDS)})\b")
EXAMPLE = re.compile(r"^\s*Example:\s*(.+)$", re.MULTILINE)


def usage_line(error: Any, words: Sequence[str]) -> str:
    """One line that names what is wrong on the command line, the value, and what would do.

    Parameters
    ----------
    error : a usage error of Typer.
    words : the command line, without the program's name.
    """
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return next(READERS[kind] for kind in kinds if kind in READERS)(error, words)


def _missing(error: Any, _: Sequence[str]) -> str:
    name, meaning = param_name(error.param), _meaning(error.param)
    return f"{MissingError(name, f'it is required: {meaning}', None)}{_example(error)}"


def _unknown_option(error: Any, words: Sequence[str]) -> str:
    name, known = str(error.option_name), list(_options(error.ctx.command))
    parent, command = error.ctx.parent, error.ctx.info_name
    if parent is None:
        expected = f"{' or '.join(known)}; the command has its own options after it"
        return str(UserError("option before the command", expected, name))
    if name in _options(parent.command):
        corrected = " ".join(_first(name, words))
        return f"option of {command}: {name!r} stands before the command: mtl-laws {corrected}"
    expected = nearest(name, known, "one of its options") if known else "no option but --help"
    return str(UserError(f"option of {command}", expected, name))


def _first(option: str, words: Sequence[str]) -> list[str]:
    """The command line with an option, and the value of ``--plugin``, put in front."""
    place = words.index(option)
    end = place + (2 if option == "--plugin" else 1)
    return [*words[place:end], *words[:place], *words[end:]]


def _bad_value(error: Any, words: Sequence[str]) -> str:
    option = param_name(error.param)
    value, problem = _given(option, words), str(error.message).lower()
    kind = KIND.search(problem)
    if value is None or kind is None:
        given = "" if value is None else f", got {value!r}"
        return f"{option}: {problem}{given}; {_meaning(error.param)}"
    return str(UserError(option, f"{KINDS[kind[1]]}; {_meaning(error.param)}", value))


def _other(error: Any, _: Sequence[str]) -> str:
    commands = getattr(getattr(error.ctx, "command", None), "commands", {})
    message = str(error.format_message())
    if commands:
        return f"{message} Commands: {', '.join(commands)}; see mtl-laws --help"
    if "extra argument" in message:
        message += ": a value with spaces stands in quotes."
    return message + (_example(error) or " See mtl-laws COMMAND --help")


READERS: Mapping[str, Callable[[Any, Sequence[str]], str]] = {
    "MissingParameter": _missing,
    "NoSuchOption": _unknown_option,
    "BadParameter": _bad_value,
    "Exception": _other,
}
"""Name of an error's class, the most special first -> how it is said."""


def _meaning(param: Any) -> str:
    return str(getattr(param, "help", None) or "see --help")


def _options(command: Any) -> Iterator[str]:
    for param in command.params:
        yield from (name for name in param.opts if name.startswith("-"))


def _given(option: str, words: Sequence[str]) -> str | None:
    """The word that stands behind an option, if the option is there."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _example(error: Any) -> str:
    found = EXAMPLE.search(str(getattr(getattr(error.ctx, "command", None), "help", "") or ""))
    return f" Example: {found[1].strip()}" if found else ""
