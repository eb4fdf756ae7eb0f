"""The whole search on planted tables, small enough for every run of the tests."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sympy

from mtl_laws.pipeline.fit import Source, fit_to_folder
from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.law import SCORES, Law
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from support.planted import beyond, planted_table
from support.rows import posed

FACTORS = ("n", "T", "ami", "decoy")
TINY = SearchOptions(engine="grammar", budget="tiny", jobs=1)


#: R² beyond the data that a search of either budget reaches at least
REACHED = {"tiny": 0.95, "quick": 0.98}


@pytest.fixture(scope="module", params=["tiny", pytest.param("quick", marks=pytest.mark.slow)])
def document(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """A fit of the planted table with n = 1600 held out; written to disk and read back."""
    out = tmp_path_factory.mktemp("fit")
    question = Question(
        "y",
        {name: name for name in FACTORS},
        (0.0, 1.0),
        hold_out="n > 800",
        engine="operon",
        budget=request.param,
        jobs=1,
    )
    fit_to_folder(planted_table(seed=6), question, Source("planted", "Planted"), out)
    assert sorted(path.name for path in out.iterdir()) == [
        "figures",
        "laws.json",
        "report.html",
        "report.md",
        "run.lock",
        "table.parquet",
    ]
    read: dict[str, Any] = json.loads((out / "laws.json").read_text(encoding="utf-8"))
    return read


def rows(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: table[name].to_numpy(dtype=float) for name in FACTORS}


def test_a_planted_law_is_recovered_beyond_the_data(document: dict[str, Any]) -> None:
    law, far = Law.from_json(document["selected"]), beyond()
    residual = far["y"] - law.predict(rows(far))
    budget = document["provenance"]["budget"]
    assert 1 - np.mean(residual**2) / np.var(far["y"]) >= REACHED[budget]
    assert not law.uses("decoy")
    assert law.uses("n")
    assert law.uses("T")
    assert law.uses("ami")


def test_the_document_keeps_its_contract(document: dict[str, Any]) -> None:
    assert document["schema"] == 2
    assert document["factors"] == list(FACTORS)
    assert {"rows", "cells", "digest", "ranges"} <= document["data"].keys()
    assert document["data"]["rows"] == 252
    assert document["provenance"]["engine"]["used"] == "operon"
    names = [finding["factor"] for finding in document["evidence"]]
    assert names == list(FACTORS)
    for law in [document["selected"], *document["front"], *document["theory"]]:
        assert {"expression", "template", "latex", "complexity", "constants"} <= law.keys()
        assert set(law["scores"]) == set(SCORES)
        assert isinstance(law["valid"], bool)


def test_sympy_reproduces_the_scores(document: dict[str, Any]) -> None:
    law = document["selected"]
    names = {name: sympy.Symbol(name) for name in FACTORS}
    expression = sympy.sympify(law["expression"], locals=names)
    function = sympy.lambdify(list(names.values()), expression, "numpy")
    table = planted_table(seed=6)
    table["ami"] = table["ami"].fillna(0.5)
    for part, key in ((table[table["n"] <= 800], "train"), (table[table["n"] > 800], "hold_out")):
        residual = part["y"] - function(*(part[name].to_numpy() for name in FACTORS))
        r2 = 1 - np.mean(residual**2) / np.var(part["y"])
        assert r2 == pytest.approx(law["scores"][f"r2_{key}"], abs=2e-3)


def test_constants_stand_in_the_template(document: dict[str, Any]) -> None:
    for record in document["front"]:
        law = Law.from_json(record)
        values = {name: constant.value for name, constant in law.constants.items()}
        scope = {"sqrt": np.sqrt, "log": np.log, "exp": np.exp, "__builtins__": {}}
        table = rows(beyond())
        with np.errstate(all="ignore"):
            want = eval(law.template, scope, {**table, **values})
        np.testing.assert_allclose(law.predict(table), want, rtol=1e-9)


def test_a_law_survives_json_and_runs_as_plain_python(document: dict[str, Any]) -> None:
    law = Law.from_json(document["selected"])
    assert Law.from_json(json.loads(json.dumps(law.to_json()))) == law
    scope: dict[str, object] = {}
    exec(law.python(), scope)
    point = {"n": 300.0, "T": 3.0, "ami": 0.4}
    value = scope["law"](**point)
    assert math.isclose(value, law.predict({k: np.array([v]) for k, v in point.items()})[0])


def test_held_out_targets_do_not_change_the_law() -> None:
    table = planted_table(seed=8).drop(columns="decoy")
    noisy = table.copy()
    far = noisy["n"] > 800
    noisy.loc[far, "y"] = np.random.default_rng(0).uniform(0, 1, int(far.sum()))
    selected = []
    for version in (table, noisy):
        problem = posed(version, bounds=(0.0, 1.0), hold_out="n > 800")
        found = find_laws(problem.data, problem.held_out, TINY)
        selected.append(laws_document(problem, found, seed=0).law)
    one, other = selected
    assert one.expression == other.expression
    assert one.scores["r2_train"] == other.scores["r2_train"]
    assert one.scores["r2_hold_out"] > 0.9 > other.scores["r2_hold_out"]


def test_workers_do_not_change_the_law() -> None:
    problem = posed(planted_table(seed=9).drop(columns="decoy"), bounds=(0.0, 1.0))
    texts = []
    for jobs in (1, 2):
        options = SearchOptions(engine="operon", budget="tiny", jobs=jobs)
        found = find_laws(problem.data, None, options)
        assert found.selected is not None
        texts.append(found.laws[found.selected].fitted.numeric().text)
    assert texts[0] == texts[1]


def test_seats_only_add_laws_that_extrapolate() -> None:
    """Everything that is found without seats is there with them; what comes in is valid."""
    problem = posed(planted_table(noise=0.2, seed=12), bounds=(0.0, 1.0))
    found = {}
    for seats in (0, problem.data.rules.search.seats):
        search = replace(problem.data.rules.search, seats=seats)
        data = replace(problem.data, rules=replace(problem.data.rules, search=search))
        laws = find_laws(data, None, TINY).laws
        found[seats] = {law.fitted.candidate.tree: law for law in laws}
    without, seated = found.values()
    new = [law for tree, law in seated.items() if tree not in without]
    assert without.keys() <= seated.keys()
    assert len(new) >= 8
    assert all(law.fitted.valid for law in new)
    best = min(float(law.extrapolation.sum()) for law in new)
    assert best < np.median([float(law.extrapolation.sum()) for law in without.values()])


@pytest.mark.parametrize("budget", ["tiny", pytest.param("quick", marks=pytest.mark.slow)])
def test_shuffled_targets_yield_no_law(budget: str) -> None:
    table = planted_table(seed=10)
    table["y"] = np.random.default_rng(5).permutation(table["y"])
    problem = posed(table.drop(columns="decoy") if budget == "tiny" else table)
    options = SearchOptions(engine="grammar", budget=budget, jobs=1)
    found = find_laws(problem.data, None, options)
    selected = laws_document(problem, found, seed=0).law
    assert selected.origin == "mean"
    assert float(selected.expression) == pytest.approx(table["y"].mean())


def test_a_hopeless_time_limit_still_answers_and_says_it_was_cut() -> None:
    problem = posed(planted_table(seed=11).drop(columns="decoy"), bounds=(0.0, 1.0))
    options = SearchOptions(engine="grammar", budget="thorough", time_limit=1.0, jobs=1)
    found = find_laws(problem.data, None, options)
    assert found.cut
    assert found.selected is not None
