"""From the result of a search to the `LawSet` that records it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.laws.bands import Certainty, certainty
from pipeline.laws.evidence.ablation import evidence
from pipeline.laws.evidence.baseline import reference
from pipeline.laws.evidence.harm import transfer
from pipeline.laws.intervals import bootstrap, constants, uncertainty
from pipeline.laws.law import LATEX_DIGITS, Law
from pipeline.laws.lawset import LawSet
from pipeline.laws.question import Problem
from pipeline.laws.record import Baseline, DataRecord, FactorEvidence, Harm
from pipeline.laws.rows import Rows
from pipeline.laws.score import Fitted, Scored, r_squared, row_errors
from pipeline.laws.search import MAX_CELLS, SearchResult
from pipeline.laws.verdicts import on_certainty, on_reference, on_theory, on_transfer
from pipeline.symbolic.fit import EXACT, fit_constants
from pipeline.symbolic.tree import Floats
from pipeline.symbolic.typeset import formula_latex

NOT_ASKED = (
    "How often each factor would win by luck was not asked: the time limit had cut the search."
)


class NoLawError(PipelineError):
    """No valid law was found: nothing may be reported as selected."""


def laws_document(problem: Problem, found: SearchResult, seed: int) -> LawSet:
    """The laws of a search, without their provenance.

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
    laws = {
        i: law_of(found.laws[i], problem.data, problem.held_out, seed)
        for i in {*found.front, found.selected}
    }
    selected = laws[found.selected]
    theory = [law_of(law, problem.data, problem.held_out, seed) for law in _ranked(found.theory)]
    return LawSet(
        target=problem.data.name,
        factors=problem.data.factors,
        selected=selected,
        front=tuple(_beside(laws[i]) for i in sorted(laws, key=_by_size(found))),
        theory=tuple(_beside(law) for law in theory),
        **_evidence(selected, theory, problem, found, seed),
        rules=problem.data.rules.to_json(),
        data=_data(problem, found),
    )


def _evidence(
    selected: Law, theory: Sequence[Law], problem: Problem, found: SearchResult, seed: int
) -> dict[str, Any]:
    """Evidence for each factor, the law beside other predictors, and verdicts in words."""
    data = problem.data.subsample(MAX_CELLS, seed)
    findings = evidence(selected, found.laws, data, seed, refit_pool=not found.cut)
    beside, change = reference(data, problem.held_out, seed), transfer(selected, data)
    sure = _certainty(selected, problem)
    verdicts = (
        on_theory(selected, theory),
        on_reference(selected, beside),
        on_certainty(data.name, sure, selected.uncertainty),
        on_transfer(data.name, change),
        NOT_ASKED if found.cut else "",
    )
    return {
        "evidence": tuple(FactorEvidence.model_validate(one.to_json()) for one in findings),
        "reference": Baseline.model_validate(beside),
        "bands": sure,
        "transfer": None if change is None else Harm.model_validate(change.to_json()),
        "verdicts": tuple(verdict for verdict in verdicts if verdict),
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
    """A scored law with its constants on all rows, their intervals, and its scores everywhere."""
    fitted = _on_all_rows(law.fitted, data)
    expression = fitted.expression
    numeric = fitted.numeric()
    draws = bootstrap(expression, fitted.fit, data, seed)
    return Law(
        expression=numeric.text,
        template=expression.text,
        latex=formula_latex(numeric.text, digits=LATEX_DIGITS),
        factors=data.factors,
        complexity=numeric.complexity,
        constants=constants(expression, fitted.fit, data, seed, draws),
        scores=_scores(law, fitted, data, held_out),
        valid=fitted.valid,
        reason=fitted.reason,
        limits=fitted.limits,
        origin=fitted.candidate.origin,
        uncertainty=uncertainty(expression, fitted.fit, data, draws),
    )


def _on_all_rows(fitted: Fitted, data: Rows) -> Fitted:
    """The law with its constants to the last digit, on every row where the search saw only some."""
    start = fitted.fit.theta[None, :]
    fit = fit_constants(fitted.expression, data.sample, start, 200, EXACT)
    if fit is None:
        return fitted
    return Fitted(
        fitted.candidate, fitted.expression, fit, fitted.complexity, fitted.reason, fitted.limits
    )


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


def _beside(law: Law) -> Law:
    """A law that is shown beside the selected one: without what only bands need."""
    return law.model_copy(update={"uncertainty": None})


def _data(problem: Problem, found: SearchResult) -> DataRecord:
    data, held_out = problem.data, problem.held_out
    variance = data.replicate_variance
    low, high = (_finite(bound) for bound in data.bounds)
    return DataRecord(
        rows=len(problem.rows),
        rows_fit=len(data),
        rows_hold_out=len(held_out) if held_out is not None else 0,
        cells=len(np.unique(problem.rows["cell"])),
        digest=data.digest(),
        ranges={name: _range(column) for name, column in data.columns.items()},
        domain={name: data.domains[name] for name in data.factors},
        bounds=(low, high),
        replicate_sd=None if variance is None else math.sqrt(variance),
        folds=tuple(fold.name for fold in found.extrapolation),
        notes=tuple(problem.notes),
    )


def _range(column: Floats) -> tuple[float, float]:
    return float(np.nanmin(column)), float(np.nanmax(column))
