"""From the result of a search to the `LawSet` that records it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.laws.bands import Certainty, certainty
from mtl_laws.pipeline.laws.direction import lower_is_better
from mtl_laws.pipeline.laws.drift import with_form
from mtl_laws.pipeline.laws.evidence import pooled
from mtl_laws.pipeline.laws.evidence.baseline import baseline
from mtl_laws.pipeline.laws.evidence.extrapolation import UnseenRows
from mtl_laws.pipeline.laws.evidence.factor import factor_evidence
from mtl_laws.pipeline.laws.evidence.harm import harm
from mtl_laws.pipeline.laws.evidence.reach import reach
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.forms import OWN
from mtl_laws.pipeline.laws.intervals import bootstrap, constants, group_intervals, uncertainty
from mtl_laws.pipeline.laws.law import (
    LATEX_DIGITS,
    NOT_FITTED,
    SCORES,
    Constant,
    Interval,
    Law,
    LawDefect,
)
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.noise import reweighted
from mtl_laws.pipeline.laws.outside import Outside
from mtl_laws.pipeline.laws.question import Problem
from mtl_laws.pipeline.laws.record import (
    SEPARATOR,
    Baseline,
    DataRecord,
    FactorEvidence,
    Groups,
    Harm,
    Outlier,
    PooledGain,
    Reach,
)
from mtl_laws.pipeline.laws.rows import Indices, Rows
from mtl_laws.pipeline.laws.score import Fitted, Scored, r_squared, row_errors
from mtl_laws.pipeline.laws.search import SearchResult
from mtl_laws.pipeline.laws.select import distinct
from mtl_laws.pipeline.symbolic.fit import RULES, Fit, fit_constants
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.templates import positive_exponents
from mtl_laws.pipeline.symbolic.tree import Floats, Tree
from mtl_laws.pipeline.symbolic.typeset import formula_latex


class NoLawError(PipelineError):
    """No valid law was found: nothing may be reported as selected."""


def laws_document(
    problem: Problem, result: SearchResult, seed: int, groups: Sequence[str] = ()
) -> LawSet:
    """The laws of a search, without their provenance and without sentences.

    Parameters
    ----------
    groups : columns that the groups are levels of.

    Raises
    ------
    NoLawError
        if no law is valid over the domain.
    """
    if result.selected is None:
        raise NoLawError(
            f"no valid law among {len(result.laws)} for {problem.data.name}: every one leaves the "
            "bounds, has a pole over the domain or depends on a factor where it is undefined; "
            "give wider bounds or a narrower domain"
        )
    data, outliers = problem.data, None
    if result.outliers is not None:
        outliers = reweighted(result.laws[result.selected].fitted, data)
        data = outliers.weighted(data)
    weighted_problem, lower = replace(problem, data=data), lower_is_better(problem.data)

    def record_of(law: Scored) -> Law:
        return law_of(law, data, problem.held_out, seed, problem.small, result.outside)

    laws = {i: record_of(result.laws[i]) for i in {*result.front, result.selected}}
    selected, winner = with_form(laws[result.selected], result), result.laws[result.selected]
    theory = sorted(result.theory, key=lambda law: (not law.fitted.valid, law.error))
    # with the weights of the user: Huber weights belong to the laws, not to the measured gains
    gains = pooled.pooled_gain(selected, problem.data, lower, problem.seeds, seed)
    record: dict[str, Any] = {}
    if outliers is not None and len(outliers.rows):
        record["outliers"] = _outliers(winner.fitted, problem, outliers.rows, outliers.distance)
        record["outlier_count"] = len(outliers.rows)
        record["without_outliers"] = _law_without_outliers(
            winner, weighted_problem, outliers.rows, seed
        )
    if data.group is not None:
        record["groups"] = Groups(
            columns=tuple(groups),
            column=SEPARATOR.join(groups),
            levels=data.levels,
            small=_small_groups(problem.small),
        )
    return LawSet(
        target=data.name,
        factors=data.factors,
        selected=selected,
        front=tuple(_without_uncertainty(law) for law in _front(laws, result, data)),
        theory=tuple(_without_uncertainty(record_of(law)) for law in theory),
        forms=own_forms(result, record_of, data.factors),
        **_evidence(selected, weighted_problem, result, seed, gains),
        paired=None if gains is None else PooledGain.model_validate(gains.to_json()),
        **record,
        rules=data.rules.to_json(),
        data=_data(weighted_problem, result),
    )


def own_forms(
    result: SearchResult, record_of: Callable[[Scored], Law], factors: Sequence[str]
) -> tuple[Law, ...]:
    """The user's own forms as laws, in the order given; those that could not be fitted, too."""
    return tuple(
        _unfitted_law(tree, factors) if law is None else _without_uncertainty(record_of(law))
        for tree, law in result.forms.items()
    )


