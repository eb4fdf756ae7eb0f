"""One contract for all engines, the grammar's forms, and what PySR is asked for."""

from __future__ import annotations

import os
from itertools import product

import numpy as np
import pytest

from mtl_laws.pipeline.errors import EngineNotReadyError, UserError
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.engines import ENGINES, Request
from mtl_laws.pipeline.symbolic.engines.forms import (
    SCREENING,
    Form,
    effective_sizes,
    larger_sizes,
    screening_forms,
)
from mtl_laws.pipeline.symbolic.engines.grammar import Ranked, best_of_each_size, rank
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.pipeline.symbolic.engines.registry import choose
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.testing import EngineContract
from support.planted import planted_table


def data() -> Rows:
    table = planted_table(noise=0.01).drop(columns="decoy")
    return pose(table, Question("y", {name: name for name in ("n", "T", "ami")}), "planted").data


@pytest.mark.parametrize("name", list(ENGINES))
class TestEngines(EngineContract):
    """Every registered engine."""

    @pytest.fixture(autouse=True)
    def _named(self, name: str) -> None:
        self.name = name


def test_the_grammar_grows_with_the_kinds_of_factors() -> None:
    kinds = classify(dict(data().columns))
    sizes = list(effective_sizes(kinds))
    assert "n*(1 + (T - 1)*ami)" in sizes
    assert "n*T**ami" in sizes
    forms = [form.text for form in screening_forms(kinds)]
    assert len(forms) == len(set(forms)) > 80
    for text in forms:
        Expression.parse(text, ("n", "T", "ami"))


def test_auxiliary_tokens_that_may_be_none_are_added_to_the_main_ones() -> None:
    columns = {"n": [50.0, 900], "m": [0.0, 900], "T": [2.0, 4], "ami": [0.1, 0.9]}
    kinds = classify({name: np.array(column) for name, column in columns.items()})
    assert (kinds.amounts, kinds.counts) == (("m",), ("T",))
    sizes = list(effective_sizes(kinds))
    assert {"n + ?*m", "n*(1 + m)**?", "n + ?*(T - 1)*m*ami"} <= set(sizes)
    grown = [form.size for form in larger_sizes(Form(SCREENING, "n + ?*m"), kinds)]
    assert {"(n + ?*m)*(1 - ?*ami)", "n + ?*m + ?*T"} <= set(grown)


def test_every_set_of_factors_keeps_a_place_among_the_best() -> None:
    lucky = [Ranked(Form("{u}", f"decoy{k}"), 0.1, 9, ("decoy", "n")) for k in range(20)]
    plain = Ranked(Form("{u}", "n"), 0.11, 9, ("n",))
    kept = best_of_each_size([*lucky, plain], 3)
    assert plain in kept
    assert len(kept) == 4


@pytest.mark.slow
def test_the_grammar_finds_a_law_of_five_factors() -> None:
    levels = ((100, 400, 1600), (0, 400, 1600), (2, 4), (0.1, 0.5, 0.9), (0.0, 0.2, 0.4))
    n, m, T, ami, noise = np.array(list(product(*levels)), dtype=float).T
    columns = {"n": n, "m": m, "T": T, "ami": ami, "noise": noise}
    u = (n + 0.6 * (T - 1) * m * ami) * (1 - 0.8 * noise)
    target = 0.9 - 1.1 * u**-0.35 + np.random.default_rng(0).normal(0, 0.003, len(n))
    sample = Sample(columns, target, np.ones(len(n)))
    best = min(rank(Request(sample, 240_000, seed=0)), key=lambda ranked: ranked.error)
    assert 1 - best.error / np.sum((target - target.mean()) ** 2) > 0.995


def test_without_julia_pysr_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXE", "PROJECT"):  # of juliacall from 0.9.28 on, of juliapkg before
        monkeypatch.setenv(f"PYTHON_JULIACALL_{name}", os.devnull + "/julia")
        monkeypatch.setenv(f"PYTHON_JULIAPKG_{name}", os.devnull + "/julia")
    monkeypatch.setenv("PYTHON_JULIAPKG_OFFLINE", "yes")
    readiness = PySR().readiness()
    assert not readiness.ready
    with pytest.raises(EngineNotReadyError, match="no Julia"):
        choose("pysr")
    pytest.importorskip("pyoperon")
    assert choose("auto").used == "operon"
    assert "no Julia" in choose("auto").reason


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UserError, match="operon"):
        choose("opern")
