"""Controls: pure trials, paired by seed, never mixed up with what a law is found on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtl_laws.pipeline.columns import RESULTS_NAME, ordinary_rows
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.tablefile import read_table
from mtl_laws.pipeline.study import run, workers
from mtl_laws.pipeline.study.controls import _PHASES, CONTROLS, marked
from mtl_laws.pipeline.study.preflight import preflight
from mtl_laws.pipeline.study.store import Row
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.trials import Trial, expand
from mtl_laws.pipeline.training.architectures import SHARINGS
from support.tiny_runs import QUIET, Trainer, result, study

PLAIN = "question: q\nfactors: {tasks: [2, 3], tokens: [40, 80], ami: [0.1, 0.5]}\nseeds: 2\n"
ALL = PLAIN + "controls: [updates, tokens, random_labels]\n"


def of(control: str | None, text: str = ALL) -> list[Trial]:
    return [trial for trial in expand(study(text)) if trial.control == control]


def table_of(text: str) -> pd.DataFrame:
    """What stand-in runs give; the control `updates` half of a per cent more than plain STL."""
    rows = []
    for trial in expand(study(text)):
        found = result(trial)
        bonus = 0.005 * (trial.control == "updates") - 0.01 * trial.settings.random_labels
        scores = {"accuracy": found.outcome["scores"]["accuracy"] + bonus}
        rows.append(
            Row(trial.digest, trial.to_json(), {**found.outcome, "scores": scores}, found.measured)
        )
    return outcomes_table(rows, {})


def test_controls_add_trials_and_change_none() -> None:
    assert {trial.digest for trial in of(None)} == {trial.digest for trial in expand(study(PLAIN))}
    digests = [trial.digest for trial in expand(study(ALL))]
    assert len(digests) == len(set(digests))


def test_more_updates_are_all_that_are_allowed_whatever_the_number_of_tasks() -> None:
    trials = of("updates")
    assert {(trial.task.tokens, trial.seed) for trial in trials} == {
        (n, seed) for n in (40, 80) for seed in (0, 1)
    }
    assert len(trials) == 4
    for trial in trials:
        assert (trial.task.tasks, trial.settings.patience) == (1, 0)
        assert trial.settings.max_steps == of(None)[0].settings.max_steps


def test_transfer_may_make_twice_the_updates() -> None:
    text = ALL + "training: {sharing: transfer, max_steps: 60}\n"
    assert {trial.settings.max_steps for trial in of("updates", text)} == {120}
    assert {name: len(sharing.phases(3)) for name, sharing in SHARINGS.items()} == {
        name: _PHASES.get(name, 1) for name in SHARINGS
    }


def test_the_ceiling_has_the_tokens_of_all_tasks() -> None:
    tokens = {trial.task.tokens for trial in of("tokens")}
    assert tokens == {120, 160, 240}, "2·40 = 80 is an ordinary single-task trial already"
    uneven = ALL.replace("ami", "aux_tokens: [null, 100], ami")
    assert {140, 240, 180, 280} <= {trial.task.tokens for trial in of("tokens", uneven)}


def test_the_floor_differs_by_the_labels_alone() -> None:
    floor = {trial.digest: trial for trial in of("random_labels")}
    multi = [trial for trial in of(None) if trial.task.tasks > 1]
    assert len(floor) == len(multi)
    for trial in multi:
        description = marked("random_labels", CONTROLS["random_labels"](trial.to_json()))
        twin = floor[Trial.from_json(description).digest]
        assert (twin.task, twin.seed) == (trial.task, trial.seed)


def test_a_control_survives_its_json() -> None:
    for name in CONTROLS:
        trial = of(name)[0]
        again = Trial.from_json(trial.to_json())
        assert (again, again.digest) == (trial, trial.digest)


def test_gains_are_paired_with_the_control_of_the_same_seed() -> None:
    table = table_of(ALL)
    ordinary = ordinary_rows(table)
    multi = ordinary[ordinary["T"] > 1]
    assert len(multi) == 16
    seed = multi["seed"] / 1000
    for (name, expected), column in zip(
        {
            "gain_updates": 1 - 5 / multi["n"] - seed + 0.005,
            "gain_tokens": 1 - 5 / (multi["n"] * multi["T"]) - seed,
            "gain_random_labels": multi["accuracy"] - 0.01,
        }.items(),
        (multi["gain_updates"], multi["gain_tokens"], multi["gain_random_labels"]),
        strict=True,
    ):
        assert (multi["accuracy"] - column).tolist() == pytest.approx(expected.tolist()), name


def test_rows_without_a_control_have_no_gain_over_it() -> None:
    names = [f"gain_{name}" for name in CONTROLS]
    table = table_of(ALL)
    others = table[(table["T"] == 1) | table["control"].notna()]
    assert others[names].isna().all(axis=None)
    assert table.loc[table["control"].notna(), ["gain", "stl"]].isna().all(axis=None)
    plain = table_of(PLAIN)
    assert plain["control"].isna().all()
    assert plain["gain_updates"].isna().all()
    assert plain["gain_random_labels"].isna().all()


def test_fixed_steps_need_no_run_with_more_updates() -> None:
    text = ALL + "training: {patience: 0}\n"
    assert not of("updates", text)
    table = table_of(text)
    multi = table[(table["T"] > 1) & table["control"].isna()]
    assert multi["gain_updates"].tolist() == multi["gain"].tolist()


def test_random_labels_as_a_factor_do_not_double_single_tasks() -> None:
    text = PLAIN.replace("ami", "random_labels: [false, true], ami")
    alone = [trial for trial in expand(study(text)) if trial.task.tasks == 1]
    assert len(alone) == 4
    assert table_of(text)["gain"].notna().all()


def test_no_control_enters_a_law_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[pd.DataFrame] = []

    def fit(table: pd.DataFrame, *_: object) -> dict[str, Any]:
        given.append(table)
        return {}

    monkeypatch.setattr(workers, "train_together", Trainer())
    monkeypatch.setattr(run, "fit_to_folder", fit)
    controlled = study(ALL)
    run.run_study(controlled, tmp_path, options=QUIET)
    (found,) = given
    table = read_table(tmp_path / RESULTS_NAME)
    assert table["control"].notna().sum() == 4 + 6 + 16
    assert set(found["trial"]) == {trial.digest for trial in expand(study(PLAIN))}


def test_controls_do_not_count_as_models_of_a_law() -> None:
    few = "question: q\nfactors: {tasks: [2], tokens: [40], ami: [0.1, 0.5]}\nseeds: 2\n"
    with pytest.raises(UserError, match="6 trials"):
        preflight(study(few + "controls: [updates, tokens, random_labels]\n"))


@pytest.mark.parametrize(
    ("text", "field", "accepted"),
    [
        ("controls: [update]", "controls[0]", "updates, tokens, random_labels"),
        ("controls: [tokens, tokens]", "controls", "once"),
        ("laws: {target: gain_tokens}", "laws.target", "controls: [tokens]"),
        ("training: {random_labels: 1}", "training.random_labels", "true"),
    ],
)
def test_mistakes_are_named(text: str, field: str, accepted: str) -> None:
    with pytest.raises(UserError) as caught:
        expand(study(PLAIN + text))
    assert caught.value.path == field
    assert accepted in caught.value.expected
