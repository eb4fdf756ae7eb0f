"""Running a study: every trial once, whatever happens on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch
from joblib.externals.loky.process_executor import BrokenProcessPool

from mtl_laws.pipeline.errors import PipelineError, UserError
from mtl_laws.pipeline.provenance import check_worker, provenance
from mtl_laws.pipeline.study import dispatch, train, workers
from mtl_laws.pipeline.study.backends import RunOptions
from mtl_laws.pipeline.study.dispatch import CULPRIT, SICK_AT_START, outcomes
from mtl_laws.pipeline.study.lock import RunLock
from mtl_laws.pipeline.study.store import STORE_NAME, ResultStore, Row, read_rows
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.train import LOG_NAME, TABLE_NAME, train_study
from mtl_laws.pipeline.study.trials import Trial, expand, group
from mtl_laws.pipeline.study.workers import Result
from mtl_laws.pipeline.training.kernel import find_kernel
from mtl_laws.simulator import SpecError
from support.tiny_runs import QUIET, STUDY, TINY, Trainer, files, result, same, study


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    stand_in = Trainer()
    monkeypatch.setattr(workers, "train_together", stand_in)
    return stand_in


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two, so that there is something between the first and the last."""
    monkeypatch.setattr(dispatch, "group", lambda trials, limit=2, **_: group(trials, limit))


def test_a_run_leaves_one_row_per_trial(trainer: Trainer, tmp_path: Path) -> None:
    table = train_study(study(), tmp_path, QUIET)
    trials = expand(study())
    assert list(table["trial"]) == sorted(trial.digest for trial in trials)
    assert sorted(trainer.trained) == sorted(trial.digest for trial in trials)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / TABLE_NAME), table)
    assert files(tmp_path) == {STORE_NAME, TABLE_NAME, LOG_NAME, "run.lock"}


def test_the_folder_is_made_with_its_parents(trainer: Trainer, tmp_path: Path) -> None:
    train_study(study(), tmp_path / "a" / "b", QUIET)
    assert (tmp_path / "a" / "b" / TABLE_NAME).is_file()


def test_a_finished_run_trains_nothing_again(trainer: Trainer, tmp_path: Path) -> None:
    first = train_study(study(), tmp_path, QUIET)
    trainer.groups.clear()
    again = train_study(study(), tmp_path, QUIET)
    assert not trainer.groups
    pd.testing.assert_frame_equal(again, first)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("groups_done", [0, 1, 4])
def test_an_interrupted_run_goes_on_where_it_stopped(
    trainer: Trainer, tmp_path: Path, groups_done: int
) -> None:
    undisturbed = train_study(study(), tmp_path / "undisturbed", QUIET)
    trainer.groups.clear()

    def interrupt(_: Sequence[Trial]) -> None:
        if len(trainer.groups) == groups_done:
            raise KeyboardInterrupt

    trainer.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        train_study(study(), tmp_path / "run", QUIET)
    trainer.before = lambda trials: None
    resumed = train_study(study(), tmp_path / "run", QUIET)
    assert sorted(trainer.trained) == list(undisturbed["trial"]), "no trial is trained twice"
    same(resumed, undisturbed)


LAYERS = """
question: is it the same corpus?
family: {{name: layers, options: {{corpus: {corpus}, main: pos, aux: [tag]}}}}
factors: {{tasks: 2, tokens: [30, 60]}}
stl: false
seeds: 4
test_tokens: 30
"""


