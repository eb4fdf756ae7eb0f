"""The rows that laws are fitted to: factors, target, cells, groups, weights.

Notation
--------
N : rows of the table.    C : cells (rows with the same factor levels are replicates of one cell).
G : groups (levels of categorical columns with constants of their own).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mtl_laws.pipeline.laws.rules import Rules
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.kinds import classify, value_range
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

Indices = npt.NDArray[np.int64]


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
    precision : (N,) weight of each row's squared error, more than 0, 1 on average; 1 where None.
    count : (N,) how many equal rows each row stands for, more than 0; 1 each where None.
    noise : variance of one row's error that the table states; None where it states none.
    group : (N,) place of each row's group in `levels`; None where there are no groups.
    levels : (G,) names of the groups.
    rules : thresholds of the method.
    """

    columns: Mapping[str, Floats]
    target: Floats
    cell: Indices
    name: str = "target"
    bounds: tuple[float, float] = (-np.inf, np.inf)
    domains: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    precision: Floats | None = None
    count: Floats | None = None
    noise: float | None = None
    group: Indices | None = None
    levels: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)

    def __len__(self) -> int:
        return len(self.target)

    @property
    def factors(self) -> tuple[str, ...]:
        """Factor names, in the user's order."""
        return tuple(self.columns)

    def take(self, rows: Mask | Indices) -> Rows:
        """The same data on some rows; bounds, domains and levels stay."""
        return replace(
            self,
            columns={name: column[rows] for name, column in self.columns.items()},
            target=self.target[rows],
            cell=self.cell[rows],
            precision=None if self.precision is None else self.precision[rows],
            count=None if self.count is None else self.count[rows],
            group=None if self.group is None else self.group[rows],
        )

    @cached_property
    def counts(self) -> Floats:
        """How many rows (N,) each row stands for."""
        return np.ones(len(self)) if self.count is None else self.count

    @cached_property
    def weights(self) -> Floats:
        """Weight (N,) of every row: its precision times its count."""
        return self.counts if self.precision is None else self.counts * self.precision

    @cached_property
    def group_index(self) -> Indices:
        """Group (N,) of every row; 0 where there are no groups."""
        return np.zeros(len(self), dtype=np.int64) if self.group is None else self.group

    @cached_property
    def group_variance(self) -> Floats:
        """Variance (G,) of the target within each group, about the group's own mean."""
        count = max(len(self.levels), 1)
        total = np.maximum(np.bincount(self.group_index, self.weights, minlength=count), 1e-300)
        sums = np.bincount(self.group_index, self.weights * self.target, minlength=count)
        square = self.weights * (self.target - (sums / total)[self.group_index]) ** 2
        return np.asarray(np.bincount(self.group_index, square, minlength=count) / total)

    @cached_property
    def scale(self) -> Floats:
        """Variance (N,) by which a row's squared error is divided: that of its group."""
        variance = self.group_variance
        return np.maximum(variance, max(1e-9 * float(variance.max()), 1e-300))[self.group_index]

    @cached_property
    def variance(self) -> float:
        """Variance of the target over the rows, within groups where there are groups."""
        return float(np.average(self.group_variance[self.group_index], weights=self.weights))

    @cached_property
    def replicate_variance(self) -> float | None:
        """Pooled variance of replicates about their cell's mean, else that which the table states.

        None where there are no replicates and nothing is stated.
        """
        cells, index = np.unique(self.cell, return_inverse=True)
        freedom = float(self.counts.sum()) - len(cells)
        if freedom < 1:
            return self.noise
        total = np.bincount(index, self.weights)
        mean = np.bincount(index, self.weights * self.target) / total
        return float(np.sum(self.weights * (self.target - mean[index]) ** 2) / freedom)

    @property
    def tolerance(self) -> float:
        """Tolerance by which the limit of a plausible law may exceed a bound."""
        variance, rules = self.replicate_variance, self.rules.checks
        spread = float(np.ptp(self.target)) if len(self) else 0.0
        return (
            rules.noise_sds * float(np.sqrt(variance)) if variance else rules.noise_range * spread
        )

    @cached_property
    def undefined_rows(self) -> dict[str, dict[str, Floats]]:
        """Factor -> distinct rows at which it is undefined, as filled columns."""
        rows = {}
        for name, column in self.columns.items():
            mask = np.isnan(column)
            if mask.any():
                matrix = np.column_stack([filled[mask] for filled in self.filled.values()])
                distinct = np.unique(matrix, axis=0).T
                rows[name] = dict(zip(self.columns, distinct, strict=True))
        return rows

    @cached_property
    def filled(self) -> dict[str, Floats]:
        """Columns with undefined values at the middle of their domain.

        A valid law does not depend on a factor where it is undefined, so any value does.
        """
        middle = {name: sum(self.domain(name)) / 2 for name in self.columns}
        return {n: np.where(np.isnan(c), middle[n], c) for n, c in self.columns.items()}

    def domain(self, name: str) -> tuple[float, float]:
        """Where a law must be valid: the domain of a factor, or its range."""
        return self.domains.get(name) or value_range(self.columns[name])

    @cached_property
    def sample(self) -> Sample:
        """Rows for least squares: undefined values filled, replicates with equal factors merged."""
        return self._merged[0]

    @cached_property
    def merged_cell(self) -> Indices:
        """Cell of every row of `sample`."""
        cell = np.zeros(len(self.sample), dtype=np.int64)
        cell[self._merged[1]] = self.cell
        return cell

    @cached_property
    def _merged(self) -> tuple[Sample, Indices]:
        matrix = np.column_stack([*self.filled.values(), self.cell, self.group_index])
        _, first, index = np.unique(matrix, axis=0, return_index=True, return_inverse=True)
        index = index.ravel()
        weight = np.bincount(index, self.weights).astype(float)
        target = np.bincount(index, self.weights * self.target) / weight
        columns = {name: column[first] for name, column in self.filled.items()}
        if self.group is None:
            return Sample(columns, target, weight), index
        relative = weight * self.variance / self.scale[first]
        return Sample(columns, target, relative, self.group[first], len(self.levels), True), index

    def of_group(self, group: int) -> Rows:
        """The rows of one group, as a table without groups."""
        return replace(self.take(self.group_index == group), group=None, levels=())

    def subsample(self, cells: int, seed: int) -> Rows:
        """At most so many of the cells, drawn at random, with all their replicates."""
        distinct = np.unique(self.cell)
        if len(distinct) <= cells:
            return self
        sample = np.random.default_rng([seed, 31]).choice(distinct, cells, replace=False)
        return self.take(np.isin(self.cell, sample))

    def digest(self) -> str:
        """SHA-256 of names, factor columns and target, which identifies the table of a law."""
        digest = hashlib.sha256(",".join([*self.factors, self.name, *self.levels]).encode())
        for column in [*self.columns.values(), self.target, self.group_index]:
            digest.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
        return digest.hexdigest()


def infer_domains(columns: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    """Where a law must be valid: fractions on [0, 1], sizes to twice the largest, others as is."""
    domains, kinds = {}, classify(columns)
    for name, column in columns.items():
        low, high = value_range(column)
        if name in kinds.fractions:
            low, high = 0.0, 1.0
        elif name in (*kinds.sizes, *kinds.amounts):
            high = 2.0 * high
        domains[name] = (low, high)
    return domains


def number_cells(columns: Mapping[str, Floats]) -> Indices:
    """Cell number of each row: rows with equal factor values (undefined equals undefined)."""
    matrix = np.column_stack([np.where(np.isnan(c), np.inf, c) for c in columns.values()])
    _, index = np.unique(matrix, axis=0, return_inverse=True)
    return np.asarray(index.ravel(), dtype=np.int64)
