"""Inclusion: how often a factor is in the law that wins on resampled cells, and when shuffled.

The laws that were found are fitted again, not searched for again. Each factor has a pool of its
own: the best laws with it, for each of them the same law with the factor put to 1 and put to a
constant, and the best laws without it. On random halves of the cells all of them are refitted, and
the one of least BIC wins. (Halves, as in stability selection, Meinshausen and Bühlmann 2010: drawn
with replacement, cells come twice and longer laws win by that alone.) Then the factor's values are
permuted among the cells that have one, and the same is done: what it wins there, it wins by luck.

Notation
--------
M : halves.    C : cells in a half.    N : merged rows.    L : laws of a pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.exponents import rank
from pipeline.laws.expression import Expression, Floats, substitute
from pipeline.laws.refit import Fit, descend, fit_constants, propose_starts
from pipeline.laws.scoring import seed_of
from pipeline.laws.simplify import simplify
from pipeline.laws.template import in_order, renumber

#: halves of the cells; permutations of a factor, among which the halves are shared out
RESAMPLES, PERMUTATIONS = 50, 10
#: laws with a factor, and found laws without it, in that factor's pool
WITH, WITHOUT = 10, 10
#: starts and steps on permuted rows, where the constants are elsewhere; steps on a half
STARTS, FIRST_STEPS, STEPS = 4, 20, 8
TOLERANCE = 1e-4
#: with more merged rows than this, refitting pools takes too long
MAX_ROWS = 5_000


@dataclass(frozen=True)
class Inclusion:
    """Shares of halves in which the winning law holds the factor.

    Attributes
    ----------
    observed : on the rows as they are.
    permuted : with the factor's values permuted among cells.
    """

    observed: float
    permuted: float


def inclusion(
    ranked: Sequence[tuple[str, Floats]], factor: str, data: LawData, seed: int
) -> Inclusion | None:
    """Inclusion of one factor; None where no law that was found holds it, or there are many rows.

    Parameters
    ----------
    ranked : templates of valid laws and their constants, best BIC first.
    """
    laws = _pool(ranked, factor, data, seed)
    if not any(_holds(law, factor) for law, _ in laws) or len(data.sample) > MAX_ROWS:
        return None
    weights = _weights(data, RESAMPLES, seed)
    losses = {law.text: _bic(law, start, data, weights) for law, start in laws}
    observed = _wins(laws, [losses], factor)
    rounds = []
    for k, part in enumerate(np.array_split(np.arange(RESAMPLES), PERMUTATIONS)):
        shuffled = permuted(data, factor, [seed, 41, k])
        drawn = _weights(shuffled, RESAMPLES, seed)[part]
        again = {law.text: losses[law.text][part] for law, _ in laws}
        for law, start in laws:
            if _holds(law, factor):
                begun = _begin(law, start, shuffled, seed)
                again[law.text] = _bic(law, begun, shuffled, drawn)
        rounds.append(again)
    return Inclusion(observed, _wins(laws, rounds, factor))


def permuted(data: LawData, factor: str, seed: Sequence[int]) -> LawData:
    """The rows with the factor's values permuted among the cells that have one.

    Replicates of a cell keep one value together: the mean of the cell's own.
    """
    column = data.columns[factor]
    known = ~np.isnan(column)
    _, index = np.unique(data.cell[known], return_inverse=True)
    index = index.ravel()
    value = np.bincount(index, column[known]) / np.bincount(index)
    shuffled = column.copy()
    shuffled[known] = np.random.default_rng(seed).permutation(value)[index]
    return replace(data, columns={**data.columns, factor: shuffled})


def _pool(
    ranked: Sequence[tuple[str, Floats]], factor: str, data: LawData, seed: int
) -> list[tuple[Expression, Floats]]:
    """Laws with constants: with the factor, the same without it, and others without it."""
    texts: dict[str, Floats | None] = {}
    count = {True: 0, False: 0}
    for text, theta in ranked:
        holds = factor in Expression.parse(text, data.factors).factors
        count[holds] += 1
        if count[holds] <= (WITH if holds else WITHOUT):
            texts[text] = theta
            if holds:
                texts |= {bare: texts.get(bare) for bare in _without(text, factor)}
    return [law for text, theta in texts.items() if (law := _law(text, theta, data, seed))]


def _without(text: str, factor: str) -> list[str]:
    """The template with the factor put to 1, and put to a new constant."""
    new = f"c{len(in_order(text))}"
    return [renumber(simplify(substitute(text, {factor: value}))) for value in ("1", new)]


def _law(
    text: str, theta: Floats | None, data: LawData, seed: int
) -> tuple[Expression, Floats] | None:
    expression = Expression.parse(text, data.factors)
    if theta is not None:
        return expression, theta
    fit = _fit(expression, data, propose_starts(expression, data.sample, 8, seed_of(text, seed)))
    return None if fit is None else (expression, fit.theta)


def _begin(expression: Expression, theta: Floats, data: LawData, seed: int) -> Floats:
    """Constants on permuted rows, from several starts and those of the rows as they are."""
    fresh = propose_starts(expression, data.sample, STARTS, seed_of(expression.text, seed))
    fit = _fit(expression, data, np.vstack([theta[None, :], fresh]))
    return theta if fit is None else fit.theta


def _fit(expression: Expression, data: LawData, starts: Floats) -> Fit | None:
    return fit_constants(expression, data.sample, starts, FIRST_STEPS, TOLERANCE)


def _weights(data: LawData, count: int, seed: int) -> Floats:
    """Weights (M, N) of the merged rows on halves of the cells: the same draws for every law."""
    cells, index = np.unique(data.merged_cell, return_inverse=True)
    order = np.random.default_rng([seed, 37]).random((count, len(cells))).argsort(axis=1)
    drawn = (order < _half(len(cells))).astype(float)
    return np.asarray(drawn[:, index.ravel()] * data.sample.weight, dtype=float)


def _half(cells: int) -> int:
    return (cells + 1) // 2


def _bic(expression: Expression, theta: Floats, data: LawData, weights: Floats) -> Floats:
    """BIC (M,) of a law on every half, its constants refitted there.

    Constants that the rows cannot tell apart count once: putting a factor to 1 leaves such.
    """
    start = np.repeat(theta[None, :], len(weights), axis=0)
    if expression.constants:
        _, error = descend(expression, data.sample, start, STEPS, weights, TOLERANCE)
    else:
        with np.errstate(all="ignore"):
            residual = data.sample.target - expression.evaluate(data.sample.columns)
            error = np.sum(weights * residual**2, axis=1)
    cells = _half(len(np.unique(data.cell)))
    mean = np.maximum(np.where(np.isfinite(error), error, np.inf), 1e-300) / weights.sum(axis=1)
    penalty = rank(expression, theta, data) * float(np.log(cells))
    return np.asarray(cells * np.log(mean) + penalty)


def _wins(
    laws: Sequence[tuple[Expression, Floats]], rounds: Sequence[dict[str, Floats]], factor: str
) -> float:
    """Share of halves, over all rounds, whose winner holds the factor."""
    holds = np.array([_holds(law, factor) for law, _ in laws])
    winners = [np.argmin([told[law.text] for law, _ in laws], axis=0) for told in rounds]
    return float(np.mean(holds[np.concatenate(winners)]))


def _holds(law: Expression, factor: str) -> bool:
    return factor in law.factors
