"""A folder that appears whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from mtl_laws.simulator.errors import SpecError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `out` once everything in it is there.

    Parameters
    ----------
    out : new or empty.

    Raises
    ------
    SpecError : `out` is not empty, is a file, or cannot be written.
    """
    check_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(prefix=f".{out.name}-"[:100], dir=out.parent))
    except (OSError, ValueError) as error:
        raise SpecError("out", str(out), f"a writable folder ({_reason(error)})") from error
    try:
        yield partial
        partial.chmod(0o755)
        try:
            partial.replace(out)
        except OSError as error:
            raise SpecError("out", str(out), f"a new folder ({_reason(error)})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_free(out: Path) -> None:
    """Refuse a folder that holds something, and what is no folder."""
    try:
        free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    except (OSError, ValueError):
        free = False
    if not free:
        raise SpecError("out", str(out), "a new or empty folder")


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
