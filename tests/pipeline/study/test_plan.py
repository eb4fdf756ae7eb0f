"""`mtl-laws plan`: what a study would train, and what could not work."""

from __future__ import annotations

import contextlib
import io
import itertools
import time
from pathlib import Path

import pytest

from mtl_laws.pipeline.cli.app import app
from mtl_laws.pipeline.cli.ending import exit_code
from mtl_laws.pipeline.study import plan as plans
from mtl_laws.pipeline.study import preflight
from mtl_laws.pipeline.study.backends import RunOptions
from mtl_laws.pipeline.study.plan import Plan, plan_study
from mtl_laws.pipeline.study.store import STORE_NAME
from mtl_laws.pipeline.study.train import train_study
from mtl_laws.pipeline.study.trials import expand
from support.tiny_runs import TINY, study

MORE = TINY + "controls: [updates, tokens]\nlaws: {factors: [n, T, ami]}\n"
ONE = RunOptions(jobs=1, progress=False)


def planned(text: str, timing: bool = False) -> Plan:
    return plan_study(study(text), None, ONE, timing)


def command(tmp_path: Path, text: str, *more: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code(app, ["plan", str(path), "--jobs", "1", *more])
    return code, out.getvalue(), err.getvalue()


def test_trials_are_counted_by_level() -> None:
    plan = planned(MORE)
    trials = expand(study(MORE))
    assert plan.trials == len(trials) == 12 + 4 + 2
    assert plan.levels == {
        "tasks": {1: 4, 2: 8},
        "tokens": {30: 6, 60: 6},
        "ami": {None: 4, 0.2: 4, 0.6: 4},
    }
    assert plan.single_task == 4
    assert plan.controls == {
        name: sum(trial.control == name for trial in trials) for name in ("updates", "tokens")
    }


def test_levels_of_options_and_settings_are_counted() -> None:
    plan = planned(
        TINY.replace("ami: [", "zipf: [0.5, 1], training.embedding: [2, 3], ami: [", 1).replace(
            "{embedding: 2, ", "{"
        )
    )
    assert plan.levels["zipf"] == {0.5: 24, 1: 24}
    assert plan.levels["training.embedding"] == {2: 24, 3: 24}


def test_factors_without_an_extrapolation_fold_are_named() -> None:
    assert planned(MORE).few_levels == {"n": 2, "T": 2, "ami": 2}
    levels = MORE.replace("[30, 60]", "[30, 60, 90, 120]").replace("[1, 2]", "[1, 2, 3, 4]")
    assert planned(levels).few_levels == {"ami": 2}
    held = levels.replace("laws: {", "laws: {hold_out: n > 100, ")
    assert planned(held).few_levels == {"n": 3, "ami": 2}


def test_all_problems_are_listed_and_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "train_trials", None)
    plan = planned(
        TINY.replace("[30, 60]", "[38, 42]") + "laws: {factors: [n, hidden], hold_out: m > 1}\n",
        timing=True,
    )
    paths = [problem.path for problem in plan.problems]
    assert paths == ["laws.hold_out", "laws.factors.hidden", "factors.tokens[1]"]
    assert plan.estimate is None


def test_nothing_is_trained_without_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "train_trials", None)
    assert planned(TINY).estimate is None


def test_the_estimate_is_of_the_right_size(tmp_path: Path) -> None:
    """Of a study whose every trial takes as long: its disk space is nearly exact."""
    same = (
        TINY.replace("[30, 60]", "[60]").replace("seeds: 2", "seeds: 9")
        + "laws: {factors: [T, ami]}\n"
    )
    estimate = planned(same, timing=True).estimate
    assert estimate is not None
    train_study(study(same), tmp_path, ONE)
    size = (tmp_path / STORE_NAME).stat().st_size
    assert 0.5 * size < estimate.disk < 1.5 * size
    assert 0 < estimate.seconds < 60
    assert estimate.memory is None or 5e7 < estimate.memory < 5e9
    assert estimate.models > 0


def test_the_command_prints_the_plan_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, out, err = command(tmp_path, MORE)
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines() if line[0] != " "] == [
        *("trials", "time", "memory", "disk", "problems", "laws", "laws", "laws")
    ]
    assert "trials:   18, with 2 seeds" in out
    assert "tasks   1: 4, 2: 8" in out
    assert "T has 2 of the 4 levels" in out
    assert list((tmp_path / "here").iterdir()) == []


SIZES = MORE.replace("[30, 60]", "[30, 60, 90, 120]")


@pytest.mark.parametrize(
    ("design", "line"),
    [
        ("active", "at most 9 of the 36, in rounds"),
        ("{kind: active, budget: 12}", "at most 12 of the 36, in rounds"),
        (
            "{kind: active, budget: 12, until: 0.1}",
            "at most 12 of the 36, in rounds, fewer if the law is certain earlier",
        ),
        (
            "{kind: active, seconds: 90}",
            "for about 1 min 30 s of training, summed over models, in rounds",
        ),
    ],
)
def test_an_active_design_says_how_much_it_trains(tmp_path: Path, design: str, line: str) -> None:
    code, out, err = command(tmp_path, f"{SIZES}design: {design}\n", "--no-timing")
    assert (code, err) == (0, "")
    assert f"design:   active: trains {line}\n" in out
    assert "design:" not in command(tmp_path, SIZES, "--no-timing")[1]


def test_the_estimate_is_of_the_trials_that_the_design_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that gives every group the same time."""
    monkeypatch.setattr(time, "perf_counter", itertools.count().__next__)
    designs = ("full", "{seconds: 0.5}", "active", "{kind: active, seconds: 0.5}")
    full, ignored, quarter, half_a_second = (
        planned(f"{SIZES}design: {design}\n", timing=True).estimate for design in designs
    )
    assert full is not None
    assert ignored == full
    assert quarter is not None
    assert half_a_second is not None
    assert quarter.seconds == pytest.approx(full.seconds / 4)
    assert quarter.disk < full.disk
    assert half_a_second.seconds == pytest.approx(0.5)


def test_a_study_that_cannot_work_exits_with_2(tmp_path: Path) -> None:
    text = TINY.replace("[30, 60]", "[38, 42]") + "laws: {factors: [n, hidden]}\n"
    code, out, err = command(tmp_path, text)
    assert code == 2
    assert "problems: 2" in out
    assert [line.split(":")[:2] for line in err.splitlines()] == [
        ["mtl-laws", " laws.factors.hidden"],
        ["mtl-laws", " factors.tokens[1]"],
    ]


def test_the_engine_of_the_command_is_checked(tmp_path: Path) -> None:
    code, _, err = command(tmp_path, TINY, "--engine", "pyser", "--no-timing")
    assert code == 2
    assert err.startswith("mtl-laws: engine: expected ")


def test_the_plan_and_the_run_refuse_the_same(tmp_path: Path) -> None:
    text = TINY.replace("[30, 60]", "[38, 42]")
    (problem,) = planned(text).problems
    with pytest.raises(type(problem)) as caught:
        preflight.preflight(study(text))
    assert str(caught.value) == str(problem)
