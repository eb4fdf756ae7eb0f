"""Provenance: version, machine and libraries behind a result; every stored row refers to it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "mtl-laws"


@cache
def provenance() -> dict[str, str]:
    """Package version, commit, host, Python and torch of this process.

    ``commit`` is empty unless the package runs from its own checkout. It ends in ``+changes`` if
    the checkout differs from that commit.
    """
    return {
        "version": _version(DISTRIBUTION),
        "commit": _commit(Path(__file__).resolve().parent.parent),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": _version("torch"),
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def _commit(checkout: Path) -> str:
    git = shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return ""
    head = _ask(git, checkout, "rev-parse", "--verify", "--quiet", "HEAD")
    if not head:
        return ""
    changed = _ask(git, checkout, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if changed else head


def _ask(git: str, checkout: Path, *words: str) -> str:
    command = [git, "-C", str(checkout), *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    return answer.stdout.strip() if answer.returncode == 0 else ""
