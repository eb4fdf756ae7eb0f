"""Where exactly a fold has too few cells, and rows that lack a factor."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.laws.folds import extrapolation_folds, random_folds
from mtl_laws.pipeline.laws.rows import Rows


def rows(**columns: list[float]) -> Rows:
    """Rows with these factors, each a cell of its own."""
    arrays = {name: np.array(values) for name, values in columns.items()}
    count = len(next(iter(arrays.values())))
    return Rows(arrays, np.zeros(count), np.arange(count))


def levels(*counts: int) -> list[float]:
    """So many cells at each of the levels 10, 20, 30 …"""
    return [10.0 * (k + 1) for k, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize(
    ("counts", "names"),
    [
        ((3, 3, 3, 3), ["n > 30", "n > 20"]),
        ((3, 3, 3, 2), ["n > 30", "n > 20"]),  # two cells are enough to test on
        ((3, 3, 3, 1), ["n > 20"]),  # one is not
        ((2, 2, 3, 3), ["n > 30", "n > 20"]),  # four cells are enough to train on
        ((2, 1, 3, 3), ["n > 30"]),  # three are not
        ((5, 5, 15, 15), ["n > 30", "n > 20"]),  # a quarter of the cells is enough
        ((5, 4, 15, 16), ["n > 30"]),  # less is not
        ((9, 9, 9), []),  # three levels are too few to ask beyond
    ],
)
def test_a_fold_needs_cells_on_both_sides(counts: tuple[int, ...], names: list[str]) -> None:
    assert [fold.name for fold in extrapolation_folds(rows(n=levels(*counts)))] == names


def test_replicates_count_as_one_cell() -> None:
    data = rows(n=levels(3, 3, 3, 3))
    data = Rows(data.columns, data.target, np.minimum(data.cell, 9))
    assert [fold.name for fold in extrapolation_folds(data)] == ["n > 20"]


def test_what_is_undefined_is_not_above_any_level() -> None:
    below_zero = [-40.0, -30.0, -20.0, -10.0] * 3
    data = rows(n=[*below_zero, *([np.nan] * 4)])
    folds = extrapolation_folds(data)
    assert [fold.name for fold in folds] == ["n > -20", "n > -30"]
    assert not any(fold.test[-4:].any() for fold in folds)


def test_the_joint_fold_is_about_sizes_that_are_there() -> None:
    n, T = (np.repeat([10.0, 20, 30, 40], 4), np.tile([2.0, 3, 4, 5], 4))
    n[0] = np.nan
    share = np.linspace(0, 1, 16)
    joint = extrapolation_folds(rows(n=list(n), T=list(T), share=list(share)))[-1]
    assert joint.name == "n > 20 or T > 3"
    np.testing.assert_array_equal(joint.test, (np.nan_to_num(n) > 20) | (T > 3))
    assert not joint.test[0]


def test_random_folds_are_counted_from_one_and_no_more_than_the_cells() -> None:
    data = rows(n=levels(1, 1, 1))
    assert [fold.name for fold in random_folds(data, 0)] == [f"random {k}/3" for k in (1, 2, 3)]
    many = random_folds(rows(n=levels(5, 5)), 0)
    assert [fold.name for fold in many] == [f"random {k}/5" for k in range(1, 6)]
    assert [fold.test.sum() for fold in many] == [2] * 5
