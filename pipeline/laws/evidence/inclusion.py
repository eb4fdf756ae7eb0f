"""Inclusion: how often laws with a factor clearly win on random halves of the cells.

The competitors of a factor (`ablation`) are refitted on each half. The factor wins where the best
law with it beats the best law without it by strong evidence. Halves are used as in stability
selection (Meinshausen and Bühlmann 2010), since a bootstrap repeats cells and so favours longer
laws. The same with the factor's values permuted among cells gives the wins by chance. All fits are
to means over cells.

Notation
--------
M : halves.    C : cells in a half.    N : merged rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtl_laws.pipeline.laws.evidence.ablation import Competitor, bic_of_error
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import seed_of
from mtl_laws.pipeline.symbolic.fit import descend, fit_constants
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.uncertainty import rank


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """Fractions of halves on which the best law with the factor clearly beats the best without.

    Attributes
    ----------
    observed : on the rows as they are.
    permuted : with the factor's values permuted among cells.
    """

    observed: float
    permuted: float


def inclusion(laws: Sequence[Competitor], factor: str, means: Rows, seed: int) -> Inclusion | None:
    """Inclusion of one factor; None where no law uses it, or there are many rows.

    Parameters
    ----------
    laws : the factor's competitors.
    means : the rows by cell, from `cell_means`.
    """
    rules = means.rules.evidence
    if not any(law.uses(factor) for law in laws) or len(means.sample) > rules.max_rows:
        return None
    weights = _halves(means, seed)
    scores = [_bic(law, law.theta, means, weights) for law in laws]
    rounds = []
    for k, part in enumerate(np.array_split(np.arange(rules.halves), rules.permutations)):
        permuted_means = permuted(means, factor, [seed, 41, k])
        half_weights = _halves(permuted_means, seed)[part]
        permuted_scores = [
            _bic(law, _constants_on(law, permuted_means, seed), permuted_means, half_weights)
            if law.uses(factor)
            else score[part]
            for law, score in zip(laws, scores, strict=True)
        ]
        rounds.append(_lead(laws, permuted_scores, factor))
    return Inclusion(
        observed=float(np.mean(_lead(laws, scores, factor) > rules.clear)),
        permuted=float(np.mean(np.concatenate(rounds) > rules.clear)),
    )


def permuted(data: Rows, factor: str, seed: Sequence[int]) -> Rows:
    """The rows with the factor's values permuted among the cells that have one.

    Replicates of a cell keep one value together: the mean of the cell's own.
    """
    column = data.columns[factor]
    defined = ~np.isnan(column)
    _, index = np.unique(data.cell[defined], return_inverse=True)
    index = index.ravel()
    cell_values = np.bincount(index, column[defined]) / np.bincount(index)
    values = column.copy()
    values[defined] = np.random.default_rng(seed).permutation(cell_values)[index]
    return replace(data, columns={**data.columns, factor: values})


def _constants_on(law: Competitor, data: Rows, seed: int) -> Floats:
    """Constants on permuted rows, from several starts and those of the rows as they are."""
    rules, expression = data.rules.evidence, law.expression
    fresh = propose_starts(expression, data.sample, rules.starts, seed_of(expression.text, seed))
    starts = np.vstack([law.theta[None, :], fresh])
    fit = fit_constants(expression, data.sample, starts, rules.first_iterations, rules.tolerance)
    return law.theta if fit is None else fit.theta


def _halves(data: Rows, seed: int) -> Floats:
    """Weights (M, N) of the merged rows on halves of the cells: the same draws for every law."""
    cells, index = np.unique(data.merged_cell, return_inverse=True)
    draws = np.random.default_rng([seed, 37]).random((data.rules.evidence.halves, len(cells)))
    members = draws.argsort(axis=1) < _half(len(cells))
    return np.asarray(members[:, index.ravel()] * data.sample.weight, dtype=float)


def _half(cells: int) -> int:
    return (cells + 1) // 2


def _bic(law: Competitor, theta: Floats, data: Rows, weights: Floats) -> Floats:
    """BIC (M,) of a law on every half, its constants refitted there from `theta`."""
    rules, expression = data.rules.evidence, law.expression
    if expression.constants:
        start = np.repeat(theta[None, :], len(weights), axis=0)
        sample = data.sample.weighted(weights)
        _, error = descend(expression, sample, start, rules.iterations, rules.tolerance)
    else:
        with np.errstate(all="ignore"):
            residual = data.sample.target - expression.evaluate(data.sample.columns)
            error = np.sum(weights * residual**2, axis=1)
    cells = _half(len(np.unique(data.cell)))
    return bic_of_error(error, weights.sum(axis=1), cells, rank(expression, theta, data.sample))


def _lead(laws: Sequence[Competitor], scores: Sequence[Floats], factor: str) -> Floats:
    """By how much the best law with the factor leads (M,): BIC without it minus BIC with it."""
    sides: dict[bool, list[Floats]] = {True: [], False: []}
    for law, score in zip(laws, scores, strict=True):
        sides[law.uses(factor)].append(score)
    if not sides[False]:
        return np.full(len(scores[0]), np.inf)
    return np.asarray(np.min(sides[False], axis=0) - np.min(sides[True], axis=0))
