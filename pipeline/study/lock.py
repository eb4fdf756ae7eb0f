"""RunLock: one run at a time in one folder.

The lock is the operating system's own lock on the file ``run.lock`` (by filelock). It ends with the
process that holds it, however that process ends, so a killed run never leaves a folder locked. The
file itself stays, and names the latest holder. A run that is refused removes the file if it has
created it.
"""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from mtl_laws.pipeline.errors import UserError

LOCK_NAME = "run.lock"

LONGEST_NAME = 200
"""Bytes of the lock file that are read."""

PATIENCE, POLL = 0.1, 0.01
"""Seconds that a run waits for the lock, and between two attempts: `is_locked` holds it briefly."""


class RunLock:
    """Context manager that holds the lock of a folder.

    Raises
    ------
    UserError : another process is at work in the folder, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_NAME
        self._lock = _lock_at(self.path)
        self._created = False

    def __enter__(self) -> RunLock:
        folder = str(self.path.parent)
        try:
            self._lock.acquire(timeout=PATIENCE, poll_interval=POLL)
        except Timeout as error:
            expected = (
                "a folder in which no other run is at work; wait for it, or choose another folder"
            )
            raise UserError(folder, expected, f"in use by {_holder(self.path)}") from error
        except OSError as error:  # not writable, a link, or a file system without locks
            reason = (error.strerror or "not writable").lower()
            raise UserError(folder, "a folder to write in", f"{LOCK_NAME}: {reason}") from error
        with contextlib.suppress(OSError):  # on a full disk the lock works without a name
            self._created = self.path.stat().st_size == 0
            text = f"process {os.getpid()} on {platform.node()}\n"
            self.path.write_text(text, encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._created and isinstance(error, UserError):
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a run is at work in `folder` right now; no file is created."""
    path = folder / LOCK_NAME
    if not path.exists():
        return False
    try:
        with _lock_at(path).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:  # not ours to lock
        return False


def _lock_at(path: Path) -> FileLock:
    """A lock that is never a mere file: that would stay where a run was killed."""
    return FileLock(path, fallback_to_soft=False)


def _holder(path: Path) -> str:
    """Who holds the lock, as the file says."""
    try:
        with path.open("rb") as file:
            name = file.read(LONGEST_NAME).decode("utf-8", "replace").strip()
    except OSError:  # Windows does not let others read a locked file
        name = ""
    return name or "another process"
