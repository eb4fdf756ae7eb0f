"""Predictions of a law with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mtl_laws.pipeline.laws.lawset import LawSet


def predict(laws: LawSet | Path | str, points: pd.DataFrame | Mapping[str, object]) -> pd.DataFrame:
    """Return predictions of the selected law, with 95 % intervals.

    Parameters
    ----------
    laws : a `LawSet`, or the path of a ``laws.json`` or of its folder.
    points : one row per point, with a column for each factor of the law; or one point as
        ``{factor: value}``.

    Returns
    -------
    The columns of `LawSet.intervals`, one row per point.

    Raises
    ------
    UserError
        if the laws cannot be read, or a factor or group is missing or unknown.

    Examples
    --------
    >>> predict("runs/mine", {"n": 500, "T": 2, "ami": 0.4})  # doctest: +SKIP
    """
    chosen = laws if isinstance(laws, LawSet) else LawSet.load(laws)
    table = points if isinstance(points, pd.DataFrame) else pd.DataFrame([dict(points)])
    return chosen.intervals(table)
