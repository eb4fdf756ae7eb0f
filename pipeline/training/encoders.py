"""Encoders: from token ids to features, for a whole stack at once.

Notation
--------
G stacks, S sentences, L tokens of the longest sentence, V vocabulary, E embedding, H hidden units
per direction, D = 2H features, w window radius. Token V pads. R, W rows and width of a table of
frozen vectors; for its encoders a token is a row of the table, and token R pads.
"""

from __future__ import annotations

import copy
from typing import Protocol, Self

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
    return embed(embedding, tokens).view(stacks, in_batch, width), _own_places(tokens, vocabulary)


def _own_places(tokens: Tensor, vocabulary: int) -> Tensor:
    """The place of each token (G, S, L) among the S·L of its stack, S·L where padded."""
    in_batch = tokens[0].numel()
    own = torch.arange(in_batch, dtype=tokens.dtype, device=tokens.device)
    return torch.where(tokens < vocabulary, own.view(1, *tokens.shape[1:]), in_batch)


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


class VectorEncoder(Encoder):
    """An encoder of frozen vectors. Its tokens are rows of a table, which it is given first."""

    table: Tensor | None = None

    def reading(self, table: Tensor) -> Self:
        """The same encoder over a table (R, W), which all stacks share."""
        bound = copy.copy(self)
        bound.table = table
        return bound

    def take(self, tokens: Tensor) -> Tensor:
        """Vectors (G, S·L, W) of tokens (G, S, L); padding has those of the last row."""
        assert self.table is not None, "an encoder of vectors needs their table"
        rows = tokens.flatten().clamp(max=len(self.table) - 1)
        return self.table.index_select(0, rows).view(len(tokens), -1, self.table.shape[1])


class Vectors(VectorEncoder):
    """A linear map of the token's vector: with a linear head, a linear probe of D dimensions."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        width = sizes.vectors
        return {
            "vectors.weight": fan_in((width, sizes.features), width),
            "vectors.bias": fan_in((sizes.features,), width),
        }

    @override
    def encode(self, views: Views, tokens: Tensor, sizes: Sizes) -> Tensor:
        features = linear(self.take(tokens), views["vectors.weight"], views["vectors.bias"])
        return features.view(*tokens.shape, -1)


class VectorBiLSTM(VectorEncoder):
    """One bidirectional LSTM layer over the vectors."""

    @override
    def layout(self, sizes: Sizes) -> Layout:
        gates = 4 * sizes.hidden
        return {
            "input": fan_in((sizes.vectors, 2 * gates), sizes.vectors),
            "bias": fan_in((2 * gates,), sizes.hidden),
            "recurrent": fan_in((2, sizes.hidden, gates), sizes.hidden),
        }

    @override
    def encode(self, views: Views, tokens: Tensor, sizes: Sizes) -> Tensor:
        table = linear(self.take(tokens), views["input"], views["bias"])
        places = _own_places(tokens, sizes.vocabulary)
        return bilstm(table.view(*table.shape[:2], 2, -1), views["recurrent"], places)


ENCODERS: dict[str, Encoder] = {
    "bilstm": BiLSTM(),
    "window": Window(),
    "cnn": CNN(),
    "vectors": Vectors(),
    "vectors_bilstm": VectorBiLSTM(),
}


def vector_encoders() -> list[str]:
    """The names of the encoders that read frozen vectors."""
    return [name for name, encoder in ENCODERS.items() if isinstance(encoder, VectorEncoder)]


def register_encoder(name: str, encoder: Encoder) -> None:
    """Make an encoder known by name; `SpecError` where the name is taken."""
    enter(ENCODERS, name, encoder)
