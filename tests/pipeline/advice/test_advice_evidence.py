"""What n labels say: related layers transfer, unrelated ones do not; no other label is seen."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.evidence import Evidence, EvidenceRules
from mtl_laws.pipeline.advice.factors import FACTORS
from mtl_laws.pipeline.advice.sizes import TokenCounts
from mtl_laws.simulator import Corpus, Layer, Text, load_corpus
from mtl_laws.simulator.readers.vectors import FrozenVectors
from support.planted_laws import HARBOUR

TYPES, LABELS = 400, 8
NAMES = tuple("abcdefgh")
SIZES = TokenCounts(400, {"same": 3_000, "noise": 3_000})


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


def test_a_probe_knows_the_words_it_has_seen() -> None:
    alone = Evidence(lexical(), "tag", SIZES).statistics(()).probe_alone
    seen = 1 - (1 - 1 / TYPES) ** 400
    assert alone == pytest.approx(seen + (1 - seen) / LABELS, abs=0.08)


def test_an_auxiliary_transfers_as_far_as_it_is_related() -> None:
    known = Evidence(lexical(), "tag", SIZES)
    same, noise, both = (
        known.statistics(names) for names in (("same",), ("noise",), ("noise", "same"))
    )
    assert same.transfer > 0.25
    assert same.ami > 0.95
    assert abs(noise.transfer) < 0.05
    assert abs(noise.ami) < 0.05
    assert both.transfer == pytest.approx(same.transfer, abs=0.06)
    assert both.T == 3


def frozen(table: NDArray[np.float64]) -> FrozenVectors:
    return FrozenVectors.of(table, "drawn")


def test_vectors_that_tell_the_words_let_related_layers_transfer() -> None:
    corpus = lexical()
    words = np.random.default_rng(2).normal(size=(TYPES, 300))[corpus.text.tokens]
    known = Evidence(corpus, "tag", SIZES, vectors=frozen(words))
    same, noise = (known.statistics((name,)) for name in ("same", "noise"))
    assert same.transfer > 0.2
    assert abs(noise.transfer) < 0.05
    assert same.ami > 0.95


def test_vectors_that_tell_the_label_leave_nothing_to_gain() -> None:
    corpus = lexical()
    table = np.eye(LABELS)[corpus.layers["tag"].labels]
    known = Evidence(corpus, "tag", SIZES, vectors=frozen(table)).statistics(("same",))
    assert known.probe_alone > 0.95
    assert abs(known.transfer) < 0.03


def test_only_n_main_labels_are_looked_at() -> None:
    corpus = lexical()
    known = Evidence(corpus, "tag", SIZES)
    before = known.statistics(("same",))
    labels = corpus.layers["tag"].labels.copy()
    hidden = np.setdiff1d(np.arange(len(labels)), known._places)
    labels[hidden] = np.random.default_rng(0).integers(0, LABELS, len(hidden))
    layers = {**corpus.layers, "tag": Layer(labels, NAMES)}
    changed = Evidence(replace(corpus, layers=layers), "tag", SIZES).statistics(("same",))
    assert repr(changed) == repr(before)


def test_auxiliaries_are_learned_on_other_sentences_where_there_are_enough() -> None:
    corpus = lexical()
    sizes = TokenCounts(400, {"same": 3_000})
    before = Evidence(corpus, "tag", sizes)
    transfer = before.statistics(("same",)).transfer
    labels = corpus.layers["same"].labels.copy()
    labels[before._places] = 0  # what the auxiliary says of the main layer's own sentences
    layers = {**corpus.layers, "same": Layer(labels, NAMES)}
    changed = Evidence(replace(corpus, layers=layers), "tag", sizes)
    assert changed.statistics(("same",)).transfer == transfer


def test_a_probe_never_sees_the_sentences_that_it_predicts() -> None:
    corpus = lexical()
    n_aux = 8_000  # more than there are on other sentences
    before = Evidence(corpus, "tag", TokenCounts(400, {"same": n_aux}))
    labels = corpus.layers["same"].labels.copy()
    labels[before._places] = 0
    layers = {**corpus.layers, "same": Layer(labels, NAMES)}
    changed = Evidence(replace(corpus, layers=layers), "tag", before.sizes)
    transfer = before.statistics(("same",)).transfer
    assert changed.statistics(("same",)).transfer == transfer


def test_every_statistic_is_a_factor_and_undefined_where_it_should_be() -> None:
    known = Evidence(load_corpus(HARBOUR), "entity", TokenCounts(500, {"pos": 2_000, "chunk": 999}))
    both, alone = asdict(known.statistics(("pos", "chunk"))), asdict(known.statistics(()))
    assert set(both) == set(FACTORS)
    assert all(np.isfinite(value) for value in both.values())
    undefined = {name for name, value in alone.items() if np.isnan(value)}
    assert undefined == {
        *("n_aux", "ami", "explained", "h_aux", "h_main_given_aux", "h_aux_given_main")
    }
    assert both["n_aux"] == 1_499.5
    assert alone["transfer"] == 0.0
    assert both["probe"] == pytest.approx(both["probe_alone"] + both["transfer"])


def test_beyond_the_tokens_of_a_probe_the_transfer_falls() -> None:
    corpus, rules = lexical(), EvidenceRules(most=400)
    few, many = (
        Evidence(corpus, "tag", replace(SIZES, n=n), rules).statistics(("same",)).transfer
        for n in (400, 1_600)
    )
    assert many == pytest.approx(few / 4)


def test_the_same_question_has_the_same_answer_and_a_seed_another() -> None:
    corpus = lexical()
    one, again = (Evidence(corpus, "tag", SIZES).statistics(("same",)) for _ in range(2))
    other = Evidence(corpus, "tag", SIZES, EvidenceRules(seed=1)).statistics(("same",))
    assert repr(one) == repr(again)
    assert repr(one) != repr(other)
