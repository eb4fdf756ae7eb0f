"""The law over its table: levels, predictions, slices, words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.evidence.pooled import pooled_gain
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.levels import UNDEFINED, find_levels, is_logarithmic
from mtl_laws.pipeline.laws.record import DataRecord, PooledGain, Roles
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.report.evidence_text import NOT_STATED, equivalent_data_text
from mtl_laws.pipeline.report.figures.curves import slice_along
from mtl_laws.pipeline.report.figures.gain import draw_gain
from mtl_laws.pipeline.report.single_task import equivalent_data, gain_over_single
from mtl_laws.pipeline.report.surface import Surface, direction, limit
from mtl_laws.pipeline.report.text import describe, direction_text, relatedness_text
from mtl_laws.pipeline.symbolic.typeset.numbers import number

TRUTH = "0.9 - 5/sqrt(n*(1 + (T - 1)*ami))"


def surface_of(
    expression: str,
    table: pd.DataFrame,
    data: Mapping[str, Any] | None = None,
    factors: tuple[str, ...] = ("n", "T", "ami"),
) -> Surface:
    law = Law(expression=expression, factors=factors, complexity=9, valid=True)
    return Surface(law, "accuracy", table, DataRecord.from_json(data or {}))


@pytest.fixture
def surface(table: pd.DataFrame, laws: Mapping[str, Any]) -> Surface:
    return surface_of(TRUTH, table, laws["data"])


def test_measured_values_near_one_request_are_one_level(table: pd.DataFrame) -> None:
    levels = find_levels(table["ami"].to_numpy(), logarithmic=False)
    assert np.allclose(levels.values, [0.05, 0.3, 0.6, 0.9], atol=0.01)
    assert not levels.binned
    assert ((levels.code == UNDEFINED) == table["ami"].isna()).all()


def test_a_continuum_is_binned_and_says_so() -> None:
    values = np.random.default_rng(0).uniform(0, 1, 400)
    levels = find_levels(values, logarithmic=False)
    assert levels.binned
    assert 2 <= len(levels.values) <= 5
    for place, centre in enumerate(levels.values):
        assert np.abs(values[levels.code == place] - centre).max() < 0.15


@pytest.mark.parametrize(
    ("values", "low", "expected"),
    [
        ([40, 160, 640, 2560], 40, True),
        ([1, 2, 4, 8], 1, True),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 1, False),
        ([0.05, 0.3, 0.6, 0.9], 0, False),
        ([0.0, 10.0, 1000.0], 0, False),
        ([1e-4, 1e-3, 1e-2, 1e-1], None, True),
        ([3.0, 3.0], 1, False),
    ],
)
def test_sizes_are_logarithmic_and_shares_are_not(
    values: list[float], low: float | None, expected: bool
) -> None:
    assert is_logarithmic(np.array(values, dtype=float), low) is expected


def test_a_null_factor_is_averaged_over_its_domain(table: pd.DataFrame) -> None:
    surface = surface_of("ami", table, {"domain": {"ami": [0, 1]}})
    single = table["T"].to_numpy() == 1
    assert np.allclose(surface.predicted[single], 0.5)
    assert np.allclose(surface.predicted[~single], table["ami"][~single])


def test_a_law_that_ignores_the_null_factor_is_exact_there(surface: Surface) -> None:
    single = surface.columns["T"] == 1
    expected = 0.9 - 5 / np.sqrt(surface.columns["n"][single])
    assert np.allclose(surface.predicted[single], expected)


def test_points_of_a_slice_are_measurements_at_its_levels(surface: Surface) -> None:
    piece = slice_along(surface, "n")
    assert not piece.adjusted
    table = surface.table
    for line in piece.lines:
        rows = table[table["T"] == line.level]
        if line.level > 1:
            rows = rows[np.isclose(rows["ami"], piece.held["ami"], atol=0.03)]
        means = rows.groupby("cell")["accuracy"].mean()
        assert np.allclose(np.sort(line.points["y"]), np.sort(means))


def test_lines_of_a_slice_are_the_law(surface: Surface) -> None:
    piece = slice_along(surface, "n")
    for line in piece.lines:
        expected = 0.9 - 5 / np.sqrt(line.grid * (1 + (line.level - 1) * piece.held["ami"]))
        assert np.allclose(line.law, expected)


def test_a_random_design_keeps_every_residual() -> None:
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {"n": random.uniform(10, 20, 90), "T": random.uniform(1, 9, 90), "role": "fit"}
    )
    table["ami"] = random.uniform(0, 1, 90)
    table["accuracy"] = table["n"] * table["ami"] + random.normal(0, 0.3, 90)
    table["cell"] = range(90)
    surface = surface_of("n*ami", table)
    piece = slice_along(surface, "n")
    assert piece.adjusted
    off = [
        line.points["y"] - np.interp(line.points["x"], line.grid, line.law) for line in piece.lines
    ]
    assert np.allclose(np.sort(np.concatenate(off)), np.sort(surface.residuals))


def test_roles_are_read_from_the_nulls_whatever_the_names(table: pd.DataFrame) -> None:
    renamed = table.rename(columns={"n": "S", "T": "N", "ami": "beta"})
    expression = "0.9 - 5/sqrt(S*(1 + (N - 1)*beta))"
    surface = surface_of(expression, renamed, factors=("beta", "N", "S"))
    assert surface.multitask == Roles(size="S", tasks="N", relatedness="beta")


def test_gain_is_the_law_minus_single_task_training(surface: Surface) -> None:
    roles = surface.multitask
    assert roles is not None
    sizes, shares = np.array([50.0, 500.0]), np.array([0.1, 0.8])
    gain = gain_over_single(surface, roles, sizes, shares, 4.0)
    alone = 5 / np.sqrt(sizes)
    expected = alone - 5 / np.sqrt(sizes * (1 + 3 * shares[:, None]))
    assert np.allclose(gain, expected)


@pytest.mark.parametrize(
    ("expression", "factor", "way"),
    [
        (TRUTH, "n", "rises"),
        (TRUTH, "ami", "rises"),
        ("log(n*(0.7*T)**ami)", "ami", "rises"),  # it falls at T = 1, where there is none
        ("0.9 - 0.2*ami", "ami", "falls"),
        ("(ami - 0.4)**2", "ami", "varies"),
        ("(ami - 0.4)*log(T)", "T", "varies"),
        ("0.1*log(n)", "ami", "none"),
    ],
)
def test_direction_of_a_factor(table: pd.DataFrame, expression: str, factor: str, way: str) -> None:
    surface = surface_of(expression, table)
    assert direction(surface, factor) == way
    text = direction_text(surface, factor)
    assert factor in text
    assert [word for word in ("rises", "falls") if word in text] == {
        "varies": ["rises", "falls"],
        "none": [],
    }.get(way, [way])


def test_the_law_in_words_says_direction_and_limit(surface: Surface) -> None:
    text = " ".join(describe(surface))
    assert "accuracy rises with n, T and ami." in text
    assert "As n or T grows without bound, accuracy tends to 0.9." in text
    low, high = (number(0.9 - 5 / (n * (1 + (2 - 1) * 0.6)) ** 0.5) for n in (40, 1280))
    assert (
        f"From n = 40 to 1,280 at T = 2 and ami = 0.6, accuracy goes from {low} to {high}" in text
    )
    assert equivalent_data_text(surface) in text


@pytest.mark.parametrize(
    ("law", "times"),
    [
        (TRUTH, lambda tasks: 1 + (tasks - 1) * 0.6),  # at AMI 0.6, the middle of its levels
        # far below the fitted sizes this law is equal to the last digit
        ("0.22 + 0.7*exp(-(n*T**ami/400)**(-3))", lambda tasks: tasks**0.6),
    ],
)
def test_single_task_data_that_is_worth_as_much(
    table: pd.DataFrame, laws: Mapping[str, Any], law: str, times: Callable[[float], float]
) -> None:
    surface = surface_of(law, table, laws["data"])
    roles = surface.multitask
    assert roles is not None
    for tasks in (2.0, 4.0):
        assert equivalent_data(surface, roles, tasks) == pytest.approx(times(tasks), rel=5e-3)
    text = equivalent_data_text(surface)
    assert f"worth {times(2):.2g} times" in text
    assert f"4 tasks {times(4):.2g} times" in text


@pytest.mark.parametrize(
    ("law", "gap"),
    [
        ("0.5 + 0.1*(T - 1) - 1/n", "below"),
        ("0.5 - 0.1*(T - 1) - 0.01/n", "above"),
        ("0.5*T - exp(-(log(n/300))**2)", "several"),
        ("0.5 + T/(n*(T - 1))", "no_value"),
    ],
)
def test_some_laws_have_no_single_task_data_worth_as_much(
    table: pd.DataFrame, laws: Mapping[str, Any], law: str, gap: str
) -> None:
    surface = surface_of(law, table, laws["data"])
    roles = surface.multitask
    assert roles is not None
    assert equivalent_data(surface, roles, 2.0) == gap
    text = equivalent_data_text(surface)
    assert text.startswith(NOT_STATED)
    assert len(text) > len(NOT_STATED) + 20
    if gap == "below":
        assert "2 tasks reach, 0.597, from n = 4" in text


@pytest.mark.parametrize(("law", "unused"), [("0.1*log(n)", "T"), ("0.5 + 0.1*ami*T", "n")])
def test_a_law_without_tasks_or_size_has_none_either(
    table: pd.DataFrame, laws: Mapping[str, Any], law: str, unused: str
) -> None:
    text = equivalent_data_text(surface_of(law, table, laws["data"]))
    assert text == f"{NOT_STATED}the law does not use {unused}."


def test_a_table_without_one_task_says_so_and_one_without_tasks_says_nothing(
    table: pd.DataFrame,
) -> None:
    text = equivalent_data_text(surface_of(TRUTH, table[table["T"] > 1]))
    assert text.startswith(NOT_STATED)
    assert "T = 1" in text
    assert equivalent_data_text(surface_of("log(n)", table, factors=("n",))) == ""


def test_a_limit_that_depends_on_another_factor_says_at_which_value(
    table: pd.DataFrame, laws: Mapping[str, Any]
) -> None:
    surface = surface_of("0.9 - 0.1/T - 2/sqrt(n)", table, laws["data"])
    for factor, value, other in (("n", 0.85, "T"), ("T", 0.9 - 2 / 320**0.5, "n")):
        assert limit(surface, factor) == (pytest.approx(value, rel=1e-6), (other,))
    text = " ".join(describe(surface))
    assert "As n grows without bound, accuracy tends to 0.85 at T = 2." in text
    assert "As T grows without bound, accuracy tends to 0.788 at n = 320." in text
    assert limit(surface_of("0.1*log(n)", table), "n") is None


def test_ami_is_spelled_out_where_it_is_the_relatedness(
    surface: Surface, table: pd.DataFrame
) -> None:
    assert "adjusted mutual information" in relatedness_text(surface)
    renamed = table.rename(columns={"ami": "rel"})
    assert relatedness_text(surface_of("rel*T + n", renamed, factors=("n", "T", "rel"))) == ""


def test_unused_factors_are_named(table: pd.DataFrame) -> None:
    assert describe(surface_of("0.1*log(n)", table))[-1] == "The law does not use T or ami."


def test_measured_gains_point_the_way_they_went(surface: Surface, table: pd.DataFrame) -> None:
    """In the planted table training together always helps where relatedness is high."""
    roles = surface.multitask
    assert roles is not None
    fitted = table[table["role"] == "fit"]
    columns = {name: fitted[name].to_numpy(dtype=float) for name in surface.factors}
    target, cell = fitted["accuracy"].to_numpy(), fitted["cell"].to_numpy()
    paired = pooled_gain(surface.law, Rows(columns, target, cell), False, None, 0)
    assert paired is not None
    record = PooledGain.model_validate(paired.to_json())
    for drawing in draw_gain(surface, roles, record):
        small_up, up, small_down, down = drawing.figure.axes[0].lines[-4:]
        assert (up.get_marker(), down.get_marker()) == ("^", "v")
        related = [np.asarray(line.get_ydata()) > 0.5 for line in (small_up, up)]
        assert np.concatenate(related).sum() == 12  # six fitted sizes, AMI 0.6 and 0.9
        falls = [np.asarray(line.get_ydata()) for line in (small_down, down)]
        assert (np.concatenate(falls) < 0.5).all()
