"""AdamW over one buffer of all parameters of all models.

Notation
--------
B models, P parameters of each; every model has its own step count, since models join and leave.
Source: Loshchilov and Hutter 2019, with PyTorch's constants β = (0.9, 0.999), ε = 1e-8.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.training.kernel import find_kernel

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Moments:
    """First and second moments (B, P) of the gradients."""

    first: Tensor
    second: Tensor

    @classmethod
    def zeros_like(cls, flat: Tensor) -> Moments:
        """Moments of models that have made no step."""
        return cls(torch.zeros_like(flat), torch.zeros_like(flat))


def adamw_step(
    flat: Tensor, gradient: Tensor, moments: Moments, steps: Tensor, rates: tuple[float, float]
) -> None:
    """Update parameters (B, P) in place.

    steps : (B,), this update's number for each model, from 1; rates : learning rate, weight decay.
    """
    rate, decay = rates
    powers = steps.to(torch.float64)
    size = -rate / (1 - BETA1**powers)
    spread = (1 - BETA2**powers).rsqrt()
    scales = torch.stack([size, spread], dim=1).to(flat.dtype)
    kernel = find_kernel(flat)
    if kernel is not None:
        constants = flat.new_tensor([BETA1, BETA2, EPSILON, 1 - rate * decay])
        kernel.adamw((flat, gradient, moments.first, moments.second), scales, constants)
        return
    moments.first.lerp_(gradient, 1 - BETA1)
    moments.second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    scale = moments.second.sqrt().mul_(scales[:, 1:]).add_(EPSILON)
    flat.mul_(1 - rate * decay).add_(moments.first.div(scale).mul_(scales[:, :1]))
