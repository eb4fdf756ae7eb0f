"""Memory: refuse what cannot be held, before minutes were spent on it.

Notation
--------
T : tasks;  N : tokens of all splits of all tasks
"""

from __future__ import annotations

import os
from pathlib import Path

from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.spec import TaskSpec

TOKEN_BYTES, LABEL_BYTES = 36, 4
"""Least memory per token: text while it is drawn, and each task's label (measured at N = 2·10⁶)."""


def check_memory(spec: TaskSpec, free: float | None = None) -> None:
    """Refuse a spec whose tasks do not fit into free memory.

    Parameters
    ----------
    free : bytes; None to ask the system.

    Raises
    ------
    SpecError : naming the largest of the sizes.
    """
    needed = needed_bytes(spec)
    there = free_bytes() if free is None else free
    if needed > there:
        sizes = {"tokens": spec.tokens, "test_tokens": spec.test_tokens}
        sizes["aux_tokens"] = spec.aux_tokens or 0
        largest = max(sizes, key=lambda name: sizes[name])
        need = f"{needed / 1e9:,.0f} GB are needed for {spec.tasks} tasks"
        raise SpecError(largest, sizes[largest], f"fewer: {need}, {there / 1e9:,.0f} GB are free")


def needed_bytes(spec: TaskSpec) -> float:
    """Return the least that the tasks of a spec take while they are made."""
    training = spec.tokens if spec.shared else sum(spec.sizes)
    tokens = training * (1 + spec.validation_fraction) + spec.test_tokens
    return tokens * (TOKEN_BYTES + LABEL_BYTES * spec.tasks)


def free_bytes() -> float:
    """Return the memory that a process may still take: of the machine, or of its container."""
    limits = [_available(), _of_container()]
    return min((one for one in limits if one is not None), default=float("inf"))


def _available() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _installed()
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kilobytes[0] * 1024.0 if kilobytes else _installed()


def _installed() -> float | None:
    names = ("SC_PHYS_PAGES", "SC_PAGE_SIZE")
    if any(name not in os.sysconf_names for name in names):
        return None
    return float(os.sysconf(names[0])) * os.sysconf(names[1])


def _of_container() -> float | None:
    folder = Path("/sys/fs/cgroup")
    try:
        most = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return float(most) - float(used) if most.isdigit() else None
