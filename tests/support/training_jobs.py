"""Jobs for the tests of training: small teacher tasks, and a ragged corpus; drawn from seeds."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from mtl_laws.pipeline.training import Job, TrainingSettings
from mtl_laws.simulator import Relatedness, Split, TaskSet, TaskSpec, make_taskset
from mtl_laws.simulator.tasks import TokenVectors

_DRAWN = np.random.default_rng(0).normal(size=(11, 40, 6))
TABLE = (_DRAWN[0] + 0.3 * _DRAWN[1:]).reshape(400, 6).astype(np.float32)
"""Vectors that all task sets here share: row 40·k + v is that of token type v, with some noise."""


@functools.cache
def small_taskset(seed: int, tokens: int = 60, tasks: int = 2, **options: Any) -> TaskSet:
    """A teacher task set with few token types, so that every embedding is trained."""
    ami = None if tasks == 1 else 0.3
    defaults: dict[str, Any] = {"vocabulary": 30, "labels": 3, "test_tokens": 200}
    spec = TaskSpec(tokens=tokens, tasks=tasks, ami=ami, **(defaults | options))
    return make_taskset(spec, seed)


def with_vectors(taskset: TaskSet) -> TaskSet:
    """The task set with a vector for each token: one of the ten of its type."""
    rng = np.random.default_rng(taskset.seed)
    places = {
        name: (split.tokens + 40 * rng.integers(0, 10, len(split.tokens))).astype(np.int32)
        for name, split in taskset.splits.items()
    }
    return replace(taskset, vectors=TokenVectors(TABLE, places))


def small_job(seed: int, settings: dict[str, Any] | None = None, **options: Any) -> Job:
    """A job on `small_taskset`, a few hundred parameters, in float64."""
    chosen: dict[str, Any] = {
        "embedding": 4,
        "hidden": 4,
        "batch_sentences": 2,
        "max_steps": 50,
        "evaluate_every": 10,
        "patience": 0,
        "precision": "float64",
    } | (settings or {})
    return Job(with_vectors(small_taskset(seed, **options)), TrainingSettings(**chosen), seed)


def ragged_split(rng: np.random.Generator, sentences: int, shared: bool) -> Split:
    lengths = rng.integers(1, 10, sentences)
    bounds = np.concatenate([[0], lengths.cumsum()])
    total = int(bounds[-1])
    labels = np.stack([rng.integers(0, k, total) for k in (2, 4, 3)]).astype(np.int16)
    labels[1, rng.random(total) < 0.2] = -1
    tokens = rng.integers(0, 12, total).astype(np.int32)
    assigned = np.full(sentences, -1) if shared else np.arange(sentences) % 3
    return Split(tokens, bounds.astype(np.int64), labels, assigned.astype(np.int16))


def ragged_taskset(seed: int, sentences: int = 15) -> TaskSet:
    rng = np.random.default_rng(seed)
    train, validation, test = (ragged_split(rng, s, s == 20) for s in (sentences, 9, 20))
    nothing = np.zeros((3, 3))
    names = tuple(tuple(f"L{i}" for i in range(k)) for k in (2, 4, 3))
    return TaskSet(
        spec=TaskSpec(tasks=3, ami=0.1),
        seed=seed,
        vocabulary=tuple(f"w{i}" for i in range(12)),
        label_names=names,
        train=train,
        validation=validation,
        test=test,
        relatedness=Relatedness(nothing, nothing, nothing, np.zeros(3)),
    )


def ragged_job(seed: int, sentences: int = 15, encoder: str = "bilstm") -> Job:
    settings = TrainingSettings(
        encoder=encoder,
        embedding=4,
        hidden=4,
        batch_sentences=2,
        max_steps=50,
        evaluate_every=10,
        patience=0,
        precision="float64",
    )
    return Job(with_vectors(ragged_taskset(seed, sentences)), settings, seed)