def test_a_corpus_that_changes_between_kill_and_resume_is_refused(
    trainer: Trainer, tmp_path: Path
) -> None:
    corpus = tmp_path / "mine.conll"
    names = "# columns = word pos tag\n"
    blocks = ("\n".join(f"w{k + j} P{j % 2} T{k % 2}" for j in range(6)) for k in range(60))
    text = names + "\n\n".join(blocks) + "\n"
    corpus.write_text(text, encoding="utf-8")
    layers = study(LAYERS.format(corpus=corpus))

    def stop(trials: Sequence[Trial]) -> None:
        raise KeyboardInterrupt

    trainer.before = stop
    with pytest.raises(KeyboardInterrupt):
        train_study(layers, tmp_path / "run", QUIET)
    trainer.before = lambda trials: None
    corpus.write_text(text.replace("P0", "P1"), encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.conll: expected the file as it was"):
        train_study(layers, tmp_path / "run", QUIET)
    corpus.write_text(text, encoding="utf-8")
    assert len(train_study(layers, tmp_path / "run", QUIET)) == 8


@pytest.mark.usefixtures("small_groups")
def test_sigterm_ends_a_run_like_an_interrupt(trainer: Trainer, tmp_path: Path) -> None:
    def terminate(_: Sequence[Trial]) -> None:
        if len(trainer.groups) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    trainer.before = terminate
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train_study(study(), tmp_path, QUIET)
    assert signal.getsignal(signal.SIGTERM) is before
    assert 2 <= len(read_rows(tmp_path / STORE_NAME)) < len(expand(study()))


def test_a_trial_that_fails_is_a_row_and_harms_no_other(trainer: Trainer, tmp_path: Path) -> None:
    poison = expand(study())[3].digest

    def fail(trials: Sequence[Trial]) -> None:
        if any(trial.digest == poison for trial in trials):
            raise SpecError("ami", 0.1, "more than 0.2\nhere")

    trainer.before = fail
    table = train_study(study(), tmp_path, QUIET).set_index("trial")
    assert len(table) == len(expand(study()))
    assert list(table.index[table["status"] == "failed"]) == [poison]
    assert table.loc[poison, "message"] == (
        "SpecError: ami: 0.1 is not accepted: more than 0.2 here"
    )
    assert pd.isna(table.loc[poison, "accuracy"])
    assert "failed: SpecError" in (tmp_path / LOG_NAME).read_text()


def test_failed_trials_are_tried_again_only_when_asked(trainer: Trainer, tmp_path: Path) -> None:
    def fail(_: Sequence[Trial]) -> None:
        raise MemoryError

    trainer.before = fail
    assert set(train_study(study(), tmp_path, QUIET)["status"]) == {"failed"}
    trainer.before = lambda trials: None
    assert set(train_study(study(), tmp_path, QUIET)["status"]) == {"failed"}
    again = RunOptions(jobs=1, progress=False, retry_failed=True)
    assert set(train_study(study(), tmp_path, again)["status"]) == {"converged"}


def test_a_mistake_in_our_own_code_is_not_a_result(trainer: Trainer, tmp_path: Path) -> None:
    def slip(_: Sequence[Trial]) -> None:
        raise TypeError("our mistake")

    trainer.before = slip
    with pytest.raises(TypeError, match="our mistake"):
        train_study(study(), tmp_path, QUIET)
    assert not read_rows(tmp_path / STORE_NAME)


def test_what_a_killed_writer_of_the_table_left_is_removed(
    trainer: Trainer, tmp_path: Path
) -> None:
    left = tmp_path / f".{TABLE_NAME}.k1ll3d.part"
    left.touch()
    train_study(study(), tmp_path, QUIET)
    assert files(tmp_path) == {STORE_NAME, TABLE_NAME, LOG_NAME, "run.lock"}


def test_a_long_log_is_put_aside_and_the_oldest_is_dropped(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "LOG_BYTES", 300)
    for seeds in range(1, 9):
        text = STUDY.replace("seeds: 2", f"seeds: {seeds}")
        train_study(study(text), tmp_path / "run", QUIET)
        (tmp_path / "run" / STORE_NAME).unlink()
    logs = sorted((tmp_path / "run").glob(f"{LOG_NAME}*"))
    assert [log.name for log in logs] == [LOG_NAME, *(f"{LOG_NAME}.{k}" for k in (1, 2, 3))]
    assert all(log.stat().st_size <= 300 for log in logs)
    assert "80 of 80 models" in (tmp_path / "run" / LOG_NAME).read_text(encoding="utf-8")


def test_another_study_is_refused_and_the_store_left_alone(
    trainer: Trainer, tmp_path: Path
) -> None:
    train_study(study(), tmp_path, QUIET)
    content = (tmp_path / STORE_NAME).read_bytes()
    with pytest.raises(UserError, match="another study"):
        train_study(study(TINY), tmp_path, QUIET)
    assert (tmp_path / STORE_NAME).read_bytes() == content


def test_other_laws_and_words_are_the_same_study(trainer: Trainer, tmp_path: Path) -> None:
    text = "question: {}\nfactors: {{tasks: [1], tokens: [40]}}\nlaws: {{seed: {}}}\n"
    train_study(study(text.format("a", 1)), tmp_path, QUIET)
    trainer.groups.clear()
    train_study(study(text.format("b", 2)), tmp_path, QUIET)
    assert not trainer.groups


def test_a_folder_in_use_is_refused(trainer: Trainer, tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(UserError, match="in use"):
        train_study(study(), tmp_path, QUIET)
    assert not trainer.groups
    assert files(tmp_path) == {"run.lock"}


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_folder(trainer: Trainer, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^out: "):
        train_study(study(), tmp_path / place, QUIET)


def test_a_wrong_study_leaves_nothing_behind(tmp_path: Path) -> None:
    wrong = study("question: q\nfactors: {tasks: 2, tokens: 40, ami: 0.5, hiden: [1]}")
    with pytest.raises(UserError, match="hidden"):
        train_study(wrong, tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"jobs": 0}, "jobs"),
        ({"jobs": "two"}, "jobs"),
        ({"backend": "lokey"}, "backend"),
        ({"address": "tcp://here:1"}, "address"),
        ({"device": "gpu"}, "device"),
        ({"device": "cuda:99"}, "device"),
        ({"device": "cpu:x"}, "device"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], field: str) -> None:
    with pytest.raises(UserError) as caught:
        RunOptions(**options)
    assert caught.value.path == field


# --- lost workers ------------------------------------------------------------------------------


class Pool:
    """Stands in for `joblib.Parallel`: works in order, gives out ahead, dies of some trials."""

    deadly: ClassVar[frozenset[str]] = frozenset()
    losses: ClassVar[int] = 0

    def __init__(self, pre_dispatch: int | str, **_: object) -> None:
        self.ahead = 1 if pre_dispatch == 1 else 3

    def __call__(self, tasks: Iterator[tuple[Any, ...]]) -> Iterator[list[Result]]:
        given: list[list[Trial]] = []
        for _, (_, _, part, *_), _ in tasks:
            given.append(list(part))
            if len(given) >= self.ahead:
                yield self._work(given.pop(0))
        for part in given:
            yield self._work(part)

    def _work(self, part: list[Trial]) -> list[Result]:
        if Pool.losses or Pool.deadly.intersection(trial.digest for trial in part):
            Pool.losses = max(0, Pool.losses - 1)
            raise BrokenProcessPool
        return [replace(result(trial), worker=provenance()) for trial in part]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> type[Pool]:
    Pool.deadly, Pool.losses = frozenset(), 0
    monkeypatch.setattr("joblib.Parallel", Pool)
    return Pool


def gather(trials: list[Trial]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    for part in outcomes(trials, set(), QUIET):
        for one in part:
            assert one.trial not in found
            found[one.trial] = one
    return found


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("losses", [1, 2, CULPRIT - 1])
def test_lost_workers_lose_no_trial(pool: type[Pool], losses: int) -> None:
    trials = expand(study())
    pool.losses = losses
    found = gather(trials)
    assert found.keys() == {trial.digest for trial in trials}
    assert all(one.outcome["status"] == "converged" for one in found.values())


@pytest.mark.parametrize("count", [1, 3])
def test_a_trial_that_kills_its_workers_is_found_and_only_it_fails(
    pool: type[Pool], count: int
) -> None:
    trials = expand(study())
    pool.deadly = frozenset(trial.digest for trial in trials[5 : 5 + count])
    found = gather(trials)
    assert found.keys() == {trial.digest for trial in trials}
    failed = {name for name, one in found.items() if one.outcome["status"] == "failed"}
    assert failed == pool.deadly
    assert all("worker was killed" in found[name].outcome["message"] for name in failed)


@pytest.mark.usefixtures("small_groups")
def test_a_run_whose_workers_all_die_ends_with_the_reason(pool: type[Pool]) -> None:
    trials = expand(study())
    pool.deadly = frozenset(trial.digest for trial in trials)
    failed: list[Result] = []
    arriving = outcomes(trials, set(), QUIET)
    with pytest.raises(PipelineError, match="every worker is killed, whatever it trains"):
        failed.extend(one for part in arriving for one in part)
    assert len(failed) == SICK_AT_START < len(trials)


@pytest.mark.parametrize(
    ("worker", "there"),
    [
        ({}, "mtl-laws of an unknown version"),
        ({**provenance(), "version": "0.0.9"}, "mtl-laws 0.0.9"),
        ({**provenance(), "torch": "1.0"}, "torch 1.0"),
        ({**provenance(), "numpy": "1.0"}, "numpy 1.0"),
        ({**provenance(), "python": "3.1.4"}, "Python 3.1.4"),
        ({**provenance(), "code": "0"}, "mtl-laws with the code 0"),
    ],
)
def test_results_of_a_worker_of_another_version_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, worker: dict[str, str], there: str
) -> None:
    def parallel(**_: object) -> Callable[..., Iterator[list[Result]]]:
        def give(tasks: Iterator[tuple[Any, ...]]) -> Iterator[list[Result]]:
            for _, (_, _, part, *_), _ in tasks:
                yield [replace(result(trial), worker=worker) for trial in part]

        return give

    monkeypatch.setattr("joblib.Parallel", parallel)
    with pytest.raises(UserError, match=r"^worker .*finished rows are safe") as caught:
        train_study(study(), tmp_path, QUIET)
    assert caught.value.got == there
    assert read_rows(tmp_path / STORE_NAME) == []


def test_builds_and_patches_of_one_version_are_the_same() -> None:
    here = provenance()
    python, torch = here["python"], here["torch"].partition("+")[0]
    check_worker({**here, "torch": f"{torch}+cu128", "python": f"{python}9"}, "w")


def test_a_row_carries_the_provenance_of_its_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trainer: Trainer
) -> None:
    there = {**provenance(), "host": "another-machine", "commit": "abc"}
    there["torch"] = there["torch"].partition("+")[0] + "+gpu"
    monkeypatch.setattr(workers, "provenance", lambda: there)
    table = train_study(study(), tmp_path, QUIET)
    assert trainer.trained
    for name in ("version", "torch", "host", "commit"):
        assert set(table[name]) == {there[name]}


