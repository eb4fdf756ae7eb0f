"""Standard streams that a long run does not die of: closed, on a full disk, their reader gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO, cast


class Lasting:
    """A text stream that drops what nobody can take: progress is not worth a run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, or lose it."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Send what was written on its way, if it has one."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Let standard error last, and let there be one, and a standard output, if they were closed.

    What a command has to say goes to standard output: where that cannot take it, that is an error.
    """
    with ExitStack() as stack:
        if sys.stdout is None:
            stack.enter_context(redirect_stdout(stack.enter_context(_nowhere())))
        errors = stack.enter_context(_nowhere()) if sys.stderr is None else sys.stderr
        stack.enter_context(redirect_stderr(cast(TextIO, Lasting(errors))))
        yield


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
