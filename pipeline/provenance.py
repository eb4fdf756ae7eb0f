"""Provenance: version, machine and libraries behind a result; every stored row carries its own."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from mtl_laws.pipeline.errors import UserError

DISTRIBUTION = "mtl-laws"

COMPARED = {
    "version": "mtl-laws",
    "torch": "torch",
    "numpy": "numpy",
    "python": "Python",
    "code": "mtl-laws with the code",
}
"""What a worker must share with its run, and how a message calls it."""


@cache
def provenance() -> dict[str, str]:
    """Package version, commit, code, host, Python, numpy and torch of this process.

    ``commit`` is empty unless the package runs from its own checkout. It ends in ``+changes`` if
    the checkout differs from that commit. ``code`` is a digest of the source files
    that make and train a trial.
    """
    return {
        "version": _version(DISTRIBUTION),
        "commit": _commit(Path(__file__).resolve().parent.parent),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": _version("numpy"),
        "torch": _version("torch"),
        "code": _code(Path(__file__).resolve().parent.parent),
    }


def check_worker(worker: Mapping[str, str], name: str) -> None:
    """Refuse a worker of another version than this process.

    Only releases are compared: a build for a GPU and one for CPUs are the same torch, and
    Python 3.12.1 and 3.12.4 the same Python.

    Parameters
    ----------
    worker : its `provenance`; empty if it sent none.
    name : the worker as a message calls it, such as its address.

    Raises
    ------
    UserError
        naming the worker and both versions.
    """
    here = provenance()
    for key, library in COMPARED.items():
        if _release(key, worker.get(key, "")) != _release(key, here[key]):
            there = worker.get(key) or "of an unknown version"
            expected = f"{library} {here[key]}, as the run has it"
            advice = "install it there, or end that worker; finished rows are safe"
            raise UserError(f"worker {name}", f"{expected}; {advice}", f"{library} {there}")


def _release(key: str, version: str) -> str:
    return ".".join(version.split(".")[:2]) if key == "python" else version.partition("+")[0]


def _code(root: Path) -> str:
    """A digest of the source files that make and train a trial."""
    digest = sha256()
    for folder in ("simulator", "pipeline/training", "pipeline/study"):
        for path in sorted((root / folder).rglob("*.[pch]*")):
            if path.suffix in (".py", ".c", ".h"):
                name = path.relative_to(root).as_posix()
                digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


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
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
