"""The loop of `mtl-laws next` in the benchmark, and what a quarter of a reference study tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import active_own as bench
from active_ways import ROUNDS
from mtl_laws.pipeline.laws.question import Question

QUESTION = Question("y", {"N": "N", "E": "E"}, (0.0, None))


@pytest.fixture
def trials() -> pd.DataFrame:
    """Losses by a law that is known; large ones are dear."""
    cells = [(n, e) for n in np.geomspace(1e6, 1e9, 10) for e in (1.0, 2.0, 4.0)]
    table = pd.DataFrame(cells, columns=["N", "E"])
    table["cost"] = table["N"] / table["N"].sum()
    return table.assign(y=1.5 + 40 * (table["N"] * table["E"] ** 0.3) ** -0.3)


def test_trials_are_paid_for_and_seen_only_once_they_are_chosen(trials: pd.DataFrame) -> None:
    seen: list[int] = []

    def results(places: Sequence[int]) -> pd.DataFrame:
        seen.append(len(places))
        return trials.iloc[list(places)]

    goal = pd.DataFrame({"N": [3e9, 3e9], "E": [1.0, 4.0]})
    chosen = bench.chosen_by_next(trials.drop(columns="y"), results, goal, QUESTION, 0.2)
    assert len(set(chosen)) == len(chosen) >= 8
    assert trials["cost"][chosen].sum() <= 0.2 + 1e-9
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert len(seen) == ROUNDS
    assert seen[-1] < len(chosen)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["cells", "trials"])
def test_a_quarter_of_a_study_tells_what_all_of_it_does(unit: str) -> None:
    """It predicts the rest with at most 1.2 times the error of the law from all."""
    whole, some = bench.measure_reference("published-balanced", unit, "quick")
    assert some["trials"] == pytest.approx(whole["trials"] / 4, abs=5)
    assert some["rmse"] <= 1.2 * whole["rmse"]
    assert whole["rmse"] < 0.05
