"""TrainingSettings: what is accepted, what is not, and how it is said."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.training import Job, Status, TrainingSettings, max_group, train_group
from mtl_laws.pipeline.training.settings import CHOICES, RANGES
from support.training_jobs import small_job, small_taskset

WHOLE = [name for name, allowed in RANGES.items() if allowed.whole]
REAL = [name for name, allowed in RANGES.items() if not allowed.whole]


@given(
    chosen=st.fixed_dictionaries(
        {name: st.sampled_from(sorted(choices)) for name, choices in CHOICES.items()}
        | {name: st.integers(1, 1000) for name in WHOLE}
        | {name: st.floats(1e-6, 10) for name in REAL}
    )
)
def test_json_round_trip(chosen: dict[str, Any]) -> None:
    settings = TrainingSettings(**chosen)
    assert TrainingSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("encoder", "transformer", "one of bilstm, window, cnn"),
        ("sharing", "none", "one of hard, soft, private, transfer"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("learning_rate", "fast", "above 0"),
        ("hidden", 0, "at least 1"),
        ("hidden", 2.5, "whole number"),
        ("hidden", True, "whole number"),
        ("patience", -1, "at least 0"),
    ],
)
def test_a_wrong_value_is_named(field: str, value: object, says: str) -> None:
    with pytest.raises(UserError, match=f"training.{field}.*{says}"):
        TrainingSettings.from_json({field: value})


def test_an_unknown_key_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match="the nearest is 'learning_rate'"):
        TrainingSettings.from_json({"learning_rat": 0.1})


def test_every_field_is_checked() -> None:
    assert set(TrainingSettings().to_json()) == set(CHOICES) | set(RANGES) | {"random_labels"}


def test_groups_must_be_alike() -> None:
    with pytest.raises(UserError, match="different settings"):
        train_group([small_job(1), small_job(1, {"hidden": 5})])
    with pytest.raises(UserError, match="different shape"):
        train_group([small_job(1), small_job(1, tasks=3)])


def test_a_job_without_validation_sentences_is_refused() -> None:
    whole = small_taskset(1)
    others = np.ones_like(whole.validation.assigned)
    taskset = replace(whole, validation=replace(whole.validation, assigned=others))
    with pytest.raises(UserError, match="validation_fraction"):
        Job(taskset, TrainingSettings(), 1)


@pytest.mark.parametrize("seed", [-1, True, 2**63])
def test_a_seed_is_a_whole_number(seed: int) -> None:
    with pytest.raises(UserError, match="seed"):
        Job(small_taskset(1), TrainingSettings(), seed)


def test_an_empty_group_is_no_work() -> None:
    assert train_group([]) == []


def test_groups_shrink_as_tasks_are_added() -> None:
    sizes = [max_group(TrainingSettings(), tasks) for tasks in (1, 2, 4, 8, 15)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= 1
    assert max_group(TrainingSettings(), 4, "cuda") > max_group(TrainingSettings(), 4)


def test_every_status_has_a_remedy_and_survives_pickling() -> None:
    assert all(status.remedy.endswith(".") for status in Status)
    assert [pickle.loads(pickle.dumps(status)) for status in Status] == list(Status)
    assert [status for status in Status if status.scored] == [Status.CONVERGED, Status.EXHAUSTED]
