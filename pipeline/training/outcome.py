"""What training one model gave: a status with its remedy, scores, and a learning curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Curve = tuple[tuple[int, float, float], ...]


class Status(StrEnum):
    """How a training run ended; only the first two leave scores."""

    CONVERGED = "converged"
    EXHAUSTED = "exhausted"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def scored(self) -> bool:
        """Whether a model came out of it that was scored on the test set."""
        return self in (Status.CONVERGED, Status.EXHAUSTED)

    @property
    def remedy(self) -> str:
        """One sentence: what to change when there are too many of these."""
        return _REMEDIES[self]


_REMEDIES = {
    Status.CONVERGED: "None needed: early stopping ended the training.",
    Status.EXHAUSTED: "Raise max_steps: the validation loss was still falling when steps ran out.",
    Status.DIVERGED: "Lower learning_rate: the loss became infinite, not a number, or exploded.",
    Status.FAILED: "Read the message: an error, not the numbers, ended the training.",
}


@dataclass(frozen=True)
class Outcome:
    """Result of one trial, whatever happened to it.

    Attributes
    ----------
    status : how training ended.
    scores : `accuracy`, `macro_f1` of the main task on its test set; `aux_accuracy`,
        `aux_macro_f1` (means over auxiliaries, absent for T = 1); `accuracy_<t>`,
        `macro_f1_<t>` of auxiliary t = 1 … T − 1; `span_f1`, `aux_span_f1`, `span_f1_<t>`
        where the labels are BIO or IO; `validation_loss` (nats per token at the best step).
        Empty when the model diverged or failed.
    curve : one (step, mean training loss since the last point, validation loss) per evaluation,
        both in nats per token of the tasks that are validated (the main task).
    steps : updates made.
    best_step : update whose parameters were kept and tested.
    seconds : this model's share of the wall time of its group.
    message : what went wrong, for humans; empty when nothing did.
    loops : the inner loops that ran, joined by ``+``: ``compiled`` (C), ``eager`` (plain PyTorch),
        ``graph`` (recorded as a CUDA graph). Compiled and eager ones differ in the last bits.
    """

    status: Status
    scores: Mapping[str, float] = field(default_factory=dict)
    curve: Curve = ()
    steps: int = 0
    best_step: int = 0
    seconds: float = 0.0
    message: str = ""
    loops: str = ""
