"""Active design: the budget holds, and a killed run trains what an undisturbed one trains."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.fit import rewrite_report
from mtl_laws.pipeline.report.rounds import draw_rounds, rounds_grid
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.active import DESIGN_NAME, read_rounds, rounds_of
from mtl_laws.pipeline.study.preflight import check_active
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


def test_rounds_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / DESIGN_NAME).write_text('{"rounds": [1]}')
    with pytest.raises(UserError) as caught:
        read_rounds(tmp_path)
    assert caught.value.path.endswith(DESIGN_NAME)
