"""A stack of bidirectional LSTMs with a hand-written backward pass.

Notation
--------
G stacks, R = 2·G recurrences (forward and backward direction of each stack, interleaved),
S sentences, L tokens of the longest sentence, V vocabulary, H hidden units per direction.
Gates are ordered i, f, g, o as in `torch.nn.LSTM`, each H wide.

The compiled recurrence (`kernel.py`) is used on CPUs where it can be built; what stands here
computes the same on any device. Three ideas make it fast for small models:

- The input projection is folded into the embeddings: a token's gate inputs are a row of a table
  (G, V + 1, 2, 4H), one small product per step instead of one per token.
- tanh(x) = 2·σ(2x) − 1: with the columns of gate g doubled beforehand one σ serves all four gates
  (a vectorised σ costs a seventh of tanh on CPUs).
- The padding row closes gates i and f, so that padding, on either side of a sentence, leaves
  state and output at exactly zero, and no direction needs a sentence turned round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtl_laws.pipeline.training.kernel import Kernel, find_kernel

CLOSED = -1e4


def bilstm(table: Tensor, recurrent: Tensor, tokens: Tensor) -> Tensor:
    """Run every stack over its sentences.

    Parameters
    ----------
    table : (G, V, 2, 4H), gate inputs of every token: embedding · projection + bias.
    recurrent : (G, 2, H, 4H), from the hidden state to the gates.
    tokens : (G, S, L), token ids, V where padded.

    Returns
    -------
    (G, S, L, 2H) : hidden states, forward beside backward.
    """
    kernel = find_kernel(table, recurrent.shape[2])
    if kernel is None:
        return _recur(table, recurrent, tokens)
    return _compiled(table, recurrent, tokens, kernel).flatten(3)


class _Compiled(torch.autograd.Function):
    """Features (G, S, L, 2, H) by the compiled recurrence."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, recurrent: Tensor, tokens: Tensor, kernel: Kernel
    ) -> Tensor:
        inputs = table.contiguous(), recurrent.contiguous(), tokens.to(torch.int32).contiguous()
        features, saved = kernel.bilstm(*inputs)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(*inputs, features)
            ctx.borrowed, ctx.kernel = saved, kernel
        else:
            kernel.give_back(*saved)
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None, None]:
        found = ctx.kernel.bilstm_gradients(ctx.saved_tensors, ctx.borrowed, outer.contiguous())
        ctx.kernel.give_back(*ctx.borrowed)
        return *found, None, None


def _recur(table: Tensor, recurrent: Tensor, tokens: Tensor) -> Tensor:
    """What `bilstm` returns, step by step over whole-stack operations."""
    stacks, _, length = tokens.shape
    hidden = recurrent.shape[2]
    doubled = table.new_ones(4 * hidden)
    doubled[2 * hidden : 3 * hidden] = 2.0
    padding = table.new_zeros(stacks, 1, *table.shape[2:])
    padding[..., : 2 * hidden] = CLOSED
    padded = torch.cat([table * doubled, padding], dim=1)
    states = _recurrence(
        padded.reshape(-1, 4 * hidden),
        (recurrent * doubled).reshape(2 * stacks, hidden, 4 * hidden),
        gate_rows(tokens, table.shape[1] + 1),
    )
    states = states.view(length, stacks, 2, -1, hidden)
    both = torch.stack([states[:, :, 0], states[:, :, 1].flip(0)], dim=-2)
    return both.permute(1, 2, 0, 3, 4).flatten(3)


def gate_rows(tokens: Tensor, types: int) -> Tensor:
    """Rows of the table (G · types · 2 rows) in the order of time: (G, S, L) -> (L, R, S)."""
    first = torch.arange(tokens.shape[0], device=tokens.device).view(-1, 1, 1) * types
    forward = ((tokens.long() + first) * 2).permute(2, 0, 1)
    return torch.stack([forward, forward.flip(0) + 1], dim=2).flatten(1, 2)


