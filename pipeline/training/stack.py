"""Stack: the models in training, and which jobs they belong to.

Notation
--------
B models, P parameters of one model, J jobs of the group.

On a CPU finished models leave at once and waiting ones take their places, so that no time goes into
models that are done. On a GPU places are kept: an update is recorded for tensors that stay where
they are, and a small stack takes as long as a large one. Models that are done idle in their places
until a waiting one comes, or until half of the stack idles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_laws.pipeline.training.capture import Update
from mtl_laws.pipeline.training.optimiser import Moments


@dataclass
class Stack:
    """Models in training.

    Attributes
    ----------
    rows : int64 (B,), their jobs.
    flat : parameters (B, P).
    moments : of the gradients, (B, P) each.
    recorded : the update as one launch, once it is recorded for these tensors.
    """

    rows: Tensor
    flat: Tensor
    moments: Moments
    recorded: Update | None = None

    @classmethod
    def empty(cls, start: Tensor) -> Stack:
        """No models yet; `start` (J, P) gives device and type."""
        rows = torch.arange(0, device=start.device)
        return cls(rows, start[rows], Moments.zeros_like(start[rows]))

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """What an update changes in place."""
        return self.flat, self.moments.first, self.moments.second

    def next(self, keep: Sequence[int], entering: Tensor, start: Tensor, fixed: bool) -> Stack:
        """The stack of the next look.

        Parameters
        ----------
        keep : places of models that are not done.
        entering : (M,), jobs that take free places or new ones, from their rows of start (J, P).
        fixed : whether places are kept while more than half of them are in use.
        """
        used = len(keep) + len(entering)
        if fixed and len(self.rows) // 2 < used <= len(self.rows):
            return self._refilled(keep, entering, start)
        return self._replaced(keep, entering, start)

    def _replaced(self, keep: Sequence[int], entering: Tensor, start: Tensor) -> Stack:
        """Only the models that are not done, and fresh ones behind them."""
        kept = torch.tensor(keep, dtype=torch.long, device=self.rows.device)
        fresh = torch.zeros_like(start[entering])
        moments = Moments(
            torch.cat([self.moments.first[kept], fresh]),
            torch.cat([self.moments.second[kept], fresh]),
        )
        flat = torch.cat([self.flat[kept], start[entering]])
        return Stack(torch.cat([self.rows[kept], entering]), flat, moments)

    def _refilled(self, keep: Sequence[int], entering: Tensor, start: Tensor) -> Stack:
        """The same tensors, with fresh models in places that are free."""
        free = sorted(set(range(len(self.rows))).difference(keep))[: len(entering)]
        places = torch.tensor(free, dtype=torch.long, device=self.rows.device)
        self.rows[places] = entering
        self.flat[places] = start[entering]
        self.moments.first[places] = 0.0
        self.moments.second[places] = 0.0
        return self
