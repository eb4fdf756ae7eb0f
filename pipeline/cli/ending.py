"""How a command ends: its exit code, and one line for a mistake, by the option at fault.

Below the command line, a `UserError` has a neutral path, such as `hold_out` or `factors.n`. The
classes `Command` and `Commands` render it by the parameters of the command: ``--hold-out``,
``--factors n``. No other module knows the options.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO, cast

import typer
from typer.core import TyperCommand, TyperGroup

from mtl_laws.pipeline.cli.interrupts import interrupted, settle, stoppable
from mtl_laws.pipeline.errors import (
    MissingError,
    PipelineError,
    UserError,
    from_simulator,
    nearest,
)
from mtl_laws.simulator.errors import SimulatorError, SpecError

INTERRUPTED = 130
RESUMABLE = ("run", "fit")
"""The commands that resume when they are run again."""

#: root of Typer's usage errors; Typer has its own copy of click, or none, depending on its version
UsageError: type[Exception] = typer.BadParameter.__mro__[2]

OPTION = re.compile(r"`(\w+)`")
"""Another parameter in what was expected, such as `` `groups` ``."""

PATH = re.compile(r"(\w+)(?:\[\d+\])?(?:\.(.+))?")
"""A neutral path: a name, perhaps the place in a list, perhaps the name of a part."""


class CommandInterruptedError(Exception):
    """Ctrl-C while a command was at work."""


# --- exit codes --------------------------------------------------------------------------------


def exit_code(app: typer.Typer, words: Sequence[str]) -> int:
    """Run a command: 0 done, 1 failed, 2 the user's mistake, 130 interrupted.

    An unexpected error is passed on. It is shown as one line, or with its traceback where `words`
    hold ``--debug``.
    """
    hook = sys.excepthook if "--debug" in words else _show_in_one_line
    try:
        with lasting_streams(), stoppable():
            return _code(app, words)
    finally:
        sys.excepthook = hook  # Typer installs one of its own


def _code(app: typer.Typer, words: Sequence[str]) -> int:
    try:
        result = app(list(words), prog_name="mtl-laws", standalone_mode=False)
    except CommandInterruptedError as error:
        return _end(str(error), INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _end("interrupted", INTERRUPTED)
    except UsageError as error:
        return _end(usage_line(error, words), 2)
    except (PipelineError, SimulatorError) as error:
        if "--debug" in words:
            raise
        mistake = isinstance(error, (UserError, SimulatorError))
        notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
        return _end(str(error), 2 if mistake else 1, notes)
    if result == INTERRUPTED:  # Typer's answer to Ctrl-C
        return _end("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else 0


def _end(message: str, code: int, notes: Sequence[str] = ()) -> int:
    """Print the message in one line, the notes below it, and return the code."""
    for line in (f"mtl-laws: {' '.join(message.split())}", *notes):
        # no terminal codes
        print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), file=sys.stderr)
    return code


def _show_in_one_line(kind: type[BaseException], error: BaseException, _: Any) -> None:
    _end(f"unexpected {kind.__name__}: {error} (see the traceback with mtl-laws --debug …)", 1)


# --- mistakes by option ------------------------------------------------------------------------


class Command(TyperCommand):
    """A command that names the option or argument at fault."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with by_option(ctx):
                return super().invoke(ctx)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt) and not interrupted():
                raise
            settle()
            advice = ": run the same command again to resume" if self.name in RESUMABLE else ""
            raise CommandInterruptedError(f"interrupted{advice}") from error


class Commands(TyperGroup):
    """All commands; mistakes in the options before the command are named like those after it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is called for."""
        with by_option(ctx):
            return super().invoke(ctx)


@contextmanager
def by_option(context: Any) -> Iterator[None]:
    """Render the path of a mistake by the command's own options and arguments.

    Raises
    ------
    UserError
        instead of a `UserError` at a neutral path, and instead of a `SpecError`.
    """
    try:
        yield
    except SpecError as error:
        mistake = from_simulator(error)
        raise mistake.at(option_of(mistake.path, context) or mistake.path) from error
    except UserError as error:
        option = option_of(error.path, context) or error.path
        expected = OPTION.sub(lambda name: option_of(name[1], context) or name[0], error.expected)
        if (option, expected) == (error.path, error.expected):
            raise
        raise error.at(option, expected) from error


def option_of(path: str, context: Any) -> str | None:
    """``--out`` for `out`, ``--factors n`` for `factors.n`; None where it is no parameter's path.

    The name of a part counts only for an option of named parts, and where the path is not that of
    a file which the command was given.
    """
    name, row, place = path.partition(", row ")
    match = PATH.fullmatch(name if row else path)
    if match is None or (row and name in _files(context)):
        return None
    head, part = match.groups()
    for param in context.command.params:
        plural = f"{param.name}s" if getattr(param, "multiple", False) else param.name
        if head in (param.name, plural) and part is None:
            return f"{param_name(param)}{row}{place}"
        named = "=" in (getattr(param, "metavar", "") or "")
        if head in (param.name, plural) and named and path.partition(",")[0] not in _files(context):
            return f"{param_name(param)} {part}"
    return None


