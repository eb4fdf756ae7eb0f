"""LawRegressor: scikit-learn's own checks, a planted law, and data that say little."""

from __future__ import annotations

import pickle
from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

from mtl_laws.pipeline.laws.regressor import (
    ConstantLawWarning,
    LawRegressor,
    ParameterError,
    constant_law,
    factor_names,
)
from mtl_laws.pipeline.laws.rows import Rows
from support.planted import beyond, planted_table

FACTORS = ["n", "T", "ami"]


def power_rows(rows: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One size and a decoy; y = 0.9 − 2/√n with a little noise."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(20, 900, rows), rng.normal(size=rows)]).astype(float)
    return X, 0.9 - 2.0 / np.sqrt(X[:, 0]) + rng.normal(0, 0.002, rows)


@pytest.fixture(scope="module")
def fitted() -> LawRegressor:
    X, y = power_rows()
    return LawRegressor(budget="tiny", bounds=(0.0, 1.0)).fit(X, y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mtl_laws.pipeline.laws.regressor.ConstantLawWarning")
def test_scikit_learns_own_checks() -> None:
    skipped = set()
    for estimator, check in estimator_checks_generator(LawRegressor(budget="tiny")):
        try:
            check(estimator)
        except SkipTest as reason:
            skipped.add(str(reason))
    assert all("SCIPY_ARRAY_API" in reason for reason in skipped)


@pytest.mark.slow
def test_a_planted_law_holds_where_nothing_was_fitted() -> None:
    train, far = planted_table(noise=0.01).drop(columns="decoy"), beyond().drop(columns="decoy")
    regressor = LawRegressor(budget="quick", bounds=(0.0, 1.0)).fit(train[FACTORS], train["y"])
    assert regressor.score(far[FACTORS], far["y"]) > 0.95
    assert {f for f in FACTORS if regressor.selected_.uses(f)} == set(FACTORS)


def test_a_law_is_found_and_predicts(fitted: LawRegressor) -> None:
    X, y = power_rows(seed=1)
    assert fitted.score(X, y) > 0.95
    assert fitted.selected_ in fitted.laws_
    assert fitted.selected_.uses("x0")
    assert not fitted.selected_.uses("x1"), "the decoy is in the law"
    assert fitted.selected_.scores["r2_extrapolation"] is not None
    far = np.array([[3_600.0, 0.0]])
    assert fitted.predict(far)[0] == pytest.approx(0.9 - 2 / 60, abs=0.02)


def test_it_pickles_and_clones(fitted: LawRegressor) -> None:
    X, _ = power_rows()
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
    assert clone(fitted).get_params() == fitted.get_params()


def test_it_works_in_a_pipeline_under_cross_validation() -> None:
    X, y = power_rows()
    in_thousands = FunctionTransformer(lambda X: X / [1000, 1])
    model = make_pipeline(in_thousands, LawRegressor(budget="tiny", bounds=(0.0, 1.0)))
    assert np.min(cross_val_score(model, X, y, cv=2)) > 0.9


def test_a_weight_counts_rows_and_order_does_not_matter(fitted: LawRegressor) -> None:
    X, y = power_rows(24)
    times = np.random.default_rng(2).integers(0, 4, len(y))
    order = np.random.default_rng(3).permutation(int(times.sum()))
    weighted = clone(fitted).fit(X, y, sample_weight=times)
    repeated = clone(fitted).fit(np.repeat(X, times, axis=0)[order], np.repeat(y, times)[order])
    assert weighted.selected_ == repeated.selected_


def test_weights_in_the_rows_are_the_same_as_repeated_rows() -> None:
    rng = np.random.default_rng(4)
    times = rng.integers(1, 5, 30)
    columns = {"n": rng.integers(1, 9, 30).astype(float)}
    target, cell = rng.normal(size=30), columns["n"].astype(np.int64)
    weighted = Rows(columns, target, cell, count=times.astype(float))
    repeated = Rows({"n": columns["n"]}, target, cell).take(np.repeat(np.arange(30), times))
    assert weighted.variance == pytest.approx(repeated.variance, rel=1e-12)
    assert weighted.replicate_variance == pytest.approx(repeated.replicate_variance, rel=1e-12)
    np.testing.assert_allclose(weighted.sample.target, repeated.sample.target, rtol=1e-12)
    np.testing.assert_array_equal(weighted.sample.weight, repeated.sample.weight)
    np.testing.assert_array_equal(weighted.take(cell > 3).weights, times[cell > 3])


def test_an_undefined_factor_may_be_missing() -> None:
    table = planted_table(noise=0.01).drop(columns="decoy")
    regressor = LawRegressor(budget="tiny", bounds=(0.0, 1.0)).fit(table[FACTORS], table["y"])
    assert list(regressor.feature_names_in_) == list(regressor.factor_names_) == FACTORS
    value = regressor.predict(table[FACTORS])
    assert np.isfinite(value).all()
    assert regressor.score(table[FACTORS], table["y"]) > 0.5


@pytest.mark.parametrize(
    ("names", "safe"),
    [
        (None, ("x0", "x1", "x2")),
        (["n", "T", "ami"], ("n", "T", "ami")),
        (["n tokens", "log", "c0"], ("x0", "x1", "x2")),
        (["x1", "lambda", "beta"], ("x1", "x1_", "beta")),
    ],
)
def test_factor_names_can_stand_in_a_formula(names: list[str] | None, safe: tuple[str]) -> None:
    assert factor_names(3, names) == safe


def test_features_with_odd_names_are_given_their_domains() -> None:
    X, y = power_rows()
    table = pd.DataFrame(X, columns=["n (tokens)", "exp"])
    domains = {"n (tokens)": (10.0, 4_000.0)}
    regressor = LawRegressor(budget="tiny", bounds=(0, 1), domains=domains).fit(table, y)
    assert regressor.factor_names_ == ("x0", "x1")
    assert regressor.domains_["x0"] == (10.0, 4_000.0)
    assert regressor.selected_.uses("x0")


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.ones((20, 2)), np.arange(20.0), "no factor varies"),
        (np.arange(20.0)[:, None], np.full(20, 0.3), "does not vary"),
        (np.arange(4.0)[:, None], np.arange(4.0), "4 distinct rows"),
    ],
)
def test_where_nothing_can_be_learned_the_law_is_the_mean(
    X: np.ndarray, y: np.ndarray, words: str
) -> None:
    with pytest.warns(ConstantLawWarning, match=words):
        regressor = LawRegressor(budget="tiny").fit(X, y)
    np.testing.assert_allclose(regressor.predict(X), y.mean())
    assert regressor.selected_.origin == "constant"
    assert words in regressor.notes_[-1]


