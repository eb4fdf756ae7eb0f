"""Synthetic text: exactly Zipfian, Markov, nested, with white features."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.simulator.synthetic import TextOptions, TokenSource, token_source, white_features


def law_of_next(source: TokenSource) -> np.ndarray:
    """The next-token law of every class, (C, V), from the ladder."""
    V = source.options.vocabulary
    rows = source.ladder.reshape(-1, V)
    rows = rows - np.arange(len(rows))[:, None]
    return np.diff(rows, axis=1, prepend=0.0)


@pytest.mark.parametrize("options", [TextOptions(), TextOptions(vocabulary=30, zipf=1.2)])
def test_the_stationary_law_is_zipfian(options: TextOptions) -> None:
    source = token_source(options, seed=3)
    p = source.probabilities
    np.testing.assert_allclose(p / p[0], np.arange(1, len(p) + 1) ** -options.zipf)
    np.testing.assert_allclose(p @ law_of_next(source)[source.word_class], p, atol=1e-9)


def test_drawn_text_follows_the_chain() -> None:
    source = token_source(TextOptions(vocabulary=20, classes=4), seed=1)
    text = source.draw(200_000, "a test")
    share = np.bincount(text.tokens, minlength=20) / text.size
    np.testing.assert_allclose(share, source.probabilities, atol=0.005)
    grid = text.tokens.reshape(-1, 10)
    table = np.zeros((4, 20))
    np.add.at(table, (source.word_class[grid[:, :-1]], grid[:, 1:]), 1)
    table /= table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table, law_of_next(source), atol=0.01)


def test_text_has_memory_only_when_coherent() -> None:
    for coherence, has in ((0.0, False), (1.0, True)):
        laws = law_of_next(token_source(TextOptions(coherence=coherence), seed=2))
        assert (np.abs(laws - laws[0]).max() > 1e-3) == has


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_a_longer_draw_begins_with_the_shorter(spread: float) -> None:
    source = token_source(TextOptions(length_spread=spread), seed=5)
    short, long = source.draw(40, "train", 0), source.draw(4000, "train", 0)
    assert np.array_equal(long.tokens[: short.size], short.tokens)
    assert np.array_equal(long.bounds[: len(short.bounds)], short.bounds)
    assert abs(short.size - 40) <= 8
    assert abs(long.size - 4000) <= 8


def test_lengths_spread_around_the_mean() -> None:
    lengths = np.diff(token_source(TextOptions(length_spread=0.5), 0).draw(50_000, "x").bounds)
    assert (lengths.min(), lengths.max()) == (5, 15)
    assert lengths.mean() == pytest.approx(10, abs=0.2)


def test_features_are_white_within_and_across_places() -> None:
    source = token_source(TextOptions(), seed=7)
    p, law = source.probabilities, law_of_next(source)
    main = white_features(source, 4, np.zeros((200, 0)), 0)
    private = white_features(source, 4, main, 1)
    both = np.hstack([main, private])
    np.testing.assert_allclose(p @ both, 0, atol=1e-9)
    np.testing.assert_allclose((both * p[:, None]).T @ both, np.eye(8), atol=1e-9)
    following = law[source.word_class] @ both
    np.testing.assert_allclose((both * p[:, None]).T @ following, 0, atol=1e-9)
