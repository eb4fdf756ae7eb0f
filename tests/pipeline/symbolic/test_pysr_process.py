"""The processes that PySR lives in: what befalls them does no harm; PySR is a stand-in."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_laws.pipeline.errors import EngineError, OutOfTimeError
from mtl_laws.pipeline.symbolic.engines import Answer, Request
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.pipeline.symbolic.engines.pysr import process as process_module
from mtl_laws.pipeline.symbolic.engines.pysr.process import COMMAND, KilledError, Pool
from mtl_laws.pipeline.symbolic.engines.pysr.settings import parts, warm_up
from support.planted import planted_table
from support.pysr_stand_in import StandIn, paths
from support.rows import posed

ANSWERS, RAISES, ENDS, ABORTS, DIES, DIES_ONCE, HANGS, LATE = 1, 12, 13, 14, 15, 16, 17, 18
BEHAVIOUR = {
    RAISES: "raises",
    ENDS: "ends",
    ABORTS: "aborts",
    DIES: "dies",
    DIES_ONCE: "dies once",
    HANGS: "hangs",
    LATE: "is late",
}
"""What the stand-in does at a seed."""

FAILURES = {
    RAISES: "pysr: RuntimeError: Julia fell over",
    ENDS: r"pysr: its process ended without answering \(exit code 0\)$",
    ABORTS: r"ended without answering \(exit code 7\): ERROR: LoadError: no memory",
    DIES: "pysr: its process was killed by signal 9, twice",
}

HALF_AN_ANSWER = """
import os, signal, sys
for _ in range(2):
    print('{"ready": {"pysr": "1.5.10", "julia": ""}}', flush=True)
    sys.stdin.readline()
print('{"front": [', end="", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
PARENT = """
from mtl_laws.pipeline.symbolic.engines import Request
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.pipeline.symbolic.fit import Sample
import numpy as np
n = np.geomspace(10, 100, 20)
sample = Sample({"n": n, "T": n[::-1]}, n**-0.5, np.ones(20))
engine = PySR()
engine.search(Request(sample, 10_000, 1))
(worker,) = engine._pool._workers
print(worker._process.pid, flush=True)
engine.search(Request(sample, 10_000, 17))
"""
TABLE = planted_table().drop(columns="decoy").query("n in (50, 200, 800) and T in (1, 3, 6)")
SAMPLE = posed(TABLE, bounds=(0.0, 1.0)).data.sample


@pytest.fixture
def make_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[PySR, StandIn]]]:
    """An engine whose processes find a stand-in."""
    engines: list[PySR] = []

    def make(**changes: object) -> tuple[PySR, StandIn]:
        stand_in = StandIn(folder=tmp_path / "packages", behaviour=BEHAVIOUR)
        stand_in = replace(stand_in, **changes).write()
        monkeypatch.setenv("PYTHONPATH", paths(stand_in.folder))
        monkeypatch.syspath_prepend(stand_in.folder)
        (tmp_path / "temporary").mkdir(exist_ok=True)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        engines.append(PySR())
        return engines[-1], stand_in

    yield make
    for engine in engines:
        engine.close()


def request(seed: int = ANSWERS, time_limit: float | None = None) -> Request:
    return Request(SAMPLE, 10_000, seed, time_limit=time_limit)


def processes(engine: PySR) -> list[int]:
    assert engine._pool is not None
    return sorted(worker._process.pid for worker in engine._pool._workers)


Maker = Callable[..., tuple[PySR, StandIn]]


@pytest.mark.parametrize("version", ["1.5.10", "2.7.2"])
def test_no_request_is_lost_though_descriptor_0_does_not_block(
    make_engine: Maker, version: str
) -> None:
    """A pipe that does not block, and has nothing to read yet, must not look closed."""
    engine, stand_in = make_engine(version=version)
    answers = [engine.search(request()) for _ in range(5)]
    assert answers == [answers[0]] * 5
    assert len(stand_in.starts()) == 1, "another process answered a later request"
    warm, *_ = stand_in.requests(warm=True)
    assert warm["settings"]["max_evals"] == 1, "Julia compiles before the first request"
    assert len(stand_in.requests()) == 5
    assert "** 0.5" in answers[0][1]


@pytest.mark.parametrize("seed", [RAISES, ENDS, ABORTS, DIES])
def test_a_failure_has_its_own_reason_and_the_next_search_works(
    make_engine: Maker, seed: int
) -> None:
    """Not the last line of standard error, which is a warning of some library."""
    engine, _ = make_engine()
    with pytest.raises(EngineError, match=FAILURES[seed]):
        engine.search(request(seed))
    assert len(engine.search(request())) == 2


def test_an_error_of_pysr_leaves_its_process_warm(make_engine: Maker) -> None:
    engine, stand_in = make_engine()
    with pytest.raises(EngineError):
        engine.search(request(RAISES))
    engine.search(request())
    assert len(stand_in.starts()) == 1


def test_killed_in_mid_search_it_is_asked_again(make_engine: Maker) -> None:
    engine, stand_in = make_engine()
    assert engine.search(request(DIES_ONCE)) == engine.search(request(DIES_ONCE))
    assert (stand_in.folder / "died").exists()


def test_killed_between_two_searches_it_is_started_again(make_engine: Maker) -> None:
    engine, _ = make_engine()
    first = engine.search(request())
    os.kill(processes(engine)[0], signal.SIGKILL)
    assert engine.search(request()) == first


def test_half_an_answer_is_none(make_engine: Maker) -> None:
    make_engine()
    engine = PySR((sys.executable, "-c", HALF_AN_ANSWER))
    with pytest.raises(EngineError, match="killed by signal 9, twice"):
        engine.search(request())


