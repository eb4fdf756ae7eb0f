"""Roots: does performance go with the square roots of n, T and AMI, and do theory's forms hold?

Question: the published claim is that performance depends on √n, √T and √AMI. Which powers do the
rows ask for, with no form assumed, and how do the additive roots, Maurer's bound and the other
forms of theory do beside the laws that were found, inside and outside?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mtl_laws.pipeline.fit import readable
from mtl_laws.pipeline.laws.evidence.model_free_exponent import model_free_exponent
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.question import pose
from reference_study.searches import FAMILIES, TITLES, family_rows, search

SEED = 0
FORMS = (
    "additive roots",
    "Maurer multi-task bound",
    "Maurer multi-task bound + relatedness",
    "effective sample size",
)


def roots() -> dict[str, Any]:
    """Plain exponents, the found law and the forms of theory, per family."""
    return {name: _family(name) for name in FAMILIES}


def _family(name: str) -> dict[str, Any]:
    found = search(name)
    selected = found.law
    return {
        "title": TITLES[name],
        "target": family_rows(name).target,
        "plain": {factor: _plain(name, factor) for factor in ("n", "T", "ami")},
        "law": {
            "expression": readable(selected.expression),
            "complexity": selected.complexity,
            "uses": [factor for factor in selected.factors if selected.uses(factor)],
            **_scores(selected.scores),
        },
        "forms": {form: _form(found.theory[form]) for form in FORMS},
        "boosting": _scores(found.boosting),
        "rows": len(found.problem.data),
        "rows_outside": 0 if found.problem.held_out is None else len(found.problem.held_out),
    }


def _plain(name: str, factor: str) -> dict[str, Any] | None:
    """The power that all rows of the family ask for, the rows outside included."""
    rows = family_rows(name)
    everywhere = replace(rows, hold_out=None)
    data = pose(rows.table, everywhere.question(), rows.name).data
    found = model_free_exponent(data, factor, SEED)
    if found is None:
        return None
    low, high = found.ci95
    return {
        "value": found.value,
        "low": low,
        "high": high,
        "groups": found.groups,
        "half": low <= 0.5 <= high,
    }


def _scores(scores: Mapping[str, float | None]) -> dict[str, Any]:
    return {
        "inside": scores["r2_train"],
        "extrapolated": scores["r2_extrapolation"],
        "outside": scores["r2_hold_out"],
    }


def _form(law: Law) -> dict[str, Any]:
    """Scores of a form of theory on the same rows."""
    return {"complexity": law.complexity, "valid": law.valid, **_scores(law.scores)}
