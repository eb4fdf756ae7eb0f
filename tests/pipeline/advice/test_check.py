"""A check of advice: how a measured gain changes what was predicted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtl_laws.pipeline.advice.check import Setup, TrainingRunner, _updated
from mtl_laws.pipeline.advice.predict import Estimate
from mtl_laws.pipeline.training import TrainingSettings


def test_prediction_and_measurement_weigh_by_the_inverse_of_their_variances() -> None:
    both = _updated(0.10, 0.02, 0.04, 0.01)
    assert both.value == pytest.approx((0.10 * 1 + 0.04 * 4) / 5)
    assert both.law is not None
    assert (both.law[1] - both.law[0]) / 2 == pytest.approx((1 / 0.02**2 + 1 / 0.01**2) ** -0.5)


def test_a_prediction_without_an_interval_gives_way_to_the_measurement() -> None:
    assert _updated(0.5, None, 0.04, 0.01) == Estimate(0.04, (0.03, 0.05))


def test_a_pilot_tells_how_long_all_trainings_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only trainings move, by their cost: the forecast is what they take."""
    settings, now = TrainingSettings(), [0.0]

    def train(runner: TrainingRunner, setups: Sequence[Setup], seeds: Sequence[int]) -> list[None]:
        cost = sum(settings.cost(1 + len(one.auxiliaries), one.n) for one in setups)
        now[0] += len(seeds) * cost
        return []

    monkeypatch.setattr(TrainingRunner, "train", train)
    monkeypatch.setattr("mtl_laws.pipeline.advice.check.time.perf_counter", lambda: now[0])
    setups = [Setup("pos", names, 900, 900) for names in ((), ("chunk",), ("chunk", "entity"))]
    runner, seeds = TrainingRunner({}, settings, 100), range(5)
    expected = runner.expected_seconds(setups, seeds, Setup("pos", (), 200, 0))
    start = now[0]
    runner.train(setups, seeds)
    assert expected == pytest.approx(now[0] - start)
