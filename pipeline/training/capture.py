"""One whole update as a CUDA graph: on a GPU, small models wait for launches, not for arithmetic.

Notation
--------
B models in the stack, A slots of a batch, S sentences per slot, P parameters of one model.

An update (draw the batch, losses, gradient, AdamW) reads three small tensors and changes parameters
and moments in place. With shapes that stay as they are it is recorded once and replayed by a single
launch. `plain_update` is the same without a graph: on CPUs, for sentences of unlike lengths, and
where recording fails, which is said once.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtl_laws.pipeline.training.kernel import note_loop

WARM_UP = 3
"""Updates before recording, as PyTorch asks for: libraries set themselves up in the first ones."""

_log = logging.getLogger(__name__)

Inputs = tuple[Tensor, Tensor, Tensor]
"""Slots (B, A), chosen sentences (B, A, S) and AdamW's scales (B, 2) of one update."""

Update = Callable[[Inputs], Tensor]
"""Makes one update in place and returns the losses (B, A)."""


@dataclass
class _Recorded:
    """A recorded update: its graph, and the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: Inputs
    losses: Tensor

    def __call__(self, inputs: Inputs) -> Tensor:
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.losses.clone()


def captured(update: Update, inputs: Inputs, state: tuple[Tensor, ...]) -> Update:
    """Return `update` as one launch, or `update` itself where it cannot be recorded.

    Parameters
    ----------
    inputs : of a first update; only their shapes and what they index matter.
    state : what an update changes in place; left as it was.
    """
    before = [tensor.clone() for tensor in state]
    try:
        recorded = _record(update, inputs)
    except RuntimeError as error:
        _say_once(" ".join(str(error).split())[:200])
        return update
    finally:
        for tensor, saved in zip(state, before, strict=True):
            tensor.copy_(saved)
    note_loop("graph")
    return recorded


def _record(update: Update, inputs: Inputs) -> _Recorded:
    device = inputs[0].device
    slots, chosen, scales = (tensor.clone() for tensor in inputs)
    own = slots, chosen, scales
    cuda: Any = torch.cuda
    with cuda.device(device):
        aside = cuda.Stream()
        aside.wait_stream(cuda.current_stream())
        with cuda.stream(aside):
            for _ in range(WARM_UP):
                update(own)
        cuda.current_stream().wait_stream(aside)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            losses = update(own)
    return _Recorded(graph, own, losses)


@functools.cache
def _say_once(reason: str) -> None:
    _log.warning("an update could not be recorded as a CUDA graph, training goes on: %s", reason)
