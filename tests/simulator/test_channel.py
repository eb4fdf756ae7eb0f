"""The channel family: the published map from α to AMI, exact counts, given confusions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.testing import FamilyContract
from mtl_laws.simulator import SpecError, TaskSpec, UnreachableAMIError, load_corpus, make_taskset
from mtl_laws.simulator.families.channel import allot, channel_ami, solve_copied
from mtl_laws.simulator.relatedness import ami_by_definition, contingency
from support.documents import HARBOUR

PUBLISHED_PRIOR = [83.3, 5.5, 4.9, 4.1, 2.2]


class TestChannelOnText(FamilyContract):
    spec = TaskSpec(family="channel", tasks=3, ami=0.5, tokens=400, test_tokens=100)


class TestChannelOnACorpus(FamilyContract):
    spec = TaskSpec(
        family="channel",
        tasks=3,
        ami=0.5,
        tokens=400,
        test_tokens=100,
        options={"corpus": HARBOUR, "main": "entity"},
    )


@pytest.mark.parametrize(
    ("alpha", "ami"),
    [(0.6, 0.13), (0.7, 0.22), (0.8, 0.34), (0.9, 0.55), (0.95, 0.71), (0.99, 0.92)],
)
def test_the_published_pairs(alpha: float, ami: float) -> None:
    main = np.diag(np.array(PUBLISHED_PRIOR) / 100 * 200_000)
    channel = np.full((5, 5), (1 - alpha) / 4) + (alpha - (1 - alpha) / 4) * np.eye(5)
    assert channel_ami(main, channel) == pytest.approx(ami, abs=0.006)
    copied = solve_copied(main, np.full((5, 5), 0.2), np.eye(5), channel_ami(main, channel))
    assert copied + (1 - copied) / 5 == pytest.approx(alpha, abs=1e-3)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 400))
def test_allotted_counts_are_exact(seed: int, size: int, tokens: int) -> None:
    rng = np.random.default_rng(seed)
    strata = rng.integers(0, size, tokens)
    laws = rng.dirichlet(np.ones(size), size)
    outcome = allot(np.random.default_rng(1), strata, strata, laws)
    table = contingency(strata.astype(np.int16), outcome, (size, size))
    assert np.abs(table - table.sum(axis=1, keepdims=True) * laws).max() <= 1 + 1e-9


def test_rounding_has_no_bias() -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros(3, dtype=np.int64)
    drawn = [allot(rng, rows, rows, np.array([[0.75, 0.25]])).sum() for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("ami", [0.0, 0.05, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("options", [{}, {"label_prior": PUBLISHED_PRIOR}, {"spans": True}])
def test_every_split_has_the_requested_ami(ami: float, options: dict[str, object]) -> None:
    spec = TaskSpec(
        family="channel", tasks=3, ami=ami, tokens=10_000, test_tokens=20_000, options=options
    )
    taskset = make_taskset(spec, 0)
    np.testing.assert_allclose(taskset.relatedness.ami[0, 1:], ami, atol=0.002)
    for split in (taskset.train, taskset.test):
        np.testing.assert_allclose(ami_by_definition(split.labels)[0, 1:], ami, atol=0.01)


def test_each_auxiliary_has_its_own_ami() -> None:
    spec = TaskSpec(family="channel", tasks=4, ami=(0.1, 0.5, 0.9))
    np.testing.assert_allclose(
        make_taskset(spec, 0).relatedness.ami[0, 1:], [0.1, 0.5, 0.9], atol=0.002
    )


def test_noise_lowers_what_can_be_seen() -> None:
    spec = TaskSpec(family="channel", tasks=2, ami=0.4, label_noise=0.1)
    taskset = make_taskset(spec, 0)
    assert taskset.ami == pytest.approx(0.4, abs=0.005)
    assert taskset.ami_clean is not None
    assert taskset.ami_clean > 0.55
    with pytest.raises(UnreachableAMIError, match=r"0\.000 to 0\.5"):
        make_taskset(TaskSpec(family="channel", ami=0.9, label_noise=0.1), 0)


def test_a_given_confusion_is_realised() -> None:
    rows = [[8, 1, 1], [0, 10, 0], [5, 0, 5]]
    spec = TaskSpec(
        family="channel", labels=3, tokens=10_000, options={"confusion": rows, "spans": False}
    )
    train = make_taskset(spec, 0).train
    table = contingency(train.labels[0], train.labels[1], (3, 3))
    shares = table / table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, np.array(rows) / 10, atol=0.002)


def test_a_given_confusion_is_weakened_to_the_requested_ami() -> None:
    rows = [[0, 1, 0], [0, 0, 1], [0, 1, 1]]
    spec = TaskSpec(family="channel", labels=3, ami=0.5, options={"confusion": rows})
    taskset = make_taskset(spec, 0)
    assert taskset.ami == pytest.approx(0.5, abs=0.005)
    main, auxiliary = taskset.train.labels
    table = contingency(main, auxiliary, (3, 3))
    assert table[0, 2] == table[1, 0] == table[2, 0] == 0
    each = TaskSpec(family="channel", tasks=3, labels=3, options={"confusion": [rows, rows]})
    assert make_taskset(each, 0).tasks == 3


@pytest.mark.parametrize(
    "confusion", [[[1, 2], [3, 4]], [[1, 2, 3]], "x", [[1, -1, 0]] * 3, [[0, 0, 0]] * 3, [[[1]]]]
)
def test_a_bad_confusion_is_named(confusion: object) -> None:
    with pytest.raises(SpecError, match="confusion"):
        make_taskset(TaskSpec(family="channel", labels=3, options={"confusion": confusion}), 0)


def test_any_layer_of_a_corpus_can_be_the_main_task() -> None:
    options = {"corpus": HARBOUR, "main": "chunk"}
    spec = TaskSpec(
        family="channel", tasks=3, ami=0.3, tokens=800, test_tokens=500, options=options
    )
    taskset = make_taskset(spec, 0)
    corpus = load_corpus(HARBOUR)
    assert taskset.label_names[0] == corpus.layer("chunk").names
    np.testing.assert_allclose(taskset.relatedness.ami[0, 1:], 0.3, atol=0.01)
    words = {tuple(w) for w in np.split(corpus.text.tokens, corpus.text.bounds[1:-1])}
    assert {tuple(w) for w in np.split(taskset.test.tokens, taskset.test.bounds[1:-1])} <= words


def test_ami_is_required_and_undefined_for_one_task() -> None:
    with pytest.raises(SpecError, match="ami"):
        make_taskset(TaskSpec(family="channel", tasks=2), 0)
    with pytest.raises(SpecError, match="single task"):
        make_taskset(TaskSpec(family="channel", tasks=1, ami=0.3), 0)
