"""Linear teachers as frames: how a task reads the features of a token and its neighbours.

Notation
--------
w : window, the token and its w − 1 nearest neighbours;  d : features;  D = w·d
K : classes;  r = K − 1
Q : frame, (D, r), QᵀQ = I: the r directions a teacher reads; the block of a place is (d, r)
A : simplex, (K, r), rows of equal length at equal angles: class scores are A Qᵀ z + bias
z : window features, (D,), white

Every teacher has the same geometry: white features seen through an orthonormal frame are white,
so scores of all teachers have one covariance, A Aᵀ, and so one law of margins. With Q₀ᵀU = 0 the
mixture ρQ₀ + √(1−ρ²)U is a frame again for every ρ. Each place carries the share 1/w of a frame's
energy, and U is drawn so that this too holds for every mixture: no task leans more on the
neighbours than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SWEEPS = 500
_PATIENCE = 10
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class FrameShape:
    """The sizes of a frame: w places, d features, r directions."""

    window: int
    features: int
    directions: int

    @property
    def dimensions(self) -> int:
        """D."""
        return self.window * self.features


def simplex(classes: int) -> Floats:
    """Return A, (K, K − 1): centred, AᵀA = I, rows of equal length at equal angles."""
    centred = np.eye(classes) - 1.0 / classes
    basis, _ = np.linalg.qr(centred[:, : classes - 1])
    return np.asarray(basis)


def settle_frame(start: Floats, shape: FrameShape, given: Sequence[Floats]) -> Floats:
    """Return a frame near `start`, orthogonal to the given ones, places carrying equal energy.

    Alternating projections between the linear conditions (orthogonality, and no trace of the
    given frames' blocks in the new one's) and the frame conditions (equal block energy,
    orthonormal columns). Needs D ≥ (1 + len(given))·r; where D is that tight, block energies
    may stay slightly unequal, orthogonality is exact.
    """
    outside = np.eye(shape.dimensions)
    if given:
        basis, _ = np.linalg.qr(np.hstack(list(given)))
        outside = outside - basis @ basis.T
    traces = _trace_conditions(shape, given, outside)
    frame = outside @ start
    last = np.inf
    for sweep in range(_SWEEPS):
        flat = frame.ravel()
        frame = (flat - traces @ (traces.T @ flat)).reshape(frame.shape)
        frame = _nearest_frame(outside @ _equal_energy(frame, shape))
        if sweep % _PATIENCE == 0:
            defect = _defect(frame, shape, traces)
            if defect < _TOLERANCE or defect > 0.9 * last:
                break
            last = defect
    return frame


def draw_frame(rng: np.random.Generator, shape: FrameShape, given: Sequence[Floats]) -> Floats:
    """Draw a frame under the conditions of `settle_frame`."""
    return settle_frame(rng.standard_normal((shape.dimensions, shape.directions)), shape, given)


def mix_scores(main: Floats, innovation: Floats, angle: float) -> Floats:
    """Return scores at an angle to the main task: cos θ · main + sin θ · innovation."""
    return np.asarray(np.cos(angle) * main + np.sin(angle) * innovation)


def score_tables(frame: Floats, features: Floats, shape: FrameShape) -> Floats:
    """Return class scores of every token at every place, (w, V + 1, K); last row: no token."""
    A = simplex(shape.directions + 1)
    blocks = frame.reshape(shape.window, shape.features, shape.directions)
    tables = np.einsum("vd,wdr,kr->wvk", features, blocks, A)
    return np.concatenate([tables, np.zeros_like(tables[:, :1])], axis=1)


def _trace_conditions(shape: FrameShape, given: Sequence[Floats], outside: Floats) -> Floats:
    """Return an orthonormal basis (D·r, any) of the functionals tr(G_jᵀ U_j), j a place."""
    functionals = []
    for frame in given:
        for place in range(shape.window):
            alone = np.zeros_like(frame)
            rows = slice(place * shape.features, (place + 1) * shape.features)
            alone[rows] = frame[rows]
            functionals.append((outside @ alone).ravel())
    if not functionals:
        return np.zeros((shape.dimensions * shape.directions, 0))
    basis, size, _ = np.linalg.svd(np.array(functionals).T, full_matrices=False)
    return np.asarray(basis[:, size > 1e-9])


def _equal_energy(frame: Floats, shape: FrameShape) -> Floats:
    blocks = frame.reshape(shape.window, shape.features, shape.directions)
    energy = np.sqrt((blocks**2).sum(axis=(1, 2), keepdims=True))
    target = np.sqrt(shape.directions / shape.window)
    return np.asarray(blocks * (target / np.maximum(energy, 1e-12))).reshape(frame.shape)


def _nearest_frame(matrix: Floats) -> Floats:
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(left @ right)


def _defect(frame: Floats, shape: FrameShape, traces: Floats) -> float:
    blocks = frame.reshape(shape.window, -1)
    energy = np.abs((blocks**2).sum(axis=1) - shape.directions / shape.window).max()
    trace = np.abs(traces.T @ frame.ravel()).max(initial=0.0)
    return float(energy + trace)
