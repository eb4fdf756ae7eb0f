"""`laws.json`: what a search found, as one document (schema 1, see docs/laws-json.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.laws.bands import Certainty, certainty
from pipeline.laws.evidence.baseline import baseline
from pipeline.laws.evidence.factor import factor_evidence
from pipeline.laws.evidence.harm import harm
from pipeline.laws.intervals import bootstrap, constants, uncertainty
from pipeline.laws.law import Law
from pipeline.laws.question import Problem
from pipeline.laws.rows import Rows
from pipeline.laws.score import Fitted, Scored, r_squared, row_errors
from pipeline.laws.search import MAX_CELLS, SearchResult
from pipeline.symbolic.fit import EXACT, fit_constants
from pipeline.symbolic.tree import Floats
from pipeline.symbolic.typeset import formula_latex

SCHEMA = 1
#: significant digits of the numbers in a law's LaTeX
LATEX_DIGITS = 6


class NoLawError(PipelineError):
    """No valid law was found: nothing may be reported as selected."""


def laws_document(problem: Problem, found: SearchResult, seed: int) -> dict[str, Any]:
    """The document without its provenance and its sentences.

    Raises
    ------
    NoLawError
        if no law is valid over the domain.
    """
    if found.selected is None:
        raise NoLawError(
            f"no valid law among {len(found.laws)} for {problem.data.name}: every one leaves the "
            "bounds or has a pole over the domain; give wider --bounds or a narrower --domain"
        )
    records = {
        i: law_of(found.laws[i], problem.data, problem.held_out, seed)
        for i in {*found.front, found.selected}
    }
    selected = records[found.selected]
    theory = [
        (law, law_of(law, problem.data, problem.held_out, seed)) for law in _ranked(found.theory)
    ]
    return {
        "schema": SCHEMA,
        "target": problem.data.name,
        "factors": list(problem.data.factors),
        "selected": _record(selected, found.laws[found.selected]),
        "front": [_beside(records[i], found.laws[i]) for i in sorted(records, key=_by_size(found))],
        "theory": [_beside(law, scored) for scored, law in theory],
        **_evidence(selected, problem, found, seed),
        "data": _data(problem, found),
    }


def _evidence(selected: Law, problem: Problem, found: SearchResult, seed: int) -> dict[str, Any]:
    """Evidence for each factor, and the law beside other predictors, in numbers."""
    data = problem.data.subsample(MAX_CELLS, seed)
    evidence = factor_evidence(selected, found.laws, data, seed, refit=not found.cut)
    change, sure = harm(selected, data), _certainty(selected, problem)
    return {
        "evidence": [one.to_json() for one in evidence],
        "reference": baseline(data, problem.held_out, seed).to_json(),
        "bands": None if sure is None else sure.to_json(),
        "transfer": None if change is None else change.to_json(),
    }


def _certainty(law: Law, problem: Problem) -> Certainty | None:
    """How sure the law is on the rows, and how many of them its bands hold."""
    data, rest = problem.data, problem.held_out
    if rest is None:
        return certainty(law.bands(data.columns), data.target, None, data.target)
    return certainty(law.bands(data.columns), data.target, law.bands(rest.columns), rest.target)


def _by_size(found: SearchResult) -> Any:
    return lambda i: (found.laws[i].fitted.complexity, found.laws[i].error)


def _ranked(theory: Sequence[Scored]) -> list[Scored]:
    return sorted(theory, key=lambda law: (not law.fitted.valid, law.error))


def law_of(law: Scored, data: Rows, held_out: Rows | None, seed: int) -> Law:
    """A scored law with its constants on all rows, their intervals, and its scores everywhere.

    Its `reason` and `limits` are the kinds of its defects.
    """
    fitted = _on_all_rows(law.fitted, data)
    expression = fitted.expression
    numeric = fitted.numeric()
    draws = bootstrap(expression, fitted.fit, data, seed)
    return Law(
        numeric.text,
        expression.text,
        data.factors,
        numeric.complexity,
        constants(expression, fitted.fit, data, seed, draws),
        _scores(law, fitted, data, held_out),
        fitted.valid,
        fitted.defect.kind if fitted.defect else "",
        fitted.limits.kind if fitted.limits else "",
        fitted.candidate.origin,
        uncertainty(expression, fitted.fit, data, draws),
    )


def _on_all_rows(fitted: Fitted, data: Rows) -> Fitted:
    """The law with its constants to the last digit, on every row where the search saw only some."""
    start = fitted.fit.theta[None, :]
    fit = fit_constants(fitted.expression, data.sample, start, 200, EXACT)
    return fitted if fit is None else replace(fitted, fit=fit)


def _scores(
    law: Scored, fitted: Fitted, data: Rows, held_out: Rows | None
) -> dict[str, float | None]:
    variance, squares = data.variance, row_errors(fitted.expression, fitted.fit, data)
    errors = {
        "train": _finite(float(np.average(squares, weights=data.weights))),
        "cv": _mean_loss(law.grouped, variance),
        "extrapolation": _mean_loss(law.extrapolation, variance),
    }
    scores: dict[str, float | None] = {}
    for name, error in errors.items():
        scores[f"r2_{name}"] = None if error is None else 1.0 - error / variance
    scores["r2_hold_out"], squared = _held_out(fitted, held_out)
    for name, error in {**errors, "hold_out": squared}.items():
        scores[f"rmse_{name}"] = None if error is None else math.sqrt(error)
    return scores


def _mean_loss(loss: Floats, variance: float) -> float | None:
    return _finite(float(loss.sum(axis=1).mean()) * variance) if len(loss) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _held_out(fitted: Fitted, held_out: Rows | None) -> tuple[float | None, float | None]:
    """R² and mean squared error on the rows kept out; touched here, after selection, only."""
    if held_out is None:
        return None, None
    predicted = fitted.predict(held_out)
    r2 = r_squared(held_out.target, predicted)
    error = float(np.mean((held_out.target - predicted) ** 2))
    return (None if r2 is None else _finite(r2)), _finite(error)


def _record(law: Law, scored: Scored) -> dict[str, Any]:
    defects = [one.to_json() for one in (scored.fitted.defect, scored.fitted.limits) if one]
    latex = formula_latex(law.expression, digits=LATEX_DIGITS)
    return {**law.to_json(), "defects": defects, "latex": latex}


def _beside(law: Law, scored: Scored) -> dict[str, Any]:
    """A law that is shown beside the selected one: without what only bands need."""
    return _record(replace(law, uncertainty=None), scored)


def _data(problem: Problem, found: SearchResult) -> dict[str, Any]:
    data, held_out = problem.data, problem.held_out
    variance = data.replicate_variance
    return {
        "rows": len(problem.rows),
        "rows_fit": len(data),
        "rows_hold_out": len(held_out) if held_out is not None else 0,
        "cells": len(np.unique(problem.rows["cell"])),
        "digest": data.digest(),
        "ranges": {name: _range(column) for name, column in data.columns.items()},
        "domain": {name: list(data.domains[name]) for name in data.factors},
        "bounds": [_finite(bound) for bound in data.bounds],
        "replicate_sd": None if variance is None else math.sqrt(variance),
        "folds": [fold.name for fold in found.extrapolation],
        "notes": list(problem.notes),
    }


def _range(column: Floats) -> list[float]:
    return [float(np.nanmin(column)), float(np.nanmax(column))]
