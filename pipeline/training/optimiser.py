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

from mtl_laws.pipeline.training.kernel import find_kernel

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


def step_scales(steps: Tensor, ahead: int, rate: float) -> Tensor:
    """Step sizes −rate/(1 − β₁ᵗ) and 1/√(1 − β₂ᵗ) of the next updates, (ahead, B, 2) in float64.

    steps : (B,), updates that each model has made.
    """
    number = torch.arange(1, ahead + 1, dtype=torch.float64, device=steps.device)
    powers = number.unsqueeze(1) + steps
    return torch.stack([-rate / (1 - BETA1**powers), (1 - BETA2**powers).rsqrt()], dim=2)


def adamw_step(
    buffers: tuple[Tensor, Tensor], moments: Moments, scales: Tensor, keep: float
) -> None:
    """Update parameters in place, once.

    buffers : parameters and their gradient, (B, P) each. scales : (B, 2), from `step_scales`.
    keep : what weight decay leaves of a parameter, 1 − rate·decay.
    """
    flat, gradient = buffers
    kernel = find_kernel(flat)
    if kernel is not None:
        constants = flat.new_tensor([BETA1, BETA2, EPSILON, keep])
        kernel.adamw((flat, gradient, moments.first, moments.second), scales, constants)
        return
    moments.first.lerp_(gradient, 1 - BETA1)
    moments.second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    scale = moments.second.sqrt().mul_(scales[:, 1:]).add_(EPSILON)
    flat.mul_(keep).add_(moments.first.div(scale).mul_(scales[:, :1]))
