"""Active design: the budget holds, and a killed run trains what an undisturbed one trains."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.fit import rewrite_report
from mtl_laws.pipeline.report.figure_text import ROUNDS_GREW
from mtl_laws.pipeline.report.rounds import draw_rounds, rounds_grid
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.active import DESIGN_NAME, most_trials, read_rounds, rounds_of
from mtl_laws.pipeline.study.preflight import check_active
from mtl_laws.pipeline.study.progress import run_status
from mtl_laws.pipeline.study.run import run_study
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.train import train_study
from mtl_laws.pipeline.study.trials import Trial, expand
from support.tiny_runs import QUIET, Trainer, same

TEXT = """
question: which of them tell most?
factors: {tasks: [1, 2, 4], tokens: [40, 80, 160, 320], ami: [0.1, 0.5]}
seeds: 2
design: {kind: active, budget: 20, batch: 8}
laws: {budget: tiny, engine: grammar}
"""


def study(**changed: object) -> Study:
    """The study with other values in its `design` block."""
    values = {"kind": "active", "budget": 20, "batch": 8, **changed}
    block = ", ".join(f"{key}: {value}" for key, value in values.items() if value is not None)
    return Study.parse(TEXT.replace("kind: active, budget: 20, batch: 8", block))


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    stand_in = Trainer()
    monkeypatch.setattr(workers, "train_together", stand_in)
    return stand_in


def test_rounds_spend_the_budget_and_no_more(tmp_path: Path, trainer: Trainer) -> None:
    table = train_study(study(), tmp_path, QUIET)
    rounds = read_rounds(tmp_path)
    assert len(table) == 20 == len(set(trainer.trained)) == len(trainer.trained)
    assert [len(one.trials) for one in rounds] == [8, 8, 4, 0]
    assert rounds[0].width is None
    assert all(one.width is not None for one in rounds[1:])
    assert 0 < rounds[0].share < rounds[-1].share < 20 / len(expand(study()))


def test_the_report_has_what_every_round_cost_and_gave(tmp_path: Path, trainer: Trainer) -> None:
    table = train_study(study(), tmp_path, QUIET).set_index("trial")
    rounds = rounds_of(tmp_path, "accuracy")
    assert rounds is not None
    assert rounds["trials"].tolist() == [8, 16, 20]
    np.testing.assert_allclose(rounds["seconds"], [0.08, 0.16, 0.2])
    assert np.isnan(rounds["error"][0])
    _, second, *_ = read_rounds(tmp_path)
    outcome = table.loc[[*second.trials], "accuracy"].to_numpy()
    expected = np.sqrt(np.mean((outcome - np.array(second.predicted)) ** 2))
    assert rounds["error"][1] == pytest.approx(expected)
    assert (rounds["width"] > 0).all()
    grid = rounds_grid(rounds)
    assert len(grid.rows) == 3
    share = f"{100 * rounds['share'][2]:.2g}"
    assert f"20 trials were trained in 0.2 s, for {share}" in grid.caption
    drawing = draw_rounds(rounds, "accuracy")
    assert drawing is not None
    assert "after 20" in drawing.alt
    assert rounds_of(tmp_path / "elsewhere", "accuracy") is None
    assert not rounds_grid(None)


@pytest.mark.parametrize(
    ("widths", "grew"),
    [
        ([np.nan, 0.216, 0.222, 0.2], True),
        ([0.3, 0.2, 0.2, 0.1], False),
        ([0.3, 0.21600001, 0.21600002, np.nan], False),
        ([0.3], False),
    ],
)
def test_the_report_explains_an_interval_that_grows(widths: list[float], grew: bool) -> None:
    rounds = pd.DataFrame({"width": widths})
    for name in ("trials", "seconds", "share", "error"):
        rounds[name] = np.linspace(0.1, 0.5, len(widths))
    assert (ROUNDS_GREW in rounds_grid(rounds).caption) == grew


def test_rounds_without_an_end_are_reported_too(tmp_path: Path, trainer: Trainer) -> None:
    train_study(study(), tmp_path, QUIET)
    ended = rounds_of(tmp_path, "accuracy")
    assert ended is not None
    content = json.loads((tmp_path / DESIGN_NAME).read_text())
    for count in (3, 1):
        (tmp_path / DESIGN_NAME).write_text(json.dumps({"rounds": content["rounds"][:count]}))
        rounds = rounds_of(tmp_path, "accuracy")
        assert rounds is not None
        assert rounds["trials"].tolist() == [8, 16, 20][:count]
        assert np.isnan(rounds["width"].iloc[-1])
        np.testing.assert_allclose(rounds["width"][:-1], ended["width"][: count - 1])
        assert len(rounds_grid(rounds).rows) == count
        assert (draw_rounds(rounds, "accuracy") is None) == (count == 1)
    (tmp_path / DESIGN_NAME).write_text(json.dumps({"rounds": content["rounds"][3:]}))
    assert rounds_of(tmp_path, "accuracy") is None


def test_a_report_written_again_still_has_its_rounds(tmp_path: Path, trainer: Trainer) -> None:
    run_study(study(), tmp_path, options=QUIET)
    texts = [(tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("md", "html")]
    assert all("Which trials were chosen" in text for text in texts)
    assert "![Half the width of the design interval" in texts[0]
    rewrite_report(tmp_path)
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == texts[0]


def test_a_finished_run_trains_nothing_more(tmp_path: Path, trainer: Trainer) -> None:
    first = train_study(study(), tmp_path, QUIET)
    trainer.groups.clear()
    same(train_study(study(), tmp_path, QUIET), first)
    assert trainer.trained == []


@pytest.mark.parametrize("changed", [{}, {"until": 10.0}, {"budget": None, "seconds": 0.16}])
def test_the_status_of_a_finished_design_counts_what_it_chose(
    tmp_path: Path, trainer: Trainer, changed: dict[str, float | None]
) -> None:
    count = len(train_study(study(**changed), tmp_path, QUIET))
    status = run_status(tmp_path)
    assert status.finished
    assert status.line().startswith(f"{count} of {count} models, 0 failed, ")
    assert status.line().endswith(", training finished")


def test_the_status_of_an_unfinished_design_counts_what_it_may_choose(
    tmp_path: Path, trainer: Trainer
) -> None:
    """Between two rounds, and after the last one but before the end is recorded."""
    train_study(study(), tmp_path, QUIET)
    content = json.loads((tmp_path / DESIGN_NAME).read_text())
    assert content["most"] == 20
    for most, expected in ((28, "20 of at most 28"), (20, "20 of at most 20")):
        cut = {"most": most, "rounds": content["rounds"][:3]}
        (tmp_path / DESIGN_NAME).write_text(json.dumps(cut))
        line = run_status(tmp_path).line()
        assert line.startswith(f"{expected} models, ")
        assert line.endswith("stopped: run the same command again to resume")


def test_rows_that_no_round_chose_make_all_trials_count(tmp_path: Path, trainer: Trainer) -> None:
    """A folder whose study was changed to `design: full` and stopped."""
    train_study(study(), tmp_path, QUIET)
    content = json.loads((tmp_path / DESIGN_NAME).read_text())
    cut = {"rounds": [*content["rounds"][:2], content["rounds"][3]]}
    (tmp_path / DESIGN_NAME).write_text(json.dumps(cut))
    status = run_status(tmp_path)
    assert (status.trials, status.finished) == (len(expand(study())), False)


@pytest.mark.parametrize("target", ["accuracy", "gain", "gain_updates"])
@pytest.mark.parametrize("changed", [{}, {"budget": None, "batch": None}, {"budget": 900}])
def test_no_design_trains_more_than_its_most(
    tmp_path: Path, trainer: Trainer, target: str, changed: dict[str, float | None]
) -> None:
    text = "controls: [updates]\nlaws: {target: " + target + ", "
    asked = study(**changed)
    asked = Study.parse(TEXT.replace("laws: {", text)).model_copy(update={"design": asked.design})
    trials = expand(asked)
    count = len(train_study(asked, tmp_path, QUIET))
    most = most_trials(asked, trials)
    assert count <= most <= len(trials)
    assert count == most or target != "accuracy"


@pytest.mark.parametrize(
    ("changed", "titles"),
    [
        ({}, ["round 1 of 3", "round 2 of 3", "round 3 of 3"]),
        ({"until": 10.0}, ["round 1 of at most 3"]),
        ({"budget": None, "seconds": 0.07}, ["round 1"]),
    ],
)
def test_progress_says_which_round_it_is(
    tmp_path: Path,
    trainer: Trainer,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, float | None],
    titles: list[str],
) -> None:
    train_study(study(**changed), tmp_path, replace(QUIET, progress=True))
    lines = capsys.readouterr().err.splitlines()
    assert list(dict.fromkeys(line.split(":")[0] for line in lines)) == titles
    assert lines[0] == f"{titles[0]}: 0 of 8 models, 0 failed"


def test_a_larger_budget_goes_on(tmp_path: Path, trainer: Trainer) -> None:
    train_study(study(), tmp_path, QUIET)
    assert len(train_study(study(budget=28), tmp_path, QUIET)) == 28


@pytest.mark.parametrize("moment", [1, 3, 6])
def test_a_killed_run_ends_with_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The run dies at the `moment`th group, is started again, and dies no more."""
    monkeypatch.setattr(workers, "train_together", Trainer())
    whole = train_study(study(), tmp_path / "whole", QUIET)
    calls = 0

    def die(trials: Sequence[Trial]) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise KeyboardInterrupt

    monkeypatch.setattr(workers, "train_together", Trainer(die))
    with pytest.raises(KeyboardInterrupt):
        train_study(study(), tmp_path / "cut", QUIET)
    same(train_study(study(), tmp_path / "cut", QUIET), whole)
    one, two = ((tmp_path / name / DESIGN_NAME).read_text() for name in ("whole", "cut"))
    assert json.loads(one) == json.loads(two)


