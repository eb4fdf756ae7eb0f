"""Buckets: every sentence in one, equal tokens in each, drawn from equally often."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_laws.pipeline.training import Job, train_group
from mtl_laws.pipeline.training.buckets import MOST, VARIETY, Buckets, cut_buckets, golden_stride
from mtl_laws.pipeline.training.sentences import by_length, stack_sentences
from support.training_jobs import ragged_job

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=400)


@given(LENGTHS, st.integers(1, 40), st.integers(1, 8))
def test_buckets_hold_every_sentence_once_and_enough_of_them(
    given_lengths: list[int], places: int, batch: int
) -> None:
    lengths = np.sort(np.array(given_lengths))
    cut = cut_buckets(lengths, places, batch)
    assert [first for first, _ in cut] == np.cumsum([0, *(size for _, size in cut[:-1])]).tolist()
    assert sum(size for _, size in cut) == len(lengths)
    assert len(cut) <= MOST
    assert places % len(cut) == 0
    if len(cut) > 1:
        assert min(size for _, size in cut) >= VARIETY * batch
        tokens = [lengths[first : first + size].sum() for first, size in cut]
        assert max(tokens) - min(tokens) <= 2 * lengths.max()


@pytest.mark.parametrize("places", [1, 2, 3, 10, 20, 24, 50])
def test_every_place_is_visited_once(places: int) -> None:
    stride = golden_stride(places)
    assert {place * stride % places for place in range(places)} == set(range(places))


def test_a_look_draws_from_every_bucket_equally_often() -> None:
    lengths = np.sort(np.random.default_rng(0).integers(1, 30, 500))
    cut = cut_buckets(lengths, 20, 4)
    assert len(cut) == 10
    buckets = Buckets.of([[lengths]], 20, 4)
    zero = torch.zeros(20, dtype=torch.long)
    firsts, sizes = buckets.at(zero, zero.unsqueeze(1), torch.arange(40, 60))
    found = Counter(zip(firsts[:, 0].tolist(), sizes[:, 0].tolist(), strict=True))
    assert found == dict.fromkeys(cut, 2)


def test_sentences_of_equal_length_are_one_bucket() -> None:
    assert cut_buckets(np.full(1000, 10), 20, 1) == [(0, 1000)]


def test_buckets_cut_the_padding() -> None:
    rng = np.random.default_rng(1)
    lengths = np.sort(rng.geometric(0.06, 600).clip(max=80))
    drawn = [rng.choice(lengths, (4, 8)) for _ in range(200)]
    plain = np.mean([one.mean() / one.max() for one in drawn])
    cut = cut_buckets(lengths, 20, 8)
    some = [lengths[a : a + n][rng.integers(0, n, (4, 8))] for a, n in cut for _ in range(20)]
    assert np.mean([one.mean() / one.max() for one in some]) > plain + 0.2


def test_sentences_stand_by_length_and_keep_their_labels() -> None:
    job = ragged_job(3, sentences=60)
    split = job.taskset.train
    sentences = stack_sentences([split], range(3), 12)
    for task in range(3):
        own = by_length(split, task)
        assert sorted(own.tolist()) == split.of_task(task).tolist()
        assert (np.diff(split.lengths()[own]) >= 0).all()
        for place, s in enumerate(own):
            span = slice(split.bounds[s], split.bounds[s + 1])
            long = span.stop - span.start
            assert sentences.tokens[0, task, place, :long].tolist() == split.tokens[span].tolist()
            assert (
                sentences.labels[0, task, place, :long].tolist()
                == split.labels[task, span].tolist()
            )


def test_an_outcome_does_not_depend_on_companions_of_other_lengths() -> None:
    def outcome(*others: Job) -> dict[str, float]:
        return dict(train_group([ragged_job(1, sentences=120), *others])[0].scores)

    alone = outcome()
    assert outcome(ragged_job(2), ragged_job(3, sentences=60)) == pytest.approx(alone, abs=1e-9)


def test_task_after_task_draws_from_all_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    cut = Buckets.of

    def spy(lengths: list[list[np.ndarray]], places: int, batch: int) -> Buckets:
        made.append(places)
        return cut(lengths, places, batch)

    monkeypatch.setattr(Buckets, "of", spy)
    job = ragged_job(1, sentences=120)
    train_group([Job(job.taskset, replace(job.settings, schedule="sequential"), 1)])
    assert made == [1]
