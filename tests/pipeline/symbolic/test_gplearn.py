"""gplearn as an engine: what its programs mean in our words; a stand-in where it is not installed.

The contract that every engine keeps is in `test_engines`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mtl_laws.pipeline.errors import EngineError
from mtl_laws.pipeline.symbolic.engines import Request
from mtl_laws.pipeline.symbolic.engines import gplearn as engine
from mtl_laws.pipeline.symbolic.engines.gplearn import GPLearn, effort, to_text
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.program import Expression

ARITY = {"add": 2, "sub": 2, "mul": 2, "div": 2, "sqrt": 1, "log": 1}
FUNCTION = {name: SimpleNamespace(name=name, arity=arity) for name, arity in ARITY.items()}


def sample(rows: int = 12) -> Sample:
    n = np.linspace(10.0, 200.0, rows)
    return Sample({"n": n, "ami": np.linspace(0, 1, rows)}, 3.0 + np.sqrt(n), np.ones(rows))


@dataclass
class Program:
    """What `GPLearn` reads of a gplearn program."""

    program: list[object]
    raw_fitness_: float

    @property
    def length_(self) -> int:
        return len(self.program)


@dataclass
class StandIn:
    """Ever better programs, one population a generation; seed 13 fails."""

    settings: dict[str, object]
    _programs: list[list[Program]] = field(default_factory=list)

    def set_params(self, generations: int) -> None:
        self.generations = generations

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> None:
        if self.settings["random_state"] == 13:
            raise ValueError("no such thing")
        assert X.shape == (len(y), 2)
        assert np.mean(y) == pytest.approx(0.0, abs=1e-12)
        assert np.std(y) == pytest.approx(1.0)
        fitness = 1.0 / self.generations
        root, long = [FUNCTION["sqrt"], 0], [FUNCTION["log"]] * 40 + [1]
        self._programs.append([Program(root, fitness), Program([1], 2.0), Program(long, 0.0)])


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("gplearn.genetic")
    monkeypatch.setattr(module, "SymbolicRegressor", lambda **more: StandIn(more), raising=False)
    monkeypatch.setitem(sys.modules, "gplearn", ModuleType("gplearn"))
    monkeypatch.setitem(sys.modules, "gplearn.genetic", module)


def test_a_prefix_program_is_written_as_infix() -> None:
    program = [FUNCTION["sub"], FUNCTION["div"], 0, -0.5, FUNCTION["log"], FUNCTION["mul"], 1, 0]
    rows = {"n": np.array([3.0, 8.0]), "S": np.array([0.5, 2.0])}
    value = Expression.parse(to_text(program, ["(0.1 * n)", "S"]), ("n", "S")).evaluate(rows)
    want = 0.1 * rows["n"] / -0.5 - np.log(rows["S"] * 0.1 * rows["n"])
    np.testing.assert_allclose(value, want)


def test_every_function_that_evolves_can_be_written() -> None:
    assert set(engine.INFIX) == set(engine.FUNCTION_SET)


@pytest.mark.parametrize("evaluations", [10, 1_000, 20_000, 80_000])
def test_effort_is_the_evaluations_asked_for(evaluations: int) -> None:
    population, generations = effort(evaluations)
    assert population <= engine.POPULATION
    assert generations >= 1
    assert 0.9 <= population * generations / max(evaluations, 20) <= 1.0


@pytest.mark.usefixtures("stand_in")
def test_short_programs_come_back_in_the_targets_units() -> None:
    rows = sample()
    texts = GPLearn().search(Request(rows, 20_000, seed=1, max_complexity=20))
    assert len(texts) == 2, "one text for each of two short programs; the long one is of no use"
    scale = float(np.exp(np.mean(np.log(rows.columns["n"]))))
    want = rows.target.mean() + rows.target.std() * np.sqrt(rows.columns["n"] / scale)
    value = Expression.parse(texts[1], ("n", "ami")).evaluate(rows.columns)
    np.testing.assert_allclose(value, want)


@pytest.mark.usefixtures("stand_in")
def test_what_gplearn_refuses_is_an_engine_failure() -> None:
    with pytest.raises(EngineError, match="gplearn: no such thing"):
        GPLearn().search(Request(sample(), 1_000, seed=13))


@pytest.mark.usefixtures("stand_in")
def test_a_time_limit_ends_it_after_a_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 1_000, 10))
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    design = np.column_stack([*sample().columns.values()])
    centred = sample().target - sample().target.mean()
    rows = Sample(sample().columns, centred / centred.std(), sample().weight)
    request = Request(rows, 20_000, seed=1, time_limit=25.0)
    assert len(list(engine._generations(design, rows, request))) == 3


@pytest.mark.parametrize(
    ("gplearn", "sklearn", "ready"),
    [("0.4.3", "1.9.1", True), ("0.4.2", "1.9.1", False), ("0.4.3", "1.7.2", False)],
)
def test_readiness_looks_at_versions(
    monkeypatch: pytest.MonkeyPatch, gplearn: str, sklearn: str, ready: bool
) -> None:
    versions = {"gplearn": gplearn, "scikit-learn": sklearn}
    monkeypatch.setattr(engine, "find_spec", lambda name: name)
    monkeypatch.setattr("importlib.metadata.version", versions.__getitem__)
    assert GPLearn().readiness().ready is ready
    assert gplearn in GPLearn().readiness().reason


def test_without_gplearn_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert "pip install 'gplearn>=0.4.3' 'scikit-learn>=1.8'" in GPLearn().readiness().reason


@pytest.mark.skipif(not GPLearn().readiness().ready, reason=GPLearn().readiness().reason)
def test_generation_by_generation_is_one_long_run() -> None:
    from gplearn.genetic import SymbolicRegressor

    rows = sample()
    design = np.column_stack([*rows.columns.values()])
    *_, last = engine._generations(design, rows, Request(rows, 300, seed=5))
    population, generations = effort(300)
    whole = SymbolicRegressor(
        population_size=population,
        generations=generations,
        function_set=engine.FUNCTION_SET,
        parsimony_coefficient=engine.PARSIMONY,
        random_state=5,
    ).fit(design, rows.target)
    assert [str(program) for program in last] == [str(program) for program in whole._programs[-1]]
