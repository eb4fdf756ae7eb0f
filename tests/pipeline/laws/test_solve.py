"""What it takes to reach a score: the analytic inverse, its interval, and where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws import LawSet, UserError
from mtl_laws.pipeline.laws.solve import Axis, Search, Solved
from mtl_laws.pipeline.symbolic.tree import Floats
from support.asked_laws import VALUES, asked_law, asked_laws, grouped_laws

TOGETHER = {"T": 4, "ami": 0.6}


@pytest.fixture(scope="module")
def laws() -> LawSet:
    return asked_laws()


def inverse(score: float, T: float, ami: float) -> float:
    """The n at which the planted law is `score`."""
    n_eff = VALUES["c1"] / (VALUES["c0"] / score - 1)
    return float(n_eff / T ** (VALUES["c2"] * ami ** VALUES["c3"]))


@pytest.mark.parametrize("score", [0.3, 0.6, 0.85])
def test_the_solution_is_the_inverse_of_the_law(laws: LawSet, score: float) -> None:
    solved = laws.solve("n", score, TOGETHER)
    (solution,) = solved.solutions
    assert solution.value == pytest.approx(inverse(score, 4, 0.6), rel=1e-4)
    assert solved.reachable


def test_the_interval_ends_where_the_edges_of_the_band_reach_the_score(laws: LawSet) -> None:
    (solution,) = laws.solve("n", 0.6, TOGETHER).solutions
    assert solution.low is not None
    assert solution.high is not None
    assert solution.low < solution.value < solution.high
    ends = laws.intervals(pd.DataFrame({"n": [solution.low, solution.high], **TOGETHER}))
    assert ends["law_high"].iloc[0] == pytest.approx(0.6, abs=1e-4)
    assert ends["law_low"].iloc[1] == pytest.approx(0.6, abs=1e-4)


def test_the_interval_holds_the_solutions_of_95_percent_of_the_draws(laws: LawSet) -> None:
    """The band comes from draws of the constants, whose own solutions are known."""
    (solution,) = laws.solve("n", 0.6, {"T": 1}).solutions
    uncertainty = laws.law.uncertainty
    assert uncertainty is not None
    c0, c1 = (np.array(uncertainty.draws[name]) for name in ("c0", "c1"))
    n = c1 / (c0 / 0.6 - 1)
    held = np.mean((solution.low <= n) & (n <= solution.high))
    assert 0.93 <= held <= 0.97


def test_beyond_the_domain_it_is_not_reachable_within_it(laws: LawSet) -> None:
    solved = laws.solve("n", 0.92, {"T": 1})
    (solution,) = solved.solutions
    assert not solved.reachable
    assert not solution.inside
    assert solution.value == pytest.approx(inverse(0.92, 1, 0.5), rel=1e-4)
    assert solution.value > solved.domain[1]


def test_above_the_ceiling_it_is_not_reachable_at_all(laws: LawSet) -> None:
    solved = laws.solve("n", 0.99, {"T": 1})
    assert solved.solutions == ()
    assert solved.highest == pytest.approx(laws.predict(pd.DataFrame({"n": [8000.0], "T": 1}))[0])
    assert solved.possible is None
    assert laws.solve("n", 0.946, {"T": 1}).possible is None
    assert laws.solve("n", 0.905, {"T": 1}).possible is not None


def test_relatedness_does_not_matter_for_one_task(laws: LawSet) -> None:
    assert laws.solve("ami", 0.6, {"n": 300, "T": 1}).flat
    solved = laws.solve("ami", 0.6, {"n": 300, "T": 4})
    assert not solved.flat
    assert 0 < solved.solutions[0].value < 1


def test_a_fraction_and_a_count_have_natural_ends(laws: LawSet) -> None:
    assert laws.solve("ami", 0.6, {"n": 300, "T": 4}).examined == (0.0, 1.0)
    assert laws.solve("T", 0.6, {"n": 300, "ami": 0.6}).examined[0] == 1.0


def test_each_group_has_a_solution_of_its_own() -> None:
    laws = grouped_laws()
    for level, ceiling in (("small", 0.8), ("large", 0.95)):
        (solution,) = laws.solve("n", 0.6, {"encoder": level}).solutions
        assert solution.value == pytest.approx(376.0 / (ceiling / 0.6 - 1), rel=1e-4)
    assert not grouped_laws().solve("n", 0.85, {"encoder": "small"}).solutions


def search(curve: Any, target: float, low: float = 1.0, high: float = 100.0, **ends: Any) -> Solved:
    def banded(x: Floats) -> tuple[Floats, Floats, Floats]:
        return curve(x), curve(x) - 0.1, curve(x) + 0.1

    axis = Axis(low=low, high=high, **ends)
    return Search(factor="x", axis=axis, curve=banded, target=target).run()


def test_a_law_that_turns_has_every_solution() -> None:
    solved = search(lambda x: 1.0 - (np.log(x) - 2.0) ** 2, 0.75)
    values = [solution.value for solution in solved.solutions]
    assert values == pytest.approx([np.exp(1.5), np.exp(2.5)], rel=1e-4)
    assert [solution.inside for solution in solved.solutions] == [True, True]
    table = solved.table()
    assert list(table.columns) == ["x", "low", "high", "inside"]
    assert (table["low"] < table["x"]).all()
    assert table["high"].iloc[0] < table["low"].iloc[1]


def test_a_pole_is_no_solution() -> None:
    solved = search(lambda x: 1.0 / (x - 50.0), 0.0)
    assert not [one for one in solved.solutions if one.inside]


def test_a_law_without_a_value_has_no_solution() -> None:
    solved = search(lambda x: np.full(len(x), np.nan), 0.5)
    assert (solved.solutions, solved.lowest, solved.banded) == ((), None, False)


def test_an_interval_that_does_not_end_is_open() -> None:
    """The band of width 0.2 never leaves the target: the curve gains 0.05 in all."""
    solved = search(lambda x: 0.5 + 0.05 * x / (x + 10.0), 0.52)
    (solution,) = solved.solutions
    assert (solution.low, solution.high) == (None, None)
    natural = search(lambda x: 0.05 * x, 0.02, 0.0, 1.0, lowest=0.0, highest=1.0)
    assert (natural.solutions[0].low, natural.solutions[0].high) == (0.0, 1.0)


def test_a_value_at_the_edge_of_the_grid_is_found() -> None:
    assert [one.value for one in search(lambda x: x, 100.0).solutions] == [100.0]
    assert [one.value for one in search(lambda x: x, 1.0).solutions] == [1.0]


WRONG: dict[str, tuple[tuple[Any, ...], str]] = {
    "no such factor": (("m", 0.5), "solve"),
    "a factor that is not in the law": (("T", 0.5), "solve"),
    "out of bounds": (("n", 1.5), "goal"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_solved_is_refused(name: str) -> None:
    asked, path = WRONG[name]
    template = "c0 / (1 + c1 / n)"
    with pytest.raises(UserError) as error:
        asked_laws(asked_law(template, uncertainty=None)).solve(*asked)
    assert error.value.path == path
