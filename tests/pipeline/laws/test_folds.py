"""Folds never split a cell, keep the highest levels out, and leave enough to learn from."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.laws.folds import extrapolation_folds, random_folds, top_cut
from mtl_laws.pipeline.laws.rows import Rows
from support.planted import planted_table
from support.rows import grid_data, posed


def test_random_folds_test_every_cell_once_and_never_split_one() -> None:
    data = posed(planted_table()).data
    folds = random_folds(data, seed=0)
    np.testing.assert_array_equal(np.sum([fold.test for fold in folds], axis=0), 1)
    for fold in folds:
        assert not set(data.cell[fold.test]) & set(data.cell[~fold.test])


def test_random_folds_depend_on_the_seed_only() -> None:
    data = posed(planted_table()).data
    one, same, other = (random_folds(data, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(one, other, strict=True))


def test_extrapolation_folds_ask_beyond_what_they_train_on() -> None:
    data = grid_data(tasks=(1.0, 2.0, 4.0, 8.0))
    alone = ["n > 40", "n > 20", "T > 4", "T > 2", "ami > 0.7", "ami > 0.4"]
    names = [fold.name for fold in extrapolation_folds(data)]
    # up to the middle of both there is less than a quarter of the cells
    assert names == [*alone, "n > 40 or T > 4"]
    for fold in extrapolation_folds(data)[:-1]:
        column = data.columns[fold.name.split()[0]]
        assert np.nanmax(column[~fold.test]) < column[fold.test].min()


def test_three_levels_are_too_few_to_ask_beyond() -> None:
    """No fold of T, alone or with n; the folds of other factors stay."""
    names = [fold.name for fold in extrapolation_folds(grid_data())]
    assert names == ["n > 40", "n > 20", "ami > 0.7", "ami > 0.4"]


@pytest.mark.parametrize(
    ("sizes", "together", "folds", "kept"),
    [
        (2, 2, 1, 0.5**2),
        (3, 3, 1, 0.75**3),  # half of the levels of three sizes would keep an eighth
        (4, 4, 1, 0.75**4),
        (6, 4, 15, 0.75**4),  # of five sizes less than a quarter is left
    ],
)
def test_joint_folds_are_about_as_many_sizes_as_leave_a_quarter_of_the_cells(
    sizes: int, together: int, folds: int, kept: float
) -> None:
    grid = np.array(list(product([8.0, 16.0, 32.0, 64.0], repeat=sizes)))
    columns = dict(zip("abcdef", grid.T, strict=False))
    data = Rows(columns, np.zeros(len(grid)), np.arange(len(grid)))
    joint = [fold for fold in extrapolation_folds(data) if " or " in fold.name]
    assert len(joint) == folds
    for fold in joint:
        parts = [part.split(" > ") for part in fold.name.split(" or ")]
        assert len(parts) == together
        above = [data.columns[name] > float(cut) for name, cut in parts]
        np.testing.assert_array_equal(fold.test, np.any(above, axis=0))
        assert np.mean(~fold.test) == pytest.approx(kept)


def test_rows_without_a_factor_are_trained_on_in_its_folds() -> None:
    data = grid_data()
    for fold in extrapolation_folds(data):
        if fold.name.startswith("ami"):
            assert not fold.test[np.isnan(data.columns["ami"])].any()


@pytest.mark.parametrize(
    ("levels", "share", "cut"),
    [
        ([1, 2], 0.25, None),
        ([1, 2, 3], 0.25, 2),
        ([1, 2, 3], 0.5, 2),
        ([1, 2, 4, 8], 0.25, 4),
        ([1, 2, 4, 8], 0.5, 2),
        (list(range(1, 11)), 0.25, 8),
        (list(range(1, 11)), 0.5, 5),
    ],
)
def test_the_cut_leaves_at_least_two_levels(
    levels: list[int], share: float, cut: float | None
) -> None:
    assert top_cut(np.array(levels, dtype=float), share) == cut


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=40), st.sampled_from([0.25, 0.5]))
def test_a_cut_has_levels_on_both_sides(values: list[float], share: float) -> None:
    column = np.array(values)
    cut = top_cut(column, share)
    if cut is None:
        assert len(np.unique(column)) < 3
    else:
        assert len(np.unique(column[column <= cut])) >= 2
        assert (column > cut).any()