def _files(context: Any) -> set[str]:
    """What the command was given as arguments."""
    names = [p.name for p in context.command.params if p.param_type_name == "argument"]
    values = [context.params.get(name) for name in names]
    return {str(v) for value in values for v in (value if isinstance(value, list) else [value])}


def param_name(param: Any) -> str:
    """``--out``, or ``STUDY`` for an argument."""
    first = str(param.opts[0])
    return first if first.startswith("-") else first.upper()


# --- mistakes in the words of a command line ---------------------------------------------------

#: Typer's names of types -> plain words
KINDS = {"integer": "a whole number", "float": "a number", "number": "a number"}
KIND = re.compile(rf"\bvalid ({'|'.join(KINDS)})\b")
EXAMPLE = re.compile(r"^\s*Example:\s*(.+)$", re.MULTILINE)
EXTRA = re.compile(r"unexpected extra argument\S* \((.*)\)", re.DOTALL)


def usage_line(error: Any, words: Sequence[str]) -> str:
    """One line that names what is wrong on the command line, the value, and what would do.

    Typer uses its own copy of click or the installed one, depending on its version. Therefore
    errors are distinguished by class name, and only attributes that both have are read.

    Parameters
    ----------
    error : a usage error of Typer.
    words : the command line, without the program's name.
    """
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return next(READERS[kind] for kind in kinds if kind in READERS)(error, words)


def _missing(error: Any, _: Sequence[str]) -> str:
    return f"{MissingError(param_name(error.param), _meaning(error.param), None)}{_example(error)}"


def _unknown_option(error: Any, words: Sequence[str]) -> str:
    name, options = str(error.option_name), list(_options(error.ctx.command))
    parent, command = error.ctx.parent, error.ctx.info_name
    if parent is None:
        expected = f"{', '.join(options)} or a command; the options of a command come after it"
        return str(UserError("mtl-laws", expected, name))
    if name in _options(parent.command):
        place = words.index(name)
        end = place + (2 if name == "--plugin" else 1)
        corrected = " ".join([*words[place:end], *words[:place], *words[end:]])
        return f"{name}: expected before the command, as in mtl-laws {corrected}"
    expected = nearest(name, options, f"an option of {command}") if options else "no option"
    return str(UserError(f"mtl-laws {command}", expected, name))


def _bad_value(error: Any, words: Sequence[str]) -> str:
    option = param_name(error.param)
    value, problem = _value_after(option, words), str(error.message).lower().rstrip(".")
    kind = KIND.search(problem)
    if value is None or kind is None:
        received = "" if value is None else f", got {value!r}"
        return f"{option}: {problem}{received}; {_meaning(error.param)}"
    return str(UserError(option, f"{KINDS[kind[1]]}; {_meaning(error.param)}", value))


def _no_value(error: Any, _: Sequence[str]) -> str:
    return f"{error.option_name}: expected a value after it, got none."


def _other(error: Any, _: Sequence[str]) -> str:
    command, message = getattr(error.ctx, "command", None), str(error.format_message())
    commands = getattr(command, "commands", {})
    extra = EXTRA.search(message)
    if extra is not None:
        expected = f"no further argument, got {extra[1]!r}; put a value with spaces in quotes."
        return f"mtl-laws {error.ctx.info_name}: expected {expected}{_example(error)}"
    wrong = re.search(r"'(.*?)'", message)
    if commands and wrong is not None:
        return str(UserError("COMMAND", nearest(wrong[1], commands, "a command"), wrong[1]))
    return message + (_example(error) or " See mtl-laws COMMAND --help.")


READERS: Mapping[str, Callable[[Any, Sequence[str]], str]] = {
    "MissingParameter": _missing,
    "NoSuchOption": _unknown_option,
    "BadParameter": _bad_value,
    "BadOptionUsage": _no_value,
    "Exception": _other,
}
"""Name of an error's class -> the function that renders it. The most special class comes first."""


def _meaning(param: Any) -> str:
    return str(getattr(param, "help", None) or "see --help")


def _options(command: Any) -> Iterator[str]:
    for param in command.params:
        yield from (name for name in param.opts if name.startswith("-"))


def _value_after(option: str, words: Sequence[str]) -> str | None:
    """The word after an option; None without that option."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _example(error: Any) -> str:
    text = str(getattr(getattr(error.ctx, "command", None), "help", "") or "")
    match = EXAMPLE.search(text)
    return f" Example: {match[1].strip()}" if match else ""


# --- standard streams --------------------------------------------------------------------------


class Lasting:
    """A text stream that drops what it cannot write: a lost line of progress must not end a run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, or drop it."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, if it can be flushed."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Keep a command alive when standard error fails; replace closed standard streams.

    A standard output that cannot be written to is an error: a command's result goes there.
    """
    with ExitStack() as stack:
        if sys.stdout is None:
            stack.enter_context(redirect_stdout(stack.enter_context(_nowhere())))
        errors = stack.enter_context(_nowhere()) if sys.stderr is None else sys.stderr
        stack.enter_context(redirect_stderr(cast(TextIO, Lasting(errors))))
        yield


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
