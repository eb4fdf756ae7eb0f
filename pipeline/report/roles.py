"""Which factor counts tasks, which one measures relatedness, which one is the amount of data.

Factor names are the user's, so the parts are told from the data: where relatedness is undefined,
the number of tasks is 1. The customary names help out where a table codes it otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.report.levels import Floats
from pipeline.report.surface import Surface


@dataclass(frozen=True)
class Roles:
    """Factor names by part in a multi-task experiment."""

    size: str
    tasks: str
    relatedness: str


def find_roles(surface: Surface) -> Roles | None:
    """The three parts, or None where the table is not a multi-task experiment with STL rows."""
    found = _from_nulls(surface) or _from_names(surface)
    if found is None:
        return None
    tasks, relatedness = found
    sizes = [f for f in surface.by_effect if f not in found and surface.logarithmic(f)]
    return Roles(sizes[0], tasks, relatedness) if sizes else None


def _from_nulls(surface: Surface) -> tuple[str, str] | None:
    columns = surface.columns
    for relatedness in surface.factors:
        undefined = np.isnan(columns[relatedness])
        for tasks in surface.factors:
            if tasks != relatedness and undefined.any() and _single(columns[tasks], undefined):
                return tasks, relatedness
    return None


def _single(values: Floats, undefined: np.ndarray) -> bool:
    """Whether a factor is 1 exactly where another is undefined."""
    return bool(np.array_equal(values == 1, undefined) and (values[~undefined] > 1).all())


def _from_names(surface: Surface) -> tuple[str, str] | None:
    named = {name.lower(): name for name in surface.factors}
    if "t" not in named or "ami" not in named:
        return None
    tasks = named["t"]
    return (tasks, named["ami"]) if (surface.columns[tasks] == 1).any() else None
