"""Sharings: which tasks share what between the token ids and the logits.

Notation
--------
B models, T tasks, A slots of a batch (each slot holds sentences of one task), S sentences per
slot, L tokens of the longest sentence, D features, K labels.

A tagger is a *trunk* (encoder and k fully connected layers) and a *head* (m fully connected
layers) per task. Sharings differ in whose trunk a task goes through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

from mtl_laws.pipeline.training.encoders import Encoder
from mtl_laws.pipeline.training.modules import linear
from mtl_laws.pipeline.training.parameters import Layout, Start, Views, fan_in
from mtl_laws.pipeline.training.sizes import Sizes


@dataclass(frozen=True)
class Phase:
    """A stretch of training: the tasks it trains on, and those whose validation loss ends it."""

    train: tuple[int, ...]
    validate: tuple[int, ...]


@dataclass(frozen=True)
class Tagger:
    """Encoder, sharing and sizes: everything that a forward pass needs beside the parameters."""

    encoder: Encoder
    sharing: Sharing
    sizes: Sizes

    def layout(self) -> Layout:
        """Parameters of one model by name."""
        return self.sharing.layout(self.encoder, self.sizes)

    def logits(self, views: Views, tokens: Tensor, slots: Tensor) -> Tensor:
        """Logits (B, A, S·L, K) of tokens (B, A or 1, S, L) for the tasks in slots (B, A).

        Labels that a task does not have get −∞.
        """
        return self.sharing.logits(self, views, (tokens, slots))


class Sharing(Protocol):
    """What a sharing has to offer; its one-model twin stands in `reference.py`."""

    def layout(self, encoder: Encoder, sizes: Sizes) -> Layout:
        """Parameters of one model by name."""
        ...

    def logits(self, tagger: Tagger, views: Views, batch: tuple[Tensor, Tensor]) -> Tensor:
        """See `Tagger.logits`; batch is (tokens, slots)."""
        ...

    def penalty(self, views: Views) -> Tensor | None:
        """What is added to the loss, (B,), before its strength; None if nothing is."""
        ...

    def phases(self, tasks: int) -> tuple[Phase, ...]:
        """Stretches of training, in order."""
        ...


def trunk_layout(encoder: Encoder, sizes: Sizes) -> dict[str, Start]:
    """Parameters of one trunk."""
    layout = dict(encoder.layout(sizes))
    width = sizes.features
    for i in range(sizes.shared_layers):
        layout[f"shared.{i}.weight"] = fan_in((width, width), width)
        layout[f"shared.{i}.bias"] = fan_in((width,), width)
    return layout


def head_layout(sizes: Sizes) -> dict[str, Start]:
    """Parameters of the T heads, task axis first."""
    width, layout = sizes.features, {}
    for i in range(sizes.private_layers):
        out = sizes.most_labels if i == sizes.private_layers - 1 else width
        layout[f"private.{i}.weight"] = fan_in((sizes.tasks, width, out), width)
        layout[f"private.{i}.bias"] = fan_in((sizes.tasks, out), width)
    return layout


def run_trunk(tagger: Tagger, views: Views, tokens: Tensor) -> Tensor:
    """Features (G, S·L, D) of tokens (G, S, L), one trunk per stack."""
    sizes = tagger.sizes
    features = tagger.encoder.encode(views, tokens, sizes).flatten(1, 2)
    for i in range(sizes.shared_layers):
        features = linear(features, views[f"shared.{i}.weight"], views[f"shared.{i}.bias"])
        features = features.relu() if sizes.relu else features
    return features


def run_heads(sizes: Sizes, views: Views, features: Tensor, slots: Tensor) -> Tensor:
    """Logits (B, A, N, K) of features (B, A or 1, N, D) for the tasks in slots (B, A)."""
    models, count = slots.shape
    hidden = features.expand(models, count, -1, -1).flatten(0, 1)
    for i in range(sizes.private_layers):
        if i > 0 and sizes.relu:
            hidden = hidden.relu()
        weight, bias = (pick(views[f"private.{i}.{part}"], slots) for part in ("weight", "bias"))
        hidden = linear(hidden, weight, bias)
    return _hide_missing(hidden.view(models, count, *hidden.shape[1:]), sizes, slots)


def pick(stacked: Tensor, slots: Tensor) -> Tensor:
    """Parameters (B, T, …) of the tasks in slots (B, A) -> (B·A, …)."""
    if slots.stride(0) == 0 and slots.shape[1] == stacked.shape[1]:
        return stacked.flatten(0, 1)
    models = torch.arange(len(slots), device=slots.device).unsqueeze(1)
    return stacked[models, slots].flatten(0, 1)


def _hide_missing(logits: Tensor, sizes: Sizes, slots: Tensor) -> Tensor:
    """−∞ where a task has fewer labels than K."""
    if min(sizes.labels) == sizes.most_labels:
        return logits
    counts = torch.zeros_like(slots)
    for task, labels in enumerate(sizes.labels):
        counts = counts + (slots == task) * labels
    missing = torch.arange(sizes.most_labels, device=slots.device) >= counts[:, :, None, None]
    return logits.masked_fill(missing, -torch.inf)


def every_task(models: int, tasks: tuple[int, ...], device: torch.device) -> Tensor:
    """The same slots (B, A) for every model."""
    return torch.tensor(tasks, device=device).expand(models, -1)


class Hard(Sharing):
    """One trunk for all tasks."""

    @override
    def layout(self, encoder: Encoder, sizes: Sizes) -> Layout:
        return trunk_layout(encoder, sizes) | head_layout(sizes)

    @override
    def logits(self, tagger: Tagger, views: Views, batch: tuple[Tensor, Tensor]) -> Tensor:
        tokens, slots = batch
        features = run_trunk(tagger, views, tokens.flatten(1, 2))
        return run_heads(
            tagger.sizes,
            views,
            features.view(len(tokens), tokens.shape[1], -1, features.shape[-1]),
            slots,
        )

    @override
    def penalty(self, views: Views) -> Tensor | None:
        return None

    @override
    def phases(self, tasks: int) -> tuple[Phase, ...]:
        return (Phase(tuple(range(tasks)), (0,)),)


class Transfer(Hard):
    """One trunk, trained on the auxiliaries first and then on the main task alone."""

    @override
    def phases(self, tasks: int) -> tuple[Phase, ...]:
        alone = Phase((0,), (0,))
        others = tuple(range(1, tasks))
        return (Phase(others, others), alone) if others else (alone,)


class Private(Hard):
    """A trunk per task: nothing is shared (the control)."""

    @override
    def layout(self, encoder: Encoder, sizes: Sizes) -> Layout:
        trunk = trunk_layout(encoder, sizes)
        own = {
            name: Start((sizes.tasks, *start.shape), start.scale, start.normal)
            for name, start in trunk.items()
        }
        return own | head_layout(sizes)

    @override
    def logits(self, tagger: Tagger, views: Views, batch: tuple[Tensor, Tensor]) -> Tensor:
        tokens, slots = batch
        own = {n: pick(v, slots) for n, v in views.items() if not n.startswith("private.")}
        each = tokens.expand(*slots.shape, -1, -1).flatten(0, 1)
        features = run_trunk(tagger, own, each)
        features = features.view(*slots.shape, *features.shape[1:])
        return run_heads(tagger.sizes, views, features, slots)


class Soft(Private):
    """A trunk per task, tied by the squared distance of each to their mean."""

    @override
    def penalty(self, views: Views) -> Tensor | None:
        trunks = [value for name, value in views.items() if not name.startswith("private.")]
        far = [trunk - trunk.mean(1, keepdim=True) for trunk in trunks]
        return torch.stack([part.square().flatten(1).sum(1) for part in far]).sum(0)


SHARINGS: Mapping[str, Sharing] = {
    "hard": Hard(),
    "soft": Soft(),
    "private": Private(),
    "transfer": Transfer(),
}
