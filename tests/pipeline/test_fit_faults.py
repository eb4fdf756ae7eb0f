"""Faults in `mtl-laws fit` for real: after each, the same command ends with the same laws."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest

import mtl_laws.pipeline.fit
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.fit import rewrite_report
from mtl_laws.pipeline.laws import lawset
from mtl_laws.pipeline.laws.journal import JOURNAL_NAME, Journal
from mtl_laws.pipeline.laws.lawset import LAWS_NAME, TABLE_NAME, LawSet
from mtl_laws.pipeline.study.lock import RunLock
from support.faults import PATIENCE, SERVER, fit_words, run_fit, said
from support.planted import planted_table

Fault = Callable[[], None]

INTERRUPTED = "mtl-laws: interrupted: run the same command again to resume"
LEFT = {"figures", LAWS_NAME, "report.html", "report.md", "run.lock", TABLE_NAME}
DEATHS = 3


@pytest.fixture(scope="module", params=["n", pytest.param("n, T", marks=pytest.mark.slow)])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of the target and its factors; with one factor a fit takes a third of the time."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rows = planted_table(seed=5)
    rows = rows[rows["n"] <= 400].drop(columns=["decoy", "ami"])
    if request.param == "n":
        rows = rows[rows["T"] == 2].drop(columns="T")
    rows.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def undisturbed(table: Path) -> Path:
    out = table.parent / "undisturbed"
    assert fit(table, out) == 0
    assert {path.name for path in out.iterdir()} == LEFT
    return out


def fit(table: Path, out: Path, fault: Fault | None = None, *more: str) -> int | None:
    """How `mtl-laws fit` in a process of its own ended: exit code, or minus the signal."""
    process = SERVER.Process(target=run_fit, args=(table, out, fault, *more))
    process.start()
    process.join(timeout=PATIENCE)
    return process.exitcode


def record(out: Path) -> dict[str, Any]:
    """``laws.json`` but for dates and times, and the commit of a checkout at work."""
    laws: dict[str, Any] = json.loads((out / LAWS_NAME).read_text(encoding="utf-8"))
    for name in ("commit", "created", "seconds", "command", "title"):
        laws["provenance"].pop(name)
    return laws


def check_finished(out: Path, undisturbed: Path) -> None:
    assert record(out) == record(undisturbed)
    assert {path.name for path in out.iterdir()} == LEFT
    pictures = sorted(path.name for path in (out / "figures").iterdir())
    assert pictures == sorted(path.name for path in (undisturbed / "figures").iterdir())
    pd.testing.assert_frame_equal(LawSet.load(out).rows, LawSet.load(undisturbed).rows)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt(number: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.kill(os.getpid(), number)


def after_answers(happening: Fault, count: int) -> None:
    """Something happens when so many answers are kept."""
    add, calls = Journal.add, itertools.count(1)

    def add_and_more(*arguments: Any) -> Any:
        answer = add(*arguments)
        if next(calls) == count:
            happening()
        return answer

    patch.object(Journal, "add", add_and_more).start()


def in_an_answer() -> None:
    """Killed when half a line is written."""

    def half(journal: Journal, *_: Any) -> None:
        with journal.path.open("ab") as file:
            file.write(b'0a1b2c3d {"place":[1,"sear')
        kill()

    def arm() -> None:
        patch.object(Journal, "add", half).start()

    after_answers(arm, 2)


def between_laws_and_rows() -> None:
    patch.object(lawset, "write_parquet", lambda *_: kill()).start()


def in_a_file() -> None:
    """Killed when ``laws.json`` is written elsewhere, but not in its place."""
    replace = os.replace

    def deadly(source: str, target: Path) -> None:
        if Path(target).name == LAWS_NAME:
            kill()
        replace(source, target)

    patch.object(os, "replace", deadly).start()


def in_the_report() -> None:
    patch.object(mtl_laws.pipeline.fit, "write_report_of", lambda *_: kill()).start()


def dies_in_search(moment: int) -> None:
    """Killed outright at the given call or return of a function since the search began."""
    events, begin = itertools.count(1), Journal.begin

    def watch(frame: FrameType, event: str, _: object) -> None:
        if next(events) == moment:
            kill()

    def begin_and_watch(*arguments: Any) -> None:
        begin(*arguments)
        sys.setprofile(watch)

    patch.object(Journal, "begin", begin_and_watch).start()


POINTS: dict[str, Fault] = {
    "the first answer": partial(after_answers, kill, 1),
    "a later answer": partial(after_answers, kill, 2),
    "half an answer": in_an_answer,
    "half a file": in_a_file,
    "between laws and rows": between_laws_and_rows,
    "in the report": in_the_report,
}


def test_killed_at_every_point_one_after_the_other(table: Path, undisturbed: Path) -> None:
    out = table.parent / "killed"
    for name, fault in POINTS.items():
        assert fit(table, out, fault) == -signal.SIGKILL, name
        assert (out / JOURNAL_NAME).exists(), name
        if name == "between laws and rows":
            assert not (out / TABLE_NAME).exists()
    assert fit(table, out) == 0
    check_finished(out, undisturbed)
    assert any("tasks of the interrupted search are taken from it" in line for line in said(out))


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))]
)
def test_killed_at_random_again_and_again(table: Path, undisturbed: Path, seed: int) -> None:
    out, rng = table.parent / f"random-{seed}", random.Random(seed)
    for _ in range(DEATHS):
        fit(table, out, partial(dies_in_search, int(10 ** rng.uniform(2, 5.5))))
    assert fit(table, out) == 0
    check_finished(out, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 6])
def test_killed_with_workers(table: Path, undisturbed: Path, count: int) -> None:
    out = table.parent / f"workers-{count}"
    jobs = ("--jobs", "2")
    assert fit(table, out, partial(after_answers, kill, count), *jobs) == -signal.SIGKILL
    assert fit(table, out, None, *jobs) == 0
    check_finished(out, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_one_line_and_the_same_command_resumes(
    table: Path, undisturbed: Path, number: int
) -> None:
    out = table.parent / f"signal-{number}"
    assert fit(table, out, partial(after_answers, partial(interrupt, number), 3)) == 130
    assert said(out)[-1] == INTERRUPTED
    assert not any("Traceback" in line for line in said(out))
    assert {path.name for path in out.iterdir()} == {JOURNAL_NAME, "run.lock"}
    assert fit(table, out) == 0
    check_finished(out, undisturbed)
    assert "3 tasks of the interrupted search are taken from it" in said(out)


def test_two_fits_at_once_are_refused(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLock(tmp_path), pytest.raises(SystemExit) as end:
        main(fit_words(table, tmp_path))
    assert end.value.code == 2
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "expected" in each]
    assert "no other run is at work" in line
    assert f"in use by process {os.getpid()}" in line
    assert {path.name for path in tmp_path.iterdir()} == {"run.lock"}


def test_laws_and_rows_of_two_fits_are_refused(undisturbed: Path, tmp_path: Path) -> None:
    laws = LawSet.load(undisturbed)
    laws.save(tmp_path)
    rewrite_report(tmp_path)
    changes: dict[str, Any] = {
        name: laws.rows[name].to_numpy()[::-1] for name in ("n", "y", "cell")
    }
    changes["role"] = ["hold-out", *laws.rows["role"][1:]]
    for name, column in changes.items():
        rows = laws.rows.assign(**{name: column})
        rows.to_parquet(tmp_path / TABLE_NAME)
        with pytest.raises(UserError) as error:
            rewrite_report(tmp_path)
        assert error.value.path == str(tmp_path / TABLE_NAME)
        assert str(tmp_path / LAWS_NAME) in str(error.value)
    content = json.loads((tmp_path / LAWS_NAME).read_text(encoding="utf-8"))
    del content["data"]["table"]  # as an earlier version wrote it
    (tmp_path / LAWS_NAME).write_text(json.dumps(content), encoding="utf-8")
    rewrite_report(tmp_path)


def test_a_report_of_earlier_laws_is_gone_when_the_new_laws_are_written(
    table: Path, undisturbed: Path
) -> None:
    out = table.parent / "again"
    shutil.copytree(undisturbed, out)
    (out / "figures" / "mine.svg").write_text("<svg/>", encoding="utf-8")
    assert fit(table, out, in_the_report) == -signal.SIGKILL
    assert not (out / "report.html").exists()
    assert [path.name for path in (out / "figures").iterdir()] == ["mine.svg"]
    (out / "figures" / "mine.svg").unlink()
    assert fit(table, out) == 0
    check_finished(out, undisturbed)