def test_rows_of_older_versions_have_the_provenance_of_their_run() -> None:
    (trial, *_) = expand(study())
    row = Row(trial.digest, trial.to_json(), result(trial).outcome, {"n": 100, "ami": 0.4}, run=1)
    table = outcomes_table([row], {1: {"version": "0.0.1", "host": "there"}})
    assert (table["version"][0], table["host"][0]) == ("0.0.1", "there")
    assert table["loops"].isna().all()


@pytest.mark.parametrize("first", ["", "1"])
def test_a_resumed_run_that_mixes_loops_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    first: str,
) -> None:
    if find_kernel(torch.zeros(1), 2) is None:
        pytest.skip("no C compiler here")

    def stop_after(store: ResultStore, rows: Sequence[Row]) -> None:
        add(store, rows[:2])
        raise KeyboardInterrupt

    add, shown = ResultStore.add, RunOptions(jobs=1)
    with monkeypatch.context() as patch:
        patch.setattr(ResultStore, "add", stop_after)
        patch.setenv("MTL_LAWS_EAGER", first)
        with pytest.raises(KeyboardInterrupt):
            train_study(study(TINY), tmp_path, shown)
    monkeypatch.setenv("MTL_LAWS_EAGER", "" if first else "1")
    table = train_study(study(TINY), tmp_path, shown)
    old, new = ("eager", "compiled") if first else ("compiled", "eager")
    lines = [line for line in capsys.readouterr().err.splitlines() if "loops" in line]
    (line,) = lines
    assert f"trained by {new} loops, earlier rows of this run by {old} ones" in line
    assert line in (tmp_path / LOG_NAME).read_text(encoding="utf-8")
    assert table["loops"].value_counts().to_dict() == {old: 2, new: len(table) - 2}