class _Recurrence(torch.autograd.Function):
    """Hidden states (L, R, S, H) from table rows; the recurrence itself, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, recurrent: Tensor, rows: Tensor) -> Tensor:
        steps, stacks, sentences = rows.shape
        hidden = recurrent.shape[1]
        gates = table.index_select(0, rows.flatten()).view(steps, stacks, sentences, 4 * hidden)
        cells, squashed, states = (
            table.new_empty(steps, stacks, sentences, hidden) for _ in range(3)
        )
        for t in range(steps):
            if t > 0:
                gates[t].baddbmm_(states[t - 1], recurrent)
            gates[t].sigmoid_()
            earlier = cells[t - 1] if t > 0 else None
            _forward_cell(gates[t], earlier, cells[t], squashed[t], states[t])
        ctx.save_for_backward(recurrent, rows)
        ctx.saved = gates, cells, squashed, states
        ctx.types = table.shape[0]
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None]:
        recurrent, rows = ctx.saved_tensors
        gates, cells, squashed, states = ctx.saved
        steps = len(gates)
        to_state = outer.clone()
        to_recurrent = torch.zeros_like(recurrent)
        to_cell = torch.zeros_like(cells[0])
        to_gates = torch.empty_like(gates[0])
        back = recurrent.transpose(1, 2)
        for t in reversed(range(steps)):
            if t < steps - 1:
                to_state[t].baddbmm_(gates[t + 1], back)
            earlier = cells[t - 1] if t > 0 else None
            _backward_cell(gates[t], earlier, squashed[t], (to_state[t], to_cell, to_gates))
            if t > 0:
                to_recurrent.baddbmm_(states[t - 1].transpose(1, 2), gates[t])
        width = gates.shape[-1]
        to_table = outer.new_zeros(ctx.types, width)
        to_table.index_add_(0, rows.flatten(), gates.view(-1, width))
        return to_table, to_recurrent, None


def _forward_cell(
    gates: Tensor, earlier: Tensor | None, cell: Tensor, squashed: Tensor, state: Tensor
) -> None:
    """Fill cell, its tanh and the hidden state (R, S, H) from opened gates (R, S, 4H)."""
    into, keep, candidate, out = gates.chunk(4, dim=-1)
    torch.mul(into, candidate, out=cell)
    cell.mul_(2).sub_(into)
    if earlier is not None:
        cell.addcmul_(keep, earlier)
    torch.mul(cell, 2, out=squashed).sigmoid_().mul_(2).sub_(1)
    torch.mul(out, squashed, out=state)


def _backward_cell(
    gates: Tensor,
    earlier: Tensor | None,
    squashed: Tensor,
    flow: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Overwrite the gates by the gradient of their inputs, the cell's flow by the earlier one's.

    flow : gradient of the hidden state (R, S, H), of the cell from later steps (R, S, H), and a
        scratch space (R, S, 4H).
    """
    to_state, to_cell, to_gates = flow
    into, keep, candidate, out = gates.chunk(4, dim=-1)
    to_into, to_keep, to_candidate, to_out = to_gates.chunk(4, dim=-1)
    torch.mul(to_state, squashed, out=to_out)
    to_cell.add_(torch.ops.aten.tanh_backward(to_state * out, squashed))
    doubled = to_cell * 2
    torch.mul(doubled, candidate, out=to_into)
    to_into.sub_(to_cell)
    if earlier is None:
        to_keep.zero_()
    else:
        torch.mul(to_cell, earlier, out=to_keep)
    torch.mul(doubled, into, out=to_candidate)
    to_cell.mul_(keep)
    torch.ops.aten.sigmoid_backward.grad_input(to_gates, gates, grad_input=gates)


_recurrence = cast(Callable[..., Tensor], _Recurrence.apply)
_compiled = cast(Callable[..., Tensor], _Compiled.apply)
