"""What a run leaves besides its rows: whole files, a log, and where the results were made."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.provenance import _commit, provenance
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.store import Row
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.train import LOG_NAME, train_study
from mtl_laws.pipeline.study.trials import Trial
from mtl_laws.pipeline.training import TrainingSettings
from mtl_laws.simulator import TaskSpec
from support.tiny_runs import QUIET, Trainer, result, study


def test_a_reader_of_the_old_file_never_sees_a_part_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "laws.json"
    write_whole(path, "old")
    with path.open(encoding="utf-8") as reader:
        write_whole(path, "new and longer")
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == "new and longer"
    assert path.stat().st_mode & 0o777 == 0o644, "others may read it"


def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "laws.json"
    write_whole(path, "old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError) as caught:
        write_whole(path, "new")
    assert caught.value.path == "out"
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_log_tells_how_a_run_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    class Others(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    def interrupt(trials: Sequence[Trial]) -> None:
        raise KeyboardInterrupt

    package, root, others = logging.getLogger("mtl_laws"), logging.getLogger(), Others()
    before = (package.level, package.propagate, list(package.handlers))
    monkeypatch.setattr(workers, "train_together", Trainer(interrupt))
    root.addHandler(others)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_study(study(), tmp_path, QUIET)
    finally:
        root.removeHandler(others)
    lines = (tmp_path / LOG_NAME).read_text(encoding="utf-8").splitlines()
    assert lines[-1].split(" ", 2)[2] == "ERROR stopped: KeyboardInterrupt"
    assert len(lines) > 1
    assert heard == [], "the log is the run's own"
    assert (package.level, package.propagate, list(package.handlers)) == before


def test_the_commit_says_whether_the_checkout_differs_from_it(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *words]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    assert _commit(tmp_path) == "", "not a checkout of its own"
    git("init", "--quiet")
    assert _commit(tmp_path) == "", "no commit yet"
    (tmp_path / "file").write_text("one", encoding="utf-8")
    git("add", "file")
    git("commit", "--quiet", "--message", "One")
    head = git("rev-parse", "HEAD")
    assert _commit(tmp_path) == head
    (tmp_path / "untracked").touch()
    assert _commit(tmp_path) == head
    (tmp_path / "file").write_text("two", encoding="utf-8")
    assert _commit(tmp_path) == f"{head}+changes"


def test_a_row_points_to_what_it_was_made_with() -> None:
    made = provenance()
    names = {"version", "commit", "code", "host", "platform", "python", "numpy", "torch"}
    assert set(made) == names
    assert all(made[name] for name in set(made) - {"commit"})


def test_the_request_of_unequal_relatedness_is_its_mean() -> None:
    spec = TaskSpec(tasks=3, ami=(0.2, 0.6), tokens=100, test_tokens=50)
    trial = Trial(spec, TrainingSettings(), seed=0)
    single = replace(trial, task=replace(spec, tasks=1, ami=None))
    row = Row(trial.digest, trial.to_json(), result(single).outcome, {"n": 100, "ami": 0.41})
    (request,) = outcomes_table([row], {})["ami_request"]
    assert request == pytest.approx(0.4)
