"""Frames: one geometry for every teacher and every mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.simulator.families.teacher.frames import FrameShape, draw_frame, score_tables, simplex

SHAPES = [FrameShape(2, 4, 4), FrameShape(2, 16, 4), FrameShape(3, 4, 4), FrameShape(1, 8, 4)]


def energies(frame: np.ndarray, shape: FrameShape) -> np.ndarray:
    return (frame.reshape(shape.window, -1) ** 2).sum(axis=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_mixtures_are_frames_of_equal_energy(shape: FrameShape, seed: int) -> None:
    rng = np.random.default_rng(seed)
    main = draw_frame(rng, shape, [])
    other = draw_frame(rng, shape, [main])
    np.testing.assert_allclose(main.T @ other, 0, atol=1e-9)
    for angle in np.linspace(0, np.pi / 2, 7):
        mixed = np.cos(angle) * main + np.sin(angle) * other
        np.testing.assert_allclose(mixed.T @ mixed, np.eye(shape.directions), atol=1e-9)
        share = shape.directions / shape.window
        np.testing.assert_allclose(energies(mixed, shape), share, atol=1e-3)


def test_many_frames_can_be_mutually_orthogonal() -> None:
    shape, rng = FrameShape(2, 16, 4), np.random.default_rng(0)
    frames: list[np.ndarray] = []
    for _ in range(8):
        frames.append(draw_frame(rng, shape, frames))
    together = np.hstack(frames)
    np.testing.assert_allclose(together.T @ together, np.eye(32), atol=1e-8)


@settings(deadline=None)
@given(st.integers(2, 12))
def test_the_simplex_treats_classes_alike(classes: int) -> None:
    A = simplex(classes)
    gram = A @ A.T
    np.testing.assert_allclose(gram, np.eye(classes) - 1 / classes, atol=1e-12)


def test_score_tables_are_the_linear_teacher() -> None:
    shape, rng = FrameShape(2, 3, 2), np.random.default_rng(4)
    frame, X = draw_frame(rng, shape, []), rng.standard_normal((6, 3))
    tables = score_tables(frame, X, shape)
    assert tables.shape == (2, 7, 3)
    slow = simplex(3) @ frame.T @ np.concatenate([X[4], X[1]])
    np.testing.assert_allclose(tables[0, 4] + tables[1, 1], slow)
    assert not tables[:, 6].any()
