"""How related label layers are: AMI, mutual information and entropies of contingency tables.

Notation
--------
T : label layers
N : tokens, those on which both layers of a pair are labelled
K : labels of a layer
C : contingency table of two layers, (K_i, K_j), counts
H : entropy, nats; I : mutual information, nats; E[I] : its mean over random labelings with the
    same label counts (the hypergeometric model)
AMI = (I − E[I]) / ((H_i + H_j)/2 − E[I])    (Vinh, Epps and Bailey 2010, arithmetic mean)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

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
    """

    ami: Floats
    ami_clean: Floats
    conditional_entropy: Floats
    entropy: Floats

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
        names = ("ami", "ami_clean", "conditional_entropy", "entropy")
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in names)
