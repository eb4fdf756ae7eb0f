"""Scale-out: a cluster of a scheduler and two worker processes, one of which is killed at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import mtl_laws
from mtl_laws.pipeline.study.store import STORE_NAME, read_rows
from mtl_laws.pipeline.study.train import LOG_NAME, TABLE_NAME
from support import faults
from support.faults import run, said
from support.tiny_runs import without_clock

pytest.importorskip("distributed", reason="the dask extra is not installed")
pytestmark = pytest.mark.slow

SINGLY = 1e-4
WORKERS = 2


class Cluster:
    """A scheduler and its workers, each a process of its own, as on as many machines."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        tests, package = Path(faults.__file__).parents[1], Path(mtl_laws.__file__).parents[1]
        self._places = {"PYTHONPATH": os.pathsep.join(map(str, (tests, package)))}
        self.scheduler = self._start(
            "dask_scheduler", "--port", "0", "--no-dashboard", "--host", LOCAL
        )
        self.address = self._said(self.scheduler, "Scheduler at:")
        self.workers = [
            self._start("dask_worker", self.address, "--no-nanny", "--nthreads", "1")
            for _ in range(WORKERS)
        ]
        for worker in self.workers:
            self._said(worker, "Registered to:")

    def _start(self, module: str, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *words],
            cwd=self._folder,
            env={**os.environ, **self._places},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        return process

    def _said(self, process: subprocess.Popen[str], sign: str) -> str:
        """What follows a sign on standard error, waited for."""
        assert process.stderr is not None
        for line in process.stderr:
            if sign in line:
                return line.split()[-1]
        raise AssertionError(f"ended before it said {sign!r}")


LOCAL = "127.0.0.1"


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path, stack)


@pytest.fixture(scope="module")
def loky(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The table of a run on this machine alone."""
    out = tmp_path_factory.mktemp("loky") / "run"
    assert run(out) == 0
    return pd.read_parquet(out / TABLE_NAME)


def check(out: Path, want: pd.DataFrame, tolerance: float) -> None:
    found = pd.read_parquet(out / TABLE_NAME)
    pd.testing.assert_frame_equal(
        without_clock(found), without_clock(want), rtol=tolerance, atol=0.0
    )
    assert [row.trial for row in read_rows(out / STORE_NAME)] == list(want["trial"])


def test_a_cluster_gives_the_table_of_one_machine(
    tmp_path: Path, cluster: Cluster, loky: pd.DataFrame
) -> None:
    out = tmp_path / "run"
    assert run(out, None, "--backend", "dask", "--address", cluster.address) == 0, said(out)
    check(out, loky, tolerance=0.0)


def test_a_worker_of_a_cluster_is_killed(
    tmp_path: Path, cluster: Cluster, loky: pd.DataFrame
) -> None:
    out = tmp_path / "run"
    fault = partial(faults.loses_a_worker, tmp_path / "flag")
    assert run(out, fault, "--backend", "dask", "--address", cluster.address) == 0, said(out)
    ends = [worker.poll() for worker in cluster.workers]
    assert sorted(map(str, ends)) == [str(-signal.SIGKILL), "None"], "one was killed, one works"
    assert "18 of 18 models" in (out / LOG_NAME).read_text(encoding="utf-8")
    check(out, loky, tolerance=SINGLY)


def test_the_scheduler_of_a_cluster_is_killed(
    tmp_path: Path, cluster: Cluster, loky: pd.DataFrame
) -> None:
    out = tmp_path / "run"
    fault = partial(faults.loses_a_process, cluster.scheduler.pid, groups=2)
    assert run(out, fault, "--backend", "dask", "--address", cluster.address) == 1
    assert "the connection to the dask scheduler is lost; finished rows are safe" in said(out)[-1]
    assert 0 < len(read_rows(out / STORE_NAME)) < 18
    assert run(out) == 0
    check(out, loky, tolerance=0.0)


def test_a_cluster_made_for_the_run(tmp_path: Path, loky: pd.DataFrame) -> None:
    out = tmp_path / "run"
    assert run(out, None, "--backend", "dask", "--jobs", "2") == 0, said(out)
    check(out, loky, tolerance=0.0)


def test_an_address_without_a_scheduler(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(out, None, "--backend", "dask", "--address", "tcp://127.0.0.1:9") == 2
    assert "--address" in said(out)[-1]
    assert "the address of a dask scheduler" in said(out)[-1]
    assert not out.exists()