def _unfitted_law(tree: Tree, factors: Sequence[str]) -> Law:
    """A form that could not be fitted: its template, without scores."""
    return Law(
        expression=tree.text,
        template=tree.text,
        latex=formula_latex(tree.text),
        factors=tuple(dict.fromkeys((*factors, *tree.factors))),
        complexity=tree.complexity,
        scores=dict.fromkeys(SCORES),
        valid=False,
        defects=(LawDefect(kind=NOT_FITTED),),
        origin=OWN,
    )


def _front(laws: Mapping[int, Law], result: SearchResult, data: Rows) -> list[Law]:
    """The laws of the front, simplest first; only the simplest of those that predict the same."""

    def claims(i: int) -> tuple[int, float]:
        return result.laws[i].fitted.complexity, result.laws[i].error

    levels, tolerance = _levels(data), data.rules.selection.same * math.sqrt(data.variance)
    with np.errstate(all="ignore"):
        predictions = {i: law.predict(data.filled, levels) for i, law in laws.items()}
    order = sorted(laws, key=lambda i: (i != result.selected, *claims(i)))
    distinct_laws = distinct(order, result.laws, predictions, tolerance)
    return [laws[i] for i in sorted(distinct_laws, key=claims)]


def _evidence(
    selected: Law,
    problem: Problem,
    result: SearchResult,
    seed: int,
    gains: pooled.PooledGain | None,
) -> dict[str, Any]:
    """Evidence for each factor, and the baseline, as fields of the record.

    With groups, only what does not need one set of constants.
    """
    data = problem.data.subsample(problem.data.rules.data.max_cells, seed)
    boosting = baseline(data, problem.held_out, seed)
    unseen = UnseenRows(data=result.data, folds=result.extrapolation, held_out=problem.held_out)
    record: dict[str, Any] = {
        "reference": Baseline.model_validate(boosting.to_json()),
        "bands": _certainty(selected, problem),
        "reach": tuple(
            Reach.model_validate(each.to_json()) for each in reach(selected, problem.data, unseen)
        ),
    }
    if data.group is not None:
        evidence = [FactorEvidence(factor=f, in_law=selected.uses(f)) for f in data.factors]
        return {**record, "evidence": tuple(evidence)}
    parts = factor_evidence(selected, result.laws, data, seed, refit=not result.cut)
    change = harm(selected, data, lower_is_better(data), gains)
    return {
        **record,
        "evidence": tuple(FactorEvidence.model_validate(part.to_json()) for part in parts),
        "transfer": None if change is None else Harm.model_validate(change.to_json()),
    }


def _certainty(law: Law, problem: Problem) -> Certainty | None:
    """Width of the law's bands on the rows, and their coverage."""
    data, held_out = problem.data, problem.held_out
    bands = law.bands(data.columns, _levels(data))
    if held_out is None:
        return certainty(bands, data.target, None, data.target)
    return certainty(
        bands, data.target, law.bands(held_out.columns, _levels(held_out)), held_out.target
    )


def _levels(data: Rows) -> list[str] | None:
    """Level of every row; None without groups."""
    return None if data.group is None else [data.levels[k] for k in data.group]


def law_of(
    law: Scored,
    data: Rows,
    held_out: Rows | None,
    seed: int,
    small: Rows | None = None,
    outside: Outside | None = None,
) -> Law:
    """A scored law with its constants on all rows, their intervals, and its scores everywhere.

    Parameters
    ----------
    small : rows of groups that are too small for constants of their own.
    outside : what extrapolated R² is computed by; None for 1 − the mean loss.
    """
    fitted = _on_all_rows(law.fitted, data)
    expression, fit, shared = fitted.expression, fitted.fit, fitted.shared
    draws = bootstrap(expression, fit, data, seed, shared)
    record: dict[str, Any] = {}
    if data.group is None:
        record["constants"] = constants(expression, fit, data, seed, draws)
    else:
        if small is not None:
            fit, draws = _small_group_fit(fitted, draws, data, small)
            fitted = replace(fitted, fit=fit)
        record |= _constants_by_group(fitted, draws, data)
    numeric = fitted.numeric()
    extrapolated = {} if outside is None else {"r2_extrapolation": outside.r2(law)}
    return Law(
        expression=numeric.text,
        template=expression.text,
        latex=formula_latex(
            numeric.text if data.group is None else expression.text, digits=LATEX_DIGITS
        ),
        factors=data.factors,
        complexity=numeric.complexity,
        scores=_scores(law, fitted, data, held_out) | extrapolated,
        valid=fitted.valid,
        defects=tuple(
            LawDefect(**each.to_json()) for each in (fitted.defect, fitted.limits) if each
        ),
        origin=fitted.candidate.origin,
        uncertainty=uncertainty(expression, fit, data, draws, shared),
        **record,
    )


