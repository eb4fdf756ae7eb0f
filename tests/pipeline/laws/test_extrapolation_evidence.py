"""How far a law was tested: distances of folds and held-out rows that are known in advance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtl_laws.pipeline.laws.bands import Uncertainty
from mtl_laws.pipeline.laws.evidence.extrapolation import Extrapolation, UnseenRows, extrapolation
from mtl_laws.pipeline.laws.evidence.reach import Reach, reach
from mtl_laws.pipeline.laws.folds import extrapolation_folds
from mtl_laws.pipeline.laws.law import Constant, Law
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Rows, number_cells
from mtl_laws.pipeline.laws.rules import EvidenceRules, Rules

SIZES = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)
NOISE = 0.01


def rows_of(sizes: tuple[float, ...], shift: float = 0.0) -> Rows:
    """Rows whose target is 0.1·ln n plus a shift, at three T."""
    pairs = np.array([(n, T) for n in sizes for T in (1.0, 2.0, 3.0)])
    columns = {"n": pairs[:, 0], "T": pairs[:, 1]}
    target = 0.1 * np.log(columns["n"]) + shift
    return Rows(columns=columns, target=target, cell=number_cells(columns), name="y")


DATA = rows_of(SIZES)
LAW = Law(
    expression="0.1*log(n)",
    template="c0*log(n)",
    factors=("n", "T"),
    complexity=4,
    constants={"c0": Constant(value=0.1)},
    valid=True,
    uncertainty=Uncertainty(
        draws={"c0": (0.1,) * 5},
        replicate_sd=NOISE,
        fit_sd=0.0,
        drift=0.01,
        target_sd=0.1,
        region=Region.of(DATA.columns),
        ranges={"n": (100.0, 3200.0), "T": (1.0, 3.0)},
    ),
)


def unseen(held_out: Rows | None = None, data: Rows = DATA) -> UnseenRows:
    return UnseenRows(data=data, folds=extrapolation_folds(data), held_out=held_out)


def reach_in(held_out: Rows | None = None, data: Rows = DATA) -> Reach:
    return next(each for each in reach(LAW, data, unseen(held_out, data)) if each.factor == "n")


def test_folds_test_as_far_as_their_rows_lie_beyond_their_training_rows() -> None:
    """The deeper fold trains on n ≤ 400 and predicts up to 3,200; T has too few levels."""
    assert extrapolation("n", LAW, DATA, unseen()) == Extrapolation(multiple=8.0)
    assert extrapolation("T", LAW, DATA, unseen()) == Extrapolation(multiple=1.0)


def test_a_narrow_interval_is_not_trusted_beyond_the_tests() -> None:
    """The half-width stays narrow up to 128 times; the folds test 8 times."""
    found = reach_in()
    assert found.half_width is not None
    assert found.half_width < found.limit
    assert (found.trusted_to, found.tested_to) == (3200 * 8, 3200 * 8)
    assert found.asked_to == 3200 * 128


def test_without_folds_nothing_is_trusted_beyond_the_rows() -> None:
    few = rows_of(SIZES[:3])
    found = next(each for each in reach(LAW, few, unseen(None, few)) if each.factor == "n")
    assert found.trusted_to == found.tested_to == found.fitted_to == 400


def test_held_out_rows_test_as_far_as_they_lie() -> None:
    assert reach_in(rows_of((6400.0, 51_200.0, 102_400.0))).trusted_to == 102_400
    assert reach_in(rows_of((6400.0,))).trusted_to == 3200 * 8
    inside = rows_of((400.0,), shift=1.0)
    assert reach_in(inside).contradicted_from is None


def test_one_row_far_out_is_no_test() -> None:
    far = rows_of((51_200.0,)).take(np.array([0]))
    assert reach_in(far).trusted_to == 3200 * 8


def test_held_out_rows_that_the_law_misses_end_the_trust() -> None:
    """Near rows agree and rows from 12,800 on do not, whatever the folds test."""
    near, far = rows_of((4800.0, 6400.0)), rows_of((12_800.0, 25_600.0), shift=0.2)
    held_out = Rows(
        columns={name: np.concatenate([near.columns[name], far.columns[name]]) for name in "nT"},
        target=np.concatenate([near.target, far.target]),
        cell=np.arange(12),
    )
    found = reach_in(held_out)
    assert found.contradicted_from == 12_800
    assert found.trusted_to == found.tested_to == 6400
    lost = reach_in(rows_of((6400.0, 12_800.0), shift=0.2))
    assert lost.trusted_to == lost.fitted_to == 3200


def test_many_near_rows_do_not_hide_what_happens_further_out() -> None:
    near = rows_of(tuple(np.linspace(3300.0, 3500.0, 100)))
    far = rows_of((25_600.0, 26_000.0), shift=0.2)
    held_out = Rows(
        columns={name: np.concatenate([near.columns[name], far.columns[name]]) for name in "nT"},
        target=np.concatenate([near.target, far.target]),
        cell=np.arange(306),
    )
    found = extrapolation("n", LAW, DATA, unseen(held_out))
    assert found.contradicted == pytest.approx(25_600 / 3200)


def test_groups_count_by_their_median() -> None:
    """Two groups whose folds test 8 times, one of a single size, whose do not: the median is 8."""
    single = rows_of((100.0,))
    parts = (DATA, DATA, single)
    together = Rows(
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in "nT"},
        target=np.concatenate([part.target for part in parts]),
        cell=np.arange(sum(map(len, parts))),
        group=np.repeat(np.arange(3), [len(part) for part in parts]),
        levels=("a", "b", "c"),
    )
    assert extrapolation("n", LAW, together, unseen(None, together)).multiple == 8.0
    fewer = together.take(together.group_index != 0)
    assert extrapolation("n", LAW, fewer, unseen(None, fewer)).multiple == 1.0


def test_the_numbers_are_rules() -> None:
    def found(held_out: Rows | None = None, **rules: float) -> Reach:
        evidence = EvidenceRules(**rules)
        return reach_in(held_out, replace(DATA, rules=Rules(evidence=evidence)))

    assert found(reach_tested=1.5).trusted_to == 3200 * 22  # 8^1.5 = 22.6
    assert found(reach_tested=0.0).trusted_to == 3200
    assert found(reach_cells=4).trusted_to == 3200 * 4
    missed = rows_of((6400.0, 12_800.0), shift=0.2)
    assert found(missed, reach_held=0.0).trusted_to == 3200 * 8
    assert found(missed, reach_held_rows=7).trusted_to == 3200 * 8
