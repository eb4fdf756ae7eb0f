"""The rows as symbolic regression wants them: columns near 1, whatever the unit.

Notation
--------
N : rows.    F : factors.
"""

from __future__ import annotations

import numpy as np

from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.kinds import is_size
from mtl_laws.pipeline.symbolic.tree import Floats


def design_matrix(sample: Sample) -> tuple[Floats, dict[str, float]]:
    """Factors as float32 columns near 1 (N, F), and what each was divided by.

    A size is divided by its geometric mean, anything else by 1.
    """
    scales = {
        name: float(np.exp(np.mean(np.log(column)))) if is_size(column) else 1.0
        for name, column in sample.columns.items()
    }
    columns = [column / scales[name] for name, column in sample.columns.items()]
    return np.column_stack(columns).astype(np.float32), scales
