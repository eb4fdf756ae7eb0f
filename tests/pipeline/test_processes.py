"""Worker processes: lost ones are replaced, and none outlives its parent."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

from mtl_laws.pipeline import processes
from mtl_laws.pipeline.processes import ATTEMPTS, in_processes
from mtl_laws.pipeline.study.backends import RunOptions, backend

SHORT = 600.0


def squared_or_killed(number: int, marks: str) -> int:
    """The square of a number; the first time, 3 kills its worker."""
    mark = Path(marks) / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def killed_in_workers(number: int, parent: int) -> int:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_lost_worker_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    batch = [(number, str(tmp_path)) for number in range(6)]
    with caplog.at_level(logging.WARNING, logger="mtl_laws"):
        assert list(in_processes(squared_or_killed, batch, jobs=2)) == [0, 1, 4, 9, 16, 25]
    assert len(caplog.records) == 1


def test_work_that_kills_every_worker_is_done_by_the_parent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="mtl_laws"):
        batch = [(k, os.getpid()) for k in range(3)]
        assert list(in_processes(killed_in_workers, batch, 2)) == [0, 1, 2]
    assert len(caplog.records) == ATTEMPTS


def deaf_to_interrupts(_: int) -> bool:
    """Whether SIGINT is blocked here; it is sent, too."""
    os.kill(os.getpid(), signal.SIGINT)
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def deaf_in_a_study(numbers: Sequence[int]) -> list[bool]:
    return [deaf_to_interrupts(number) for number in numbers]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_workers_leave_interrupts_to_their_parent(caplog: pytest.LogCaptureFixture) -> None:
    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with caplog.at_level(logging.WARNING, logger="mtl_laws"):
        assert list(in_processes(deaf_to_interrupts, [(k,) for k in range(4)], 2)) == [True] * 4
    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    with backend(RunOptions(jobs=2), print) as pool:
        calls = [joblib.delayed(deaf_in_a_study)([k]) for k in range(4)]
        assert list(pool.results(calls, alone=False)) == [[True]] * 4
    assert caplog.records == []
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


SEARCH = """
import sys
import threading
import numpy as np, pandas as pd
from mtl_laws import fit_laws

n = np.repeat(np.geomspace(30, 3000, 12), 3)
rng = np.random.default_rng(0)
table = pd.DataFrame(dict(n=n, T=np.tile([1.0, 2, 4], 12), y=0.9 - 2 / np.sqrt(n)))
table["y"] += rng.normal(0, 0.001, 36)
print("ready", flush=True)
fit_laws(table, "y", ["n", "T"], engine="grammar", budget="standard", jobs=2)
"""


def children(parent: int) -> set[int]:
    """Processes of this machine whose parent, or whose parent's parent, is `parent`."""
    table = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.split()
    pairs = list(zip(map(int, table[::2]), map(int, table[1::2]), strict=True))
    direct = {pid for pid, above in pairs if above == parent}
    return direct | {pid for pid, above in pairs if above in direct}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_no_worker_of_a_search_outlives_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", SEARCH], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        begin = time.monotonic()
        while len(children(parent.pid)) < 3 and time.monotonic() - begin < SHORT:
            time.sleep(0.2)
        time.sleep(2.0)  # until every worker has begun a task
        workers = children(parent.pid)
        parent.kill()
    assert workers
    begin = time.monotonic()
    while alive(workers) and time.monotonic() - begin < SHORT:
        time.sleep(0.2)
    assert alive(workers) == set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_only_the_thread_of_the_pool_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    processes._mute_manager_thread.cache_clear()
    assert list(in_processes(abs, [(-1,)], 1)) == [1]
    for name in ("ExecutorManagerThread", "another"):
        thread = threading.Thread(target=lambda: 1 / 0, name=name)
        thread.start()
        thread.join()
    error = capsys.readouterr().err
    assert error.count("ZeroDivisionError") == 1
    assert "another" in error