def no_results(**_: object) -> Callable[..., Iterator[list[Result]]]:
    """In place of `joblib.Parallel`: a pool that takes the tasks and gives nothing."""
    return lambda tasks: iter([[] for _ in tasks])


def no_workers(**_: object) -> Callable[..., Iterator[list[Result]]]:
    """In place of `joblib.Parallel`: a pool that breaks before it has taken a task."""

    def give(_: object) -> Iterator[list[Result]]:
        raise BrokenProcessPool

    return give


@pytest.mark.parametrize("parallel", [no_results, no_workers])
def test_a_pool_that_gives_nothing_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, parallel: Callable[..., object]
) -> None:
    monkeypatch.setattr("joblib.Parallel", parallel)
    with pytest.raises(PipelineError, match="neither a result nor an error"):
        gather(expand(study()))


# --- real models -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The table of the tiny study, trained for real without a fault."""
    return train_study(study(TINY), tmp_path_factory.mktemp("undisturbed"), QUIET)


def test_real_models_give_a_whole_table(undisturbed: pd.DataFrame) -> None:
    assert len(undisturbed) == (2 + 4) * 2
    assert undisturbed["message"].eq("").all()
    multi = undisturbed["T"] > 1
    missed = undisturbed["ami"] - undisturbed["ami_request"]
    assert missed[multi].abs().max() < 0.01
    assert undisturbed.loc[~multi, ["ami", "n_aux", "h_aux"]].isna().all(axis=None)
    assert undisturbed["gain"].notna().all()
    assert undisturbed.loc[~multi, "gain"].eq(0).all()
    assert undisturbed["n"].eq(undisturbed["n_request"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 4])
def test_the_number_of_workers_does_not_matter(
    tmp_path: Path, undisturbed: pd.DataFrame, jobs: int
) -> None:
    """Not even to the last bit: the groups are the same."""
    table = train_study(study(TINY), tmp_path, RunOptions(jobs=jobs, progress=False))
    same(table, undisturbed, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("stop", [1, 3])
def test_where_a_run_was_resumed_does_not_matter(
    tmp_path: Path, undisturbed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Not even to the last bit; a trial trained in another group agrees up to rounding."""

    def stop_after(store: ResultStore, rows: Sequence[Row]) -> None:
        add(store, rows[:stop])
        raise KeyboardInterrupt

    add = ResultStore.add
    with monkeypatch.context() as patch:
        patch.setattr(ResultStore, "add", stop_after)
        with pytest.raises(KeyboardInterrupt):
            train_study(study(TINY), tmp_path / "run", QUIET)
    assert len(read_rows(tmp_path / "run" / STORE_NAME)) == stop
    same(train_study(study(TINY), tmp_path / "run", QUIET), undisturbed, rtol=1e-4)
