"""Contracts of encoders and weightings.

Both are registered by name. Inherit, and give that `name`.

Notation
--------
B models, T tasks, A slots of a batch, S sentences, L tokens, V vocabulary, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_laws.pipeline.training import Job, Outcome, Status, TrainingSettings, train_group
from mtl_laws.pipeline.training.encoders import ENCODERS, VectorEncoder
from mtl_laws.pipeline.training.parameters import Layout, Views, draw_start, views
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from mtl_laws.simulator import TaskSet, TaskSpec, make_taskset
from mtl_laws.simulator.tasks import TokenVectors

SIZES = Sizes(vocabulary=7, labels=(3, 3), embedding=4, hidden=3, vectors=5)
SEEDS = (1, 2)


@cache
def small_taskset(seed: int, tasks: int) -> TaskSet:
    """T related tasks with few word types, of a size that differs from seed to seed."""
    ami = None if tasks == 1 else 0.4
    spec = TaskSpec(
        tasks=tasks, ami=ami, tokens=40 + 20 * seed, test_tokens=60, vocabulary=30, labels=3
    )
    return make_taskset(spec, seed)


def with_vectors(taskset: TaskSet) -> TaskSet:
    """The tasks with a vector for every token, which only its type tells."""
    table = np.random.default_rng(0).normal(size=(len(taskset.vocabulary), 6)).astype(np.float32)
    places = {name: split.tokens for name, split in taskset.splits.items()}
    return replace(taskset, vectors=TokenVectors(table, places))


def starting_views(layout: Layout, seeds: Sequence[int] = SEEDS) -> Views:
    """Parameters as a model of each seed starts with them, in float64."""
    return views(draw_start(layout, seeds), layout) if layout else {}


class TrainingContract:
    """What holds for models with the settings that `settings` names, whatever they are."""

    name: str

    def settings(self) -> dict[str, Any]:
        """Settings of the models, besides those of their size."""
        raise NotImplementedError

    def train(self, seeds: Sequence[int], tasks: int = 2) -> list[Outcome]:
        """The outcomes of a group of small models, one of each seed."""
        small = {"embedding": 4, "hidden": 4, "max_steps": 60, "evaluate_every": 10}
        settings = TrainingSettings(
            **{**small, "patience": 0, "precision": "float64", **self.settings()}
        )
        return train_group([Job(with_vectors(small_taskset(s, tasks)), settings, s) for s in seeds])

    def test_an_outcome_does_not_depend_on_its_companions(self) -> None:
        together = self.train((1, 2, 3))
        for seed, outcome in zip((1, 2, 3), together, strict=True):
            (alone,) = self.train((seed,))
            assert alone.status == outcome.status
            np.testing.assert_allclose(alone.curve, outcome.curve, rtol=0, atol=1e-8)
            assert alone.scores == pytest.approx(dict(outcome.scores), abs=1e-8)

    @pytest.mark.parametrize("tasks", [1, 3])
    def test_training_lowers_the_training_loss(self, tasks: int) -> None:
        for outcome in self.train((1, 2), tasks):
            assert outcome.status is Status.EXHAUSTED
            losses = [training for _, training, _ in outcome.curve]
            assert np.isfinite(losses).all()
            assert losses[-1] < losses[0]


class EncoderContract(TrainingContract):
    """Inherit, and give the `name` under which the encoder is registered."""

    def settings(self) -> dict[str, Any]:
        """Models with this encoder."""
        return {"encoder": self.name}

    def encode(self, start: Views, tokens: Tensor) -> Tensor:
        """Features of tokens (B, S, L)."""
        encoder = ENCODERS[self.name]
        if isinstance(encoder, VectorEncoder):
            table = np.random.default_rng(0).normal(size=(SIZES.vocabulary, SIZES.vectors))
            encoder = encoder.reading(torch.from_numpy(table))
        return encoder.encode(start, tokens, SIZES)

    @pytest.fixture
    def start(self) -> Views:
        """The encoder's parameters in two models."""
        return starting_views(ENCODERS[self.name].layout(SIZES))

    @pytest.fixture
    def tokens(self) -> Tensor:
        """Token ids of three sentences in two models, (2, 3, 5)."""
        random = np.random.default_rng(0)
        return torch.from_numpy(random.integers(0, SIZES.vocabulary, (2, 3, 5)))

    def test_every_token_has_features(self, start: Views, tokens: Tensor) -> None:
        features = self.encode(start, tokens)
        assert tuple(features.shape) == (*tokens.shape, SIZES.features)
        assert torch.isfinite(features).all()

    def test_a_model_has_parameters_of_its_own(self, start: Views, tokens: Tensor) -> None:
        both = self.encode(start, tokens)
        for model in range(len(SEEDS)):
            own = {name: view[model : model + 1] for name, view in start.items()}
            torch.testing.assert_close(
                self.encode(own, tokens[model : model + 1])[0], both[model], rtol=0, atol=1e-12
            )

    def test_padding_changes_no_features(self, start: Views, tokens: Tensor) -> None:
        padding = torch.full((*tokens.shape[:2], 4), SIZES.vocabulary)
        longer = self.encode(start, torch.cat([tokens, padding], dim=2))
        torch.testing.assert_close(
            longer[:, :, : tokens.shape[2]], self.encode(start, tokens), rtol=0, atol=1e-12
        )

    def test_every_parameter_is_used(self, start: Views, tokens: Tensor) -> None:
        leaves = {name: view.clone().requires_grad_() for name, view in start.items()}
        self.encode(leaves, tokens).square().sum().backward()  # type: ignore[no-untyped-call]
        unused = [name for name, leaf in leaves.items() if leaf.grad is None or not leaf.grad.any()]
        assert unused == []


class WeightingContract(TrainingContract):
    """Inherit, and give the `name` under which the weighting is registered."""

    def settings(self) -> dict[str, Any]:
        """Models with this weighting."""
        return {"weighting": self.name}

    def combine(self, losses: Tensor) -> Tensor:
        """The loss of each of two models, from those of a main and an auxiliary slot."""
        weighting = WEIGHTINGS[self.name]
        slots, counts = torch.tensor([[0, 1]] * 2), torch.tensor([[50, 200]] * 2)
        return weighting.combine(losses, slots, counts, starting_views(weighting.layout(SIZES)))

    def test_a_model_has_one_loss(self) -> None:
        combined = self.combine(torch.tensor([[1.0, 2.0], [3.0, 0.5]], dtype=torch.float64))
        assert tuple(combined.shape) == (2,)
        assert torch.isfinite(combined).all()

    def test_a_loss_depends_on_its_own_model_only(self) -> None:
        losses = torch.tensor([[1.0, 2.0], [3.0, 0.5]], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(self.combine(losses)[0], losses)
        assert not gradient[1].any()

    def test_a_worse_main_task_is_a_worse_loss(self) -> None:
        better = self.combine(torch.tensor([[1.0, 2.0], [3.0, 0.5]], dtype=torch.float64))
        worse = self.combine(torch.tensor([[1.1, 2.0], [3.1, 0.5]], dtype=torch.float64))
        assert (worse > better).all()
