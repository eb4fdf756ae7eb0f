"""Controls: runs that say where the gain of training together comes from.

A control is described by the description of the multi-task run that it is compared with, and by
nothing that any run gave. So the table finds a run's controls by their digests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mtl_laws.pipeline.columns import MARK

Description = Mapping[str, Any]

_PHASES = {"transfer": 2}
"""Stretches of `max_steps` updates that a sharing may make; 1 where it is not named."""


def single_task_twin(description: Description) -> dict[str, Any]:
    """The single-task run that a run is paired with: same main task, n and seed.

    What belongs to the auxiliaries has its neutral value there (`trials.single_task`).
    """
    neutral = {"tasks": 1, "ami": None, "aux_tokens": None, "shared": False}
    return _changed(description, neutral, {"random_labels": False})


def with_updates(description: Description) -> dict[str, Any]:
    """The main task alone with at least as many updates as the multi-task run can make.

    How many that one makes is known only once it stopped, so this one makes all that are allowed,
    `max_steps` of them and twice as many for `transfer`, and keeps the best look of them.
    """
    training = description["training"]
    allowed = training["max_steps"] * _PHASES.get(training["sharing"], 1)
    alone = single_task_twin(description)
    return _changed(alone, {}, {"max_steps": allowed, "patience": 0})


def with_tokens(description: Description) -> dict[str, Any]:
    """The main task alone with as many tokens as all tasks together have: the ceiling."""
    task = description["task"]
    auxiliary = task["aux_tokens"] or task["tokens"]
    together = task["tokens"] + (task["tasks"] - 1) * auxiliary
    return _changed(single_task_twin(description), {"tokens": together}, {})


def with_random_labels(description: Description) -> dict[str, Any]:
    """The same tasks with the auxiliaries' training labels shuffled: the floor."""
    return _changed(description, {}, {"random_labels": True})


CONTROLS: Mapping[str, Callable[[Description], dict[str, Any]]] = {
    "updates": with_updates,
    "tokens": with_tokens,
    "random_labels": with_random_labels,
}
"""Name -> description of the control from that of the multi-task run, without the mark."""


def marked(name: str, description: Description) -> dict[str, Any]:
    """`description` as that of the control `name`, told apart from an ordinary run like it."""
    return {**description, MARK: name}


def _changed(
    description: Description, task: Mapping[str, Any], training: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **description,
        "task": {**description["task"], **task},
        "training": {**description["training"], **training},
    }
