"""What a corpus says before anything is trained: sizes, entropies, AMI with its interval."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.advice.corpus import profile
from mtl_laws.simulator import Corpus, Layer, Text, load_corpus
from mtl_laws.simulator.relatedness import ami_by_definition
from support.planted_laws import HARBOUR


def made(sentences: int, agreement: float, seed: int = 0) -> Corpus:
    """Sentences of ten tokens whose layers `a` and `b` agree so often by more than chance."""
    rng = np.random.default_rng([3, seed])
    a = rng.integers(0, 4, 10 * sentences).astype(np.int16)
    b = np.where(rng.random(len(a)) < agreement, a, rng.integers(0, 4, len(a))).astype(np.int16)
    names = ("0", "1", "2", "3")
    text = Text(np.zeros(len(a), np.int32), np.arange(0, len(a) + 1, 10))
    coarse = Layer((a // 2).astype(np.int16), ("0", "1"))
    return Corpus(text, ("w",), {"a": Layer(a, names), "b": Layer(b, names), "coarse": coarse})


def test_the_harbour_corpus_is_as_its_card_says() -> None:
    corpus = load_corpus(HARBOUR)
    known = profile(corpus, "pos", ["chunk", "entity"], resamples=50)
    labels = np.stack([corpus.layers[name].labels for name in ("pos", "chunk")])
    assert known.pairs["chunk"].ami == pytest.approx(ami_by_definition(labels)[0, 1], abs=1e-9)
    assert (known.main.labels, known.main.tokens, known.main.sentences) == (12, 3643, 400)
    assert known.pairs["chunk"].ami == pytest.approx(0.79, abs=0.01)


def test_a_coarser_layer_is_explained_and_explains_less() -> None:
    corpus = made(400, 0.5)
    down = profile(corpus, "coarse", ["a"], resamples=0).pairs["a"]
    up = profile(corpus, "a", ["coarse"], resamples=0).pairs["coarse"]
    assert down.explained == pytest.approx(1.0)
    assert down.h_main_given_aux == pytest.approx(0.0, abs=1e-9)
    assert up.explained == pytest.approx(0.5, abs=0.01)
    assert down.ami == pytest.approx(up.ami), "AMI is symmetric; the share explained is not"


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = profile(made(20_000, 0.5), "a", ["b"], resamples=0).pairs["b"].ami
    some = [made(60, 0.5, seed) for seed in range(60)]
    ends = [profile(corpus, "a", ["b"], 100).pairs["b"].ami_ci95 for corpus in some]
    held = sum(low <= truth <= high for low, high in ends)
    assert held >= 51, f"{held} of 60"
    assert np.mean([high - low for low, high in ends]) < 0.2


def test_tokens_without_a_label_do_not_count() -> None:
    corpus = made(100, 0.5)
    half = corpus.layers["a"].labels.copy()
    half[:500] = -1
    partly = Corpus(
        corpus.text, corpus.vocabulary, {**corpus.layers, "a": Layer(half, ("0", "1", "2", "3"))}
    )
    known = profile(partly, "a", ["b"], resamples=0)
    assert (known.main.tokens, known.main.sentences) == (500, 50)
    assert (known.pairs["b"].tokens, known.pairs["b"].extra) == (500, 500)
