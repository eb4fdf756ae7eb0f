"""Expected mutual information of two random labelings, E[I]: what two layers share by chance.

Notation
--------
N : tokens;  a, b : margins of a cell of a contingency table;  n : its count, hypergeometric
μ = ab/N : mean of n;  x = n/μ − 1, of mean 0
m_k : k-th central moment of n
E[I] = Σ_cells E[n/N · log(N n / ab)] = Σ_cells μ/N · E[(1 + x) log(1 + x)]

Source: Vinh, Epps and Bailey 2010, section 4.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LARGE = 300.0
"""Mean of a cell from which the series is used: six moments leave out about 2/(N μ³)."""

_REACH = 9.0  # standard deviations of the hypergeometric law that are summed over

_STIRLING = np.array(
    [
        [1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0],
        [0, 1, 3, 1, 0, 0, 0],
        [0, 1, 7, 6, 1, 0, 0],
        [0, 1, 15, 25, 10, 1, 0],
        [0, 1, 31, 90, 65, 15, 1],
    ],
    dtype=np.float64,
)
"""Stirling numbers of the second kind: n^k = Σ_j S(k, j) · n (n − 1) … (n − j + 1)."""


def expected_information(table: Counts) -> float:
    """Return E[I] of a table's margins, nats: by the series where cells are large, else summed."""
    N = int(table.sum())
    a = np.repeat(table.sum(axis=1), table.shape[1])
    b = np.tile(table.sum(axis=0), table.shape[0])
    filled = (a > 0) & (b > 0)
    a, b = a[filled], b[filled]
    large = a * b >= LARGE * N
    total = expected_by_series(a[large], b[large], N) if large.any() else 0.0
    return total if large.all() else total + expected_by_sum(a[~large], b[~large], N)


def expected_by_series(a: Counts, b: Counts, N: int) -> float:
    """Return Σ μ/N · E[(1 + x) log(1 + x)] over cells, by its Taylor series up to x⁶."""
    mean = a * b / N
    moments = _central_moments(a, b, N)
    series = sum((-1) ** k * m / mean**k / (k * (k - 1)) for k, m in enumerate(moments, start=2))
    return float((mean / N * series).sum())


def _central_moments(a: Counts, b: Counts, N: int) -> list[Floats]:
    """Return m₂ … m₆ of cells, from the factorial moments Π (a − i)(b − i) / (N − i)."""
    mean = a * b / N
    factorial = [np.ones(len(a))]
    for i in range(6):
        factorial.append(factorial[-1] * (a - i) * (b - i) / (N - i))
    raw = _STIRLING @ np.array(factorial)
    return [
        np.asarray(sum(comb(k, i) * raw[i] * (-mean) ** (k - i) for i in range(k + 1)))
        for k in range(2, 7)
    ]


def expected_by_sum(a: Counts, b: Counts, N: int) -> float:
    """Return Σ n/N · log(N n / ab) over the hypergeometric law of every cell.

    Within some standard deviations of its mean; what is left out is below 1e−15. The law is built
    up from the ratio of neighbouring terms, P(n)/P(n−1) = (a−n+1)(b−n+1) / n(N−a−b+n), and then
    normalised.
    """
    n, cell = _hypergeometric_range(a, b, N)
    a, b = a[cell], b[cell]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    ratio = ((a - n + 1) * (b - n + 1)).astype(np.float64)
    below = (n * (N - a - b + n)).astype(np.float64)
    ratio[starts] = below[starts] = 1.0
    weight = np.cumsum(np.log(ratio / below))
    weight = np.exp(weight - np.maximum.reduceat(weight, starts)[cell])
    information = n / N * np.log(N * np.maximum(n, 1) / (a * b))
    return float((np.bincount(cell, information * weight) / np.bincount(cell, weight)).sum())


def _hypergeometric_range(a: Counts, b: Counts, N: int) -> tuple[Counts, Counts]:
    """Return the counts n that a cell with margins a, b may hold, and which cell each is of."""
    mean = a * b / N
    spread = np.sqrt(mean * (1 - a / N) * (1 - b / N) * N / max(N - 1, 1))
    low = np.maximum(np.floor(mean - _REACH * spread - 30), np.maximum(a + b - N, 0))
    high = np.minimum(np.ceil(mean + _REACH * spread + 30), np.minimum(a, b))
    lengths = (high - low + 1).astype(np.int64)
    cell = np.repeat(np.arange(len(a)), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.arange(len(cell)) - first + low.astype(np.int64)[cell], cell
