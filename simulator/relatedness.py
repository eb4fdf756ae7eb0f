"""Relatedness of label layers: AMI, mutual information and entropies from contingency tables.

Notation
--------
T : label layers
N : tokens, those on which both layers of a pair are labelled
K : labels of a layer
C : contingency table of two layers, (K_i, K_j), counts
H : entropy, nats;  I : mutual information, nats
E[I] : mean of I over random labelings with the same label counts (hypergeometric model)
AMI = (I − E[I]) / ((H_i + H_j)/2 − E[I])    (Vinh, Epps and Bailey 2010, arithmetic mean)

scikit-learn's `adjusted_mutual_info_score` is the definition and the readable twin
(`ami_by_definition`). `measure` computes the same number from tables of counts, faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.expected_mutual_information import expected_information

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Labels = NDArray[np.int16]

POOL_TOKENS = 20_000
TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Relatedness:
    """Measured relatedness of T layers.

    Parameters
    ----------
    ami : float64 (T, T), AMI of the observed labels; 1 on the diagonal.
    ami_clean : float64 (T, T), the same before label noise.
    conditional_entropy : float64 (T, T), ``[i, j]`` = H(layer i | layer j), nats, observed labels.
    entropy : float64 (T,), H of each observed layer, nats.
    tokens : tokens of the pool on which this was measured.
    """

    ami: Floats
    ami_clean: Floats
    conditional_entropy: Floats
    entropy: Floats
    tokens: int = 0

    def main_auxiliary_mean(self, matrix: Floats) -> float | None:
        """Return the mean of a (T, T) matrix between the main task and the others."""
        return float(matrix[0, 1:].mean()) if len(matrix) > 1 else None

    def auxiliary_mean(self) -> float | None:
        """Return the mean AMI between distinct auxiliaries; None with fewer than two."""
        T = len(self.ami)
        if T < 3:
            return None
        rows, columns = np.triu_indices(T - 1, k=1)
        return float(self.ami[1:, 1:][rows, columns].mean())

    def equals(self, other: Relatedness) -> bool:
        """Tell whether every number is the same."""
        names = ("ami", "ami_clean", "conditional_entropy", "entropy", "tokens")
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in names)


def measure(observed: Labels, clean: Labels, sizes: Sequence[int]) -> Relatedness:
    """Measure T layers on a pool.

    Parameters
    ----------
    observed, clean : int16 (T, N), −1 where unlabelled; the same array when there is no noise.
    sizes : K of each layer, (T,).

    Raises
    ------
    SpecError : two layers share no labelled token.
    """
    tables = all_tables(observed, sizes)
    ami = ami_matrix(tables)
    ami_clean = ami if clean is observed else ami_matrix(all_tables(clean, sizes))
    T = len(sizes)
    conditional = np.zeros((T, T))
    for (i, j), table in tables.items():
        joint, rows, columns = _entropies(table)
        conditional[i, j], conditional[j, i] = joint - columns, joint - rows
    entropy = np.array([entropy_of(label_counts(observed[t], sizes[t])) for t in range(T)])
    return Relatedness(ami, ami_clean, np.maximum(conditional, 0.0), entropy, observed.shape[1])


def all_tables(labels: Labels, sizes: Sequence[int]) -> dict[tuple[int, int], Counts]:
    """Return the contingency table of every pair i < j of layers."""
    T = len(sizes)
    pairs = [(i, j) for i in range(T) for j in range(i + 1, T)]
    return {(i, j): contingency(labels[i], labels[j], (sizes[i], sizes[j])) for i, j in pairs}


def ami_matrix(tables: dict[tuple[int, int], Counts]) -> Floats:
    """Return the symmetric AMI matrix of the pairs, 1 on the diagonal."""
    T = max((j for _, j in tables), default=0) + 1
    matrix = np.eye(T)
    for (i, j), table in tables.items():
        if not table.sum():
            raise SpecError("layers", (i, j), "layers that share labelled tokens")
        matrix[i, j] = matrix[j, i] = ami_of_table(table)
    return matrix


def contingency(first: Labels, second: Labels, sizes: tuple[int, int]) -> Counts:
    """Count label pairs, (K_i, K_j), over the tokens that both layers label."""
    if first.min(initial=0) < 0 or second.min(initial=0) < 0:
        both = (first >= 0) & (second >= 0)
        first, second = first[both], second[both]
    code = first.astype(np.int64) * sizes[1] + second
    return np.bincount(code, minlength=sizes[0] * sizes[1]).reshape(sizes)


def label_counts(labels: Labels, size: int) -> Counts:
    """Count labels, (K,); unlabelled tokens do not count."""
    return np.bincount(labels[labels >= 0], minlength=size)


def entropy_of(counts: NDArray[np.int64] | Floats) -> float:
    """Return the entropy of the distribution that these counts give, nats."""
    positive = counts[counts > 0] / counts.sum()
    return float(-(positive * np.log(positive)).sum())


def _entropies(table: NDArray[np.int64] | Floats) -> tuple[float, float, float]:
    return (
        entropy_of(table.ravel()),
        entropy_of(table.sum(axis=1)),
        entropy_of(table.sum(axis=0)),
    )


def ami_of_table(table: Counts) -> float:
    """Return the AMI of a contingency table of counts; 1 for two constant layers."""
    joint, rows, columns = _entropies(table)
    if rows == columns == 0.0:
        return 1.0
    expected = expected_information(table)
    gap = (rows + columns) / 2.0 - expected
    eps = np.finfo(np.float64).eps
    gap = min(gap, -eps) if gap < 0 else max(gap, eps)
    return float((max(rows + columns - joint, 0.0) - expected) / gap)


def quick_ami(table: NDArray[np.int64] | Floats) -> float:
    """Return AMI with E[I] ≈ (K_i − 1)(K_j − 1)/2N: within about 1e−4 of it on a pool."""
    joint, rows, columns = _entropies(table)
    expected = (table.shape[0] - 1) * (table.shape[1] - 1) / (2.0 * float(table.sum()))
    gap = max((rows + columns) / 2.0 - expected, 1e-12)
    return float((rows + columns - joint - expected) / gap)


def ami_by_definition(labels: Labels) -> Floats:
    """Return the (T, T) AMI matrix of label layers by scikit-learn: the readable twin of `measure`.

    Parameters
    ----------
    labels : (T, N) label ids; −1 marks an unlabelled token.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    T = len(labels)
    matrix = np.eye(T)
    for i in range(T):
        for j in range(i + 1, T):
            both = (labels[i] >= 0) & (labels[j] >= 0)
            value = adjusted_mutual_info_score(labels[i][both], labels[j][both])
            matrix[i, j] = matrix[j, i] = value
    return matrix
