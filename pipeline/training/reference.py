"""The readable twin of the trainer: one model, one sentence at a time, plain `nn.Module`.

Nothing here is stacked, padded, folded or compiled. The contract test trains every registered
architecture here and in a stack, in float64, and holds the two together.

Notation
--------
T tasks, L tokens of one sentence, E embedding, W width of a token's vector, D features, K labels.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from mtl_laws.pipeline.training.architectures import SHARINGS, Phase
from mtl_laws.pipeline.training.buckets import MOST, VARIETY, golden_stride
from mtl_laws.pipeline.training.job import Job
from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.sizes import Sizes
from mtl_laws.simulator.tasks import Split

Index = tuple[int | slice, ...]
Piece = tuple[str, Index, Tensor]
"""A parameter's name in the stack, the part of it meant, and a view of our own values there."""


class TwinEncoder(Protocol):
    """Features (L, D) of a sentence, and where its parameters are in the stack."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """Features of a sentence: its token ids (L,), or its vectors (L, W)."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """Every parameter."""
        ...


class TwinBiLSTM(nn.Module):
    """`nn.LSTM` over the embeddings."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.lstm = _lstm(sizes.embedding, sizes.hidden)

    @override
    def forward(self, tokens: Tensor) -> Tensor:
        return cast(Tensor, self.lstm(self.embedding(tokens))[0])

    def pieces(self) -> Iterator[Piece]:
        """See `TwinEncoder`."""
        yield "embedding", (), self.embedding.weight
        yield from _lstm_pieces(self.lstm)


def _lstm(inputs: int, hidden: int) -> nn.LSTM:
    """A bidirectional layer with one bias: two would only double its learning rate."""
    lstm = nn.LSTM(inputs, hidden, bidirectional=True)
    for name in ("bias_hh_l0", "bias_hh_l0_reverse"):
        nn.init.zeros_(getattr(lstm, name)).requires_grad_(False)
    return lstm


def _lstm_pieces(lstm: nn.LSTM) -> Iterator[Piece]:
    """Every parameter of the layer."""
    gates = 4 * lstm.hidden_size
    for direction, suffix in enumerate(("", "_reverse")):
        own = slice(direction * gates, (direction + 1) * gates)
        yield "input", (slice(None), own), getattr(lstm, f"weight_ih_l0{suffix}").T
        yield "bias", (own,), getattr(lstm, f"bias_ih_l0{suffix}")
        yield "recurrent", (direction,), getattr(lstm, f"weight_hh_l0{suffix}").T


class TwinWindow(nn.Module):
    """Perceptron over the embeddings of a token and its neighbours."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.radius = sizes.window
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.layer = nn.Linear((2 * self.radius + 1) * sizes.embedding, sizes.features)

    @override
    def forward(self, tokens: Tensor) -> Tensor:
        nothing = self.embedding.weight.new_zeros(self.radius, self.embedding.embedding_dim)
        padded = torch.cat([nothing, self.embedding(tokens), nothing])
        seen = [padded[i : i + 2 * self.radius + 1].flatten() for i in range(len(tokens))]
        return torch.relu(self.layer(torch.stack(seen)))

    def pieces(self) -> Iterator[Piece]:
        """See `TwinEncoder`."""
        yield "embedding", (), self.embedding.weight
        yield "window.weight", (), self.layer.weight.T
        yield "window.bias", (), self.layer.bias


class TwinCNN(nn.Module):
    """Two `nn.Conv1d` over the embeddings."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, around = 2 * sizes.window + 1, sizes.window
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.first = nn.Conv1d(sizes.embedding, sizes.features, width, padding=around)
        self.second = nn.Conv1d(sizes.features, sizes.features, width, padding=around)

    @override
    def forward(self, tokens: Tensor) -> Tensor:
        hidden = torch.relu(self.first(self.embedding(tokens).T))
        return torch.relu(self.second(hidden)).T

    def pieces(self) -> Iterator[Piece]:
        """See `TwinEncoder`."""
        yield "embedding", (), self.embedding.weight
        for name, layer in (("first", self.first), ("second", self.second)):
            yield f"{name}.weight", (), layer.weight.permute(2, 1, 0)
            yield f"{name}.bias", (), cast(Tensor, layer.bias)


