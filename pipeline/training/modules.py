"""Layers with a leading model axis, as functions of stacked parameters.

Notation
--------
G stacks (B models, or B models × their own encoders), S sentences, L tokens of the longest
sentence, E embedding, D features, K labels. Token V, one past the vocabulary, pads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtl_laws.pipeline.training.kernel import Kernel, find_kernel


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(G, N, D) by weight (G, D, F) and bias (G, F) -> (G, N, F)."""
    return torch.baddbmm(bias.unsqueeze(1), inputs, weight)


class _Rows(torch.autograd.Function):
    """Rows of a table by index; `index_add_` backwards, faster than autograd's own."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = table.shape[0]
        return table.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        total = gradient.new_zeros(ctx.count, gradient.shape[1])
        return total.index_add_(0, rows, gradient), None


def embed(embedding: Tensor, tokens: Tensor) -> Tensor:
    """Embeddings (G, V, E) of tokens (G, S, L) -> (G, S, L, E); padding embeds to zeros."""
    stacks, vocabulary, width = embedding.shape
    table = torch.nn.functional.pad(embedding, (0, 0, 0, 1)).reshape(-1, width)
    first = torch.arange(stacks, device=tokens.device).view(-1, 1, 1) * (vocabulary + 1)
    rows = _rows(table, (tokens.long() + first).flatten())
    return rows.view(*tokens.shape, width)


def windows(inputs: Tensor, radius: int) -> Tensor:
    """Each token beside its neighbours, w to either side, zeros outside.

    (G, S, L, E) -> (G, S, L, (2w + 1)·E), w = radius.
    """
    padded = torch.nn.functional.pad(inputs, (0, 0, radius, radius))
    length = inputs.shape[2]
    return torch.cat([padded[:, :, o : o + length] for o in range(2 * radius + 1)], dim=-1)


def token_losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy in nats, and the labelled tokens it is summed over, both (B, A).

    logits : (B, A, N, K); labels : (B, A, N), −1 where a token is unlabelled or padding.
    """
    kernel = find_kernel(logits)
    if kernel is not None:
        sums, counts = _compiled_losses(logits.flatten(0, 1), labels.flatten(0, 1), kernel)
        return sums.view(labels.shape[:2]), counts.view(labels.shape[:2])
    known = labels >= 0
    gold = labels.clamp(min=0).long().unsqueeze(-1)
    chosen = logits.log_softmax(-1).gather(-1, gold).squeeze(-1)
    return -(chosen * known).sum(-1), known.sum(-1)


class _CompiledLosses(torch.autograd.Function):
    """Summed cross-entropies and counts (R,) by the compiled loop."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor]:
        gold = labels.to(torch.int16).contiguous()
        sums, gradient, counts = kernel.token_losses(logits.contiguous(), gold)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(counts)
        return sums, counts

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, _: None) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(outer.view(-1, 1, 1)), None, None


_rows = cast(Callable[[Tensor, Tensor], Tensor], _Rows.apply)
_compiled_losses = cast(Callable[..., tuple[Tensor, Tensor]], _CompiledLosses.apply)
