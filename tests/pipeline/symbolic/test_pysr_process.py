"""The process that PySR lives in: what befalls it is no harm to the search; PySR is a stand-in."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_laws.pipeline.errors import EngineError
from mtl_laws.pipeline.fit import Source, fit_to_folder, summary
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.laws.rules import BUDGETS
from mtl_laws.pipeline.laws.search import SearchOptions, SearchResult, find_laws
from mtl_laws.pipeline.symbolic.engines import ENGINES, Request
from mtl_laws.pipeline.symbolic.engines import pysr as pysr_module
from mtl_laws.pipeline.symbolic.engines.pysr import COMMAND, KilledError, PySR
from support.planted import planted_table
from support.rows import posed

STAND_IN = """
import os
import signal
from pathlib import Path
import pandas as pd
__version__ = "1.5.10"
class PySRRegressor:
    def __init__(self, **settings):
        self.settings = settings
    def fit(self, X, y, weights=None):
        print("noise on standard output")
        seed, died = self.settings["random_state"], Path(__file__).with_name("died")
        if seed == 13:
            raise RuntimeError("Julia fell over")
        if seed == 14 or (seed == 16 and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while seed == 15:
            os.read(0, 0)
        assert X.shape[0] == len(y) == len(weights)
        equation = f"(log(x0) * {seed}.0 - x1 ^ 0.5) * 0.01 + 0.5"
        self.equations_ = pd.DataFrame({"complexity": [1, 9], "equation": ["0.5", equation]})
"""
ANSWERS, FALLS, DIES, HANGS, DIES_ONCE = 1, 13, 14, 15, 16
"""What the stand-in does at a seed."""

ANSWERED_FALLS_DIES = 12
"""Seed of a search that makes three requests."""

FAILURES = [
    "pysr: its process ended with code 1: RuntimeError: Julia fell over",
    "pysr: its process was killed by signal 9, twice",
]

HALF_AN_ANSWER = """
import os, signal, sys
print("{}", flush=True)
sys.stdin.readline()
print('{"front": [', end="", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
PARENT = """
import json, os, subprocess, sys
child = subprocess.Popen([*sys.argv[1:], str(os.getpid())], stdin=subprocess.PIPE, text=True)
rows = {"rows": [[1.0]], "target": [1.0], "weights": [1.0], "settings": {"random_state": 15}}
print(json.dumps(rows), file=child.stdin, flush=True)
print(child.pid, flush=True)
child.wait()
"""
FACTORS = {"n": "n", "T": "T", "ami": "ami"}
TABLE = planted_table().drop(columns="decoy").query("n in (50, 200, 800) and T in (1, 3, 6)")
PROBLEM = posed(TABLE, bounds=(0.0, 1.0))
SAMPLE = PROBLEM.data.sample


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a new process finds the stand-in for PySR."""
    (tmp_path / "pysr.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def engine(stand_in: Path) -> Iterator[PySR]:
    one = PySR()
    yield one
    one.close()


def request(seed: int, time_limit: float | None = None) -> Request:
    return Request(SAMPLE, 10_000, seed, time_limit=time_limit)


def process_of(engine: PySR) -> int:
    assert engine._process is not None
    return engine._process._process.pid


def test_it_answers_and_stays_warm(engine: PySR) -> None:
    first, before = engine.search(request(ANSWERS)), process_of(engine)
    assert engine.search(request(ANSWERS)) == first
    assert process_of(engine) == before, "another process answered the second request"
    assert "** 0.5" in first[1]


@pytest.mark.parametrize(
    ("seed", "words"),
    [(FALLS, FAILURES[0]), (DIES, FAILURES[1])],
)
def test_a_crash_is_an_engine_failure_and_the_next_search_works(
    engine: PySR, seed: int, words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        engine.search(request(seed))
    assert len(engine.search(request(ANSWERS))) == 2


def test_killed_in_mid_search_it_is_asked_again(engine: PySR, stand_in: Path) -> None:
    assert engine.search(request(DIES_ONCE)) == engine.search(request(DIES_ONCE))
    assert (stand_in / "died").exists()


def test_killed_between_two_searches_it_is_started_again(engine: PySR) -> None:
    first = engine.search(request(ANSWERS))
    os.kill(process_of(engine), signal.SIGKILL)
    assert engine.search(request(ANSWERS)) == first


def test_half_an_answer_is_none() -> None:
    engine = PySR((sys.executable, "-c", HALF_AN_ANSWER))
    with pytest.raises(EngineError, match="killed by signal 9, twice"):
        engine.search(request(ANSWERS))


def test_a_process_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be started: no such file"):
        PySR((str(tmp_path / "python"),)).search(request(ANSWERS))


def test_one_that_hangs_is_stopped(engine: PySR, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pysr_module, "GRACE", 0.2)
    with pytest.raises(EngineError, match="no answer within"):
        engine.search(request(HANGS, time_limit=0.1))


def test_a_second_attempt_gets_what_is_left_of_the_time(
    engine: PySR, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []

    def killed(one: Request) -> list[str]:
        asked.append(one)
        raise KilledError

    monkeypatch.setattr(engine, "_search", killed)
    with pytest.raises(KilledError):
        engine.search(request(ANSWERS, time_limit=100.0))
    with pytest.raises(KilledError):
        engine.search(request(ANSWERS, time_limit=1e-9))
    limits = [one.time_limit for one in asked]
    assert limits[0] == 100.0 > limits[1] > 90.0
    assert limits[3] == 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells of a parent's end on Linux")
def test_it_ends_with_a_parent_that_is_killed(stand_in: Path) -> None:
    """In the middle of a search, when no closed pipe is looked at."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *COMMAND], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    with os.fdopen(child) as ended:
        assert select.select([ended], [], [], 60)[0]


# --- a whole search ------------------------------------------------------------------------------


@pytest.fixture
def searched_with(engine: PySR, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches by the stand-in, three on all rows."""
    monkeypatch.setitem(ENGINES, "pysr", engine)
    monkeypatch.setitem(BUDGETS, "three", replace(BUDGETS["tiny"], seeds=3))
    monkeypatch.setenv("PYTHON_JULIACALL_EXE", sys.executable)


def search(seed: int, budget: str = "tiny") -> SearchResult:
    options = SearchOptions(engine="pysr", budget=budget, seed=seed, jobs=1)
    return find_laws(PROBLEM.data, None, options)


@pytest.mark.usefixtures("searched_with")
def test_a_search_in_which_it_is_killed_finds_the_same_laws(stand_in: Path) -> None:
    found, undisturbed = search(DIES_ONCE), search(DIES_ONCE)
    assert (stand_in / "died").exists()
    assert not found.failures
    assert [law.fitted.numeric().text for law in found.laws] == [
        law.fitted.numeric().text for law in undisturbed.laws
    ]
    assert found.selected == undisturbed.selected
    assert "pysr" in {law.fitted.candidate.origin for law in found.laws}


@pytest.mark.usefixtures("searched_with")
def test_a_search_goes_on_without_it_and_says_so() -> None:
    """Of three requests one is answered, one falls over, and one is killed every time."""
    found = search(ANSWERED_FALLS_DIES, "three")
    assert found.failures == FAILURES
    assert {"grammar", "pysr"} <= {law.fitted.candidate.origin for law in found.laws}
    assert found.selected is not None
    assert found.laws[found.selected].fitted.valid


@pytest.mark.slow
@pytest.mark.usefixtures("searched_with")
def test_the_laws_of_a_search_without_it_say_so(tmp_path: Path) -> None:
    question = Question("y", FACTORS, (0.0, 1.0), engine="pysr", budget="tiny", seed=DIES, jobs=1)
    laws = fit_to_folder(TABLE, question, Source("planted", "Planted"), tmp_path)
    assert laws.provenance.engine_failures == tuple(FAILURES[1:])
    assert laws.law.scores["r2_train"] > 0.9
    assert summary(laws).endswith(f"note:   {FAILURES[1]}")
    assert f"Engine failure: {FAILURES[1]}" in (tmp_path / "report.md").read_text(encoding="utf-8")
