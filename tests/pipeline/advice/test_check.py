"""A check of advice: how a measured gain changes what was predicted."""

from __future__ import annotations

import pytest

from mtl_laws.pipeline.advice.check import _updated
from mtl_laws.pipeline.advice.predict import Estimate


def test_prediction_and_measurement_weigh_by_the_inverse_of_their_variances() -> None:
    both = _updated(Estimate(0.10, (0.08, 0.12)), 0.04, 0.01)
    assert both.value == pytest.approx((0.10 * 1 + 0.04 * 4) / 5)
    assert both.law is not None
    assert (both.law[1] - both.law[0]) / 2 == pytest.approx((1 / 0.02**2 + 1 / 0.01**2) ** -0.5)


def test_a_prediction_without_an_interval_gives_way_to_the_measurement() -> None:
    assert _updated(Estimate(0.5), 0.04, 0.01) == Estimate(0.04, (0.03, 0.05))
