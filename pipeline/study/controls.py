"""Controls: trials that show where the gain of multi-task training comes from.

The description of a control follows from that of the multi-task trial that it is compared with, and
from no outcome. The table therefore finds the controls of a trial by their digests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mtl_laws.pipeline.columns import MARK
from mtl_laws.simulator import TaskSpec

Description = Mapping[str, Any]

_PHASES = {"transfer": 2}
"""Sharing -> phases of `max_steps` updates that it makes; 1 if not listed."""


def single_task_twin(description: Description) -> dict[str, Any]:
    """The single-task trial that a trial is paired with: same main task, n and seed.

    Nothing that its task says of auxiliaries is left (`TaskSpec.alone`).
    """
    task = TaskSpec.from_json(description["task"]).alone()
    return _changed(description, task.to_json(), {"random_labels": False})


def with_updates(description: Description) -> dict[str, Any]:
    """The main task alone with at least as many updates as the multi-task trial can make.

    The number of updates of that trial is known only when it has stopped. The control therefore
    makes all that are allowed (`max_steps`, twice as many for `transfer`) and keeps the best step.
    """
    training = description["training"]
    most = training["max_steps"] * _PHASES.get(training["sharing"], 1)
    return _changed(single_task_twin(description), {}, {"max_steps": most, "patience": 0})


def with_tokens(description: Description) -> dict[str, Any]:
    """The main task alone with the tokens of all tasks together: the upper bound."""
    task = description["task"]
    auxiliary = task["aux_tokens"] or task["tokens"]
    together = task["tokens"] + (task["tasks"] - 1) * auxiliary
    return _changed(single_task_twin(description), {"tokens": together}, {})


def with_random_labels(description: Description) -> dict[str, Any]:
    """The same tasks with shuffled training labels of the auxiliaries: the lower bound."""
    return _changed(description, {}, {"random_labels": True})


CONTROLS: Mapping[str, Callable[[Description], dict[str, Any]]] = {
    "updates": with_updates,
    "tokens": with_tokens,
    "random_labels": with_random_labels,
}
"""Name -> function from the description of the multi-task trial to that of the control."""


def marked(name: str, description: Description) -> dict[str, Any]:
    """`description` marked as the control `name`, which gives it a digest of its own."""
    return {**description, MARK: name}


def _changed(
    description: Description, task: Mapping[str, Any], training: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **description,
        "task": {**description["task"], **task},
        "training": {**description["training"], **training},
    }
