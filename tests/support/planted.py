"""Planted tables: rows whose law is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Columns = dict[str, np.ndarray]
LawOf = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

SIZES, TASKS, RELATEDNESS = (
    (50, 100, 200, 400, 800, 1600),
    (1, 2, 3, 4, 6),
    (0.0, 0.2, 0.4, 0.6, 0.8),
)


def effective(n: np.ndarray, T: np.ndarray, ami: np.ndarray) -> np.ndarray:
    """0.9 − 0.5/√n_eff with n_eff = n(1 + (T − 1)·AMI)."""
    error: np.ndarray = 0.5 / np.sqrt(n * (1 + (T - 1) * ami))
    return 0.9 - error


def planted_table(law: LawOf = effective, noise: float = 0.03, seed: int = 0) -> pd.DataFrame:
    """Two replicates of every cell, AMI null at T = 1, a decoy factor, noise in units of SD(y)."""
    rng = np.random.default_rng(seed)
    cells = [
        (n, T, ami)
        for n in SIZES
        for T in TASKS
        for ami in ((np.nan,) if T == 1 else RELATEDNESS)
        for _ in range(2)
    ]
    table = pd.DataFrame(cells, columns=["n", "T", "ami"], dtype=float)
    table["decoy"] = rng.integers(1, 6, len(table)).astype(float)
    clean = law(table["n"].to_numpy(), table["T"].to_numpy(), table["ami"].fillna(0).to_numpy())
    table["y"] = clean + rng.normal(0, noise * clean.std(), len(table))
    return table


def beyond(law: LawOf = effective, seed: int = 1) -> pd.DataFrame:
    """Rows beyond every training maximum, without noise."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "n": rng.uniform(1_700, 6_400, 400),
            "T": rng.integers(7, 16, 400).astype(float),
            "ami": rng.uniform(0.81, 1.0, 400),
            "decoy": rng.integers(1, 6, 400).astype(float),
        }
    )
    table["y"] = law(*(table[name].to_numpy() for name in ("n", "T", "ami")))
    return table