def test_the_constant_law_weighs_its_rows() -> None:
    data = Rows({}, np.array([0.0, 3.0]), np.zeros(2, dtype=np.int64), count=np.array([2.0, 1]))
    law = constant_law(data)
    assert law.constants["c0"].value == pytest.approx(1.0)
    assert law.predict({"n": np.zeros(3)}).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"budget": "huge"}, "budget"),
        ({"bounds": (1.0, 0.0)}, "bounds"),
        ({"bounds": (0.0, 0.5)}, "bounds"),
        ({"domains": {"x9": (0.0, 1.0)}}, "domains.x9"),
        ({"time_limit": -1}, "time_limit"),
        ({"random_state": -1}, "random_state"),
        ({"engine": "opern"}, "engine"),
    ],
)
def test_mistakes_are_named_by_parameter(parameters: dict[str, object], field: str) -> None:
    X, y = power_rows()
    with pytest.raises(ParameterError) as caught:
        LawRegressor(**{"budget": "tiny", **parameters}).fit(X, y)
    assert isinstance(caught.value, ValueError)
    assert caught.value.path == field


def test_outside_the_domain_a_pole_does_not_reach_the_predictions(fitted: LawRegressor) -> None:
    assert np.isfinite(fitted.predict(np.array([[0.0, 0.0], [-5.0, 0.0]]))).all()
