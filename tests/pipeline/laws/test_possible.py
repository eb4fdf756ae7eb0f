"""Impossible points are refused by roles and kinds; points that are only far away are answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws import LawSet, UserError, predict
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.laws.design.knowledge import Knowledge
from mtl_laws.pipeline.laws.design.proposal import Request, propose
from mtl_laws.pipeline.laws.possible import Limits, limits_of, limits_of_rows
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.laws.record import DataRecord, Roles
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import infer_domains
from mtl_laws.pipeline.symbolic.kinds import value_range
from support.asked_laws import asked_laws, rows

GOOD = {"n": 500.0, "T": 2.0, "ami": 0.4}
IMPOSSIBLE = [
    ("n", 0.0, "a number above 0"),
    ("n", -5.0, "a number above 0"),
    ("T", 0.5, "a number of 1 or more"),
    ("T", 0.0, "a number of 1 or more"),
    ("ami", 1.01, "a number from -1 to 1"),
    ("ami", -3.0, "a number from -1 to 1"),
]
QUESTIONS: dict[str, Callable[[LawSet, pd.DataFrame], object]] = {
    "predict": LawSet.predict,
    "intervals": LawSet.intervals,
    "beside": LawSet.beside,
    "outside": LawSet.outside,
    "gain": LawSet.gain,
    "function": predict,
}


@pytest.fixture(scope="module")
def laws() -> LawSet:
    return asked_laws()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("factor", "value", "expected"), IMPOSSIBLE)
def test_an_impossible_value_is_refused_by_row_and_column(
    question: str, factor: str, value: float, expected: str, laws: LawSet
) -> None:
    points = pd.DataFrame([GOOD, {**GOOD, factor: value}])
    with pytest.raises(UserError) as caught:
        QUESTIONS[question](laws, points)
    error = caught.value
    assert (error.path, error.expected, error.got) == (
        f"table, row 2, column {factor}",
        expected,
        value,
    )
    assert laws.impossible(points) == [(1, factor)]


@pytest.mark.parametrize(("factor", "value", "expected"), IMPOSSIBLE)
def test_solving_at_an_impossible_value_is_refused(
    factor: str, value: float, expected: str, laws: LawSet
) -> None:
    other = "n" if factor != "n" else "T"
    with pytest.raises(UserError) as caught:
        laws.solve(other, 0.6, {**GOOD, factor: value})
    assert (caught.value.path, caught.value.expected) == (f"at.{factor}", expected)


def test_far_and_slightly_negative_values_are_answered(laws: LawSet) -> None:
    points = pd.DataFrame({"n": [1e9, 0.5, 500], "T": [1e3, 1, 2.5], "ami": [1.0, -0.7, -0.02]})
    assert laws.impossible(points) == []
    assert laws.intervals(points)["distance"].gt(0).all()


def test_what_one_task_leaves_undefined_may_hold_anything(laws: LawSet) -> None:
    alone = pd.DataFrame({"n": [500.0] * 3, "T": 1.0, "ami": [np.nan, 7.0, -99.0]})
    assert laws.predict(alone).nunique() == 1


def record(columns: dict[str, np.ndarray[Any, Any]], roles: Roles, **changed: Any) -> DataRecord:
    ranges = {name: value_range(column) for name, column in columns.items()}
    domain = {**infer_domains(columns), **changed.pop("domain", {})}
    return DataRecord(ranges=ranges, domain=domain, roles=roles)


KINDS: dict[str, tuple[list[float], Limits | None]] = {
    "parameters": ([1e6, 1e7, 1e8], Limits(low=0.0, above=True)),
    "small_unit": ([0.001, 0.01, 0.04], Limits(low=0.0, above=True)),
    "auxiliary_tokens": ([0.0, 500.0, 1000.0], Limits(low=0.0)),
    "noise": ([0.0, 0.1, 0.3], Limits(low=0.0, high=1.0)),
    "overlap": ([0.2, 0.6, 1.0], Limits(low=0.0, high=1.0)),
    "perhaps_a_fraction": ([0.4, 0.6, 0.9], Limits(low=0.0)),
    "temperature": ([-3.0, 0.5, 2.0], None),
}


@pytest.mark.parametrize("name", KINDS)
def test_other_factors_are_limited_by_their_kind(name: str) -> None:
    values, expected = KINDS[name]
    columns = {name: np.array(values), "n": np.array([10.0, 100.0, 1000.0])}
    found = limits_of(record(columns, Roles(size="n")), Region.of(columns))
    assert found.get(name) == expected
    assert found["n"] == Limits(low=0.0, above=True)
    assert limits_of_rows(columns).get(name) == expected


def test_what_was_fitted_or_belongs_to_the_domain_is_possible() -> None:
    columns = {"n": np.array([10.0, 100.0]), "T": np.array([1.0, 2.0])}
    wide = {"n": (0.0, 200.0), "T": (0.5, 4.0)}
    found = limits_of(record(columns, Roles(size="n", tasks="T"), domain=wide), Region.of(columns))
    assert found == {"n": Limits(low=0.0), "T": Limits(low=0.5)}


def test_a_relatedness_in_bits_is_no_ami() -> None:
    columns = {"n": np.array([10.0, 100.0]), "mi": np.array([0.3, 2.5])}
    found = limits_of(record(columns, Roles(size="n", relatedness="mi")), None)
    assert not found["mi"].beyond(np.array([-5.0, 50.0])).any()


@pytest.mark.parametrize(("factor", "value", "expected"), IMPOSSIBLE)
@pytest.mark.parametrize("goal", [False, True])
def test_impossible_trials_are_no_candidates_and_no_goal(
    factor: str, value: float, expected: str, goal: bool
) -> None:
    question = Question("f1", {name: name for name in GOOD}, forms=("c0 - c1/n**c2",))
    known = Knowledge.of_table(rows(), question, "table.csv")
    good = pd.DataFrame([GOOD, {**GOOD, "n": 700.0}])
    bad = pd.DataFrame([GOOD, {**GOOD, factor: value}])
    request = Request(candidates=good if goal else bad, count=1, goal=bad if goal else None)
    with pytest.raises(UserError) as caught:
        propose(known, request)
    place = "goal" if goal else "candidates"
    assert caught.value.path == f"{place}, row 2, column {factor}"
    assert (caught.value.expected, caught.value.got) == (expected, value)


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["--at", "n=500, T=1", "--at", "n=500, T=2, ami=1.2"], "--at ami"),
        (["--at", "tokens=0, T=1"], "--at n"),
        (["--table", "points.csv"], "points.csv, line 3, column tasks"),
        (["--solve", "n", "--for", "f1=0.6", "--at", "T=0.5, ami=0.2"], "--at T"),
    ],
)
def test_the_command_refuses_in_one_line(
    words: list[str],
    path: str,
    laws: LawSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    laws.save(tmp_path / "laws")
    (tmp_path / "points.csv").write_text("tokens,tasks,ami\n500,2,0.4\n500,0.5,0.4\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["predict", "laws", *words])
    output = capsys.readouterr()
    assert (stop.value.code, output.out) == (2, "")
    assert len(output.err.splitlines()) == 1
    assert output.err.startswith(f"mtl-laws: {path}: expected a number ")
