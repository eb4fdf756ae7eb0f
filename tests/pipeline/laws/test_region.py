"""The fitted region: inside is 0, outside grows with the logarithm, a new corner is outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.symbolic.tree import Floats

Table = dict[str, Floats]


def grid() -> Table:
    """Every n with every T, and a fraction that is undefined at T = 1."""
    n, T = (axis.ravel() for axis in np.meshgrid(np.geomspace(10, 1000, 9), [1.0, 2.0, 4.0, 8.0]))
    ami = np.where(T == 1, np.nan, np.linspace(0.1, 0.9, len(n)))
    return {"n": n, "T": T, "ami": ami}


def triangle() -> Table:
    """n and D on a grid of which no row is large in both: log n + log D has an upper end."""
    log_n, log_d = (axis.ravel() for axis in np.meshgrid(np.arange(9.0), np.arange(9.0)))
    kept = log_n + log_d <= 8
    return {"n": 100.0 * 2.0 ** log_n[kept], "D": 1000.0 * 2.0 ** log_d[kept]}


def one(**values: float) -> Table:
    return {name: np.array([value]) for name, value in values.items()}


@pytest.mark.parametrize("table", [grid(), triangle()])
def test_fitted_rows_and_what_lies_between_them_are_inside(table: Table) -> None:
    region = Region.of(table)
    np.testing.assert_allclose(region.distance(table), 0.0, atol=1e-12)
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, len(table["n"]), 200) for _ in range(2))
    between = {
        name: (column[first] + column[second]) / 2
        if name == "ami"
        else np.sqrt(column[first] * column[second])
        for name, column in table.items()
    }
    np.testing.assert_allclose(region.distance(between), 0.0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.floats(1.0, 1e6), st.sampled_from([1, -1]))
def test_beyond_one_factor_the_distance_is_that_of_logarithms(times: float, way: int) -> None:
    """In widths of the fitted range: two decades of n."""
    region = Region.of(grid())
    n = 1000.0 * times if way > 0 else 10.0 / times
    found = region.distance(one(n=n, T=2.83, ami=0.5))
    assert found[0] == pytest.approx(np.log10(times) / 2, rel=1e-9, abs=1e-12)


def test_a_fraction_is_measured_by_its_value() -> None:
    region = Region.of(grid())
    low, high = region.axes["ami"].low, region.axes["ami"].high
    beyond = region.distance(one(n=100, T=2.83, ami=high + 0.1))
    assert beyond[0] == pytest.approx(0.1 / (high - low))


def test_a_corner_that_no_row_reaches_is_outside() -> None:
    """Both factors in their ranges, and yet further than any row in both together."""
    region = Region.of(triangle())
    inside, edge = one(n=100.0 * 2**4, D=1000.0 * 2**4), one(n=100.0 * 2**8, D=1000.0 * 2**8)
    assert region.distance(inside)[0] == pytest.approx(0.0, abs=1e-12)
    assert region.distance(edge)[0] == pytest.approx(1.0)
    way = 2.0 ** np.arange(9)
    distance = region.distance({"n": 100.0 * way, "D": 1000.0 * way})
    np.testing.assert_allclose(distance, np.maximum(np.arange(9) - 4, 0) / 4, atol=1e-12)
    # where every n meets every D, the same corner is inside
    full = {
        "n": np.array([100.0, 25_600.0, 100.0, 25_600.0]),
        "D": np.array([1_000.0, 1_000.0, 256_000.0, 256_000.0]),
    }
    assert Region.of(full).distance(edge)[0] == pytest.approx(0.0, abs=1e-12)


def test_an_undefined_factor_is_ignored() -> None:
    region = Region.of(grid())
    inside, beyond = one(n=100, T=1, ami=np.nan), one(n=10_000, T=1, ami=np.nan)
    assert region.distance(inside)[0] == pytest.approx(0.0, abs=1e-12)
    assert region.distance(beyond)[0] == pytest.approx(0.5)
    assert region.distance({"n": np.array([10_000.0])})[0] == pytest.approx(0.5)


def test_units_make_no_difference() -> None:
    table = triangle()
    rng = np.random.default_rng(1)
    asked = {name: 10.0 ** rng.uniform(1, 7, 50) for name in table}
    plain = Region.of(table).distance(asked)
    scales = {"n": 1e-3, "D": 1e6}
    changed = Region.of({name: column * scales[name] for name, column in table.items()})
    again = changed.distance({name: column * scales[name] for name, column in asked.items()})
    np.testing.assert_allclose(again, plain, atol=1e-9)


def test_no_data_at_all_is_far_outside() -> None:
    assert Region.of(grid()).distance(one(n=0.0, T=2, ami=0.5))[0] > 100


def test_a_region_comes_back_from_its_record() -> None:
    region = Region.of(triangle())
    again = Region.model_validate_json(region.model_dump_json())
    assert again == region
