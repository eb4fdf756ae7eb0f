"""Tables of words: what tokens are worth, without training."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.advice.word_table import WordTable
from mtl_laws.simulator import Corpus, Layer, Text, load_corpus
from support.planted_laws import HARBOUR

TYPES, LABELS = 400, 8
NAMES = tuple("abcdefgh")


def lexical() -> Corpus:
    """Words of equal frequency with one label each; `same` is it renamed, `noise` says nothing."""
    rng = np.random.default_rng(5)
    words = rng.integers(0, TYPES, 8_000).astype(np.int32)
    tag = rng.integers(0, LABELS, TYPES).astype(np.int16)[words]
    layers = {
        "tag": Layer(tag, NAMES),
        "same": Layer((LABELS - 1 - tag).astype(np.int16), NAMES),
        "noise": Layer(rng.integers(0, LABELS, len(words)).astype(np.int16), NAMES),
    }
    text = Text(words, np.arange(0, len(words) + 1, 10))
    return Corpus(text, tuple(f"w{i}" for i in range(TYPES)), layers)


def test_a_table_knows_the_words_it_has_seen() -> None:
    n = 400
    found = WordTable(lexical(), "tag").accuracy(n, {}, [()])[0]
    seen = 1 - (1 - 1 / TYPES) ** n
    assert found == pytest.approx(seen + (1 - seen) / LABELS, abs=0.03)


def test_an_auxiliary_stands_for_labels_as_far_as_it_is_related() -> None:
    table = WordTable(lexical(), "tag")
    sizes = {"same": 2_000, "noise": 2_000}
    alone, same, noise, both = table.accuracy(
        400, sizes, [(), ("same",), ("noise",), ("noise", "same")]
    )
    more = table.accuracy(2_400, {}, [()])[0]
    assert same == pytest.approx(more, abs=0.02), "a renamed layer is worth its tokens"
    assert noise == pytest.approx(alone, abs=0.03)
    assert both == pytest.approx(same, abs=0.03)


def test_more_tokens_than_there_are_means_all_but_the_test() -> None:
    corpus = load_corpus(HARBOUR)
    table = WordTable(corpus, "pos")
    everything, more = (table.accuracy(n, {}, [()])[0] for n in (3_643, 10**6))
    assert everything == more
    assert table.accuracy(100, {}, [()])[0] < everything


def test_the_same_question_has_the_same_answer() -> None:
    corpus = load_corpus(HARBOUR)
    asked = (200, {"chunk": 1_000}, [(), ("chunk",)])
    first, second = (WordTable(corpus, "pos").accuracy(*asked) for _ in range(2))
    np.testing.assert_array_equal(first, second)