def _constants_by_group(fitted: Fitted, draws: Floats, data: Rows) -> dict[str, Any]:
    """Shared constants with their intervals, and those of each group."""
    expression, theta, shared = fitted.expression, fitted.fit.theta, fitted.shared
    intervals = group_intervals(expression, fitted.fit, data, draws)
    own = [name for name in expression.constants if name not in shared]
    place = {name: p for p, name in enumerate(expression.constants)}
    first = next(iter(intervals.values()))
    record = {
        "constants": {
            name: Constant(
                value=float(theta[0, place[name]]), **_shared_interval(first, name, draws, place)
            )
            for name in shared
        },
        "shared": shared,
    }
    if own:
        record["group_constants"] = {
            level: {name: float(theta[k, place[name]]) for name in own}
            for k, level in enumerate(data.levels)
        }
        record["group_intervals"] = {
            level: {name: each[name] for name in own} for level, each in intervals.items()
        }
    return record


def _shared_interval(
    intervals: dict[str, Interval], name: str, draws: Floats, place: dict[str, int]
) -> dict[str, Any]:
    """Standard error and interval of a constant that all groups share."""
    column = draws[:, 0, place[name]] if len(draws) else np.zeros(0)
    if len(column) < 2:
        return {"reason": intervals[name].reason}
    low, high = np.percentile(column, [2.5, 97.5])
    return {"se": float(column.std(ddof=1)), "ci95": (float(low), float(high))}


def _small_group_fit(fitted: Fitted, draws: Floats, data: Rows, small: Rows) -> tuple[Fit, Floats]:
    """The fit and draws with constants for small groups, fitted to all rows as one group.

    Shared constants stay as they are.
    """
    places = np.unique(small.group_index)
    theta, small_draws = fitted.fit.theta.copy(), draws.copy()
    large_groups = np.setdiff1d(np.unique(data.group_index), places)
    start = np.median(theta[large_groups], axis=0)
    names = fitted.expression.constants
    shared = {name: float(start[p]) for p, name in enumerate(names) if name in fitted.shared}
    free = [p for p, name in enumerate(names) if name not in fitted.shared]
    partial = compiled(fitted.expression.tree.with_constants(shared))
    all_rows = replace(data.sample, group=None, groups=1)
    pooled_fit = fit_constants(partial, all_rows, start[None, free], 100)
    theta[places] = start
    if pooled_fit is not None:
        theta[places[:, None], free] = pooled_fit.theta
    spread = np.median(draws[:, large_groups], axis=1, keepdims=True) - start
    small_draws[:, places] = theta[places] + spread
    return Fit(theta, fitted.fit.error), small_draws


def _small_groups(small: Rows | None) -> dict[str, int]:
    """Level -> rows, of the groups that are too small for constants of their own."""
    if small is None:
        return {}
    places, count = np.unique(small.group_index, return_counts=True)
    return {small.levels[k]: int(rows) for k, rows in zip(places, count, strict=True)}


def _on_all_rows(fitted: Fitted, data: Rows) -> Fitted:
    """The law refitted to full precision on every row; the search may have used a subsample."""
    start = fitted.fit.theta[None, ...]
    fit = fit_constants(
        fitted.expression, data.sample, start, 200, RULES.exact, shared=fitted.shared
    )
    return _with_positive_exponents(fitted if fit is None else replace(fitted, fit=fit))


