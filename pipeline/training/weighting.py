"""Weightings: how the losses of the tasks in a batch become one loss per model.

Notation
--------
B models, T tasks, A slots of a batch, each of one task.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from typing_extensions import override

from mtl_laws.pipeline.training.parameters import Layout, Start, Views
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.simulator.registry import enter


class Weighting(Protocol):
    """What a weighting has to offer; its one-model twin stands in `reference.py`."""

    def layout(self, sizes: Sizes) -> Layout:
        """Parameters that the weighting learns, by name."""
        ...

    def combine(self, losses: Tensor, slots: Tensor, counts: Tensor, views: Views) -> Tensor:
        """Loss (B,) from the slots' losses (B, A), their tasks (B, A), training tokens (B, T)."""
        ...


class Equal(Weighting):
    """The mean over tasks."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        return {}

    @override
    def combine(self, losses: Tensor, slots: Tensor, counts: Tensor, views: Views) -> Tensor:
        return losses.mean(1)


class Proportional(Weighting):
    """The mean over tasks, weighted by their training tokens."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        return {}

    @override
    def combine(self, losses: Tensor, slots: Tensor, counts: Tensor, views: Views) -> Tensor:
        sizes = counts.gather(1, slots).to(losses.dtype)
        return (losses * sizes).sum(1) / sizes.sum(1)


class Uncertainty(Weighting):
    """Homoscedastic uncertainty: mean of exp(−s)·loss + s/2, s = log σ² learned for each task.

    Source: Kendall, Gal and Cipolla 2018, equation 10.
    """

    @override
    def layout(self, sizes: Sizes) -> Layout:
        return {"log_variance": Start((sizes.tasks,))}

    @override
    def combine(self, losses: Tensor, slots: Tensor, counts: Tensor, views: Views) -> Tensor:
        spread = views["log_variance"].gather(1, slots)
        return ((-spread).exp() * losses + spread / 2).mean(1)


WEIGHTINGS: dict[str, Weighting] = {
    "equal": Equal(),
    "proportional": Proportional(),
    "uncertainty": Uncertainty(),
}


def register_weighting(name: str, weighting: Weighting) -> None:
    """Make a weighting known by name; `SpecError` where the name is taken."""
    enter(WEIGHTINGS, name, weighting)
