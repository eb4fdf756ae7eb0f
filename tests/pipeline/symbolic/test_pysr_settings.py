"""What PySR is asked, per version, and how its equations are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.symbolic.engines import Request
from mtl_laws.pipeline.symbolic.engines.base import design_matrix
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.pipeline.symbolic.engines.pysr.settings import (
    check_options,
    compose,
    guess,
    known_arguments,
    parts,
    settings,
    to_text,
)
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.templates import to_template
from mtl_laws.pipeline.symbolic.tree import Floats
from support.pysr_stand_in import GENERATIONS, StandIn

FIRST, SECOND = (1, 5), (2, 7)


def sample(scale: float = 1.0) -> Sample:
    n, T = (axis.ravel() for axis in np.meshgrid([50.0, 200, 800, 3200], [1.0, 2, 5]))
    return Sample({"n": n, "T": T}, scale * (0.9 - (n * T) ** -0.5), np.linspace(1, 2, len(n)))


def request(**changes: object) -> Request:
    return replace(Request(sample(), 1_000_000, 4, 20, bounds=(0.0, 1.0)), **changes)


def value(text: str, columns: dict[str, Floats]) -> Floats:
    return np.asarray(Expression.parse(text, tuple(columns)).evaluate(columns))


@pytest.mark.parametrize("version", [FIRST, SECOND])
def test_evaluations_are_limited_as_asked(version: tuple[int, int]) -> None:
    """By `max_evals`, not by iterations whose evaluations nobody knows."""
    for evaluations in (15_000, 80_000, 5_000_000):
        given = settings(request(evaluations=evaluations), version)
        assert given["max_evals"] == evaluations
        one_pass = 12 * 400 * 3.2 if version == FIRST else 31 * 380 * 3.2
        assert given["niterations"] * one_pass > 1e9
    assert given["random_state"] == 4
    assert (given["deterministic"], given["parallelism"]) == (True, "serial")
    allowed = {*given["binary_operators"], *given["unary_operators"]}
    assert set(given["constraints"]) <= allowed
    assert set(given["nested_constraints"]) <= allowed


@pytest.mark.parametrize("evaluations", [15_000, 80_000, 300_000, 5_000_000])
def test_one_pass_of_the_populations_is_a_small_part_of_the_evaluations(evaluations: int) -> None:
    """A pass is made before the limit is looked at, and another one after it was reached."""
    given = settings(request(evaluations=evaluations), FIRST)
    cycles = given["ncycles_per_iteration"]
    one_pass = given["populations"] * (given["population_size"] + 3.2 * cycles)
    assert one_pass < 0.1 * evaluations


def test_defaults_of_2_are_left_alone() -> None:
    given = settings(request(evaluations=5_000_000), SECOND)
    tuned = ("annealing", "crossover_probability", "populations", "population_size", "batching")
    assert not {*tuned, "ncycles_per_iteration"} & given.keys()
    assert given["precision"] == 32
    assert settings(request(), FIRST)["precision"] == 64
    few = settings(request(evaluations=20_000), SECOND)["ncycles_per_iteration"]
    assert few < 100, "else a first pass alone would take more evaluations than asked"


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_target_has_a_standard_deviation_of_one(scale: float) -> None:
    rows = sample(scale)
    (part,) = parts(Request(rows, 10_000, 0), FIRST)
    target, weights = np.array(part.message["target"]), np.array(part.message["weights"])
    mean = np.average(target, weights=weights)
    assert np.average((target - mean) ** 2, weights=weights) == pytest.approx(1.0)
    text = part.read("2.0")
    assert text is not None
    ratio = target / rows.target
    assert value(text, dict(rows.columns))[()] == pytest.approx(2.0 / ratio[0])


def test_few_evaluations_are_not_divided_and_many_are() -> None:
    assert len(parts(request(evaluations=100_000), FIRST)) == 1
    plain, template, link = parts(request(), FIRST)
    spent = [part.message["settings"]["max_evals"] for part in (plain, template, link)]
    assert spent == [500_000, 250_000, 250_000]
    assert "template" not in plain.message
    assert template.message["template"]["combine"] == "f(g(x0, x1))"
    assert link.message["target"] != plain.message["target"]
    assert len(parts(request(bounds=(0.0, np.inf)), FIRST)) == 2
    assert len(parts(request(time_limit=10.0), FIRST)) == 2, "no time to compile a template"


def test_a_template_is_read_as_one_expression() -> None:
    _, template, _ = parts(request(), SECOND)
    text = template.read("f = (#1 ^ -0.5) * 2.0 - 1.0; g = #1 * (#2 + 3.0)")
    assert text is not None
    rows, target = sample(), np.array(template.message["target"])
    scale = (rows.target / target)[0]
    design, _ = design_matrix(rows)
    x0, x1 = design.astype(float).T
    want = scale * (2.0 * (x0 * (x1 + 3.0)) ** -0.5 - 1.0)
    np.testing.assert_allclose(value(text, dict(rows.columns)), want, rtol=1e-6)
    assert template.read("something else") is None
    assert template.read("f = sinh(#1); g = #1") is None


def test_a_template_has_a_parameter_for_every_group() -> None:
    group = np.arange(12) % 3
    _, template = parts(request(group=group), FIRST)
    spec = template.message["template"]
    assert spec["combine"] == "f(g(x0, x1), p[category])"
    assert spec["parameters"] == {"p": 3}
    assert [row[-1] for row in template.message["rows"]][:4] == [1.0, 2.0, 3.0, 1.0]
    text = template.read("f = #1 ^ #2; g = #1 / #2; p = [0.5, 1.0, 1.5]")
    assert text is not None
    tree = to_template(text, ("n", "T"))
    assert tree is not None
    assert tree.text == "c0 * (n / T) ** c1", "the parameter is a constant: groups have their own"


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-2.0, 3.0)])
def test_a_linked_search_sees_the_link_and_answers_within_the_bounds(
    seed: int, bounds: tuple[float, float]
) -> None:
    low, high = bounds
    rows = sample()
    rows = replace(rows, target=low + (high - low) * rows.target)
    link = parts(Request(rows, 1_000_000, seed, 20, bounds=bounds), FIRST)[-1]
    text = link.read("0.7 * x0 - 1.5")
    assert text is not None
    tree = to_template(text, ("n", "T"))
    assert tree is not None
    for constants in ((0.3, -1.0), (-20.0, 30.0), (5.0, 5.0)):
        values = dict(zip(tree.constants, constants, strict=False))
        found = value(tree.with_constants(values).text, dict(rows.columns))
        assert np.all((found >= low) & (found <= high)), tree.text
    seen = np.array(link.message["target"])
    z = (rows.target - low) / (high - low)
    want = np.log(-np.log1p(-z)) if seed % 2 else np.log(z / (1 - z))
    np.testing.assert_allclose(seen / seen[0], want / want[0])


def test_equations_come_back_in_the_users_names() -> None:
    text = to_text("log(x0 ^ 2.0) * x1 - 0.5", {"N": 100.0, "S": 1.0})
    rows = {"N": np.array([200.0, 50.0]), "S": np.array([0.5, 2.0])}
    np.testing.assert_allclose(value(text, rows), np.log((rows["N"] / 100) ** 2) * rows["S"] - 0.5)
    assert compose("f = #1; g = x0", {"N": 100.0}, 2.0) == "2 * (0.01 * N)"


def test_guesses_are_given_to_2_in_its_own_variables() -> None:
    good = "0.9 - (n * T)**-0.5"
    plain = parts(request(guesses=(good, "tanh(n)")), SECOND)[0]
    (text,) = plain.message["settings"]["guesses"]
    design, scales = design_matrix(sample())
    columns = dict(zip(("x0", "x1"), design.astype(float).T, strict=True))
    python = text.replace("^", "**")
    np.testing.assert_allclose(value(python, columns), plain.message["target"], rtol=1e-5)
    assert "guesses" not in parts(request(guesses=(good,)), FIRST)[0].message["settings"]
    assert guess(good, scales, 1.0, most=8) is None, "longer than PySR may make it"
    assert guess("-n", scales, 1.0, 20) == f"1.0 * ((-1.0) * ({scales['n']!r} * x0))"


@pytest.mark.parametrize("version", GENERATIONS)
def test_options_are_those_of_the_installed_version(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StandIn(folder=tmp_path, version=version).write()
    monkeypatch.syspath_prepend(tmp_path)
    engine = PySR()
    engine.check_options({"parsimony": 0.001, "population_size": 50})
    with pytest.raises(UserError, match="nearest is 'parsimony'") as error:
        engine.check_options({"parsimoni": 1})
    assert error.value.path == "engine_options.parsimoni"
    assert f"pysr {version}" in str(error.value)
    with pytest.raises(UserError, match="does not set itself"):
        engine.check_options({"random_state": 1})
    with pytest.raises(UserError, match="a number, a text"):
        engine.check_options({"parsimony": object()})
    later = {"weight_backsolve": 0.1}
    if version == "1.5.10":
        with pytest.raises(UserError, match=f"in pysr {version}"):
            engine.check_options(later)
    else:
        engine.check_options(later)
    given = parts(request(options={"parsimony": 0.5}), FIRST)
    assert [part.message["settings"]["parsimony"] for part in given] == [0.5] * 3


def test_settings_are_known_to_the_installed_pysr() -> None:
    """Its source is read; importing it would start Julia."""
    pytest.importorskip("juliapkg", reason="pysr is not installed")
    from importlib.metadata import version

    installed = tuple(map(int, version("pysr").split(".")[:2]))
    known = known_arguments()
    assert "parsimony" in known
    part = parts(request(guesses=("n",)), (installed[0], installed[1]))[0]
    assert set(part.message["settings"]) <= known
    check_options({"parsimony": 0.0}, version("pysr"))
