"""How a command ends: its exit code, and one line for what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer

from mtl_laws.pipeline.cli.streams import lasting_streams
from mtl_laws.pipeline.errors import PipelineError, UserError
from mtl_laws.simulator.errors import SimulatorError

STOPPED = 130
INTERRUPTED = "interrupted; a run goes on where it stopped, by the same command"

#: root of Typer's usage errors; Typer carries its own copy of click, or not, depending on its age
UsageError: type[Exception] = typer.BadParameter.__mro__[2]


def exit_code(app: typer.Typer, words: Sequence[str]) -> int:
    """Run a command: 0 done, 1 failed, 2 the user's mistake, 130 interrupted.

    An error that is nobody's mistake but ours is passed on; it ends as one line too, or with its
    traceback where `words` ask for that by ``--debug``.
    """
    hook = sys.excepthook if "--debug" in words else _one_line
    try:
        with lasting_streams():
            return _code(app, words)
    finally:
        sys.excepthook = hook  # Typer installs one of its own


def _code(app: typer.Typer, words: Sequence[str]) -> int:
    try:
        result = app(list(words), standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(INTERRUPTED, STOPPED)
    except UsageError as error:
        from mtl_laws.pipeline.cli.usage import usage_line

        return _fail(usage_line(error, words), 2)
    except (UserError, SimulatorError, PipelineError) as error:
        if "--debug" in words:
            raise
        notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
        return _fail(str(error), 1 if _is_failure(error) else 2, notes)
    if result == STOPPED:  # as Typer answers Ctrl-C
        return _fail(INTERRUPTED, STOPPED)
    return result if isinstance(result, int) else 0


def _is_failure(error: Exception) -> bool:
    """Whether something failed that is not the user's mistake."""
    return isinstance(error, PipelineError) and not isinstance(error, UserError)


def _fail(message: str, code: int, notes: Sequence[str] = ()) -> int:
    print(f"mtl-laws: {_printable(' '.join(message.split()))}", file=sys.stderr)
    for line in notes:
        print(_printable(line), file=sys.stderr)
    return code


def _printable(line: str) -> str:
    """The line without terminal codes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _one_line(kind: type[BaseException], error: BaseException, _: Any) -> None:
    _fail(f"unexpected {kind.__name__}: {error} (mtl-laws --debug … shows where)", 1)
