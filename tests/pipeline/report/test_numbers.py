from __future__ import annotations

import math

import pytest

from mtl_laws.pipeline.symbolic.typeset.numbers import (
    duration,
    interval,
    level,
    level_value,
    number,
    percent,
    score,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0312345, "0.0312"),
        (-0.5, "−0.5"),
        (4000, "4,000"),
        (12345.678, "12,300"),
        (1.234e-7, "1.23 × 10⁻⁷"),
        (-2.5e12, "−2.5 × 10¹²"),
        (0, "0"),
        (True, "–"),
    ],
)
def test_numbers_keep_three_digits_and_a_real_minus(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97149, "0.971"),
        (-0.0004, "0.000"),
        (-0.6, "−0.600"),
        (-612_345.0, "below −10"),
        (None, "–"),
    ],
)
def test_hopeless_scores_do_not_parade_digits(value: float | None, text: str) -> None:
    assert score(value) == text


def test_levels_are_rounded_as_one_says_them() -> None:
    assert [level(x) for x in (0.60193, 10_240.0, 8.0, 2048.7)] == ["0.6", "10,240", "8", "2,050"]


@pytest.mark.parametrize("value", [0.5994, 99.96, 12_345.0, 12_345.678, 1.6e7, -0.000421, 3e-9, 0])
def test_the_value_of_a_level_is_the_one_that_is_shown(value: float) -> None:
    assert level(level_value(value)) == level(value)
    assert level_value(value) == pytest.approx(value, rel=0.05)


def test_intervals_durations_and_shares() -> None:
    assert interval([0.43, 0.53]) == "0.43 to 0.53"
    assert interval([None, 1]) == interval(None) == "–"
    assert (duration(8.24), duration(83.2)) == ("8.24 s", "1 min 23 s")
    assert [percent(x) for x in (0.978, -0.004, None)] == ["98 %", "0 %", "–"]
