"""Scale-out: a cluster whose workers come late, differ, and are killed at work."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import pandas as pd
import pytest

import mtl_laws
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study.store import STORE_NAME, read_rows
from mtl_laws.pipeline.study.train import LOG_NAME, TABLE_NAME
from support import faults
from support.faults import ORPHAN_SECONDS, PATIENCE, run, said, start
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
        self.workers: list[subprocess.Popen[str]] = []

    def add_workers(self, count: int = WORKERS, preload: str = "pass") -> None:
        """Let workers join; each runs the code `preload` before it does."""
        code = self._folder / f"preload{len(self.workers)}.py"
        code.write_text(preload, encoding="utf-8")
        words = (self.address, "--no-nanny", "--nthreads", "1", "--preload", str(code))
        added = [self._start("dask_worker", *words) for _ in range(count)]
        for worker in added:
            self._said(worker, "Registered to:")
        self.workers += added

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


OTHER_VERSION = """
from importlib import metadata

def version(name, real=metadata.version):
    return "0.0.9" if name == "mtl-laws" else real(name)

metadata.version = version
"""
OTHER_HOST = """
import platform
platform.node = lambda: "another-machine"
"""


@pytest.fixture
def empty_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without a worker."""
    with ExitStack() as stack:
        yield Cluster(tmp_path, stack)


@pytest.fixture
def cluster(empty_cluster: Cluster) -> Cluster:
    empty_cluster.add_workers()
    return empty_cluster


def refusal(out: Path) -> str:
    """The one line of a run that was refused because of a worker."""
    (line,) = [line for line in said(out) if line.startswith("mtl-laws:")]
    assert "worker tcp://127.0.0.1:" in line
    assert f"expected mtl-laws {provenance()['version']}" in line
    assert "got 'mtl-laws 0.0.9'" in line
    return line


def test_a_worker_of_another_version_is_refused_before_the_first_group(
    tmp_path: Path, cluster: Cluster
) -> None:
    out = tmp_path / "run"
    cluster.add_workers(1, OTHER_VERSION)
    assert run(out, None, "--backend", "dask", "--address", cluster.address) == 2
    assert refusal(out)
    assert not out.exists()


def test_a_worker_of_another_version_that_joins_later_files_no_row(
    tmp_path: Path, cluster: Cluster
) -> None:
    out, (here, there) = tmp_path / "run", Pipe()
    fault = partial(faults.waits, there, groups=1)
    process = start(out, fault, "--backend", "dask", "--address", cluster.address)
    assert here.recv() == "waiting"
    cluster.add_workers(1, OTHER_VERSION)
    here.send("go on")
    process.join(PATIENCE)
    assert process.exitcode == 2
    assert "finished rows are safe" in refusal(out)
    versions = {row.outcome["worker"]["version"] for row in read_rows(out / STORE_NAME)}
    assert versions == {provenance()["version"]}


def test_workers_that_join_later_are_used_and_rows_name_their_machine(
    tmp_path: Path, empty_cluster: Cluster, loky: pd.DataFrame
) -> None:
    out, (here, there) = tmp_path / "run", Pipe()
    empty_cluster.add_workers(1)
    fault = partial(faults.waits, there, groups=1)
    process = start(out, fault, "--backend", "dask", "--address", empty_cluster.address)
    assert here.recv() == "waiting"
    empty_cluster.add_workers(1, OTHER_HOST)
    here.send("go on")
    process.join(PATIENCE)
    assert process.exitcode == 0, said(out)
    assert set(pd.read_parquet(out / TABLE_NAME)["host"]) == {platform.node(), "another-machine"}
    check(out, loky, tolerance=0.0)


def test_a_run_waits_for_the_first_worker_and_says_so(
    tmp_path: Path, empty_cluster: Cluster, loky: pd.DataFrame
) -> None:
    out = tmp_path / "run"
    process = start(out, None, "--backend", "dask", "--address", empty_cluster.address)
    line = f"no worker is connected to the scheduler at {empty_cluster.address}: waiting for one"
    begin = time.monotonic()
    while line not in said_so_far(out) and time.monotonic() - begin < PATIENCE:
        time.sleep(0.2)
    empty_cluster.add_workers(1)
    process.join(PATIENCE)
    assert process.exitcode == 0, said(out)
    assert said(out) == [line]
    check(out, loky, tolerance=0.0)


def said_so_far(out: Path) -> list[str]:
    return said(out) if Path(f"{out}.err").exists() else []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find children")
def test_no_worker_of_a_cluster_made_for_a_run_outlives_it(tmp_path: Path) -> None:
    """The run is killed outright; the next one resumes."""
    out, (here, there) = tmp_path / "run", Pipe()
    fault = partial(faults.tells_and_dies, there, groups=1)
    process = start(out, fault, "--backend", "dask", "--jobs", "2")
    children = here.recv()
    assert len(children) >= 2
    here.send("die")
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert faults.left_after(children, ORPHAN_SECONDS) == []
    assert run(out) == 0


def test_the_recipe_for_slurm_by_a_cluster_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loky: pd.DataFrame
) -> None:
    """The code of docs/scaling.md, in a process of its own, with a stand-in for dask-jobqueue."""
    page = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(.*?SLURMCluster.*?)```", page, re.DOTALL)
    (tmp_path / "dask_jobqueue.py").write_text(STAND_IN, encoding="utf-8")
    (tmp_path / "recipe.py").write_text(recipe, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(faults.FRAGILE, encoding="utf-8")
    places = (str(tmp_path), str(Path(mtl_laws.__file__).parents[1]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    done = subprocess.run(
        [sys.executable, "recipe.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check(tmp_path / "runs" / "mine", loky, tolerance=0.0)


STAND_IN = """
from distributed import LocalCluster

from mtl_laws.pipeline.study import run


def stop(*_):
    raise SystemExit(0)  # the models are too small for a law


run.fit_to_folder = stop


class SLURMCluster(LocalCluster):
    def __init__(self, cores, processes, memory, walltime, security=None, **_):
        super().__init__(n_workers=0, threads_per_worker=1, dashboard_address=None)
        assert processes == cores, "one thread a worker"

    def scale(self, jobs):
        super().scale(n=min(jobs, 2))
"""


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
    (line,) = said(out)
    assert "the connection to the dask scheduler is lost; finished rows are safe" in line
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
