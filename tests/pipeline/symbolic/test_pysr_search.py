"""Whole searches with PySR, which is a stand-in: what it is asked, when, and what is said of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_laws import LawRegressor, LawSet, fit_laws
from mtl_laws.pipeline.cli.app import app
from mtl_laws.pipeline.cli.ending import exit_code
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.fit import Source, fit_to_folder, summary
from mtl_laws.pipeline.laws import search as search_module
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.laws.rules import BUDGETS, SearchRules
from mtl_laws.pipeline.laws.search import Clock, SearchOptions, SearchResult, find_laws
from mtl_laws.pipeline.study.preflight import find_problems
from mtl_laws.pipeline.symbolic.engines import ENGINES, Request
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.pipeline.symbolic.engines.pysr.engine import PySR as Engine
from mtl_laws.pipeline.symbolic.engines.registry import choose
from mtl_laws.pipeline.testing import EngineContract
from support.planted import planted_table
from support.pysr_stand_in import GENERATIONS, StandIn, paths
from support.rows import posed
from support.tiny_runs import STUDY, study

FACTORS = {"n": "n", "T": "T", "ami": "ami"}
TABLE = planted_table().drop(columns="decoy").query("n in (50, 200, 800) and T in (1, 3, 6)")
PROBLEM = posed(TABLE, bounds=(0.0, 1.0))
RAISES, DIES, DIES_ONCE, HANGS = 13, 14, 16, 17
BEHAVIOUR = {RAISES: "raises", DIES: "dies", DIES_ONCE: "dies once", HANGS: "hangs"}
FAILURES = [
    "pysr: RuntimeError: Julia fell over",
    "pysr: its process was killed by signal 9, twice",
]
COMMAND = """
import signal
from mtl_laws.pipeline.cli.app import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background work ignores it
main()
"""

Maker = Callable[..., StandIn]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    """A stand-in that is the only engine called pysr, ready, with budgets of its own."""
    engine = PySR()
    stand_in = StandIn(folder=tmp_path / "packages", behaviour=BEHAVIOUR)
    monkeypatch.setenv("PYTHONPATH", paths(stand_in.folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(stand_in.folder)
    monkeypatch.setitem(ENGINES, "pysr", engine)
    monkeypatch.setitem(BUDGETS, "three", replace(BUDGETS["tiny"], seeds=3))
    many = replace(BUDGETS["tiny"], engine=20_000, seeds=2, fold_share=0.5)
    monkeypatch.setitem(BUDGETS, "many", many)

    def write(**changes: object) -> StandIn:
        one = replace(stand_in, **changes).write()
        for name, value in one.variables().items():
            monkeypatch.setenv(name, value)
        return one

    yield write
    engine.close()


def search(seed: int, budget: str = "tiny", **options: object) -> SearchResult:
    settings = {"engine": "pysr", "budget": budget, "seed": seed, "jobs": 1, **options}
    return find_laws(PROBLEM.data, None, SearchOptions(**settings))


def laws_of(result: SearchResult) -> list[str]:
    return [law.fitted.numeric().text for law in result.laws]


def test_a_search_in_which_it_is_killed_finds_the_same_laws(make: Maker) -> None:
    stand_in = make()
    found, undisturbed = search(DIES_ONCE), search(DIES_ONCE)
    assert (stand_in.folder / "died").exists()
    assert not found.failures
    assert laws_of(found) == laws_of(undisturbed)
    assert found.selected == undisturbed.selected
    assert "pysr" in {law.fitted.candidate.origin for law in found.laws}


def test_a_search_goes_on_without_it_and_says_so(make: Maker) -> None:
    """Of three requests one is answered, one falls over, and one is killed every time."""
    make()
    found = search(12, "three")
    assert found.failures == FAILURES
    assert {"grammar", "pysr"} <= {law.fitted.candidate.origin for law in found.laws}
    assert found.selected is not None
    assert found.laws[found.selected].fitted.valid
    assert not found.cut


def test_the_laws_do_not_depend_on_the_number_of_workers(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do the requests: only which of the processes answers which."""
    stand_in = make()

    def in_turn(
        work: Callable[..., object], batch: list[tuple[object, ...]], jobs: int
    ) -> Generator[object, None, None]:
        for arguments in batch:  # only PySR has several processes here
            yield work(*arguments)

    monkeypatch.setattr(search_module, "in_processes", in_turn)
    alone = search(2, "many", jobs=1)
    asked = stand_in.requests()
    assert len(stand_in.starts()) == 1
    ENGINES["pysr"].close()  # type: ignore[attr-defined]
    together = search(2, "many", jobs=3)
    assert laws_of(together) == laws_of(alone)
    assert together.effort == alone.effort

    def requests(entries: list[dict[str, object]]) -> list[str]:
        return sorted(str({k: v for k, v in entry.items() if k != "pid"}) for entry in entries)

    assert requests(stand_in.requests()[len(asked) :]) == requests(asked)
    assert len(stand_in.starts()) == 1 + 3, "one process a worker"


