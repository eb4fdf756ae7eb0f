"""The definition of relatedness: scikit-learn's AMI, pair by pair (twin of `relatedness`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_mutual_info_score


def ami_by_definition(labels: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the (T, T) AMI matrix of T layers, (T, N); −1 marks an unlabelled token."""
    T = len(labels)
    matrix = np.eye(T)
    for i in range(T):
        for j in range(i + 1, T):
            both = (labels[i] >= 0) & (labels[j] >= 0)
            value = adjusted_mutual_info_score(labels[i][both], labels[j][both])
            matrix[i, j] = matrix[j, i] = value
    return matrix
