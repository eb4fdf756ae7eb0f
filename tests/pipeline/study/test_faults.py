"""Faults for real: after each, the same command ends with the table of a run without one."""

from __future__ import annotations

import random
import shutil
import signal
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study.dispatch import SICK_AT_START
from mtl_laws.pipeline.study.progress import run_status
from mtl_laws.pipeline.study.store import STORE_NAME, open_store, read_rows
from mtl_laws.pipeline.study.train import LOG_NAME, TABLE_NAME
from support import faults
from support.faults import HUNGRY, ORPHAN_SECONDS, PATIENCE, SERVER, run, said, start
from support.tiny_runs import files, without_clock

DEATHS = 4
DISK, QUOTA, SPARE = 120_000, 40_000, 24_000_000
SINGLY = 1e-4
"""Relative difference allowed where a trial was trained in another group than in the other run."""
INTERRUPTED = "mtl-laws: interrupted: run the same command again to resume"
LEFT = {STORE_NAME, TABLE_NAME, LOG_NAME, "run.lock"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing befell, in a process like those of the others."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run(out, partial(faults.dies_at, 10**15)) == 0
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def check_finished(
    out: Path, undisturbed: Path, tolerance: float = 0.0, but: tuple[str, ...] = ()
) -> None:
    """Every row once, no file too many, and the table the same, to the last bit if not told."""
    assert files(out) == LEFT
    want, found = (pd.read_parquet(folder / TABLE_NAME) for folder in (undisturbed, out))
    pd.testing.assert_frame_equal(
        without_clock(found).drop(columns=list(but)),
        without_clock(want).drop(columns=list(but)),
        rtol=tolerance,
        atol=0.0,
    )
    assert [row.trial for row in read_rows(out / STORE_NAME)] == list(want["trial"])


def check_rows(out: Path, undisturbed: Path) -> int:
    """What a run that was stopped has written is right; how many rows that is."""
    if not (out / STORE_NAME).exists():
        return 0
    with open_store(out / STORE_NAME) as store:
        rows = list(store.rows())
    right = {row.trial: row for row in read_rows(undisturbed / STORE_NAME)}
    for row in rows:
        assert row.description == right[row.trial].description
        assert row.outcome["scores"] == right[row.trial].outcome["scores"]
        assert row.outcome["curve"] == right[row.trial].outcome["curve"]
        assert row.measured == right[row.trial].measured
    return len(rows)


# --- the run itself is killed --------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(9))])
def test_killed_outright_at_any_moments(out: Path, undisturbed: Path, seed: int) -> None:
    """Moments are calls and returns of functions, a few of some hundred thousand."""
    events = int(Path(f"{undisturbed}.events").read_text(encoding="utf-8"))
    draw, rows, deaths = random.Random(seed), 0, 0
    for _ in range(DEATHS):
        if run(out, partial(faults.dies_at, draw.randint(1, events))) == 0:
            break
        before, rows = rows, check_rows(out, undisturbed)
        assert rows >= before
        deaths += 1
    assert deaths
    assert run(out) == 0
    check_finished(out, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(out: Path, undisturbed: Path, number: int) -> None:
    assert run(out, partial(faults.gets_signal, number, groups=2)) == 130
    assert said(out) == [INTERRUPTED]
    rows = check_rows(out, undisturbed)
    status = run_status(out)
    assert (status.done, status.remaining, status.running) == (rows, 18 - rows, False)
    assert 0 < rows < 18
    assert status.line().endswith("stopped: run the same command again to resume")
    assert run(out) == 0
    check_finished(out, undisturbed)


def test_the_second_of_two_runs_is_refused_and_the_first_goes_on(
    out: Path, undisturbed: Path
) -> None:
    here, there = Pipe()
    first = start(out, partial(faults.waits, there, groups=2))
    assert here.recv() == "waiting"
    assert run(out) == 2
    (line,) = said(out)
    assert f"in use by process {first.pid}" in line
    assert "choose another folder" in line
    status = run_status(out)
    assert status.running
    assert 0 < status.done < 18
    assert "stopped" not in status.line()
    assert len(read_rows(out / STORE_NAME)) == status.done
    here.send("go on")
    first.join(PATIENCE)
    assert first.exitcode == 0
    check_finished(out, undisturbed)


# --- the disk ------------------------------------------------------------------------------------


def test_a_quota(out: Path, undisturbed: Path) -> None:
    assert run(out, partial(faults.has_a_quota, QUOTA)) == 1
    (line,) = said(out)
    assert "the disk refused the data" in line
    assert "finished rows are safe" in line
    assert check_rows(out, undisturbed) < 18
    assert run(out) == 0
    check_finished(out, undisturbed)


def test_a_full_disk(out: Path, undisturbed: Path, tmp_path: Path) -> None:
    here, there = Pipe()
    arguments = (there, out, DISK, tmp_path / "copy")
    process = SERVER.Process(target=faults.fills_a_disk, args=arguments)
    process.start()
    reason = here.recv()
    if reason:
        pytest.skip(f"a disk can be mounted by a privileged process only: {reason}")
    assert (here.recv(), here.recv()) == (1, 0)
    process.join(PATIENCE)
    (line,) = said(out)
    assert "no space left on the disk; finished rows are safe" in line
    check_finished(tmp_path / "copy", undisturbed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that takes nothing")
def test_a_disk_that_takes_nothing_of_what_the_run_says(out: Path, undisturbed: Path) -> None:
    assert run(out, faults.is_not_heard) == 0
    check_finished(out, undisturbed)


# --- the folder ----------------------------------------------------------------------------------


def test_a_folder_that_may_not_be_written(out: Path, undisturbed: Path) -> None:
    out.mkdir(mode=0o555)
    assert run(out, faults.obeys_permissions) == 2
    (line,) = said(out)
    assert "permission denied" in line
    assert not files(out)
    out.chmod(0o755)
    assert run(out) == 0
    check_finished(out, undisturbed)


def test_a_folder_that_may_not_be_written_any_more(out: Path, undisturbed: Path) -> None:
    """Rows are still written, into the file that is open; the table cannot be."""
    assert run(out, partial(faults.turns_read_only, out, groups=2)) == 1
    assert "results.parquet: not written: permission denied" in said(out)[-1]
    assert check_rows(out, undisturbed) == 18
    out.chmod(0o755)
    assert run(out) == 0
    check_finished(out, undisturbed)


def read_bound_by_permissions(archive: Path) -> None:
    faults.obeys_permissions()
    with pytest.raises(UserError, match=f"rows in {STORE_NAME}-wal .* copy {STORE_NAME} and"):
        read_rows(archive / STORE_NAME)


def test_rows_in_the_log_of_a_killed_run_are_not_passed_over(
    out: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Where the log cannot be read the store is refused, not read without its latest rows."""
    assert run(out, partial(faults.gets_signal, signal.SIGKILL, groups=2)) == -signal.SIGKILL
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in (STORE_NAME, f"{STORE_NAME}-wal"):
        shutil.copy(out / name, archive)
    archive.chmod(0o555)
    process = SERVER.Process(target=read_bound_by_permissions, args=(archive,))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    archive.chmod(0o755)
    assert check_rows(archive, undisturbed) > 0


# --- workers -------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find children")
def test_a_worker_is_killed_and_then_the_run(out: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The group is given out again; the workers of a run that was killed end by themselves."""
    here, there = Pipe()
    fault = partial(faults.loses_a_worker_and_dies, tmp_path / "flag", there, groups=2)
    process = start(out, fault, "--jobs", "2")
    children = here.recv()
    assert len(children) >= 2
    here.send("die")
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert faults.left_after(children, ORPHAN_SECONDS) == []
    assert "a worker was lost" in (out / LOG_NAME).read_text(encoding="utf-8")
    assert 0 < check_rows(out, undisturbed) < 18
    assert run(out) == 0
    check_finished(out, undisturbed, tolerance=SINGLY)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find children")
def test_idle_workers_end_with_the_run_too(out: Path) -> None:
    """There are more workers than groups, so some never had a task."""
    here, there = Pipe()
    process = start(out, partial(faults.tells_and_dies, there, groups=1), "--jobs", "9")
    children = here.recv()
    assert len(children) >= 9
    here.send("die")
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert faults.left_after(children, ORPHAN_SECONDS) == []


@pytest.mark.slow
def test_a_run_whose_workers_all_die_at_once_ends_with_the_reason(
    out: Path, undisturbed: Path
) -> None:
    assert run(out, faults.loses_every_worker, "--jobs", "2") == 1
    (line,) = said(out)
    assert "every worker is killed, whatever it trains" in line
    assert "finished rows are safe" in line
    rows = read_rows(out / STORE_NAME)
    assert [row.status for row in rows] == ["failed"] * SICK_AT_START
    assert run(out, None, "--jobs", "1", "--retry-failed") == 0
    check_finished(out, undisturbed, tolerance=SINGLY)


@pytest.mark.slow
def test_a_worker_is_killed(out: Path, undisturbed: Path, tmp_path: Path) -> None:
    assert run(out, partial(faults.loses_a_worker, tmp_path / "flag"), "--jobs", "2") == 0
    assert "a worker was lost" in (out / LOG_NAME).read_text(encoding="utf-8")
    check_finished(out, undisturbed, tolerance=SINGLY)


@pytest.mark.slow
def test_a_trial_that_kills_every_worker(out: Path, undisturbed: Path) -> None:
    """As the system kills a process that takes all its memory; the trial is found, and a row."""
    poison = read_rows(undisturbed / STORE_NAME)[7].trial
    assert run(out, partial(faults.loses_workers_to, poison), "--jobs", "2") == 0
    (failed,) = [row for row in read_rows(out / STORE_NAME) if row.status == "failed"]
    assert failed.trial == poison
    assert "its worker was killed every time" in failed.outcome["message"]
    assert run(out, None, "--jobs", "1", "--retry-failed") == 0
    check_finished(out, undisturbed, tolerance=SINGLY)


def test_a_worker_short_of_memory(out: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "whole", text=HUNGRY) == 0
    assert run(out, partial(faults.is_short_of_memory, SPARE), text=HUNGRY) == 0
    table = pd.read_parquet(out / TABLE_NAME)
    large = table["embedding"] > 8
    assert (table["status"] == "failed").equals(large)
    assert table.loc[large, "message"].str.contains("memory|Memory").all()
    assert run(out, None, "--jobs", "1", "--retry-failed", text=HUNGRY) == 0
    # a compiler may find no memory either
    check_finished(out, tmp_path / "whole", tolerance=SINGLY, but=("loops",))
