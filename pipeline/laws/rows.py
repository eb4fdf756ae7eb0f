"""The rows that laws are fitted to: factors, target, cells, weights, undefined factors.

Notation
--------
N : rows of the table.    C : cells (rows with the same factor levels are replicates of one cell).
F : factors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.laws.rules import Rules
from pipeline.symbolic.fit import Sample
from pipeline.symbolic.kinds import is_amount, is_fraction, is_size, value_range
from pipeline.symbolic.tree import Floats, Mask

Indices = npt.NDArray[np.int64]

#: values of its domain at which a row with an undefined factor stands, each with a share of weight
STANDINS = 5


@dataclass(frozen=True)
class Rows:
    """Rows with factors and a target.

    Attributes
    ----------
    columns : factor name -> (N,) values; nan where the factor is undefined (AMI at T = 1).
    target : (N,) values to explain.
    cell : (N,) which cell each row replicates; replicates are never split across folds.
    name : name of the target.
    bounds : lowest and highest value the target can take; −inf and inf where it has none.
    domains : factor name -> (low, high) where a law must be valid; see `infer_domains`.
    weight : (N,) how many rows each row stands for, more than 0; 1 each where None.
    rules : thresholds of the method.
    """

    columns: Mapping[str, Floats]
    target: Floats
    cell: Indices
    name: str = "target"
    bounds: tuple[float, float] = (-np.inf, np.inf)
    domains: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    weight: Floats | None = None
    rules: Rules = field(default_factory=Rules)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def factors(self) -> tuple[str, ...]:
        """Factor names, in the user's order."""
        return tuple(self.columns)

    def take(self, rows: Mask | Indices) -> Rows:
        """The same data on some rows; bounds and domains stay."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        kept = self.target[rows], self.cell[rows]
        weight = None if self.weight is None else self.weight[rows]
        return Rows(columns, *kept, self.name, self.bounds, self.domains, weight, self.rules)

    @cached_property
    def weights(self) -> Floats:
        """Weight (N,) of every row."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @cached_property
    def variance(self) -> float:
        """Variance of the target over the (weighted) rows."""
        if self.weight is None:
            return float(np.var(self.target))
        mean = np.average(self.target, weights=self.weight)
        return float(np.average((self.target - mean) ** 2, weights=self.weight))

    @cached_property
    def replicate_variance(self) -> float | None:
        """Pooled variance of replicates about their cell's mean; None without replicates."""
        cells, index = np.unique(self.cell, return_inverse=True)
        count = np.bincount(index, self.weights)
        freedom = float(count.sum()) - len(cells)
        if freedom < 1:
            return None
        mean = np.bincount(index, self.weights * self.target) / count
        return float(np.sum(self.weights * (self.target - mean[index]) ** 2) / freedom)

    @property
    def tolerance(self) -> float:
        """How far a law may pass a bound: two replicate SDs, or 2 % of the target's range."""
        variance = self.replicate_variance
        spread = float(np.ptp(self.target)) if len(self) else 0.0
        return 2.0 * float(np.sqrt(variance)) if variance else 0.02 * spread

    @cached_property
    def sample(self) -> Sample:
        """Rows for least squares: undefined factors stood in for, equal rows merged into one."""
        return self.expanded[0]

    @cached_property
    def expanded(self) -> tuple[Sample, Indices]:
        """Rows after standing in, unmerged rows' weights summed; and the merged row of each."""
        origin, columns = self.stand_in
        counts = np.bincount(origin, minlength=len(self))
        matrix = np.column_stack([*columns.values(), self.cell[origin]])
        _, first, index = np.unique(matrix, axis=0, return_index=True, return_inverse=True)
        share = self.weights[origin] / counts[origin]
        weight = np.bincount(index.ravel(), share).astype(float)
        target = np.bincount(index.ravel(), share * self.target[origin]) / weight
        merged = {name: column[first] for name, column in columns.items()}
        return Sample(merged, target, weight), index.ravel()

    @cached_property
    def merged_cell(self) -> Indices:
        """Cell of every row of `sample`."""
        origin, _ = self.stand_in
        cell = np.zeros(len(self.sample), dtype=np.int64)
        cell[self.expanded[1]] = self.cell[origin]
        return cell

    def subsample(self, cells: int, seed: int) -> Rows:
        """At most so many of the cells, drawn at random, with all their replicates."""
        known = np.unique(self.cell)
        if len(known) <= cells:
            return self
        kept = np.random.default_rng([seed, 31]).choice(known, cells, replace=False)
        return self.take(np.isin(self.cell, kept))

    @cached_property
    def stand_in(self) -> tuple[Indices, dict[str, Floats]]:
        """Every row, repeated at `STANDINS` values of its undefined factors: origin and columns."""
        undefined = np.zeros(len(self), dtype=bool)
        for column in self.columns.values():
            undefined |= np.isnan(column)
        times = np.where(undefined, STANDINS, 1)
        origin = np.repeat(np.arange(len(self)), times)
        place = np.arange(len(origin)) - np.repeat(np.cumsum(times) - times, times)
        columns = {}
        for name, column in self.columns.items():
            low, high = self.domains.get(name, value_range(column))
            values = np.linspace(low, high, STANDINS)[place]
            columns[name] = np.where(np.isnan(column[origin]), values, column[origin])
        return origin.astype(np.int64), columns

    def digest(self) -> str:
        """Hash of factors, target and values, to say which table a law came from."""
        digest = hashlib.sha256(",".join([*self.factors, self.name]).encode())
        for column in [*self.columns.values(), self.target]:
            digest.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
        return digest.hexdigest()


def infer_domains(columns: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    """Where a law must be valid: shares on [0, 1], sizes to twice the largest, others as seen."""
    domains = {}
    for name, column in columns.items():
        low, high = value_range(column)
        if is_fraction(column):
            low, high = 0.0, 1.0
        elif is_size(column) or is_amount(column):
            high = 2.0 * high
        domains[name] = (low, high)
    return domains


def number_cells(columns: Mapping[str, Floats]) -> Indices:
    """Cell number of each row: rows with equal factor values (undefined equals undefined)."""
    matrix = np.column_stack([np.where(np.isnan(c), np.inf, c) for c in columns.values()])
    _, index = np.unique(matrix, axis=0, return_inverse=True)
    return np.asarray(index.ravel(), dtype=np.int64)
