"""Gains, values that are missing, predictions beside a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mtl_laws import LawSet, UserError
from mtl_laws.pipeline.errors import MissingError
from mtl_laws.pipeline.laws.record import DataRecord
from support.asked_laws import asked_law, asked_laws, grouped_laws


@pytest.fixture(scope="module")
def laws() -> LawSet:
    return asked_laws()


POINTS = pd.DataFrame({"n": [300.0, 2000.0], "T": [4.0, 2.0], "ami": [0.6, 0.3]}, index=[7, 9])


def test_a_gain_is_the_difference_from_one_task(laws: LawSet) -> None:
    gain = laws.gain(POINTS)
    alone = laws.predict(POINTS.assign(T=1.0))
    assert gain["gain"].tolist() == pytest.approx((laws.predict(POINTS) - alone).tolist())
    assert gain.index.tolist() == [7, 9]
    assert (gain["law_low"] < gain["gain"]).all()
    assert (gain["gain"] < gain["law_high"]).all()
    assert (gain["run_high"] - gain["run_low"] > gain["law_high"] - gain["law_low"]).all()


def test_the_interval_of_a_gain_is_narrower_than_that_of_the_two_scores(laws: LawSet) -> None:
    """Both sides share the constants, so their errors cancel in part."""
    gain, alone = laws.gain(POINTS), laws.intervals(POINTS.assign(T=1.0))
    together = laws.intervals(POINTS)
    both = (alone["law_high"] - alone["law_low"]) + (together["law_high"] - together["law_low"])
    assert (gain["law_high"] - gain["law_low"] < both).all()


def test_one_task_gains_nothing(laws: LawSet) -> None:
    (row,) = laws.gain({"n": 500, "T": 1}).to_dict("records")
    assert (row["gain"], row["law_low"], row["law_high"]) == (0.0, 0.0, 0.0)


def test_the_gain_of_a_loss_is_its_fall(laws: LawSet) -> None:
    data = laws.data.model_copy(update={"lower_is_better": True})
    fall = laws.model_copy(update={"data": data})
    assert fall.gain(POINTS)["gain"].tolist() == pytest.approx(
        (-laws.gain(POINTS)["gain"]).tolist()
    )


def test_without_a_number_of_tasks_there_is_no_gain(laws: LawSet) -> None:
    with pytest.raises(UserError) as error:
        laws.model_copy(update={"data": DataRecord()}).gain(POINTS)
    assert error.value.path == "laws"


def test_a_missing_value_matters_where_the_law_depends_on_it(laws: LawSet) -> None:
    asked = pd.DataFrame({"n": [300, 300, np.nan], "T": [1, 2, 1], "ami": [np.nan, np.nan, 0.5]})
    assert laws.undefined(asked) == [(1, "ami"), (2, "n")]
    assert laws.undefined(asked.head(1)) == []


def test_what_is_solved_for_needs_the_factors_that_matter(laws: LawSet) -> None:
    assert laws.solve("n", 0.5, {"T": 1}).reachable
    for at in ({"T": 2, "ami": None}, {"T": 2, "ami": np.nan}):
        with pytest.raises(MissingError) as error:
            laws.solve("n", 0.5, at)
        assert error.value.path == "at.ami"


def test_a_law_may_leave_a_factor_out() -> None:
    laws = asked_laws(asked_law("c0 / (1 + c1 / n)", uncertainty=None))
    assert laws.undefined(pd.DataFrame({"n": [300.0], "T": [2.0], "ami": [np.nan]})) == []


def test_predictions_stand_beside_the_rows(laws: LawSet) -> None:
    table = POINTS.assign(name=["a", "b"])
    both, intervals = laws.beside(table), laws.intervals(table)
    pd.testing.assert_frame_equal(both[list(table.columns)], table)
    assert both["predicted"].tolist() == intervals["f1"].tolist()
    assert both["predicted_low"].tolist() == intervals["law_low"].tolist()
    assert both["predicted_trial_high"].tolist() == intervals["run_high"].tolist()
    with pytest.raises(UserError, match="'predicted'"):
        laws.beside(both)


def test_how_far_a_point_lies_outside(laws: LawSet) -> None:
    asked = pd.DataFrame({"n": [500, 16000, 20], "T": [1, 8, 2], "ami": [np.nan, 0.5, 0.05]})
    inside, above, below = laws.outside(asked)
    assert (inside.factors, inside.corner, inside.distance) == ((), (), 0.0)
    found = [(one.factor, one.limit, one.above, one.multiple) for one in above.factors]
    assert found == [("n", 4000.0, True, 4.0), ("T", 4.0, True, 2.0)]
    found = [(one.factor, one.limit, one.above, one.multiple) for one in below.factors]
    assert found == [("n", 40.0, False, 0.5), ("ami", 0.1, False, pytest.approx(0.5))]


def test_a_limit_of_0_has_no_multiple(laws: LawSet) -> None:
    uncertainty = laws.law.uncertainty
    assert uncertainty is not None
    ranges = {**uncertainty.ranges, "ami": (0.0, 0.9)}
    law = laws.law.model_copy(
        update={"uncertainty": uncertainty.model_copy(update={"ranges": ranges})}
    )
    (row,) = asked_laws(law).outside(pd.DataFrame({"n": [300], "T": [2], "ami": [-0.1]}))
    assert [(one.limit, one.multiple) for one in row.factors] == [(0.0, None)]


def test_a_corner_that_no_row_reaches_is_outside() -> None:
    laws = asked_laws()
    rows = laws.rows[(laws.rows["n"] < 1000) | (laws.rows["T"] < 2)]
    from mtl_laws.pipeline.laws.region import Region

    uncertainty = laws.law.uncertainty
    assert uncertainty is not None
    region = Region.of({name: rows[name].to_numpy() for name in ("n", "T", "ami")})
    law = laws.law.model_copy(
        update={"uncertainty": uncertainty.model_copy(update={"region": region})}
    )
    (corner,) = laws.model_copy(update={"selected": law}).outside(
        pd.DataFrame({"n": [4000], "T": [4], "ami": [0.5]})
    )
    assert corner.factors == ()
    assert set(corner.corner) == {"n", "T"}
    assert corner.distance > 0.3


def test_groups_are_asked_with_their_own_constants() -> None:
    laws = grouped_laws()
    table = pd.DataFrame({"n": [376.0, 376.0], "encoder": ["small", "large"]})
    assert laws.beside(table)["predicted"].tolist() == pytest.approx([0.4, 0.475])
    assert [one.factors for one in laws.outside(table)] == [(), ()]
    assert laws.undefined(table) == []
