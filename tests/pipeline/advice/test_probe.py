"""Ridge probes: closed forms against plain refits, and what they say of planted layers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.probe import (
    RULES,
    MainProbe,
    predicted_labels,
    soft_accuracy,
    token_inputs,
    vector_inputs,
)
from mtl_laws.simulator import Text
from mtl_laws.simulator.readers.vectors import LENGTH, FrozenVectors

TYPES, CLASSES = 12, 3


def planted(seed: int = 0) -> tuple[Text, NDArray[np.int64], NDArray[np.float64]]:
    """Forty sentences, labels that depend on the word, and two further inputs."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, 40)
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = rng.integers(0, TYPES, bounds[-1]).astype(np.int32)
    labels = np.where(rng.random(len(tokens)) < 0.8, tokens % CLASSES, 0).astype(np.int64)
    return Text(tokens, bounds), labels, rng.normal(size=(len(tokens), 2))


@pytest.mark.parametrize("further", [False, True])
def test_every_sentence_is_predicted_by_a_probe_fitted_without_it(further: bool) -> None:
    text, labels, added = planted()
    inputs = token_inputs(text, np.arange(text.size), TYPES)
    lengths = np.diff(text.bounds)
    found = MainProbe(inputs, labels, lengths, CLASSES).scores(added if further else None)
    full = np.hstack([inputs.toarray(), added]) if further else inputs.toarray()
    share = np.bincount(labels, minlength=CLASSES) / len(labels)
    target = np.eye(CLASSES)[labels] - share
    for start, stop in zip(text.bounds[:-1], text.bounds[1:], strict=True):
        rest = np.r_[0:start, stop : len(labels)]
        X = full[rest]
        weights = np.linalg.solve(X.T @ X + RULES.ridge * np.eye(X.shape[1]), X.T @ target[rest])
        np.testing.assert_allclose(found[start:stop], full[start:stop] @ weights + share, atol=1e-9)


def test_inputs_are_the_token_and_its_neighbours_within_the_sentence() -> None:
    text = Text(np.array([3, 5, 7], dtype=np.int32), np.array([0, 2, 3], dtype=np.int64))
    inputs = token_inputs(text, np.arange(text.size), TYPES).toarray().reshape(3, 3, TYPES + 1)
    assert inputs.argmax(axis=2).tolist() == [[3, TYPES, 5], [5, 3, TYPES], [7, TYPES, TYPES]]
    assert inputs.sum(axis=2).tolist() == [[1.0, 0.5, 0.5]] * 3


def test_vectors_stand_beside_those_of_the_neighbours_within_the_sentence() -> None:
    text = Text(np.array([3, 5, 7], dtype=np.int32), np.array([0, 2, 3], dtype=np.int64))
    vectors = FrozenVectors.of(np.array([[1.0, 0.0], [2.0, 1.0], [9.0, 5.0]]), "drawn")
    places = np.array([1, 2])
    inputs = vector_inputs(text, places, vectors).reshape(2, 3, 2) * LENGTH
    first, second, third = vectors.rows(np.arange(3))
    none = np.zeros(2)
    np.testing.assert_allclose(inputs[0], [second, first / 2, none], rtol=1e-6)
    np.testing.assert_allclose(inputs[1], [third, none, none], rtol=1e-6)


def test_labels_that_words_determine_are_predicted() -> None:
    text, _, _ = planted()
    labels = (text.tokens % CLASSES).astype(np.int64)
    inputs = token_inputs(text, np.arange(text.size), TYPES)
    scores = predicted_labels(inputs, labels, CLASSES, inputs)
    assert (scores.argmax(axis=1) == labels).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=0.01)


def test_soft_accuracy_counts_by_how_clearly_a_label_wins() -> None:
    labels = np.array([0, 1])
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert soft_accuracy(sure, labels) == pytest.approx(1.0, abs=1e-6)
    assert soft_accuracy(sure, 1 - labels) == pytest.approx(0.0, abs=1e-6)
    assert soft_accuracy(np.zeros((2, 2)), labels) == 0.5
