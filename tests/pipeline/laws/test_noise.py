"""Outliers: planted ones are named and do not bend the law; clean noise has none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.checks import Domain
from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.noise import find_outliers
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import Candidate, fit_candidate
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.symbolic.tree import Floats, Tree
from support.planted import planted_table
from support.rows import posed

NOISE = 0.005
FAR = (17, 60, 121, 188)
"""Rows that are moved by 0.3, which is 60 standard deviations of the noise."""


def power_table(seed: int = 0, far: tuple[int, ...] = FAR) -> pd.DataFrame:
    """200 rows of y = 0.9 − 2·n^(−0.5), some of them far off."""
    rng = np.random.default_rng(seed)
    n = np.exp(rng.uniform(np.log(30), np.log(3_000), 200))
    y = 0.9 - 2.0 * n**-0.5 + rng.normal(0, NOISE, 200)
    y[list(far)] -= 0.3
    return pd.DataFrame({"n": n, "y": y})


def laws(table: pd.DataFrame, loss: str) -> LawSet:
    problem = posed(table)
    options = SearchOptions(engine="grammar", budget="tiny", jobs=1, loss=loss)
    return laws_document(problem, find_laws(problem.data, None, options), seed=0)


def curve(law: Law) -> Floats:
    return law.predict({"n": np.geomspace(30, 3_000, 50)})


TRUE_CURVE = 0.9 - 2.0 * np.geomspace(30, 3_000, 50) ** -0.5


@pytest.fixture(scope="module")
def robust() -> LawSet:
    return laws(power_table(), "auto")


def test_planted_outliers_are_named(robust: LawSet) -> None:
    assert [each.row for each in robust.outliers] == list(FAR)
    table = power_table()
    for each in robust.outliers:
        assert each.residual_sd < -30
        assert each.value == table["y"][each.row]
        assert each.factors == {"n": table["n"][each.row]}
        assert each.predicted - each.value == pytest.approx(0.3, abs=0.03)


def test_the_law_is_the_planted_one_in_spite_of_them(robust: LawSet) -> None:
    law = robust.law
    np.testing.assert_allclose(curve(law), TRUE_CURVE, atol=NOISE)
    clean = laws(power_table(far=()), "squares").law
    squares = laws(power_table(), "squares").law
    worst, least = (np.abs(curve(one) - TRUE_CURVE).max() for one in (squares, law))
    assert least < worst / 2, "least squares bends towards the outliers"
    np.testing.assert_allclose(curve(law), curve(clean), atol=NOISE)


def test_constants_are_recovered_and_their_intervals_hold_the_truth(robust: LawSet) -> None:
    power = {"c0 + c1 * n ** c2": -0.5, "c0 + c1 * n ** (-c2)": 0.5}
    law = next(one for one in (*robust.front, *robust.theory) if one.template in power)
    for name, truth in (("c0", 0.9), ("c1", -2.0), ("c2", power[law.template])):
        constant = law.constants[name]
        assert constant.value == pytest.approx(truth, rel=0.1)
        assert constant.ci95 is not None
        assert constant.ci95[0] < truth < constant.ci95[1]


def test_the_law_without_the_outliers_is_beside_it(robust: LawSet) -> None:
    assert robust.without_outliers is not None
    assert robust.without_outliers.template == robust.law.template
    np.testing.assert_allclose(curve(robust.without_outliers), TRUE_CURVE, atol=NOISE)


@pytest.mark.parametrize("seed", range(4))
def test_clean_noise_has_no_outliers(seed: int) -> None:
    problem = posed(power_table(seed, far=()))
    options = SearchOptions(engine="grammar", budget="tiny", jobs=1)
    assert find_laws(problem.data, None, options).outliers is None


def test_a_clean_table_with_auto_has_the_law_of_least_squares() -> None:
    table = power_table(far=())
    assert laws(table, "auto").law.expression == laws(table, "squares").law.expression


def outliers_of(data: Rows, texts: list[str], always: bool = False) -> list[int] | None:
    trees = [Tree.parse(text, data.factors) for text in texts]
    fits = [fit_candidate(Candidate(tree, "test"), data, Domain.of(data), 0) for tree in trees]
    found = find_outliers([fit for fit in fits if fit], data, always)
    return None if found is None else found.rows.tolist()


TRUTH = "c0 - c1*(n*(1 + (T - 1)*ami))**(-c2)"


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.5])
def test_rows_with_replicates_have_no_outliers_by_noise_alone(noise: float) -> None:
    for seed in range(5):
        data = posed(planted_table(noise=noise, seed=seed), bounds=(None, 2.0)).data
        assert outliers_of(data, [TRUTH, "c0 - c1*n**(-c2)"]) is None


def test_a_poor_law_does_not_make_outliers_of_rows_that_a_good_one_explains() -> None:
    """A row is one only where it lies far from every good law."""
    data = posed(planted_table(noise=0.03), bounds=(None, 2.0)).data
    assert outliers_of(data, ["c0 + c1*decoy", TRUTH]) is None


def test_many_rows_far_off_are_another_population() -> None:
    table = power_table(far=())
    table.loc[:59, "y"] -= 0.3
    assert outliers_of(posed(table).data, ["c0 + c1*n**c2"]) is None


def test_huber_weights_are_less_than_one_only_far_from_the_law() -> None:
    data = posed(power_table()).data
    fit = fit_candidate(
        Candidate(Tree.parse("c0 + c1*n**c2", data.factors), "test"), data, Domain.of(data), 0
    )
    assert fit is not None
    found = find_outliers([fit], data, always=True)
    assert found is not None
    near = np.abs(found.distance) <= data.rules.noise.huber
    np.testing.assert_array_equal(found.weight[near], 1.0)
    far = ~near
    np.testing.assert_allclose(
        found.weight[far] * np.abs(found.distance[far]), data.rules.noise.huber, rtol=1e-9
    )
    np.testing.assert_allclose(found.weighted(data).weights, found.weight)
