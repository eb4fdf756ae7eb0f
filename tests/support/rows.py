"""Small tables as `Rows`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.question import Problem, Question, pose
from mtl_laws.pipeline.laws.rows import Rows


def posed(table: pd.DataFrame, **options: object) -> Problem:
    """The problem of explaining `y` by every other column."""
    factors = {name: name for name in table.columns if name != "y"}
    question = Question("y", factors, **options)  # type: ignore[arg-type]
    return pose(table, question, "table.csv")


def grid_data(
    bounds: tuple[float, float] = (-np.inf, np.inf), tasks: Sequence[float] = (1.0, 2.0, 4.0)
) -> Rows:
    """n x T x AMI with AMI null at T = 1; the target is n's logarithm, which no test looks at."""
    rows = [
        (n, T, ami)
        for n in (10.0, 20.0, 40.0, 80.0)
        for T in tasks
        for ami in ((np.nan,) if T == 1 else (0.1, 0.4, 0.7, 0.9))
    ]
    table = pd.DataFrame(rows, columns=["n", "T", "ami"])
    table["y"] = np.log(table["n"]) / 10
    low, high = (None if np.isinf(b) else b for b in bounds)
    return posed(table, bounds=(low, high)).data
