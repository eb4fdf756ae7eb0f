"""RunLock: one run at a time in one folder.

The lock is the operating system's own (`flock`) on the file ``run.lock``: it is let go when the
process that holds it ends, however it ends, so a killed run never leaves a folder locked. The file
itself stays; only the lock on it counts. It says who holds the lock, for the message. A run that is
refused takes away the file that it has made.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

from mtl_laws.pipeline.errors import UserError

LOCK_NAME = "run.lock"
LONGEST_NAME = 200
"""Characters of the lock file that are read."""

READERS, READING = 10, 0.01
"""How often a lock is tried for again, and after how many seconds: a reader has it for less."""


class RunLock:
    """Context manager: holds the folder, or raises.

    Raises
    ------
    UserError : another process is at work in the folder, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_NAME
        self._file: TextIO | None = None
        self._made = False

    def __enter__(self) -> RunLock:
        file = self._locked()
        while not _is_at(file, self.path):  # its holder was refused and took it away
            file.close()
            file = self._locked()
        self._file = file
        self._made = os.fstat(file.fileno()).st_size == 0
        with contextlib.suppress(OSError):  # a full disk: the lock counts, not what it says
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n")
            file.flush()
        return self

    def _locked(self) -> TextIO:
        """The file at the path, locked."""
        try:
            file = _opened(self.path)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            _lock(file)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read(LONGEST_NAME).strip() or "another process"
            file.close()
            expected = (
                "a folder in which no other run is at work; wait for it, or choose another folder"
            )
            raise UserError(str(self.path.parent), expected, f"in use by {holder}") from error
        except OSError as error:  # a file system that knows no locks
            file.close()
            raise self._unusable(error) from error
        return file

    def _unusable(self, error: OSError) -> UserError:
        reason = (error.strerror or "not writable").lower()
        return UserError(str(self.path.parent), "a folder to write in", f"{LOCK_NAME}: {reason}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        if self._made and isinstance(error, UserError) and _is_at(self._file, self.path):
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._file.close()
        self._file = None


def is_locked(folder: Path) -> bool:
    """Whether a run is at work in `folder` right now."""
    try:
        with (folder / LOCK_NAME).open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # none there, or none for us to read
        return False
    return False


def _opened(path: Path) -> TextIO:
    """The file at `path`, made if absent; not through a link, or its target would be emptied."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o666), "a+", encoding="utf-8", errors="replace")


def _lock(file: TextIO) -> None:
    """Lock `file`; whoever asks for the status of the run (`is_locked`) is waited for."""
    for _ in range(READERS):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(READING)
    return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: TextIO, path: Path) -> bool:
    """Whether `file` is still the one at `path`."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
