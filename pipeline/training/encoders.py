"""Encoders: from token ids to features, for a whole stack at once.

Notation
--------
G stacks, S sentences, L tokens of the longest sentence, V vocabulary, E embedding, H hidden units
per direction, D = 2H features, w window radius. Token V pads.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

from mtl_laws.pipeline.training.lstm import bilstm
from mtl_laws.pipeline.training.modules import embed, linear, windows
from mtl_laws.pipeline.training.parameters import Layout, Start, Views, fan_in
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.simulator.registry import enter


class Encoder(Protocol):
    """What an encoder has to offer; its one-model twin stands in `reference.py`."""

    def layout(self, sizes: Sizes) -> Layout:
        """Parameters of one encoder by name."""
        ...

    def encode(self, views: Views, tokens: Tensor, sizes: Sizes) -> Tensor:
        """Features (G, S, L, D) of tokens (G, S, L)."""
        ...


def _embedding(sizes: Sizes) -> Start:
    return Start((sizes.vocabulary, sizes.embedding), sizes.embedding_sd, normal=True)


class BiLSTM(Encoder):
    """One bidirectional LSTM layer over the embeddings."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        gates = 4 * sizes.hidden
        return {
            "embedding": _embedding(sizes),
            "input": fan_in((sizes.embedding, 2 * gates), sizes.hidden),
            "bias": fan_in((2 * gates,), sizes.hidden),
            "recurrent": fan_in((2, sizes.hidden, gates), sizes.hidden),
        }

    @override
    def encode(self, views: Views, tokens: Tensor, sizes: Sizes) -> Tensor:
        types, places = _types(views["embedding"], tokens)
        table = linear(types, views["input"], views["bias"])
        return bilstm(table.view(*table.shape[:2], 2, -1), views["recurrent"], places)


def _types(embedding: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings to project (G, N, E) and each token's place among them, N where padded.

    The whole vocabulary where it is smaller than the batch, the batch's own tokens otherwise.
    """
    stacks, vocabulary, width = embedding.shape
    in_batch = tokens[0].numel()
    if vocabulary <= in_batch:
        return embedding, tokens
    own = torch.arange(in_batch, dtype=tokens.dtype, device=tokens.device)
    places = torch.where(tokens < vocabulary, own.view(1, *tokens.shape[1:]), in_batch)
    return embed(embedding, tokens).view(stacks, in_batch, width), places


class Window(Encoder):
    """Multilayer perceptron over the embeddings of a token and its w neighbours on either side."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        seen = (2 * sizes.window + 1) * sizes.embedding
        return {
            "embedding": _embedding(sizes),
            "window.weight": fan_in((seen, sizes.features), seen),
            "window.bias": fan_in((sizes.features,), seen),
        }

    @override
    def encode(self, views: Views, tokens: Tensor, sizes: Sizes) -> Tensor:
        return _rectified(embed(views["embedding"], tokens), views, "window", sizes.window)


class CNN(Encoder):
    """Two rectified convolutions of width 2w + 1 over the embeddings."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        width = 2 * sizes.window + 1
        first, second = width * sizes.embedding, width * sizes.features
        return {
            "embedding": _embedding(sizes),
            "first.weight": fan_in((first, sizes.features), first),
            "first.bias": fan_in((sizes.features,), first),
            "second.weight": fan_in((second, sizes.features), second),
            "second.bias": fan_in((sizes.features,), second),
        }

    @override
    def encode(self, views: Views, tokens: Tensor, sizes: Sizes) -> Tensor:
        real = (tokens < sizes.vocabulary).unsqueeze(-1)
        inner = _rectified(embed(views["embedding"], tokens), views, "first", sizes.window)
        return _rectified(inner * real, views, "second", sizes.window)


def _rectified(inputs: Tensor, views: Views, layer: str, radius: int) -> Tensor:
    seen = windows(inputs, radius)
    outputs = linear(seen.flatten(1, 2), views[f"{layer}.weight"], views[f"{layer}.bias"])
    return outputs.relu().view(*inputs.shape[:3], -1)


ENCODERS: dict[str, Encoder] = {"bilstm": BiLSTM(), "window": Window(), "cnn": CNN()}


def register_encoder(name: str, encoder: Encoder) -> None:
    """Make an encoder known by name; `SpecError` where the name is taken."""
    enter(ENCODERS, name, encoder)
