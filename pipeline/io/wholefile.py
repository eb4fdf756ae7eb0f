"""Output folders and whole files: a reader sees the old file or the new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mtl_laws.pipeline.errors import UserError

PART = ".part"
"""Ending of files that are being written; the names of all begin with a dot."""


def drop_parts(path: Path) -> None:
    """Remove what writers of `path` that were killed have left; for who alone writes it.

    Parameters
    ----------
    path : a file, or a folder and ``*`` for every file in it.
    """
    for part in path.parent.glob(f".{path.name}.*{PART}"):
        part.unlink(missing_ok=True)


def make_folder(out: Path) -> None:
    """Create the output folder and check that it is writable.

    Raises
    ------
    UserError
        if it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _not_writable(out, error) from error


def write_whole(path: Path, *content: str | bytes | memoryview) -> None:
    """Write the parts of `content` to `path` by way of a temporary file in the same folder.

    Raises
    ------
    UserError
        if the folder cannot be made or written.
    """
    parts = [part.encode("utf-8") if isinstance(part, str) else part for part in content]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, parts)
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or type(error).__name__
    return UserError("out", f"a writable folder ({reason.lower()})", str(path))


def _replace(path: Path, parts: Sequence[bytes | memoryview]) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(parts)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
