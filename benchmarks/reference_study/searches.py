"""The law searches of the findings: one per family, and the same for every question on laws.

The grammar searches, beside the forms of theory; budget and seed are fixed, so the laws are the
same on every machine up to rounding. Laws see the rows inside and are scored on those outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.document import law_of
from mtl_laws.pipeline.laws.evidence.baseline import baseline
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.question import Problem, pose
from mtl_laws.pipeline.laws.score import Scored
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from reference_study.estimates import Floats
from reference_study.forms import Subset
from reference_study.tables import runs

ENGINE, BUDGET, SEED, JOBS = "grammar", "quick", 0, 2
FAMILIES = ("shared", "private", "channel")
TITLES = {
    "shared": "teacher, shared features",
    "private": "teacher, private features",
    "channel": "channel",
}


@dataclass(frozen=True)
class Found:
    """What a search gave: the selected law, the forms of theory by name, and a plain predictor.

    Attributes
    ----------
    boosting : R² of gradient boosting, by the names of a law's scores.
    """

    law: Law
    theory: dict[str, Law]
    boosting: dict[str, float | None]
    problem: Problem


def family_rows(name: str) -> Subset:
    """The rows of one family: teachers on shared or private features, or the channel."""
    if name == "channel":
        table = runs("published-balanced")
        return Subset(TITLES[name], table, "macro_f1", "n > 2000 or T > 9")
    table = runs("teacher-relatedness")
    overlap = 1.0 if name == "shared" else 0.0
    kept = table[table["feature_overlap"] == overlap].reset_index(drop=True)
    return Subset(TITLES[name], kept, "accuracy", "n > 2000 or T > 6")


@cache
def search(name: str) -> Found:
    """The law of a family, the forms of theory and gradient boosting on the same rows."""
    rows = family_rows(name)
    problem = pose(rows.table, rows.question(), rows.name)
    found = find_laws(
        problem.data, problem.held_out, SearchOptions(ENGINE, BUDGET, None, SEED, JOBS)
    )
    if found.selected is None:
        raise ValueError(f"no law is valid for {rows.name}")

    def law(scored: Scored) -> Law:
        return law_of(scored, problem.data, problem.held_out, SEED, outside=found.outside)

    theory = {
        form.fitted.candidate.origin.removeprefix("theory: "): law(form) for form in found.theory
    }
    beside = dict(baseline(problem.data, problem.held_out, SEED).scores)
    return Found(law(found.laws[found.selected]), theory, beside, problem)


def multi_task(name: str) -> pd.DataFrame:
    """The multi-task rows of a family."""
    table = family_rows(name).table
    return table[table["T"] > 1].reset_index(drop=True)


def predict(law: Law, n: Floats, T: Floats, ami: Floats | None) -> Floats:
    """Value (N,) of a law; where there is no AMI (None), its mean over the AMI's domain."""
    levels = [ami] if ami is not None else list(np.linspace(0.0, 1.0, 5))
    values = [law.predict({"n": n, "T": T, "ami": np.broadcast_to(x, n.shape)}) for x in levels]
    return np.asarray(np.mean(values, axis=0), dtype=np.float64)
