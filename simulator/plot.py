"""Pictures of a TaskSet. A module of its own, so that matplotlib is imported only when needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from mtl_laws.simulator.tasks import TaskSet


def plot_taskset(taskset: TaskSet, out: Path) -> list[Path]:
    """Draw ``ami.png``, ``labels.png`` and, for T > 1, ``cooccurrence.png`` into a folder.

    Returns
    -------
    The files written.
    """
    draw: Callable[[TaskSet, Path], list[Path]] = import_module(
        "mtl_laws.simulator.figures"
    ).draw_taskset
    return draw(taskset, out)