def test_rounds_end_when_the_law_is_certain(tmp_path: Path, trainer: Trainer) -> None:
    assert len(train_study(study(until=10.0), tmp_path, QUIET)) == 8


def test_a_budget_of_seconds(tmp_path: Path, trainer: Trainer) -> None:
    """Every model of the stand-in takes 0.01 s."""
    table = train_study(study(budget=None, seconds=0.16), tmp_path, QUIET)
    assert 8 < len(table) <= 24


def test_without_a_budget_a_quarter_is_trained(tmp_path: Path, trainer: Trainer) -> None:
    short = Study.parse(TEXT.replace("{kind: active, budget: 20, batch: 8}", "active"))
    trials = expand(short)
    assert len(train_study(short, tmp_path, QUIET)) == pytest.approx(len(trials) / 4, abs=1)


def test_full_is_the_default() -> None:
    assert Study.parse("question: x\nfactors: {tasks: 1, tokens: 40}\n").design.kind == "full"


def test_rows_cannot_be_held_out() -> None:
    held = Study.parse(TEXT.replace("laws: {", "laws: {hold_out: n > 160, "))
    with pytest.raises(UserError) as caught:
        check_active(held, expand(held))
    assert caught.value.path == "design"


def test_a_factor_that_only_training_measures_is_refused() -> None:
    measured = Study.parse(TEXT.replace("laws: {", "laws: {factors: [n, h_main], "))
    with pytest.raises(UserError) as caught:
        check_active(measured, expand(measured))
    assert caught.value.path == "design"


@pytest.mark.parametrize(
    "text", ['{"rounds": [1]}', '{"rounds": [], "most": "x"}', '{"rounds": [], "most": Infinity}']
)
def test_rounds_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / DESIGN_NAME).write_text(text)
    with pytest.raises(UserError) as caught:
        read_rounds(tmp_path)
    assert caught.value.path.endswith(DESIGN_NAME)
