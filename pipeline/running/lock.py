"""RunLock: one run at a time in one folder.

The lock is the operating system's own (`flock`) on the file ``run.lock``: it is let go when the
process that holds it ends, however it ends, so a killed run never leaves a folder locked. The file
itself stays; only the lock on it counts. It says who holds the lock, for the message.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pipeline.errors import InputError

LOCK_NAME = "run.lock"


class RunLock:
    """Context manager: holds the folder, or raises.

    Raises
    ------
    InputError : another process is at work in the folder, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_NAME
        self._file: TextIO | None = None

    def __enter__(self) -> RunLock:
        try:
            file = self.path.open("a+", encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or "not writable").lower()
            raise InputError(str(self.path.parent), reason, "a folder to write in") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(self.path)
            file.close()
            raise InputError(
                str(self.path.parent),
                f"in use by {holder}",
                "a folder in which no other run is at work: wait for it, or choose another --out",
            ) from error
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: the lock counts, not what it says
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n")
            file.flush()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def is_locked(folder: Path) -> bool:
    """Whether a run is at work in `folder` right now."""
    try:
        with (folder / LOCK_NAME).open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _holder(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() or "another process"
