"""Scores from counts against scikit-learn, seqeval, and the rules of CoNLL written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from pipeline.training.metrics import accuracy, confusion_counts, macro_f1
from pipeline.training.spans import SpanLabels, span_f1

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
IO = ("I-PER", "O", "I-LOC", "I-ORG")


@given(st.data())
def test_accuracy_and_macro_f1_are_those_of_scikit_learn(data: st.DataObject) -> None:
    label = st.integers(0, 4)
    pairs = data.draw(st.lists(st.tuples(st.integers(-1, 4), label), min_size=1, max_size=60))
    gold, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    known = gold >= 0
    if not known.any():
        return
    counts = confusion_counts(torch.from_numpy(gold)[None], torch.from_numpy(predicted)[None], 5)
    assert accuracy(counts)[0] == pytest.approx(accuracy_score(gold[known], predicted[known]))
    expected = f1_score(gold[known], predicted[known], average="macro", zero_division=0)
    assert macro_f1(counts)[0] == pytest.approx(expected)


def spans_of(names: list[str]) -> set[tuple[str, int, int]]:
    """Spans by conlleval's own rules, one tag at a time."""
    found, start, before = set(), 0, "O"
    for i, name in enumerate([*names, "O"]):
        kind, kind_before = name[2:], before[2:]
        if before != "O" and (name[0] in "BO" or kind != kind_before):
            found.add((kind_before, start, i - 1))
        if name != "O" and (name[0] == "B" or before == "O" or kind != kind_before):
            start = i
        before = name
    return found


def sentence_lists(names: tuple[str, ...]) -> st.SearchStrategy[list[list[tuple[int, int]]]]:
    label = st.integers(0, len(names) - 1)
    return st.lists(
        st.lists(st.tuples(label, label), min_size=1, max_size=8), min_size=1, max_size=5
    )


def count(names: tuple[str, ...], sentences: list[list[tuple[int, int]]]) -> torch.Tensor:
    scheme = SpanLabels.read(names, torch.device("cpu"))
    assert scheme is not None
    gold = torch.full((1, len(sentences), 8), -1, dtype=torch.int16)
    predicted = torch.randint(0, len(names), gold.shape, generator=torch.Generator().manual_seed(0))
    for i, sentence in enumerate(sentences):
        for j, (mine, other) in enumerate(sentence):
            gold[0, i, j], predicted[0, i, j] = mine, other
    return scheme.count(gold, predicted)[0]


@pytest.mark.parametrize("names", [BIO, IO], ids=["BIO", "IO"])
def test_spans_are_counted_by_the_rules_of_conll(names: tuple[str, ...]) -> None:
    @given(sentence_lists(names))
    def check(sentences: list[list[tuple[int, int]]]) -> None:
        gold = [spans_of([names[g] for g, _ in s]) for s in sentences]
        found = [spans_of([names[p] for _, p in s]) for s in sentences]
        right = sum(len(g & f) for g, f in zip(gold, found, strict=True))
        expected = [right, sum(map(len, found)), sum(map(len, gold))]
        assert count(names, sentences).tolist() == expected

    check()


@pytest.mark.parametrize("names", [BIO, IO], ids=["BIO", "IO"])
def test_span_f1_is_that_of_seqeval_to_the_last_digit(names: tuple[str, ...]) -> None:
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    rng = np.random.default_rng(0)
    for _ in range(20):
        gold = [rng.integers(0, len(names), rng.integers(1, 9)) for _ in range(30)]
        near = [
            np.where(rng.random(len(g)) < 0.7, g, rng.integers(0, len(names), len(g))) for g in gold
        ]
        pairs = [
            list(zip(g.tolist(), p.tolist(), strict=True)) for g, p in zip(gold, near, strict=True)
        ]
        named = [[[names[k] for k in s] for s in side] for side in (gold, near)]
        assert float(span_f1(count(names, pairs))) == seqeval.f1_score(*named)


@pytest.mark.parametrize("names", [("A", "B"), ("O", "B-X", "E-X"), ("O",)])
def test_labels_that_are_not_spans_have_no_span_f1(names: tuple[str, ...]) -> None:
    assert SpanLabels.read(names, torch.device("cpu")) is None
