"""Signals that stop a command: Ctrl-C, SIGTERM and SIGHUP raise `Interrupted` where it is at work.

Before the command is imported, `mtl_laws.__main__` handles them.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WAIT, MOST = 0.05, 10.0
"""Seconds between two attempts to raise, and after which an attempt no longer waits."""

#: whether, and when (`time.monotonic`), a signal has asked the command at work to stop
_asked: list[float] = []


class Interrupted(KeyboardInterrupt):
    """What a signal raises.

    It is not `KeyboardInterrupt` itself: where that passes through the text of an `exec`, as in the
    import of a dataclass, CPython ends by the signal at last, although it was caught.
    """


def interrupted() -> bool:
    """Whether a signal has asked the command at work to stop."""
    return bool(_asked)


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

    In an import or a finalizer the exception might be lost altogether. The timer then calls this
    function again in a moment, until they have ended.
    """
    now = time.monotonic()
    _asked.append(now)
    waited = now - _asked[0]
    if hasattr(signal, "setitimer") and waited < MOST and _loses_exceptions(frame):
        signal.setitimer(signal.ITIMER_REAL, WAIT)
        return
    raise Interrupted


def _loses_exceptions(frame: FrameType | None) -> bool:
    """Whether a frame is part of an import or of a finalizer."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename == "<frozen importlib._bootstrap>" or code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
