"""Scores from counts against scikit-learn, seqeval, and the rules of CoNLL written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from mtl_laws.pipeline.training.metrics import accuracy, confusion_counts, macro_f1
from mtl_laws.pipeline.training.spans import SpanLabels, span_f1

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


SEQEVAL = {
    "BIO": (
        0.5853658536585367,
        0.8117647058823529,
        0.7386363636363636,
        0.743362831858407,
        0.6666666666666667,
        0.7384615384615384,
        0.7674418604651163,
        0.7666666666666667,
        0.6588235294117647,
        0.6705202312138728,
        0.6798029556650246,
        0.7421383647798743,
    ),
    "IO": (
        0.5079365079365079,
        0.7215189873417721,
        0.6832298136645963,
        0.638095238095238,
        0.5775401069518716,
        0.6666666666666667,
        0.6666666666666667,
        0.6627218934911243,
        0.64,
        0.5522388059701493,
        0.6451612903225806,
        0.6470588235294118,
    ),
}
"""`f1_score` of seqeval 1.2.2 on the cases of `drawn_cases`."""


def drawn_cases(
    names: tuple[str, ...], count: int
) -> list[tuple[list[list[int]], list[list[int]]]]:
    """Gold and predicted labels of 30 sentences each, seven tokens of ten alike."""
    rng, cases = np.random.default_rng(0), []
    for _ in range(count):
        gold = [rng.integers(0, len(names), rng.integers(1, 9)) for _ in range(30)]
        near = [
            np.where(rng.random(len(g)) < 0.7, g, rng.integers(0, len(names), len(g))) for g in gold
        ]
        cases.append(([g.tolist() for g in gold], [p.tolist() for p in near]))
    return cases


def our_f1(names: tuple[str, ...], case: tuple[list[list[int]], ...]) -> float:
    pairs = [list(zip(g, p, strict=True)) for g, p in zip(*case, strict=True)]
    return float(span_f1(count(names, pairs)))


@pytest.mark.parametrize("names", [BIO, IO], ids=["BIO", "IO"])
def test_span_f1_is_what_seqeval_gave_to_the_last_digit(names: tuple[str, ...]) -> None:
    expected = SEQEVAL["BIO" if names == BIO else "IO"]
    assert [our_f1(names, case) for case in drawn_cases(names, len(expected))] == list(expected)


@pytest.mark.parametrize("names", [BIO, IO], ids=["BIO", "IO"])
def test_span_f1_is_that_of_seqeval_to_the_last_digit(names: tuple[str, ...]) -> None:
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    for case in drawn_cases(names, 40):
        named = [[[names[k] for k in sentence] for sentence in side] for side in case]
        assert our_f1(names, case) == seqeval.f1_score(*named)


@pytest.mark.parametrize("names", [("A", "B"), ("O", "B-X", "Q-X"), ("O",)])
def test_labels_that_are_not_spans_have_no_span_f1(names: tuple[str, ...]) -> None:
    assert SpanLabels.read(names, torch.device("cpu")) is None


def test_an_underscore_is_outside_as_o_is() -> None:
    gold, predicted = [1, 2, 0, 3, 1], [1, 2, 3, 0, 2]
    names = ("O", "B-X", "I-X", "_")
    as_o = [[0 if label == 3 else label for label in labels] for labels in (gold, predicted)]
    assert our_f1(names, ([gold], [predicted])) == our_f1(names, ([as_o[0]], [as_o[1]])) > 0
    assert SpanLabels.read(("_", "X"), torch.device("cpu")) is None


def test_bioes_and_bilou_labels_are_spans_that_close() -> None:
    names = ("O", "B-X", "I-X", "E-X", "S-X")
    gold = [1, 2, 3, 4, 4, 0, 1, 3]  # B I E, S, S, O, B E: four spans
    assert our_f1(names, ([gold], [gold])) == 1.0
    apart = [1, 2, 3, 4, 2, 0, 1, 3]  # the second S is read as I: still a span, of its own
    assert our_f1(names, ([gold], [apart])) == 1.0
    joined = [1, 2, 2, 2, 4, 0, 1, 3]  # B I I I is one span instead of two
    assert our_f1(names, ([gold], [joined])) == pytest.approx(2 * (2 / 3) * (2 / 4) / (7 / 6))
    bilou = ("O", "B-X", "I-X", "L-X", "U-X")
    assert our_f1(bilou, ([gold], [joined])) == our_f1(names, ([gold], [joined]))
