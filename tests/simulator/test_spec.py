"""A spec says what is asked, refuses what cannot be meant, and survives JSON."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_laws.simulator import SpecError, TaskSpec

SPECS = st.builds(
    TaskSpec,
    family=st.sampled_from(["teacher", "channel"]),
    tasks=st.just(3),
    ami=st.one_of(st.none(), st.floats(0, 1), st.tuples(st.floats(0, 1), st.floats(0, 1))),
    tokens=st.integers(1, 10**6),
    aux_tokens=st.one_of(st.none(), st.integers(1, 10**6)),
    label_noise=st.floats(0, 0.9),
    options=st.dictionaries(st.text(max_size=5), st.integers() | st.booleans(), max_size=3),
)


@given(SPECS)
def test_a_spec_survives_json_and_pickle(spec: TaskSpec) -> None:
    again = TaskSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec == pickle.loads(pickle.dumps(spec))
    assert hash(again) == hash(spec)
    assert again.canonical() == spec.canonical()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tasks", 0),
        ("tokens", -5),
        ("tokens", 2.5),
        ("tokens", True),
        ("aux_tokens", 0),
        ("ami", 1.5),
        ("ami", float("nan")),
        ("ami", "high"),
        ("ami", (0.1, 0.2, 0.3)),
        ("label_noise", 1.0),
        ("validation_fraction", -0.1),
        ("labels", 1),
        ("vocabulary", 0),
        ("sentence_length", 0),
        ("shared", 1),
        ("options", [1]),
    ],
)
def test_a_bad_value_is_named(field: str, value: object) -> None:
    with pytest.raises(SpecError, match=field):
        TaskSpec.from_json({field: value})


def test_an_unknown_key_is_named_with_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"tokns.*tokens"):
        TaskSpec.from_json({"tokns": 4})


def test_one_meaning_has_one_form() -> None:
    assert TaskSpec(ami=1).canonical() == TaskSpec(ami=1.0).canonical()
    assert TaskSpec(tasks=1, ami=()) == TaskSpec(tasks=1)
    assert TaskSpec.from_json({"tasks": 3, "ami": [0, 1]}).ami == (0.0, 1.0)


def test_shared_sentences_have_one_size() -> None:
    with pytest.raises(SpecError, match="aux_tokens"):
        TaskSpec(shared=True, tokens=100, aux_tokens=200)


def test_requests_and_sizes_follow_from_the_spec() -> None:
    spec = TaskSpec(tasks=3, ami=0.4, tokens=100, aux_tokens=50)
    assert spec.requested_ami == (0.4, 0.4)
    assert spec.sizes == (100, 50, 50)
    assert TaskSpec(tasks=3, ami=(0.1, 0.9)).requested_ami == (0.1, 0.9)
    assert TaskSpec(tasks=1).requested_ami == ()
