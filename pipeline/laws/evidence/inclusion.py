"""Inclusion: how often laws with a factor clearly win on resampled cells, and when it is shuffled.

The laws that were found are fitted again, not searched for again. Each factor has a pool of its
own: the best laws with it, for each of them the same law with the factor put to 1 and put to a
constant, and the best laws without it. On random halves of the cells all of them are refitted, and
the factor wins where the best law with it beats the best without by strong evidence. (Halves, as in
stability selection, Meinshausen and Bühlmann 2010: drawn with replacement, cells come twice and
longer laws win by that alone.) Then the factor's values are permuted among the cells that have one,
and the same is done: what it wins there, it wins by luck. All of it on means over cells, so that
errors are compared over the same observations (`criterion`).

Notation
--------
M : halves.    C : cells in a half.    N : merged rows.    L : laws of a pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from pipeline.laws.evidence.criterion import criterion
from pipeline.laws.identified import rank
from pipeline.laws.rows import Rows
from pipeline.laws.score import seed_of
from pipeline.symbolic.fit import Fit, descend, fit_constants, propose_starts
from pipeline.symbolic.program import Expression
from pipeline.symbolic.simplify import simplify
from pipeline.symbolic.templates import in_order, renumber
from pipeline.symbolic.tree import Floats, substitute

#: a law and its constants on the rows as they are
Rival: TypeAlias = tuple[Expression, Floats]

#: halves of the cells; permutations of a factor, among which the halves are shared out
RESAMPLES, PERMUTATIONS = 50, 10
#: laws with a factor, and found laws without it, in that factor's pool
WITH, WITHOUT = 10, 10
#: starts and steps on permuted rows, where the constants are elsewhere; steps on a half
STARTS, FIRST_STEPS, STEPS = 4, 20, 8
TOLERANCE = 1e-4
#: by how much the best law with the factor must beat the best without: strong evidence begins here
#: (Kass and Raftery 1995); by less, one constant more wins by luck now and then
MARGIN = 6.0
#: with more merged rows than this, refitting pools takes too long
MAX_ROWS = 5_000


@dataclass(frozen=True)
class Inclusion:
    """Shares of halves on which the best law with the factor clearly beats the best without.

    Attributes
    ----------
    observed : on the rows as they are.
    permuted : with the factor's values permuted among cells.
    """

    observed: float
    permuted: float


def inclusion(laws: Sequence[Rival], factor: str, means: Rows, seed: int) -> Inclusion | None:
    """Inclusion of one factor; None where no law that was found holds it, or there are many rows.

    Parameters
    ----------
    laws : the factor's pool, from `rivals`.
    means : the rows by cell, from `cell_means`.
    """
    if not any(_holds(law, factor) for law, _ in laws) or len(means.sample) > MAX_ROWS:
        return None
    weights = _weights(means, RESAMPLES, seed)
    losses = {law.text: _bic(law, start, means, weights) for law, start in laws}
    observed = _wins(laws, [losses], factor)
    rounds = []
    for k, part in enumerate(np.array_split(np.arange(RESAMPLES), PERMUTATIONS)):
        shuffled = permuted(means, factor, [seed, 41, k])
        drawn = _weights(shuffled, RESAMPLES, seed)[part]
        again = {law.text: losses[law.text][part] for law, _ in laws}
        for law, start in laws:
            if _holds(law, factor):
                begun = _begin(law, start, shuffled, seed)
                again[law.text] = _bic(law, begun, shuffled, drawn)
        rounds.append(again)
    return Inclusion(observed, _wins(laws, rounds, factor))


def permuted(data: Rows, factor: str, seed: Sequence[int]) -> Rows:
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


def rivals(ranked: Sequence[tuple[str, Floats]], factor: str, data: Rows, seed: int) -> list[Rival]:
    """A factor's pool: laws with it, each of them without it, and others without it.

    Parameters
    ----------
    ranked : templates of valid laws and their constants, best BIC first.
    data : the rows that their constants are fitted on.
    """
    texts: dict[str, Floats | None] = {}
    count = {True: 0, False: 0}
    for text, theta in _different(ranked, data):
        holds = factor in Expression.parse(text, data.factors).factors
        count[holds] += 1
        if count[holds] <= (WITH if holds else WITHOUT):
            texts[text] = theta
            if holds:
                texts |= {bare: texts.get(bare) for bare in _without(text, factor)}
    return [law for text, theta in texts.items() if (law := _law(text, theta, data, seed))]


def _different(ranked: Sequence[tuple[str, Floats]], data: Rows) -> list[tuple[str, Floats]]:
    """The laws without those that say what a better one says: + c·log T and − c·log T."""
    kept: list[tuple[str, Floats]] = []
    values: set[bytes] = set()
    for text, theta in ranked:
        said = Expression.parse(text, data.factors).evaluate(data.sample.columns, theta)
        told = np.round(said / max(float(np.sqrt(data.variance)), 1e-300), 4).tobytes()
        if told not in values:
            values.add(told)
            kept.append((text, theta))
    return kept


def _without(text: str, factor: str) -> list[str]:
    """The template with the factor put to 1, and put to a new constant."""
    new = f"c{len(in_order(text))}"
    return [renumber(simplify(substitute(text, {factor: value}))) for value in ("1", new)]


def _law(text: str, theta: Floats | None, data: Rows, seed: int) -> Rival | None:
    expression = Expression.parse(text, data.factors)
    if theta is not None:
        return expression, theta
    fit = _fit(expression, data, propose_starts(expression, data.sample, 8, seed_of(text, seed)))
    return None if fit is None else (expression, fit.theta)


def _begin(expression: Expression, theta: Floats, data: Rows, seed: int) -> Floats:
    """Constants on permuted rows, from several starts and those of the rows as they are."""
    fresh = propose_starts(expression, data.sample, STARTS, seed_of(expression.text, seed))
    fit = _fit(expression, data, np.vstack([theta[None, :], fresh]))
    return theta if fit is None else fit.theta


def _fit(expression: Expression, data: Rows, starts: Floats) -> Fit | None:
    return fit_constants(expression, data.sample, starts, FIRST_STEPS, TOLERANCE)


def _weights(data: Rows, count: int, seed: int) -> Floats:
    """Weights (M, N) of the merged rows on halves of the cells: the same draws for every law."""
    cells, index = np.unique(data.merged_cell, return_inverse=True)
    order = np.random.default_rng([seed, 37]).random((count, len(cells))).argsort(axis=1)
    drawn = (order < _half(len(cells))).astype(float)
    return np.asarray(drawn[:, index.ravel()] * data.sample.weight, dtype=float)


def _half(cells: int) -> int:
    return (cells + 1) // 2


def _bic(expression: Expression, theta: Floats, data: Rows, weights: Floats) -> Floats:
    """BIC (M,) of a law on every half, its constants refitted there."""
    start = np.repeat(theta[None, :], len(weights), axis=0)
    if expression.constants:
        _, error = descend(expression, data.sample, start, STEPS, weights, TOLERANCE)
    else:
        with np.errstate(all="ignore"):
            residual = data.sample.target - expression.evaluate(data.sample.columns)
            error = np.sum(weights * residual**2, axis=1)
    cells = _half(len(np.unique(data.cell)))
    return criterion(error, weights.sum(axis=1), cells, rank(expression, theta, data))


def _wins(laws: Sequence[Rival], rounds: Sequence[dict[str, Floats]], factor: str) -> float:
    """Share of halves, over all rounds, on which the factor clearly wins."""
    has = [law.text for law, _ in laws if _holds(law, factor)]
    without = [law.text for law, _ in laws if not _holds(law, factor)]
    if not without:
        return 1.0
    gains = [
        np.min([told[text] for text in without], axis=0)
        - np.min([told[text] for text in has], axis=0)
        for told in rounds
    ]
    return float(np.mean(np.concatenate(gains) > MARGIN))


def _holds(law: Expression, factor: str) -> bool:
    return factor in law.factors
