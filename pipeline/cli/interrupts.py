"""Signals that stop a command: Ctrl-C, SIGTERM and SIGHUP raise `Interrupted` where it is at work.

Before the command is imported, `mtl_laws.__main__` handles them.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.2
"""Seconds until an interrupt that seems to be lost is raised again."""

_asked = threading.Event()
"""Whether a signal has asked the command at work to stop."""


class Interrupted(KeyboardInterrupt):
    """What a signal raises.

    It is not `KeyboardInterrupt` itself: where that passes through the text of an `exec`, as in the
    import of a dataclass, CPython ends by the signal at last, although it was caught.
    """


def interrupted() -> bool:
    """Whether a signal has asked the command at work to stop."""
    return _asked.is_set()


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, with one line and its files whole."""
    _asked.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]  # nohup stays
    former = {number: signal.signal(number, _interrupt) for number in ours}
    if hasattr(signal, "setitimer"):
        former[signal.SIGALRM] = signal.signal(signal.SIGALRM, _interrupt)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in former.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise what Ctrl-C raises, and remember it: a library may make another error of it.

    An exception in an import, a finalizer or a callback may be lost altogether. Therefore a timer
    calls this function until the command has ended; an interrupt that is under way is left alone.
    """
    _asked.set()
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        if number == signal.SIGALRM and _is_handled(sys.exception()):
            return
    raise Interrupted


def _is_handled(error: BaseException | None) -> bool:
    """Whether an exception that is being handled is an interrupt, or came from one."""
    while error is not None and not isinstance(error, Interrupted):
        error = error.__cause__ or error.__context__
    return error is not None