class TwinVectors(nn.Module):
    """`nn.Linear` over the vectors."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layer = nn.Linear(sizes.vectors, sizes.features)

    @override
    def forward(self, vectors: Tensor) -> Tensor:
        return cast(Tensor, self.layer(vectors))

    def pieces(self) -> Iterator[Piece]:
        """See `TwinEncoder`."""
        yield "vectors.weight", (), self.layer.weight.T
        yield "vectors.bias", (), self.layer.bias


class TwinVectorBiLSTM(nn.Module):
    """`nn.LSTM` over the vectors."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.lstm = _lstm(sizes.vectors, sizes.hidden)

    @override
    def forward(self, vectors: Tensor) -> Tensor:
        return cast(Tensor, self.lstm(vectors)[0])

    def pieces(self) -> Iterator[Piece]:
        """See `TwinEncoder`."""
        yield from _lstm_pieces(self.lstm)


TWIN_ENCODERS: Mapping[str, Callable[[Sizes], TwinEncoder]] = {
    "bilstm": TwinBiLSTM,
    "window": TwinWindow,
    "cnn": TwinCNN,
    "vectors": TwinVectors,
    "vectors_bilstm": TwinVectorBiLSTM,
}
OWN_TRUNKS: Mapping[str, bool] = {"hard": False, "transfer": False, "private": True, "soft": True}


