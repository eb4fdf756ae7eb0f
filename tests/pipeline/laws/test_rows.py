"""Cells, undefined factors, domains: what the rows of a search mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.factors import find_placeholders, mark_undefined
from mtl_laws.pipeline.laws.folds import extrapolation_folds
from mtl_laws.pipeline.laws.rows import Rows, infer_domains, number_cells
from mtl_laws.pipeline.laws.rules import FactorRules
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.program import Expression
from support.planted import planted_table
from support.rows import grid_data, posed


def test_replicates_share_a_cell_and_undefined_equals_undefined() -> None:
    columns = {"n": np.array([1.0, 1, 2, 2]), "ami": np.array([np.nan, np.nan, 0.5, 0.6])}
    cells = number_cells(columns)
    assert cells[0] == cells[1]
    assert len(set(cells.tolist())) == 3


def test_replicate_variance_is_that_of_the_noise() -> None:
    table = planted_table(noise=0.2, seed=4)
    clean = planted_table(noise=0.0, seed=4)
    noise = 0.2 * clean["y"].std()
    variance = posed(table).data.replicate_variance
    assert variance == pytest.approx(noise**2, rel=0.25)


def test_an_undefined_factor_is_filled_within_its_domain_and_its_rows_are_known() -> None:
    data = grid_data()
    undefined = np.isnan(data.columns["ami"])
    np.testing.assert_array_equal(data.filled["ami"][undefined], 0.5)
    np.testing.assert_array_equal(data.filled["ami"][~undefined], data.columns["ami"][~undefined])
    assert set(data.undefined_rows) == {"ami"}
    np.testing.assert_array_equal(data.undefined_rows["ami"]["T"], 1.0)
    np.testing.assert_array_equal(data.undefined_rows["ami"]["n"], [10, 20, 40, 80])
    assert data.sample.weight.sum() == pytest.approx(len(data))
    rows = data.undefined_rows
    assert set(rows) == {"ami"}
    assert sorted(zip(rows["ami"]["n"], rows["ami"]["T"], strict=True)) == [
        (n, 1.0) for n in (10.0, 20.0, 40.0, 80.0)
    ]


def test_what_is_filled_in_does_not_change_a_valid_fit() -> None:
    """A law that does not depend on AMI at T = 1 has the same constants whatever stands there."""
    data = posed(planted_table(noise=0.1).drop(columns="decoy")).data
    alone = np.isnan(data.columns["ami"])
    expression = Expression.parse("c0 - c1*(n*(1 + (T - 1)*ami))**(-c2)", data.factors)
    thetas = []
    for value in (0.0, 1.0):
        columns = {**data.columns, "ami": np.where(alone, value, data.columns["ami"])}
        sample = replace(data, columns=columns).sample
        fit = fit_constants(expression, sample, np.array([[0.9, 0.5, 0.5]]), 100)
        assert fit is not None
        thetas.append(fit.theta)
    np.testing.assert_allclose(thetas[0], thetas[1], rtol=1e-9)


def test_counts_are_repeated_rows_and_precision_is_a_weight() -> None:
    data = posed(planted_table(noise=0.1).drop(columns="decoy")).data
    count = np.random.default_rng(0).integers(1, 4, len(data))
    repeated = data.take(np.repeat(np.arange(len(data)), count))
    counted = replace(data, count=count.astype(float))
    assert counted.replicate_variance == pytest.approx(repeated.replicate_variance, rel=1e-9)
    assert counted.variance == pytest.approx(repeated.variance, rel=1e-9)
    np.testing.assert_allclose(counted.sample.target, repeated.sample.target)
    np.testing.assert_allclose(counted.sample.weight, repeated.sample.weight)
    precise = replace(data, precision=count / count.mean())
    np.testing.assert_allclose(precise.sample.weight * count.mean(), counted.sample.weight)
    assert precise.weights.mean() == pytest.approx(1.0)
    single = precise.take(np.arange(0, len(data), 2))
    assert single.replicate_variance is None, "weights are no replicates"


def test_merging_equal_rows_keeps_the_least_squares_problem() -> None:
    table = planted_table(noise=0.1)
    data = posed(table.drop(columns="decoy")).data
    value = 0.3 + 0.001 * data.sample.columns["n"]
    merged = np.sum(data.sample.weight * (data.sample.target - value) ** 2)
    full = np.sum((data.target - (0.3 + 0.001 * data.columns["n"])) ** 2)
    _, index = np.unique(data.cell, return_inverse=True)
    mean = np.bincount(index, data.target) / np.bincount(index)
    assert full - merged == pytest.approx(np.sum((data.target - mean[index]) ** 2), rel=1e-6)
    assert set(data.merged_cell.tolist()) == set(data.cell.tolist())


@pytest.mark.parametrize(
    ("column", "kind", "domain"),
    [
        ([1.0, 2, 8], "counts", (1.0, 16.0)),
        ([2.0, 4], "counts", (2.0, 8.0)),
        ([0.0, 300, 900], "amounts", (0.0, 1_800.0)),
        ([100.0, 2_000], "sizes", (100.0, 4_000.0)),
        ([0.001, 0.04], "sizes", (0.001, 0.08)),
        ([0.001, 0.003], "sizes", (0.001, 0.006)),
        ([0.1, 0.2], "fractions", (0.0, 1.0)),
        ([0.0, 0.4, 0.9], "fractions", (0.0, 1.0)),
        ([-3.0, 2.0], "others", (-3.0, 2.0)),
    ],
)
def test_kinds_are_told_by_values(
    column: list[float], kind: str, domain: tuple[float, float]
) -> None:
    columns = {"x": np.array(column)}
    assert getattr(classify(columns), kind) == ("x",)
    assert infer_domains(columns)["x"] == pytest.approx(domain)


def test_parts_of_a_whole_are_fractions_whatever_their_values() -> None:
    """A small fraction that spans a lot would be a size in a large unit by itself."""
    small = np.array([0.01, 0.08, 0.2, 0.4])
    columns = {"a": small, "b": 1.0 - small, "n": np.array([10.0, 20.0, 40.0, 80.0])}
    kinds = classify(columns)
    assert classify({"a": small}).sizes == ("a",)
    assert (kinds.fractions, kinds.mixture, kinds.sizes) == (("a", "b"), ("a", "b"), ("n",))
    assert infer_domains(columns) == {"a": (0.0, 1.0), "b": (0.0, 1.0), "n": (10.0, 160.0)}
    columns["b"] = 0.9 - small
    assert classify(columns).mixture == ()
    assert "a" in classify(columns).sizes
    columns["b"] = np.array([0.99, np.nan, 0.8, 0.6])
    assert classify(columns).mixture == (), "an undefined value is no part"


def test_no_joint_fold_is_over_parts_of_a_whole() -> None:
    share = np.linspace(0.02, 0.45, 12)
    folds = extrapolation_folds(posed(pd.DataFrame({"a": share, "b": 1 - share, "y": share})).data)
    assert folds
    assert not any(" or " in fold.name for fold in folds)


def test_thinning_keeps_whole_cells() -> None:
    data = posed(planted_table()).data
    thin = data.subsample(20, seed=0)
    assert len(np.unique(thin.cell)) == 20
    for cell in np.unique(thin.cell):
        assert (thin.cell == cell).sum() == (data.cell == cell).sum()


def made_up_table(at_one: str) -> Rows:
    table = planted_table(noise=0.05, seed=2)
    alone = table["T"] == 1
    rng = np.random.default_rng(0)
    numbers = {"one": 1.0, "random": rng.uniform(0, 1, alone.sum())}
    table.loc[alone, "ami"] = numbers[at_one]
    return posed(table.drop(columns="decoy")).data


@pytest.mark.parametrize("at_one", ["one", "random"])
def test_a_number_that_cannot_matter_is_taken_as_undefined(at_one: str) -> None:
    data = made_up_table(at_one)
    np.testing.assert_array_equal(np.isnan(data.columns["ami"]), data.columns["T"] == 1)


def test_a_number_that_matters_is_left_alone() -> None:
    table = planted_table(noise=0.05, seed=2)
    alone = table["T"] == 1
    table.loc[alone, "ami"] = np.resize([0.0, 0.3, 0.6, 0.9], alone.sum())
    table["y"] += 0.2 * table["ami"]
    columns = {name: table[name].to_numpy() for name in ("n", "T", "ami")}
    assert find_placeholders(columns, table["y"].to_numpy(), FactorRules()) == []


def test_placeholders_are_marked_and_noted() -> None:
    columns = {
        "T": np.repeat([1.0, 2, 3], 4),
        "ami": np.array([1.0] * 4 + [0.1, 0.4, 0.7, 0.9] * 2),
    }
    found = find_placeholders(columns, np.arange(12.0), FactorRules())
    marked = mark_undefined(columns, found)
    assert np.isnan(marked["ami"][:4]).all()
    assert not np.isnan(marked["ami"][4:]).any()
    table = pd.DataFrame({**columns, "y": np.arange(12.0)})
    note = posed(table).notes[0]
    assert (note.kind, note.name, note.other, note.rows) == ("placeholder", "ami", "T", 4)


def test_the_held_out_targets_have_no_say() -> None:
    table = planted_table(seed=5)
    noisy = table.copy()
    rng = np.random.default_rng(1)
    far = noisy["n"] > 400
    noisy.loc[far, "y"] = rng.normal(size=int(far.sum()))
    one, other = (posed(t, hold_out="n > 400", bounds=(None, 9.0)) for t in (table, noisy))
    pd.testing.assert_frame_equal(
        one.rows[one.rows["role"] == "fit"], other.rows[other.rows["role"] == "fit"]
    )
    assert one.data.digest() == other.data.digest()
    assert one.notes == other.notes
