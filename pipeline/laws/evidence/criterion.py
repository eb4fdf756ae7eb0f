"""The Bayesian information criterion over cells: what a law costs in constants, what it saves.

A cell is one observation: its replicates share its luck and its levels. So rows are replaced by
their cell's mean, of the target and of factors that are measured and differ between replicates in
the last digits. Two laws, or one law on the rows as they are and on permuted ones, can only be
compared on the same observations: residuals of single rows hold the noise of replicates, those of
means do not.

Notation
--------
C : cells.    M : weightings of the cells.    N : merged rows of the sample (one for each cell, or
one for each stand-in of a cell with an undefined factor).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.laws.identified import rank
from pipeline.laws.rows import Rows
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats


def cell_means(data: Rows) -> Rows:
    """The rows with every factor at its mean over the cell, so that equal rows merge into one."""
    _, index = np.unique(data.cell, return_inverse=True)
    columns = {name: _levelled(column, index.ravel()) for name, column in data.columns.items()}
    return replace(data, columns=columns)


def _levelled(column: Floats, index: np.ndarray) -> Floats:
    known = ~np.isnan(column)
    count = np.bincount(index[known], minlength=int(index.max()) + 1)
    total = np.bincount(index[known], column[known], minlength=len(count))
    mean = total / np.maximum(count, 1)
    return np.where(known, mean[index], column)


def bic(expression: Expression, theta: Floats, means: Rows) -> float:
    """The criterion of a law over the cells of `cell_means`, its noise variance fitted."""
    with np.errstate(all="ignore"):
        residual = means.sample.target - expression.evaluate(means.sample.columns, theta)
        error = np.atleast_1d(np.sum(means.sample.weight * residual**2))
    weight = float(means.sample.weight.sum())
    constants = rank(expression, theta, means)
    return float(criterion(error, weight, len(np.unique(means.cell)), constants)[0])


def criterion(error: Floats, weight: Floats | float, cells: int, constants: int) -> Floats:
    """C·ln(error/weight) + P·ln C, for weighted errors (M,); inf where they are not finite.

    Constants that the rows cannot tell apart count once: putting a factor to 1 leaves such.
    """
    finite = np.where(np.isfinite(error), error, np.inf)
    mean = np.maximum(finite, 1e-300) / weight
    return np.asarray(cells * np.log(mean) + constants * np.log(cells))
