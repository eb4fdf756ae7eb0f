"""The solver lands on a falling curve, also one with steps, and names the range it has."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_laws.simulator import UnreachableAMIError
from mtl_laws.simulator.solver import Search, solve_ami


@given(st.floats(0.02, 0.98), st.floats(0.01, 1.5), st.floats(0.6, 4.0), st.sampled_from([0, 200]))
def test_it_lands_within_precision(wanted: float, guess: float, power: float, steps: int) -> None:
    def curve(x: float) -> float:
        share = x / 1.57
        share = math.floor(share * steps) / steps if steps else share
        return 1.0 - 0.99 * share**power

    search = Search(0.0, 1.57, guess, precision=1e-3)
    try:
        found = solve_ami(curve, wanted, search, "a test")
    except UnreachableAMIError:
        assert steps, "a continuous curve reaches everything between its ends"
        return
    assert abs(curve(found) - wanted) < (0.01 if steps else 1.01e-3)


@pytest.mark.parametrize("wanted", [0.0, 0.15, 0.7, 1.0])
def test_the_reachable_range_is_named(wanted: float) -> None:
    with pytest.raises(UnreachableAMIError, match=r"0\.200 to 0\.600, with these limits"):
        solve_ami(lambda x: 0.6 - 0.4 * x, wanted, Search(0.0, 1.0, 0.5), "these limits")


def test_ends_are_reached() -> None:
    search = Search(0.0, 1.0, 0.5)
    assert solve_ami(lambda x: 1.0 - x, 1.0, search, "") == pytest.approx(0.0, abs=2e-3)
    assert solve_ami(lambda x: 1.0 - x, 0.0, search, "") == pytest.approx(1.0, abs=2e-3)
