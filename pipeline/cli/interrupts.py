"""Signals that stop a command: Ctrl-C, SIGTERM and SIGHUP raise `Interrupted` where it is at work.

Before the command is imported, `mtl_laws.__main__` handles them.
"""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AGAIN = 0.2
"""Seconds until an interrupt that seems to be lost is raised again."""

_asked = threading.Event()
"""Whether a signal has asked the command at work to stop."""

_raised: list[weakref.ref[Interrupted]] = []
"""The interrupts that were raised; a dead one was dropped."""


class Interrupted(KeyboardInterrupt):
    """What a signal raises.

    It is not `KeyboardInterrupt` itself: where that passes through the text of an `exec`, as in the
    import of a dataclass, CPython ends by the signal at last, although it was caught.
    """


def interrupted() -> bool:
    """Whether a signal has asked the command at work to stop."""
    return _asked.is_set()


def settle() -> None:
    """Raise no further interrupt by the timer: the command ends."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0.0)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, with one line and its files whole."""
    _asked.clear()
    _raised.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]  # nohup stays
    former = {number: signal.signal(number, _interrupt) for number in ours}
    if hasattr(signal, "setitimer"):
        former[signal.SIGALRM] = signal.signal(signal.SIGALRM, _interrupt)
    hook, sys.unraisablehook = sys.unraisablehook, _mute
    try:
        yield
    finally:
        settle()
        sys.unraisablehook = hook
        for number, handler in former.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise what Ctrl-C raises, and remember it: a library may make another error of it.

    An exception in an import, a finalizer or a callback may be dropped altogether. Therefore a
    timer calls this function until the command has ended. While an interrupt is under way, somebody
    holds it, and nothing is done.
    """
    _asked.set()
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        if number == signal.SIGALRM and _raised and _raised[-1]() is not None:
            return
    error = Interrupted()
    _raised.append(weakref.ref(error))
    try:
        raise error
    finally:
        del error  # its traceback holds this frame


def _mute(unraisable: Any) -> None:
    """Print no traceback of an interrupt that was dropped: it is raised again."""
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
