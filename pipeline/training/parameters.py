"""Parameters of B models in one buffer, so that the optimiser works on whole buffers.

Notation
--------
B models, P parameters of one model. The buffer is (B, P), a parameter of shape s a view (B, *s).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Views = Mapping[str, Tensor]


@dataclass(frozen=True)
class Start:
    """Shape of a parameter and how it starts: normal, uniform in ±`scale`, or zero (scale 0)."""

    shape: tuple[int, ...]
    scale: float = 0.0
    normal: bool = False

    @property
    def size(self) -> int:
        """Numbers in one model's parameter."""
        return math.prod(self.shape)

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Starting values of one model, flat."""
        if self.normal:
            return rng.normal(0.0, self.scale, self.size)
        return rng.uniform(-self.scale, self.scale, self.size)


Layout = dict[str, Start]


def fan_in(shape: tuple[int, ...], inputs: int) -> Start:
    """PyTorch's start of a linear or recurrent layer: uniform in ±1/√inputs."""
    return Start(shape, 1.0 / math.sqrt(inputs))


def draw_start(layout: Layout, seeds: Sequence[int]) -> Tensor:
    """Starting buffer (B, P) in float64.

    Every parameter has its own stream, keyed by the model's seed and the parameter's name, so
    that a single-task model and its multi-task twin start from the same encoder and main head.
    """
    rows = []
    for seed in seeds:
        rows.append(np.concatenate([_draw(name, start, seed) for name, start in layout.items()]))
    return torch.from_numpy(np.stack(rows))


def _draw(name: str, start: Start, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return start.draw(rng)


def views(flat: Tensor, layout: Layout) -> dict[str, Tensor]:
    """Parameters by name, each a view (B, *shape) into the buffer (B, P)."""
    found, offset = {}, 0
    for name, start in layout.items():
        part = flat[:, offset : offset + start.size]
        found[name] = part.view(len(flat), *start.shape)
        offset += start.size
    return found


class Parameters:
    """Leaves of the autograd graph: named views into the buffer (B, P)."""

    def __init__(self, flat: Tensor, layout: Layout) -> None:
        self.flat = flat
        self.views = {name: view.detach() for name, view in views(flat, layout).items()}
        for leaf in self.views.values():
            leaf.requires_grad_()

    def gradient(self, loss: Tensor) -> Tensor:
        """Gradient (B, P) of a scalar; zero for parameters that it does not depend on."""
        leaves = list(self.views.values())
        parts = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten(1) for part in parts], dim=1)
