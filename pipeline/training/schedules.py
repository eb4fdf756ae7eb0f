"""Schedules: whose sentences a batch holds at each step.

Notation
--------
B models, T tasks, A slots of a batch, n sentences drawn per slot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

from mtl_laws.pipeline.training.architectures import every_task


class Schedule(Protocol):
    """What a schedule has to offer."""

    def slots(self, tasks: tuple[int, ...], steps: Tensor, passes: Tensor) -> Tensor:
        """Tasks (B, A) of the slots at each model's own step.

        tasks : those that are trained. steps : (B,), from 0. passes : (B, T), steps that one pass
        over a task's sentences takes.
        """
        ...


class Mixed(Schedule):
    """Every task in every batch."""

    @override
    def slots(self, tasks: tuple[int, ...], steps: Tensor, passes: Tensor) -> Tensor:
        return every_task(len(steps), tasks, steps.device)


class Sequential(Schedule):
    """A pass over one task's sentences, then over the next one's, as in the published study."""

    @override
    def slots(self, tasks: tuple[int, ...], steps: Tensor, passes: Tensor) -> Tensor:
        ends = passes[:, list(tasks)].cumsum(1)
        into = steps % ends[:, -1]
        turn = (into.unsqueeze(1) >= ends).sum(1, keepdim=True)
        return torch.tensor(tasks, device=steps.device)[turn]


SCHEDULES: Mapping[str, Schedule] = {"mixed": Mixed(), "sequential": Sequential()}