class Layers(nn.Module):
    """Fully connected layers, rectified in between where `relu` is set."""

    def __init__(self, widths: Sequence[int], relu: bool) -> None:
        super().__init__()
        self.layers = [nn.Linear(inner, outer) for inner, outer in itertools.pairwise(widths)]
        self.stack = nn.ModuleList(self.layers)
        self.relu = relu

    @override
    def forward(self, hidden: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            hidden = layer(torch.relu(hidden) if self.relu and i > 0 else hidden)
        return hidden

    def pieces(self, name: str) -> Iterator[Piece]:
        """Every parameter, under `name`.<layer> in the stack."""
        for i, layer in enumerate(self.layers):
            yield f"{name}.{i}.weight", (slice(None), slice(layer.out_features)), layer.weight.T
            yield f"{name}.{i}.bias", (slice(layer.out_features),), layer.bias


class TwinTagger(nn.Module):
    """Trunks and heads: one trunk for all tasks, or one per task."""

    def __init__(self, settings: TrainingSettings, sizes: Sizes) -> None:
        super().__init__()
        self.own = OWN_TRUNKS[settings.sharing]
        trunks, width = sizes.tasks if self.own else 1, [sizes.features]
        self.encoders = [TWIN_ENCODERS[settings.encoder](sizes) for _ in range(trunks)]
        self.shared = [Layers(width * (sizes.shared_layers + 1), sizes.relu) for _ in range(trunks)]
        self.heads = [Layers([*width * sizes.private_layers, k], sizes.relu) for k in sizes.labels]
        self.log_variance = nn.Parameter(torch.zeros(sizes.tasks))
        self.rectified = sizes.relu and sizes.shared_layers > 0
        modules = [*cast(list[nn.Module], self.encoders), *self.shared, *self.heads]
        self.all = nn.ModuleList(modules)

    @override
    def forward(self, tokens: Tensor, task: int) -> Tensor:
        """Logits (L, K_t) of a sentence for one task."""
        trunk = task if self.own else 0
        features = self.shared[trunk](self.encoders[trunk](tokens))
        return cast(Tensor, self.heads[task](features.relu() if self.rectified else features))

    def trunk_pieces(self, trunk: int) -> Iterator[Piece]:
        """Parameters below one trunk's heads."""
        yield from self.encoders[trunk].pieces()
        yield from self.shared[trunk].pieces("shared")

    def pieces(self) -> Iterator[Piece]:
        """Every parameter."""
        yield "log_variance", (), self.log_variance
        for trunk in range(len(self.encoders)):
            for name, index, view in self.trunk_pieces(trunk):
                yield name, (trunk, *index) if self.own else index, view
        for task, head in enumerate(self.heads):
            for name, index, view in head.pieces("private"):
                yield name, (task, *index), view

    @torch.no_grad()
    def adopt(self, values: Mapping[str, Tensor]) -> None:
        """Take the values of one model of a stack, by name."""
        for name, index, view in self.pieces():
            if name in values:
                view.copy_(values[name][index].reshape(view.shape))

    def spread(self) -> Tensor:
        """Squared distance of the trunks to their mean, summed: what `soft` penalises."""
        trunks = [[view for _, _, view in self.trunk_pieces(t)] for t in range(len(self.encoders))]
        total = torch.zeros(())
        for views in zip(*trunks, strict=True):
            together = torch.stack(views)
            total = total + (together - together.mean(0)).square().sum()
        return total


def _mix(word: int) -> int:
    mask = (1 << 64) - 1
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & mask
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & mask
    return word ^ (word >> 31)


def draw_one(count: int, seed: int, *coordinates: int) -> int:
    """What `draws.draw_below` draws, in Python's own integers."""
    golden, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    word = _mix((seed + golden) & mask)
    for coordinate in coordinates:
        word = _mix(word ^ _mix((coordinate + golden) & mask))
    return (word >> 33) % count


def combine_losses(weighting: str, losses: Tensor, words: Tensor, spread: Tensor) -> Tensor:
    """One loss from those of a batch's tasks (A,), their training tokens (A,) and log σ² (A,)."""
    weighted = {
        "equal": losses,
        "proportional": losses * words / words.mean(),
        "uncertainty": losses / spread.exp() + spread / 2,
    }
    return weighted[weighting].mean()


@dataclass
class TwinRun:
    """Train one job; `train` leaves the best model, the learning curve and the best step."""

    job: Job
    model: TwinTagger
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = math.inf

    def train(self, values: Mapping[str, Tensor]) -> TwinRun:
        """Start from a stacked model's values and go through all phases."""
        self.model.adopt(values)
        for phase in SHARINGS[self.job.settings.sharing].phases(self.job.taskset.tasks):
            self._train_phase(phase)
        return self

    def _train_phase(self, phase: Phase) -> None:
        settings = self.job.settings
        optimiser = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.curve, self.best_step, self.best_loss = [], 0, math.inf
        best, since, stale, step = copy.deepcopy(self.model.state_dict()), [], 0, 0
        while step < settings.max_steps and (settings.patience == 0 or stale < settings.patience):
            since += self._step(phase, step, optimiser)
            step += 1
            if step % settings.evaluate_every:
                continue
            loss = self.validation_loss(phase.validate)
            self.curve.append((step, sum(since) / max(1, len(since)), loss))
            since, stale = [], stale + 1
            if loss < self.best_loss:
                self.best_loss, self.best_step, stale = loss, step, 0
                best = copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(best)

    def _step(self, phase: Phase, step: int, optimiser: torch.optim.Optimizer) -> list[float]:
        """One update; returns the batch's losses of the validated tasks."""
        settings, taskset = self.job.settings, self.job.taskset
        tasks = self._tasks(phase, step)
        losses = torch.stack([self._batch_loss(task, step) for task in tasks])
        words = torch.tensor([float(taskset.train.token_count(task)) for task in tasks])
        spread = self.model.log_variance[tasks]
        total = combine_losses(settings.weighting, losses, words, spread)
        if settings.sharing == "soft":
            total = total + settings.soft_penalty * self.model.spread()
        learned = [p for p in self.model.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(total, learned, allow_unused=True, materialize_grads=True)
        for parameter, gradient in zip(learned, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        found = zip(tasks, losses.tolist(), strict=True)
        return [loss for task, loss in found if task in phase.validate]

    def _tasks(self, phase: Phase, step: int) -> list[int]:
        """Whose sentences are in the batch."""
        if self.job.settings.schedule == "mixed":
            return list(phase.train)
        size, train = self.job.settings.batch_sentences, self.job.taskset.train
        turns = [t for t in phase.train for _ in range(math.ceil(len(train.of_task(t)) / size))]
        return [turns[step % len(turns)]]

    def _batch_loss(self, task: int, step: int) -> Tensor:
        split, size = self.job.split("train"), self.job.settings.batch_sentences
        own = self._bucket(split, task, step)
        drawn = [own[draw_one(len(own), self.job.seed, task, step, i)] for i in range(size)]
        return self._mean_loss(split, drawn, task)

    def _bucket(self, split: Split, task: int, step: int) -> list[int]:
        """The sentences that a step draws from: all, or those of like length."""
        settings, lengths = self.job.settings, split.lengths().tolist()
        own = sorted(split.of_task(task).tolist(), key=lambda sentence: lengths[sentence])
        if settings.schedule != "mixed" or lengths[own[0]] == lengths[own[-1]]:
            return own
        places, total = settings.evaluate_every, sum(lengths[s] for s in own)
        place = step * golden_stride(places) % places
        for count in (c for c in range(min(MOST, places), 1, -1) if places % c == 0):
            cut: list[list[int]] = [[] for _ in range(count)]
            before = 0
            for sentence in own:
                cut[before * count // total].append(sentence)
                before += lengths[sentence]
            if min(map(len, cut)) >= VARIETY * settings.batch_sentences:
                return cut[place * count // places]
        return own

    def _mean_loss(self, split: Split, sentences: Sequence[int], task: int) -> Tensor:
        """Cross-entropy per labelled token of these sentences."""
        logits, labels = [], []
        for s in sentences:
            span = slice(split.bounds[s], split.bounds[s + 1])
            logits.append(self.model(self._inputs(split.tokens[span]), task))
            labels.append(torch.tensor(split.labels[task, span].astype(np.int64)))
        return nn.functional.cross_entropy(torch.cat(logits), torch.cat(labels), ignore_index=-1)

    def _inputs(self, tokens: NDArray[np.int32]) -> Tensor:
        """What the encoder reads of a sentence: token ids (L,), or vectors (L, W)."""
        if self.job.vectors is None:
            return torch.tensor(np.array(tokens))
        precision = next(self.model.parameters()).dtype
        return torch.tensor(self.job.vectors.table[tokens], dtype=precision)

    @torch.no_grad()
    def validation_loss(self, tasks: Sequence[int]) -> float:
        """Mean over tasks of the loss per validation token."""
        split = self.job.split("validation")
        losses = [self._mean_loss(split, split.of_task(task).tolist(), task) for task in tasks]
        return float(torch.stack(losses).mean())

    @torch.no_grad()
    def accuracy(self) -> float:
        """Share of the main task's test tokens labelled right."""
        split, right, total = self.job.split("test"), 0, 0
        for s in split.of_task(0):
            span = slice(split.bounds[s], split.bounds[s + 1])
            predicted = self.model(self._inputs(split.tokens[span]), 0).argmax(1)
            right += int((predicted.numpy() == split.labels[0, span]).sum())
            total += len(predicted)
        return right / total


def build_twin(job: Job) -> TwinRun:
    """An untrained twin of one job, in the precision of its settings."""
    model = TwinTagger(job.settings, job.sizes)
    precise = job.settings.precision == "float64"
    return TwinRun(job, model.double() if precise else model)
