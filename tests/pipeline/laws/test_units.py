"""A factor's unit is a convention: tokens or thousands of them, the search predicts the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.symbolic.tree import Floats
from support.planted import beyond, planted_table

NOISE = 0.03
FACTORS = ("n", "T", "ami")


def predictions(unit: float, engine: str, budget: str) -> Floats:
    """What the law selected with n in a unit predicts on the rows and beyond them."""
    table, far = planted_table(noise=NOISE, seed=3), beyond()
    table["n"] /= unit
    question = Question("y", {name: name for name in FACTORS}, (0.0, 1.0))
    problem = pose(table, question, "planted")
    found = find_laws(problem.data, None, SearchOptions(engine, budget, seed=0, jobs=1))
    assert found.selected is not None
    law = found.laws[found.selected].fitted
    far["n"] /= unit
    everywhere = pd.concat([table, far]).fillna({"ami": 0.5})
    columns = {name: everywhere[name].to_numpy(dtype=float) for name in FACTORS}
    return law.expression.evaluate(columns, law.fit.theta)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "budget"), [("grammar", "quick"), ("operon", "quick")])
def test_tokens_or_thousands_of_tokens_predict_the_same(engine: str, budget: str) -> None:
    difference = predictions(1.0, engine, budget) - predictions(1_000.0, engine, budget)
    replicate_noise = NOISE * planted_table(noise=0.0)["y"].std()
    assert np.sqrt(np.mean(difference**2)) < replicate_noise
    assert np.max(np.abs(difference)) < 3 * replicate_noise