def test_a_process_that_cannot_be_started(make_engine: Maker, tmp_path: Path) -> None:
    make_engine()
    with pytest.raises(EngineError, match="cannot be started: no such file"):
        PySR((str(tmp_path / "python"),)).search(request())


def test_one_that_fails_at_its_start_says_why(make_engine: Maker) -> None:
    engine, _ = make_engine(fails_at="import")
    with pytest.raises(EngineError, match=r"exit code 1\): ImportError: libjulia.so is missing"):
        engine.search(request())
    engine, _ = make_engine(fails_at="first fit")
    with pytest.raises(EngineError, match="RuntimeError: no method matching this"):
        engine.search(request())


def test_a_search_ends_at_its_time_limit_and_has_an_answer(make_engine: Maker) -> None:
    engine, stand_in = make_engine(search=0.4)
    engine.search(request())
    answer = engine.search(request(time_limit=0.2))
    assert len(answer) == 2
    assert answer.cut
    assert answer.evaluations == 5_000
    limit = stand_in.requests()[-1]["settings"]["timeout_in_seconds"]
    assert 0 < limit < 0.2, "PySR looks at its limit between cycles"


def test_one_that_hangs_is_stopped(make_engine: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "GRACE", 0.2)
    engine, _ = make_engine()
    engine.search(request())
    with pytest.raises(OutOfTimeError, match="no answer within"):
        engine.search(request(HANGS, time_limit=0.1))
    assert len(engine.search(request())) == 2


@pytest.mark.parametrize("version", ["1.5.10", "2.7.2"])
def test_the_equations_of_one_that_is_late_are_an_answer(
    make_engine: Maker, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """PySR writes them to a file while it searches, 32 bits as ``0.5f0``."""
    monkeypatch.setattr(process_module, "GRACE", 0.2)
    engine, _ = make_engine(version=version)
    in_time = engine.search(request())
    answer = engine.search(request(LATE, time_limit=0.2))
    assert answer.cut
    assert answer.evaluations is None
    assert len(answer) == len(in_time)
    assert answer[0].replace("e0", "") == in_time[0]
    assert "f0" not in answer[1]
    assert engine.search(request()) == in_time


def test_the_start_counts_within_the_time_limit(make_engine: Maker) -> None:
    engine, stand_in = make_engine(start=3.0)
    with pytest.raises(OutOfTimeError, match="before Julia had started"):
        engine.search(request(time_limit=0.05))
    assert len(engine.search(request())) == 2
    assert len(stand_in.starts()) == 1, "the start went on meanwhile"


def test_requests_run_side_by_side_and_each_gets_its_own_answer(make_engine: Maker) -> None:
    engine, stand_in = make_engine(search=0.05)
    alone = [engine.search(request(seed)) for seed in range(1, 5)]
    engine.prepare(3)
    together: dict[int, Answer] = {}
    threads = [
        threading.Thread(target=lambda k=k: together.update({k: engine.search(request(k))}))
        for k in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[k] for k in range(1, 5)] == alone
    assert len(stand_in.starts()) == 3
    assert len({entry["pid"] for entry in stand_in.requests()}) > 1


def test_it_outlives_the_thread_that_started_it(make_engine: Maker) -> None:
    """The system's death signal comes when a thread ends, not when its process does."""
    engine, _ = make_engine()
    found: list[Answer] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: found.append(engine.search(request())))
        thread.start()
        thread.join()
    assert found == [found[0]] * 3
    (process,) = processes(engine)
    assert select.select([], [], [], 0.2) == ([], [], [])
    os.kill(process, 0)
    assert engine._pool is not None
    assert all(worker.alive() for worker in engine._pool._workers)


def test_a_count_that_fails_costs_no_search(make_engine: Maker) -> None:
    engine, _ = make_engine(counts=False)
    answer = engine.search(request())
    assert len(answer) == 2
    assert answer.evaluations is None


def test_guesses_that_fail_cost_no_search(make_engine: Maker) -> None:
    engine, stand_in = make_engine(version="2.7.2", fails_at="guesses")
    answer = engine.search(replace(request(), guesses=("0.9 - n**-0.5",)))
    assert len(answer) == 2
    with_guesses, without = (entry["settings"] for entry in stand_in.requests())
    assert with_guesses["guesses"]
    assert "guesses" not in without


def test_a_closed_pool_starts_nothing(make_engine: Maker) -> None:
    make_engine()
    pool = Pool(COMMAND, warm_up((1, 5)))
    pool.close()
    with pytest.raises(EngineError, match="ended"):
        pool.ask(parts(request(), (1, 5))[0].ask, None)


def test_a_second_attempt_gets_what_is_left_of_the_time(
    make_engine: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_engine()
    pool = Pool(COMMAND, warm_up((1, 5)))
    deadlines: list[float | None] = []

    def killed(ask: object, deadline: float | None) -> None:
        deadlines.append(deadline)
        raise KilledError

    monkeypatch.setattr(pool, "_ask", killed)
    with pytest.raises(KilledError):
        pool.ask(parts(request(), (1, 5))[0].ask, 100.0)
    assert deadlines == [100.0, 100.0]
    pool.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="ends of other processes: Linux only")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_and_leaves_no_files(
    make_engine: Maker, tmp_path: Path, number: signal.Signals
) -> None:
    """In the middle of a search, when no closed pipe is looked at."""
    make_engine()
    temporary = tmp_path / "temporary"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        assert list(temporary.iterdir())
        parent.send_signal(number)
    with os.fdopen(child) as ended:
        assert select.select([ended], [], [], 60)[0]
    for _ in range(600):  # its watcher removes them after its end
        if not list(temporary.iterdir()):
            break
        threading.Event().wait(0.1)
    assert not list(temporary.iterdir())
