"""TrainingSettings: how a tagger is built and trained, checked when it is written down."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mtl_laws.pipeline.errors import UserError, nearest, one_of
from mtl_laws.pipeline.training.architectures import SHARINGS
from mtl_laws.pipeline.training.encoders import ENCODERS
from mtl_laws.pipeline.training.schedules import SCHEDULES
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.pipeline.training.weighting import WEIGHTINGS

CHOICES: Mapping[str, Collection[str]] = {
    "encoder": ENCODERS,
    "sharing": SHARINGS,
    "weighting": WEIGHTINGS,
    "schedule": SCHEDULES,
    "activation": ("relu", "identity"),
    "precision": ("float32", "float64"),
}

STEPS_PER_UNIT = 40
"""Steps of a model that stops early, divided by the cube root of its tokens."""


@dataclass(frozen=True)
class _Range:
    """What a number has to satisfy, and how to say it."""

    holds: Callable[[float], bool]
    says: str
    whole: bool = True


_POSITIVE = _Range(lambda x: x >= 1, "a whole number of at least 1")
_COUNT = _Range(lambda x: x >= 0, "a whole number of at least 0")
_RATE = _Range(lambda x: 0 < x < float("inf"), "a number above 0", whole=False)
_AMOUNT = _Range(lambda x: 0 <= x < float("inf"), "a number of at least 0", whole=False)

RANGES: Mapping[str, _Range] = {
    "embedding": _POSITIVE,
    "hidden": _POSITIVE,
    "shared_layers": _COUNT,
    "private_layers": _POSITIVE,
    "window": _COUNT,
    "learning_rate": _RATE,
    "weight_decay": _AMOUNT,
    "embedding_sd": _AMOUNT,
    "soft_penalty": _AMOUNT,
    "batch_sentences": _POSITIVE,
    "max_steps": _POSITIVE,
    "evaluate_every": _POSITIVE,
    "patience": _COUNT,
}


@dataclass(frozen=True)
class TrainingSettings:
    """Architecture and training of every model of a study.

    Attributes
    ----------
    encoder : `bilstm`, `window` or `cnn` of learned embeddings; `vectors` or `vectors_bilstm` of
        frozen vectors, which the tasks must bring along.
    sharing : `hard`, `soft`, `private` or `transfer`.
    embedding, hidden : width of the token embeddings; units per direction of the encoder.
    shared_layers, private_layers : k and m fully connected layers above the encoder; the last
        private one is the head. k + m = 4 gives the four variants of the published study.
    activation : between fully connected layers; `identity` as in the published study.
    window : tokens to either side seen by `window` and by each layer of `cnn`.
    embedding_sd : standard deviation of the initial embeddings.
    weighting : of the tasks' losses; `equal`, `proportional` (to training tokens) or
        `uncertainty` (homoscedastic, learned).
    soft_penalty : strength of the L2 tie between the encoders of `soft` sharing.
    schedule : `mixed` (every task in every batch) or `sequential` (task after task).
    batch_sentences : training sentences drawn per task and step.
    learning_rate, weight_decay : of AdamW.
    max_steps : updates after which a model is `EXHAUSTED`.
    evaluate_every : updates between two looks at the validation loss.
    patience : evaluations without a new best before a model stops; 0 never stops early, so
        that every model makes `max_steps` updates.
    random_labels : shuffle the auxiliary tasks' training labels (the floor).
    precision : `float32`, or `float64` for tests.
    """

    encoder: str = "bilstm"
    sharing: str = "hard"
    embedding: int = 16
    hidden: int = 16
    shared_layers: int = 0
    private_layers: int = 1
    activation: str = "relu"
    window: int = 1
    embedding_sd: float = 0.1
    weighting: str = "equal"
    soft_penalty: float = 0.01
    schedule: str = "mixed"
    batch_sentences: int = 8
    learning_rate: float = 0.01
    weight_decay: float = 0.2
    max_steps: int = 3000
    evaluate_every: int = 20
    patience: int = 8
    random_labels: bool = False
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise UserError(f"training.{name}", one_of(str(value), choices), value)
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            kinds = (int,) if allowed.whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not allowed.holds(value):
                raise UserError(f"training.{name}", allowed.says, value)
        if not isinstance(self.random_labels, bool):
            raise UserError("training.random_labels", "true or false", self.random_labels)

    def to_json(self) -> dict[str, Any]:
        """Every field by name, as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> TrainingSettings:
        """Read what `to_json` wrote, or any part of it; raises `UserError` on an unknown key."""
        names = [field.name for field in fields(cls)]
        for key in given:
            if key not in names:
                raise UserError("training", nearest(key, names, "a training setting"), key)
        return cls(**given)

    def sizes(self, vocabulary: int, labels: tuple[int, ...], vectors: int = 0) -> Sizes:
        """Shape of a model for V token types and these label counts (main task first).

        vectors : width of a token's vector, where the encoder reads vectors.
        """
        return Sizes(
            vocabulary=vocabulary,
            labels=labels,
            embedding=self.embedding,
            hidden=self.hidden,
            shared_layers=self.shared_layers,
            private_layers=self.private_layers,
            window=self.window,
            embedding_sd=self.embedding_sd,
            relu=self.activation == "relu",
            vectors=vectors,
        )

    def cost(self, tasks: int, tokens: int) -> float:
        """Expected training time in relative units, for T tasks and n tokens of the main one.

        The cost of a step is proportional to T. With early stopping the number of steps grows about
        as n^(1/3), as measured from n = 40 to 4,000; without it, all allowed steps are made.
        """
        steps = math.cbrt(tokens) if self.patience else self.max_steps / STEPS_PER_UNIT
        return tasks * steps
