"""The figures that the findings give of the published table, measured again where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from reference_study.published import FIGURES, FORMS, measure

SHARED = Path(os.environ.get("MTL_LAWS_SHARED", Path(__file__).parents[3] / "shared"))
TABLE = SHARED / "paper" / "balanced.csv"

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not TABLE.exists(), reason=f"no published table at {TABLE}"),
]


def test_the_figures_are_those_of_the_table() -> None:
    found = measure(pd.read_csv(TABLE))
    assert set(FIGURES) == set(FORMS) == set(found)
    for name, figures in FIGURES.items():
        for score in ("r2_all", "r2_outside"):
            assert found[name][score] == pytest.approx(figures[score], abs=0.01), (name, score)
        if figures["g"] is not None:
            assert found[name]["g"] == pytest.approx(figures["g"], abs=0.05)
