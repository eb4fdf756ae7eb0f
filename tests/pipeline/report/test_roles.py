"""One decision on which factor is n, T and the relatedness: in search, record and report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.catalogue import theory
from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.evidence.harm import harm
from mtl_laws.pipeline.laws.factors import find_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Problem, Question, pose
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.report.surface import Surface

FACTORS = ("n", "T", "noise", "rel")
EXPECTED = Roles(size="n", tasks="T", relatedness="rel")
TRUTH = "0.9 - 0.2*noise - 3/sqrt(n*T**rel)"


@pytest.fixture(scope="module")
def problem() -> Problem:
    """`noise` is a fraction that stands before the relatedness, which is empty at T = 1."""
    random = np.random.default_rng(5)
    rows = [
        (n, tasks, noise, rel)
        for n in (50, 100, 200, 400, 800)
        for tasks in (1, 2, 4)
        for noise in (0.0, 0.2, 0.4)
        for rel in ((np.nan,) if tasks == 1 else (0.1, 0.5, 0.9))
    ]
    table = pd.DataFrame(rows, columns=list(FACTORS)).astype(float)
    effective = table["n"] * table["T"] ** table["rel"].fillna(0.0)
    table["y"] = 0.9 - 0.2 * table["noise"] - 3 / np.sqrt(effective)
    table["y"] += random.normal(0, 0.005, len(table))
    return pose(table, Question("y", {f: f for f in FACTORS}, (None, 1), budget="tiny"), "t")


@pytest.fixture(scope="module")
def laws(problem: Problem) -> LawSet:
    found = find_laws(problem.data, None, SearchOptions("grammar", "tiny", jobs=1))
    return laws_document(problem, found, 0).with_rows(problem.rows)


def test_search_record_and_evidence_take_the_factor_that_is_undefined_at_one_task(
    problem: Problem, laws: LawSet, tmp_path: Path
) -> None:
    assert find_roles(problem.data.columns) == EXPECTED
    assert laws.to_json()["data"]["roles"] == {"size": "n", "tasks": "T", "relatedness": "rel"}
    assert LawSet.load(laws.save(tmp_path)).data.roles == EXPECTED
    forms = [form.text for form in theory(problem.data)]
    assert any("rel" in form for form in forms)
    assert not any("noise" in form for form in forms)
    law = Law(expression=TRUTH, factors=FACTORS, complexity=15, valid=True)
    change = harm(law, problem.data)
    assert change is not None
    assert (change.count, change.share) == ("T", "rel")


def test_the_report_reads_the_record_and_does_not_search_again(laws: LawSet) -> None:
    def multitask(roles: Roles | None) -> Roles | None:
        data = laws.data.model_copy(update={"roles": roles})
        return Surface(laws.law, "y", laws.rows, data).multitask

    assert multitask(laws.data.roles) == EXPECTED
    assert multitask(Roles(size="n", tasks="T")) is None
    assert multitask(None) == EXPECTED, "a record made by hand"


def test_a_count_without_rows_of_one_task_is_no_comparison(laws: LawSet) -> None:
    together = laws.rows[laws.rows["T"] > 1].reset_index(drop=True)
    assert Surface(laws.law, "y", together, laws.data).multitask is None


def test_a_fraction_beside_a_count_is_no_relatedness_by_that_alone() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"N": random.uniform(1e6, 1e9, 60), "P": [1.0, 2.0, 4.0] * 20})
    table["dropout"] = random.uniform(0, 0.9, 60)
    table = table.assign(y=1.0, role="fit", cell=range(60))
    law = {"expression": "1/N + P*dropout", "complexity": 7, "valid": True}
    record = {"schema": 2, "target": "y", "factors": ["N", "P", "dropout"]}
    laws = LawSet.from_json({**record, "selected": law, "front": [law]})
    assert Surface(laws.law, "y", table, laws.data).multitask is None
