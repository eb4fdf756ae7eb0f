"""The laws of advice are those of the reference table, and hold on corpora that were left out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import advice_law
from advice_law import (
    ALL,
    RESULTS,
    Gains,
    agreement,
    cell_table,
    coverage,
    gain_errors,
    left_out,
    regret,
)
from mtl_laws.pipeline.advice.advice import METRICS as SCORES
from mtl_laws.pipeline.advice.advice import shipped_law
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.reference_data import load_reference
from support.planted_laws import planted

ACCURACY = ALL[0]


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    return cell_table(load_reference("real-gains"), ACCURACY)


@pytest.fixture(scope="module")
def law() -> Law:
    return shipped_law("accuracy").law


def test_every_metric_has_a_law_without_and_with_vectors() -> None:
    names = {one.name for one in ALL}
    assert names == {*SCORES, *(f"{score}-vectors" for score in SCORES)}


@pytest.mark.parametrize("gains", ALL, ids=lambda one: one.name)
def test_the_law_that_ships_is_the_least_squares_fit_of_the_table(gains: Gains) -> None:
    law = shipped_law(gains.name).law
    rows = cell_table(load_reference(gains.table), gains)
    target = rows["gain"].to_numpy(float)
    columns = {name: rows[name].to_numpy(float) for name in law.factors}
    whole = rows.assign(corpus="one")
    other = pd.concat([whole, whole.head(1).assign(corpus="two")], ignore_index=True)
    refitted = left_out(law, other)[-1]  # the row of "two" by constants of all rows
    assert law.predict(columns)[0] == pytest.approx(refitted, rel=1e-3)
    errors = [np.mean((law.predict(columns) * factor - target) ** 2) for factor in (0.9, 1.0, 1.1)]
    assert errors[1] == min(errors)


@pytest.mark.parametrize("gains", ALL, ids=lambda one: one.name)
def test_results_and_errors_are_those_of_the_law_that_ships(gains: Gains) -> None:
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))[gains.name]
    shipped = shipped_law(gains.name)
    rows = cell_table(load_reference(gains.table), gains)
    predicted = left_out(shipped.law, rows)
    assert kept["agreement"]["law"] == pytest.approx(agreement(rows, predicted), abs=1e-3)
    assert kept["coverage"] == pytest.approx(coverage(rows, predicted), abs=0.005)
    assert 0.88 <= kept["coverage"] <= 0.99
    assert shipped.errors is not None
    expected = gain_errors(rows, predicted)
    assert shipped.errors.width == pytest.approx(expected.width, rel=0.01)
    for n in (100.0, 3_000.0):
        at = np.array([n])
        assert shipped.errors.deviations(at)[0] == pytest.approx(
            expected.deviations(at)[0], rel=0.01
        )


def test_the_page_has_the_figures_of_the_results() -> None:
    page = (RESULTS.parents[2] / "docs" / "advice.md").read_text(encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    law, regrets = results["accuracy"]["agreement"]["law"], results["accuracy"]["regret"]
    ranks = [f"{law[name]:.2f}" for name in ("spearman", "sign", "sign_clear")]
    assert f"| the law | {' | '.join(ranks)} | {regrets['law']:.3f} |" in page
    assert f"held {results['accuracy']['coverage']:.0%}".replace("%", " %") in page
    for name in list(results)[1:]:
        one = results[name]
        rank = [f"{one['agreement'][way]['spearman']:.2f}" for way in ("law", "ami")]
        clear = f"{one['agreement']['law']['sign_clear']:.2f}, {one['positive_clear']:.2f}"
        lost = ", ".join(f"{one['regret'][way]:.3f}" for way in ("law", "ami", "all"))
        held = f"{one['coverage']:.0%}".replace("%", " %")
        row = f"{one['cells']} | {', '.join(rank)} | {clear} of {one['clear']} | {held} | {lost} |"
        assert row in page, name


def test_the_law_holds_on_corpora_that_were_left_out(cells: pd.DataFrame, law: Law) -> None:
    predicted, gain = left_out(law, cells), cells["gain"].to_numpy(float)
    rank = {
        name: spearmanr(values, gain).statistic
        for name, values in (
            ("law", predicted),
            ("ami", cells["ami"]),
            ("transfer", cells["transfer"]),
            ("entropy", -cells["h_main"] * cells["h_aux"] / cells["n"]),
        )
    }
    assert rank["law"] >= 0.75
    assert rank["law"] == max(rank.values())
    clear = np.abs(gain) > 2 * cells["se"].to_numpy(float)
    assert np.mean(np.sign(predicted[clear]) == np.sign(gain[clear])) >= 0.9
    assert 0.88 <= coverage(cells, predicted) <= 0.99
    lost = regret(cells, {"law": predicted, "ami": cells["ami"].to_numpy(float)})
    assert lost["law"] <= lost["all"] / 2
    assert lost["law"] < lost["ami"]


def test_shuffled_gains_are_not_predicted(cells: pd.DataFrame, law: Law) -> None:
    rng = np.random.default_rng(0)
    shuffled = cells.assign(gain=rng.permutation(cells["gain"].to_numpy(float)))
    assert abs(spearmanr(left_out(law, shuffled), shuffled["gain"]).statistic) < 0.1


def test_a_corpus_does_not_see_its_own_gains() -> None:
    rows = {"corpus": ["a"] * 4 + ["b"] * 4, "ami": [0.2, 0.4, 0.6, 0.8] * 2}
    gains = [0.2, 0.4, 0.6, 0.8, 2.0, 4.0, 6.0, 8.0]
    table = pd.DataFrame({**rows, "gain": gains})
    law = Law.from_json(
        {
            **planted("0.5*ami").model_dump(mode="json"),
            "template": "c0*ami",
            "constants": {"c0": {"value": 0.5}},
            "factors": ["ami"],
        }
    )
    predicted = left_out(law, table)
    np.testing.assert_allclose(predicted[:4], np.array(gains[:4]) * 10, rtol=1e-6)
    np.testing.assert_allclose(predicted[4:], np.array(gains[4:]) / 10, rtol=1e-6)


def test_errors_that_shrink_with_n_are_recovered() -> None:
    rng = np.random.default_rng(1)
    n = np.repeat([100.0, 300.0, 1_000.0, 3_000.0], 500)
    gain = rng.normal(0.0, np.hypot(0.01, 0.4 / np.sqrt(n)))
    table = pd.DataFrame({"n_request": n, "gain": gain, "seed_sd": 0.02, "main": "m"})
    rows = np.arange(len(n))
    table = table.assign(corpus=rows % 10, aux=rows % 100)
    errors = gain_errors(table, np.zeros(len(n)))
    assert errors.base == pytest.approx(0.01, abs=0.002)
    assert errors.by_token == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize(("shared", "low", "high"), [(0.0, 300, 400), (10.0, 8.9, 9.5)])
def test_freedom_falls_to_that_of_corpora_where_they_differ(
    shared: float, low: float, high: float
) -> None:
    rng, rows = np.random.default_rng(2), np.arange(400)
    table = pd.DataFrame({"corpus": rows % 10, "main": "m", "aux": rows, "n_request": 100})
    table = table.assign(seed_sd=0.02, gain=rng.normal(size=400))
    table["gain"] += shared * rng.normal(size=10)[rows % 10]
    assert low < gain_errors(table, np.zeros(400)).freedom < high


def test_regret_is_what_the_choice_loses() -> None:
    situation = {
        "corpus": "a",
        "encoder": "e",
        "main": "m",
        "n_request": 1,
        "n_aux_request": 1,
        "draw": 0,
    }
    table = pd.DataFrame([{**situation, "T": 2, "gain": 0.1}, {**situation, "T": 3, "gain": -0.2}])
    lost = regret(table, {"right": np.array([1.0, -1.0]), "wrong": np.array([-1.0, -2.0])})
    assert lost == pytest.approx({"right": 0.0, "wrong": 0.1, "all": 0.3, "alone": 0.1})


def test_the_script_names_what_it_uses() -> None:
    table = load_reference("real-gains")
    assert {*advice_law.CELL, *advice_law.STATISTICS} <= set(table.columns)