def test_it_starts_while_the_grammar_searches(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = make(start=0.3)
    real, begun = search_module._in_parallel, threading.Event()

    def in_parallel(stage: object, *rest: object) -> list[object]:
        if stage is search_module.SEARCHING_FIRST:
            while not stand_in.starts():
                begun.wait(0.05)
            assert not stand_in.requests()
        return real(stage, *rest)

    monkeypatch.setattr(search_module, "_in_parallel", in_parallel)
    assert not search(1).failures
    assert stand_in.requests()


def test_used_evaluations_are_recorded_and_budgets_are_its_own(make: Maker) -> None:
    stand_in = make()
    result = search(1, "many")
    requests = [entry["settings"]["max_evals"] for entry in stand_in.requests()]
    assert result.effort.engine == "pysr"
    assert result.effort.made == sum(requests)
    assert abs(result.effort.asked - sum(requests)) <= 2 * len(requests), "parts are rounded"
    whole = Engine.pace * BUDGETS["many"].engine
    assert max(requests) == round(whole / 2)
    assert search(1, engine="operon").effort.made is None


def test_folds_never_see_guesses_from_other_rows(make: Maker) -> None:
    stand_in = make(version="2.7.2")
    search(1, "many")
    plain = [e for e in stand_in.requests() if e["template"] is None]
    with_guesses = [e for e in plain if e["settings"].get("guesses")]
    assert len(with_guesses) >= 4
    texts = {len(e["target"]): e["settings"]["guesses"] for e in with_guesses}
    assert len(set(map(str, texts.values()))) == len(texts)


# --- time limits ---------------------------------------------------------------------------------


def test_a_limit_that_is_over_before_it_has_started_is_told(make: Maker, lawset: LawSet) -> None:
    make(start=60.0)
    result = search(1, time_limit=2.0)
    assert result.cut
    assert result.failures == ["pysr: the time limit was over before Julia had started"]
    assert result.selected is not None
    cut = lawset.provenance.model_copy(
        update={"cut": True, "engine_failures": tuple(result.failures)}
    )
    text = summary(lawset.model_copy(update={"provenance": cut}))
    assert "the time limit ended the search early" in text
    assert "before Julia had started" in text


def test_laws_of_a_search_that_the_limit_ends_are_kept_and_the_terminal_says_so(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the limit leaves time to fit a few of all candidates only."""
    limit, rounds = SearchRules().fitting_time, list[float]()
    results: list[SearchResult] = []

    def over(clock: Clock, fraction: float = 1.0) -> bool:
        rounds.append(fraction)
        return fraction == limit and rounds.count(limit) > 1

    def searched(*arguments: Any) -> SearchResult:
        results.append(find_laws(*arguments))
        return results[-1]

    monkeypatch.setattr(Clock, "over", over)
    monkeypatch.setattr(search_module, "find_laws", searched)
    stand_in = make(search=30.0)
    assert choose("pysr").used == "pysr"  # its trial leaves a warm process
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    words = ["fit", str(tmp_path / "table.csv"), "--target", "y", "--factors", "n=n,T=T,ami=ami"]
    words += ["--engine", "pysr", "--budget", "tiny", "--jobs", "1", "--time-limit", "8"]
    assert exit_code(app, [*words, "--out", str(tmp_path / "out")]) == 0
    assert "note:   the time limit ended the search early" in capsys.readouterr().out
    (result,) = results
    assert "pysr" in {law.fitted.candidate.origin for law in result.laws}
    assert result.cut
    assert not result.failures
    assert result.effort.made == result.effort.asked // 2
    (request,) = stand_in.requests()
    assert request["settings"]["timeout_in_seconds"] < 0.55 * 8.0


@pytest.mark.slow
def test_two_fits_with_one_seed_are_equal_to_the_bit(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of workers, here and in PySR's pool; with requests for folds, too."""
    make()
    monkeypatch.setitem(BUDGETS, "tiny", BUDGETS["many"])

    def fitted(jobs: int) -> dict[str, Any]:
        question = Question("y", FACTORS, (0.0, 1.0), engine="pysr", budget="tiny", jobs=jobs)
        laws = fit_to_folder(TABLE, question, Source("planted", "Planted"), tmp_path / f"{jobs}")
        ENGINES["pysr"].close()  # type: ignore[attr-defined]
        record = laws.provenance.model_copy(update={"created": "", "seconds": 0.0})
        return laws.model_copy(update={"provenance": record}).to_json()

    assert fitted(1) == fitted(2)


# --- auto ----------------------------------------------------------------------------------------


def test_auto_goes_on_with_operon_where_it_fails_at_its_start(make: Maker) -> None:
    pytest.importorskip("pyoperon")
    stand_in = make()
    choice = choose("auto")
    assert (choice.used, choice.fallback) == ("pysr", "operon")
    ENGINES["pysr"].close()  # type: ignore[attr-defined]
    replace(stand_in, fails_at="import").write()  # after its trial, which is not repeated
    laws = fit_laws(TABLE, "y", FACTORS, (0.0, 1.0), engine="auto", budget="tiny", jobs=1)
    record = laws.provenance
    assert (record.engine.requested, record.engine.used) == ("auto", "operon")
    failure, instead = record.engine_failures
    assert "ImportError: libjulia.so is missing" in failure
    assert instead == "operon searched in place of pysr"
    assert f"note:   {instead}" in summary(laws)


def test_operon_searches_with_its_own_budget(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make(fails_at="first fit")
    asked: list[int] = []

    def operon(_: object, request: Request) -> list[str]:
        asked.append(request.evaluations)
        return ["0.5 + 0.1*log(n)"]

    monkeypatch.setattr(type(ENGINES["operon"]), "search", operon)
    result = search(1, fallback="operon")
    assert asked == [BUDGETS["tiny"].engine]
    assert result.effort.engine == "operon"
    assert result.effort.asked == BUDGETS["tiny"].engine
    assert "operon searched in place of pysr" in result.failures


def test_asked_for_by_name_it_has_no_substitute(make: Maker) -> None:
    make()
    assert choose("pysr").fallback == ""
    assert search(RAISES).failures == FAILURES[:1]


# --- its own options -----------------------------------------------------------------------------


def test_options_reach_it_from_every_face_and_are_recorded(make: Maker) -> None:
    stand_in = make()
    options = {"parsimony": 0.002}
    settings = {"engine": "pysr", "engine_options": options, "budget": "tiny"}
    laws = fit_laws(TABLE, "y", FACTORS, (0.0, 1.0), jobs=1, **settings)
    assert laws.provenance.engine.options == options
    assert LawSet.from_json(laws.to_json()).provenance.engine.options == options
    assert "engine_options={'parsimony': 0.002}" in laws.provenance.command
    X = TABLE[["n", "T"]].to_numpy(dtype=float)
    LawRegressor(**settings).fit(X, TABLE["y"])
    given = [entry["settings"]["parsimony"] for entry in stand_in.requests()]
    assert given == [0.002] * 2


@pytest.mark.parametrize("engine", ["grammar", "operon", "auto"])
def test_an_engine_without_options_refuses_them(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_JULIACALL_EXE", os.devnull + "/julia")
    with pytest.raises(UserError, match="no options, since the engine is") as error:
        fit_laws(TABLE, "y", FACTORS, engine=engine, engine_options={"parsimony": 1})
    assert error.value.path == "engine_options"


def test_a_study_refuses_an_option_that_the_version_lacks(make: Maker) -> None:
    make()
    laws = "laws: {engine: pysr, engine_options: {parsimony: 0.1, weight_backsolve: 1}}"
    problems = list(find_problems(study(STUDY + laws)))
    assert [problem.path for problem in problems] == ["laws.engine_options.weight_backsolve"]
    with pytest.raises(ValueError, match=r"engine_options\.nonsense"):
        LawRegressor(engine="pysr", engine_options={"nonsense": 1}).fit(
            np.arange(24.0).reshape(12, 2), np.arange(12.0)
        )


# --- interruption --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_ends_at_once_and_leaves_only_what_it_resumes_from(
    make: Maker, tmp_path: Path, number: signal.Signals
) -> None:
    stand_in = make()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    words = ["fit", str(tmp_path / "table.csv"), "--target", "y", "--factors", "n=n,T=T"]
    words += ["--engine", "pysr", "--budget", "tiny", "--seed", str(HANGS), "--jobs", "1"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words, "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        while not stand_in.requests() and process.poll() is None:
            threading.Event().wait(0.1)
        process.send_signal(number)
        _, printed = process.communicate()
    assert process.returncode == 130
    said = "mtl-laws: interrupted: run the same command again to resume"
    assert printed.splitlines()[-1] == said
    assert (tmp_path / "out" / "search.partial").is_file()
    assert not [path for path in temporary.iterdir() if "pysr" in path.name]


@pytest.mark.parametrize("version", GENERATIONS)
class TestContract(EngineContract):
    """The contract of all engines; `test_engines.py` has the real one where it is ready."""

    name = "pysr"
    least_r2 = 0.3  # the stand-in looks at no row

    @pytest.fixture(autouse=True)
    def _stand_in(self, make: Maker, version: str) -> None:
        make(version=version)


@pytest.mark.slow
def test_the_laws_of_a_search_without_it_say_so(make: Maker, tmp_path: Path) -> None:
    make()
    question = Question("y", FACTORS, (0.0, 1.0), engine="pysr", budget="tiny", seed=DIES, jobs=1)
    laws = fit_to_folder(TABLE, question, Source("planted", "Planted"), tmp_path)
    assert laws.provenance.engine_failures == tuple(FAILURES[1:])
    assert laws.law.scores["r2_train"] > 0.9
    assert summary(laws).endswith(f"note:   {FAILURES[1]}")
    assert f"Engine failure: {FAILURES[1]}" in (tmp_path / "report.md").read_text(encoding="utf-8")
