"""Ablation: the best laws with and without a factor, compared by BIC over cells.

A cell is one observation, since its replicates share its levels and its random error. Rows are
therefore replaced by the mean of their cell, in the target and in measured factors. All laws are
compared on these means, also where the values of a factor are permuted.

The competitors for a factor are the best laws with it, each of these with the factor replaced by 1
and by a constant, and the best laws without it.

Notation
--------
C : cells.    P : constants.    M : weightings of the cells.    N : merged rows of the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import seed_of
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats, Tree
from mtl_laws.pipeline.symbolic.uncertainty import rank


@dataclass(frozen=True)
class Competitor:
    """A law and its constants (P,) on the rows as they are."""

    expression: Expression
    theta: Floats

    def uses(self, factor: str) -> bool:
        """Whether the factor appears in the law."""
        return factor in self.expression.factors


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The best laws with and without a factor.

    Attributes
    ----------
    delta_bic : BIC without it minus BIC with it; positive speaks for the factor.
    r2_with, r2_without : fraction of the variance of the fitted rows that they explain.
    """

    delta_bic: float
    r2_with: float
    r2_without: float


def ablation(
    selected: Competitor, competitors: Sequence[Competitor], factor: str, means: Rows, data: Rows
) -> Ablation | None:
    """The best laws with and without a factor; None where all laws, or none, use it.

    The selected law stands for its own side in R², and competes in BIC.

    Parameters
    ----------
    means : the rows `data` by cell, from `cell_means`.
    """
    score: dict[bool, float] = {}
    r2: dict[bool, float] = {}
    for law in [*competitors, selected]:
        side = law.uses(factor)
        score[side] = min(score.get(side, np.inf), bic(law.expression, law.theta, means))
        r2[side] = max(r2.get(side, -np.inf), r_squared(law, data))
    if len(score) < 2:
        return None
    r2[selected.uses(factor)] = r_squared(selected, data)
    return Ablation(delta_bic=score[False] - score[True], r2_with=r2[True], r2_without=r2[False])


def r_squared(law: Competitor, data: Rows) -> float:
    """Fraction of the variance of the rows that a law explains; −inf at a pole.

    `sample` holds means of equal rows: how these rows differ from them is added to both sides.
    """
    sample = data.sample
    with np.errstate(all="ignore"):
        residual = sample.target - law.expression.evaluate(sample.columns, law.theta)
        error = float(np.sum(sample.weight * residual**2))
    mean = float(np.average(sample.target, weights=sample.weight))
    between = float(np.sum(sample.weight * (sample.target - mean) ** 2))
    total = max(float(np.sum(data.weights * (data.target - mean) ** 2)), between, 1e-300)
    return 1.0 - (error + total - between) / total if np.isfinite(error) else -np.inf


def cell_means(data: Rows) -> Rows:
    """The rows with every factor at its mean over the cell, so that equal rows merge into one."""
    _, index = np.unique(data.cell, return_inverse=True)
    index = index.ravel()
    columns = {}
    for name, column in data.columns.items():
        defined = ~np.isnan(column)
        count = np.bincount(index[defined], minlength=int(index.max()) + 1)
        total = np.bincount(index[defined], column[defined], minlength=len(count))
        columns[name] = np.where(defined, (total / np.maximum(count, 1))[index], column)
    return replace(data, columns=columns)


def bic(expression: Expression, theta: Floats, means: Rows) -> float:
    """The BIC of a law over the cells of `cell_means`, its noise variance fitted."""
    sample = means.sample
    with np.errstate(all="ignore"):
        residual = sample.target - expression.evaluate(sample.columns, theta)
        error = np.atleast_1d(np.sum(sample.weight * residual**2))
    constants = rank(expression, theta, means.sample)
    cells = len(np.unique(means.cell))
    return float(bic_of_error(error, float(sample.weight.sum()), cells, constants)[0])


def bic_of_error(error: Floats, weight: Floats | float, cells: int, constants: int) -> Floats:
    """C·ln(error/weight) + P·ln C, for weighted errors (M,); inf where they are not finite.

    Constants that the rows cannot separate count once: putting a factor to 1 leaves such.
    """
    finite = np.where(np.isfinite(error), error, np.inf)
    mean = np.maximum(finite, 1e-300) / weight
    return np.asarray(cells * np.log(mean) + constants * np.log(cells))


def competitors_of(
    factor: str, ranked: Sequence[tuple[str, Floats]], data: Rows, seed: int
) -> list[Competitor]:
    """Laws with a factor, each of them without it, and other laws without it.

    Parameters
    ----------
    ranked : templates of valid laws and their constants, best BIC first.
    data : the rows that their constants are fitted on.
    """
    rules = data.rules.evidence
    most = {True: rules.laws_with, False: rules.laws_without}
    texts: dict[str, Floats | None] = {}
    count = {True: 0, False: 0}
    for text, theta in _distinct_laws(ranked, data):
        uses = factor in Expression.parse(text, data.factors).factors
        count[uses] += 1
        if count[uses] > most[uses]:
            continue
        texts[text] = theta
        if uses:
            tree = Tree.parse(text, data.factors)
            for value in (Tree.number(1.0), Tree.constant(f"c{len(tree.constants)}")):
                texts.setdefault(tree.replace({factor: value}).renumber().text, None)
    laws = (_competitor(text, theta, data, seed) for text, theta in texts.items())
    return [law for law in laws if law is not None]


def _distinct_laws(ranked: Sequence[tuple[str, Floats]], data: Rows) -> list[tuple[str, Floats]]:
    """The laws without duplicates of a better one, such as + c·log T and − c·log T."""
    laws: dict[bytes, tuple[str, Floats]] = {}
    scale = max(float(np.sqrt(data.variance)), 1e-300)
    for text, theta in ranked:
        value = Expression.parse(text, data.factors).evaluate(data.sample.columns, theta)
        key = np.round(value / scale, data.rules.evidence.same_law)
        laws.setdefault(key.tobytes(), (text, theta))
    return list(laws.values())


def _competitor(text: str, theta: Floats | None, data: Rows, seed: int) -> Competitor | None:
    expression, rules = Expression.parse(text, data.factors), data.rules.evidence
    if theta is not None:
        return Competitor(expression, theta)
    starts = propose_starts(expression, data.sample, rules.reduced_starts, seed_of(text, seed))
    fit = fit_constants(expression, data.sample, starts, rules.first_iterations, rules.tolerance)
    return None if fit is None else Competitor(expression, fit.theta)