def _with_positive_exponents(fitted: Fitted) -> Fitted:
    """The same law with quotients inverted whose exponent is negative in all groups.

    An own form stays as the user wrote it.
    """
    names, theta = fitted.expression.constants, fitted.fit.theta
    mask = np.asarray(np.all(np.atleast_2d(theta) < 0.0, axis=0))
    negative = [name for name, each in zip(names, mask, strict=True) if each]
    tree, flips = positive_exponents(fitted.expression.tree, negative)
    if fitted.candidate.origin == OWN or tree == fitted.expression.tree:
        return fitted
    sign = np.array([-1.0 if name in flips else 1.0 for name in names])
    fit = replace(fitted.fit, theta=theta * sign)
    return replace(fitted, expression=compiled(tree), fit=fit)


def _scores(
    law: Scored, fitted: Fitted, data: Rows, held_out: Rows | None
) -> dict[str, float | None]:
    """R² and root mean squared errors; R² of fractions of each group's own variance."""
    squares = row_errors(fitted.expression, fitted.fit, data)
    fractions = {
        "train": _finite(float(np.average(squares / data.scale, weights=data.weights))),
        "cv": _mean_loss(law.random),
        "extrapolation": _mean_loss(law.extrapolation),
    }
    scores: dict[str, float | None] = {}
    for name, fraction in fractions.items():
        scores[f"r2_{name}"] = None if fraction is None else 1.0 - fraction
    scores["r2_hold_out"], squared = _held_out(fitted, held_out)
    train = _finite(float(np.average(squares, weights=data.weights)))
    scores["rmse_train"] = None if train is None else math.sqrt(train)
    for name in ("cv", "extrapolation"):
        fraction = fractions[name]
        scores[f"rmse_{name}"] = None if fraction is None else math.sqrt(fraction * data.variance)
    scores["rmse_hold_out"] = None if squared is None else math.sqrt(squared)
    return scores


def _mean_loss(loss: Floats) -> float | None:
    return _finite(float(loss.sum(axis=1).mean())) if len(loss) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _held_out(fitted: Fitted, held_out: Rows | None) -> tuple[float | None, float | None]:
    """R² and mean squared error on the held-out rows, used only here, after selection."""
    if held_out is None:
        return None, None
    prediction = fitted.predict(held_out)
    r2 = r_squared(held_out.target, prediction, held_out.group)
    error = float(np.mean((held_out.target - prediction) ** 2))
    return (None if r2 is None else _finite(r2)), _finite(error)


def _outliers(
    fitted: Fitted, problem: Problem, rows: Indices, distance: Floats
) -> tuple[Outlier, ...]:
    """The outliers, or the farthest of them, in the order of the table."""
    data = problem.data
    prediction = fitted.predict(data)
    farthest = np.argsort(-np.abs(distance[rows]), kind="stable")[: data.rules.noise.listed]
    return tuple(
        Outlier(
            row=int(problem.places[i]),
            group=None if data.group is None else data.levels[data.group[i]],
            factors={name: _finite(float(c[i])) for name, c in data.columns.items()},
            value=float(data.target[i]),
            predicted=float(prediction[i]),
            residual_sd=float(distance[i]),
        )
        for i in np.sort(rows[farthest])
    )


def _law_without_outliers(law: Scored, problem: Problem, rows: Indices, seed: int) -> Law:
    """The same form fitted without the outliers."""
    inliers = np.setdiff1d(np.arange(len(problem.data)), rows)
    inlier_rows = replace(problem.data, precision=None).take(inliers)
    return _without_uncertainty(law_of(law, inlier_rows, problem.held_out, seed, problem.small))


def _without_uncertainty(law: Law) -> Law:
    """A law shown beside the selected one, without the record of its bands."""
    return law.model_copy(update={"uncertainty": None})


def _data(problem: Problem, result: SearchResult) -> DataRecord:
    data, held_out = problem.data, problem.held_out
    variance = data.replicate_variance
    low, high = (_finite(bound) for bound in data.bounds)
    return DataRecord(
        rows=len(problem.rows),
        rows_fit=int((problem.rows["role"] == "fit").sum()),
        rows_hold_out=len(held_out) if held_out is not None else 0,
        cells=len(np.unique(problem.rows["cell"])),
        digest=data.digest(),
        ranges={
            name: (float(np.nanmin(column)), float(np.nanmax(column)))
            for name, column in data.columns.items()
        },
        domain={name: data.domains[name] for name in data.factors},
        bounds=(low, high),
        replicate_sd=None if variance is None else math.sqrt(variance),
        folds=tuple(fold.name for fold in result.extrapolation),
        loss="squares" if result.outliers is None else "huber",
        weights=problem.weighting,
        roles=task_roles(data.columns),
        lower_is_better=lower_is_better(data),
    )
