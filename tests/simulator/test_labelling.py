"""Windows, decoders and biases, each against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.simulator.corpus import Text, bounds_of
from mtl_laws.simulator.labelling import (
    PlainDecoder,
    Ruler,
    SpanDecoder,
    first_best,
    offsets,
    prior_shares,
    windows_of,
)

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=8)


def text_of(lengths: list[int], vocabulary: int, seed: int) -> Text:
    tokens = np.random.default_rng(seed).integers(0, vocabulary, sum(lengths))
    return Text(tokens.astype(np.int32), bounds_of(lengths))


def slow_windows(text: Text, window: int, vocabulary: int) -> list[list[int]]:
    rows = []
    for a, b in zip(text.bounds[:-1], text.bounds[1:], strict=True):
        for i in range(a, b):
            around = [i + o for o in offsets(window)]
            rows.append([int(text.tokens[j]) if a <= j < b else vocabulary for j in around])
    return rows


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 5), st.sampled_from([3, 2000]), st.integers(0, 99))
def test_windows_stop_at_sentence_ends(
    lengths: list[int], window: int, vocabulary: int, seed: int
) -> None:
    text = text_of(lengths, vocabulary, seed)
    windows = windows_of(text, window, vocabulary)
    assert windows.ids[windows.index].tolist() == slow_windows(text, window, vocabulary)
    assert len(np.unique(windows.ids, axis=0)) == len(windows.ids)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 50), st.integers(0, 99))
def test_first_best_is_argmax(classes: int, width: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (classes, width)).astype(float)
    assert np.array_equal(first_best(scores), scores.argmax(axis=0))


@settings(deadline=None)
@given(LENGTHS, st.floats(0, 3), st.integers(0, 99))
def test_spans_by_a_plain_loop(lengths: list[int], stickiness: float, seed: int) -> None:
    text = text_of(lengths, 4, seed)
    windows = windows_of(text, 2, 4)
    scores = np.random.default_rng(seed + 1).standard_normal((3, len(windows.ids)))
    decoder = SpanDecoder(stickiness)
    labels = decoder.labels_of(decoder.classes_of(scores, windows), windows)
    names = decoder.names(3)
    expected = []
    for a, b in zip(text.bounds[:-1], text.bounds[1:], strict=True):
        previous = None
        for i in range(a, b):
            here = scores[:, windows.index[i]].copy()
            if previous is not None:
                here[previous] += stickiness
            best = int(here.argmax())
            mark = "I" if best == previous else "B"
            expected.append("O" if best == 0 else f"{mark}-{best}")
            previous = best
    assert [names[label] for label in labels] == expected


def test_stickiness_makes_longer_spans() -> None:
    text = text_of([10] * 300, 20, 0)
    windows = windows_of(text, 1, 20)
    scores = np.random.default_rng(0).standard_normal((4, len(windows.ids)))
    changes = []
    for stickiness in (0.0, 0.5, 1.5):
        classes = SpanDecoder(stickiness).classes_of(scores, windows).reshape(300, 10)
        changes.append((classes[:, 1:] != classes[:, :-1]).mean())
    assert changes[0] > changes[1] > changes[2]


@pytest.mark.parametrize("prior", [None, [8.0, 1.0, 1.0, 0.5]])
@pytest.mark.parametrize("decoder", [PlainDecoder(), SpanDecoder(0.5)])
def test_biases_hold_the_class_shares(prior: list[float] | None, decoder: object) -> None:
    text = text_of([10] * 2000, 150, 1)
    windows = windows_of(text, 2, 150)
    scores = 2.0 * np.random.default_rng(2).standard_normal((4, len(windows.ids)))
    ruler = Ruler(windows, decoder, prior_shares(4, 0.0, prior))
    biases = ruler.balance(scores, np.zeros(4))
    np.testing.assert_allclose(ruler.measured(scores + biases[:, None]), ruler.shares, atol=0.006)


def test_imbalance_is_a_power_law() -> None:
    np.testing.assert_allclose(prior_shares(3, 1.0, None), np.array([6, 3, 2]) / 11)
    np.testing.assert_allclose(prior_shares(2, 5.0, [1, 3]), [0.25, 0.75])
