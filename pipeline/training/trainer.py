"""Train a group of trials at once: one optimiser step updates every model of the stack.

Notation
--------
J jobs of the group, B models in the stack at present, P parameters of one model, T tasks, A slots
of a batch, S sentences per slot, L tokens of the longest sentence, K labels.

Models that finish leave the stack and waiting ones take their places, so that it stays full. No
operation mixes models, and every random number is a hash of the model's own seed, so an outcome
does not depend on companions, order or group size (to float tolerance: matrix products of other
batch sizes may round differently).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from mtl_laws.pipeline.training.architectures import SHARINGS, Phase, Tagger, every_task
from mtl_laws.pipeline.training.buckets import Buckets
from mtl_laws.pipeline.training.capture import Inputs, captured
from mtl_laws.pipeline.training.draws import draw_below
from mtl_laws.pipeline.training.encoders import ENCODERS, VectorEncoder
from mtl_laws.pipeline.training.job import Job, check_alike
from mtl_laws.pipeline.training.kernel import loops_used
from mtl_laws.pipeline.training.modules import token_losses
from mtl_laws.pipeline.training.optimiser import adamw_step, step_scales
from mtl_laws.pipeline.training.outcome import Outcome, Status
from mtl_laws.pipeline.training.parameters import Parameters, draw_start, views
from mtl_laws.pipeline.training.progress import Record
from mtl_laws.pipeline.training.schedules import SCHEDULES
from mtl_laws.pipeline.training.scoring import score
from mtl_laws.pipeline.training.sentences import by_length, stack_sentences
from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.stack import Stack
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from mtl_laws.pipeline.training.width import numbers_per_token, sentences_at_once, stack_width
from mtl_laws.simulator.tasks import Split

Progress = Callable[[int], None]


def build_tagger(job: Job, device: str | torch.device = "cpu") -> Tagger:
    """Encoder and sharing of a job and of all that are like it; frozen vectors on the device."""
    encoder = ENCODERS[job.settings.encoder]
    if isinstance(encoder, VectorEncoder) and job.vectors is not None:
        table = torch.from_numpy(job.vectors.table)
        encoder = encoder.reading(table.to(device, precision_of(job.settings)))
    return Tagger(encoder, SHARINGS[job.settings.sharing], job.sizes)


def precision_of(settings: TrainingSettings) -> torch.dtype:
    """The type of every number of a model."""
    return torch.float64 if settings.precision == "float64" else torch.float32


def train_group(
    jobs: Sequence[Job], device: str = "cpu", progress: Progress | None = None
) -> list[Outcome]:
    """Train and test one model per job; outcomes in the order of the jobs.

    Parameters
    ----------
    jobs : trials of equal settings, T, vocabulary size and label counts; n, AMI, seeds may differ.
    device : a torch device.
    progress : called with the number of models that finished since the last call.

    Raises
    ------
    UserError : where the jobs are not alike. A model that diverges is an outcome, not an error.
    """
    if not jobs:
        return []
    check_alike(jobs)
    with _one_thread(), loops_used() as loops:
        outcomes = _train(jobs, device, progress)
    return [replace(outcome, loops="+".join(sorted(loops))) for outcome in outcomes]


@contextmanager
def _one_thread() -> Iterator[None]:
    """One torch thread: on models this small more of them wait for one another, many times over."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(jobs: Sequence[Job], device: str, progress: Progress | None) -> list[Outcome]:
    sizes, settings = jobs[0].sizes, jobs[0].settings
    tagger = build_tagger(jobs[0], device)
    layout = tagger.layout() | WEIGHTINGS[settings.weighting].layout(sizes)
    flat = draw_start(layout, [job.seed for job in jobs]).to(device, precision_of(settings))
    phases = tagger.sharing.phases(sizes.tasks)
    for phase in phases:
        last = phase is phases[-1]
        run = PhaseRun(tagger, jobs, phase, progress if last else None)
        flat, records = run.train(flat)
    started = time.perf_counter()
    scores = score(tagger, views(flat, layout), jobs)
    share = (time.perf_counter() - started) / len(jobs)
    return [_outcome(record, found, share) for record, found in zip(records, scores, strict=True)]


def _outcome(record: Record, scores: dict[str, float], testing: float) -> Outcome:
    status = record.status or Status.FAILED
    return Outcome(
        status=status,
        scores=scores | {"validation_loss": record.best_loss} if status.scored else {},
        curve=tuple(record.curve),
        steps=record.steps,
        best_step=record.best_step,
        seconds=record.seconds + testing,
        message=status.remedy if status is Status.DIVERGED else "",
    )


class PhaseRun:
    """One phase of training of a group of jobs."""

    def __init__(
        self, tagger: Tagger, jobs: Sequence[Job], phase: Phase, progress: Progress | None
    ) -> None:
        self.tagger, self.phase, self.progress = tagger, phase, progress
        self.settings = jobs[0].settings
        self.weighting = WEIGHTINGS[self.settings.weighting]
        self.schedule = SCHEDULES[self.settings.schedule]
        self.layout = tagger.layout() | self.weighting.layout(tagger.sizes)
        self.seeds = torch.tensor([job.seed for job in jobs], device="cpu")
        self.records = [Record() for _ in jobs]
        self._read(jobs)

    def _read(self, jobs: Sequence[Job]) -> None:
        vocabulary, tasks = self.tagger.sizes.vocabulary, range(self.tagger.sizes.tasks)
        seeds = [job.seed if self.settings.random_labels else None for job in jobs]
        training = [job.split("train") for job in jobs]
        validation = [job.split("validation") for job in jobs]
        self.training = stack_sentences(training, tasks, vocabulary, seeds)
        self.buckets = self._cut(training)
        self.validation = stack_sentences(validation, self.phase.validate, vocabulary)

    def _cut(self, splits: Sequence[Split]) -> Buckets:
        """Buckets of the training sentences; one for all where a batch is a turn of one task."""
        tasks = range(self.tagger.sizes.tasks)
        lengths = [[split.lengths()[by_length(split, t)] for t in tasks] for split in splits]
        places = self.settings.evaluate_every if self.settings.schedule == "mixed" else 1
        return Buckets.of(lengths, places, self.settings.batch_sentences)

    def train(self, start: Tensor) -> tuple[Tensor, list[Record]]:
        """Best parameters (J, P) by validation loss, from starting ones, and each job's record."""
        device = start.device
        self.training, self.validation = self.training.to(device), self.validation.to(device)
        self.seeds, self.buckets = self.seeds.to(device), self.buckets.to(device)
        best = start.clone()
        length = self.training.labels.shape[3]
        width = stack_width(self.settings, self.tagger.sizes, device, length)
        waiting = self.training.words.sum(1).argsort(descending=True, stable=True)
        stack = Stack.empty(start)
        while True:
            keep = self._unfinished(stack)
            room = width - len(keep)
            entering, waiting = waiting[:room], waiting[room:]
            stack = stack.next(keep, entering, start, self._keeps_places(device))
            if len(stack.rows) == 0:
                return best, self.records
            going = len(keep) + len(entering)
            self._advance(stack, best)
            if self.progress:
                self.progress(going - len(self._unfinished(stack)))

    def _keeps_places(self, device: torch.device) -> bool:
        return device.type == "cuda"

    def _unfinished(self, stack: Stack) -> list[int]:
        """Places of the models that are not done."""
        rows = stack.rows.tolist()
        return [place for place, row in enumerate(rows) if self.records[row].status is None]

    def _advance(self, stack: Stack, best: Tensor) -> None:
        """Make `evaluate_every` steps and look at the validation loss."""
        started = time.perf_counter()
        going = self._unfinished(stack)
        records = [self.records[row] for row in stack.rows.tolist()]
        steps = torch.tensor([record.steps for record in records], device=stack.rows.device)
        parameters = Parameters(stack.flat, self.layout)
        training = self._steps(stack, parameters, steps).tolist()
        validation = self.validation_loss(parameters, stack.rows).tolist()
        better = [
            place
            for place in going
            if records[place].note(training[place], validation[place], self.settings)
        ]
        improved = torch.tensor(better, dtype=torch.long, device=stack.rows.device)
        best[stack.rows[improved]] = stack.flat[improved]
        share = (time.perf_counter() - started) / len(going)
        for place in going:
            records[place].seconds += share

    def _steps(self, stack: Stack, parameters: Parameters, steps: Tensor) -> Tensor:
        """Update `evaluate_every` times; return mean training losses (B,) of validated tasks."""
        settings = self.settings
        slots, chosen = self._plan(stack.rows, steps)
        longest = self.training.longest(stack.rows, slots, chosen)
        scales = step_scales(steps, settings.evaluate_every, settings.learning_rate)
        planned = [
            *zip(slots.unbind(1), chosen.unbind(1), scales.to(stack.flat.dtype), strict=True)
        ]
        if self._keeps_places(steps.device) and not self.training.ragged:
            losses = self._replayed(stack, parameters, planned)
        else:
            losses = [
                self.update(stack, parameters, inputs, length)
                for inputs, length in zip(planned, longest, strict=True)
            ]
        validated = torch.tensor(self.phase.validate, device=steps.device)
        counted = (slots.unsqueeze(3) == validated).any(3)
        total = (torch.stack(losses, dim=1) * counted).sum((1, 2))
        return total / counted.sum((1, 2)).clamp(min=1)

    def _replayed(
        self, stack: Stack, parameters: Parameters, planned: Sequence[Inputs]
    ) -> list[Tensor]:
        """Losses (B, A) of these updates, each one launch, recorded at the stack's first look."""
        if stack.recorded is None:
            length = self.training.labels.shape[3]

            def update(inputs: Inputs) -> Tensor:
                return self.update(stack, parameters, inputs, length)

            stack.recorded = captured(update, planned[0], stack.state())
        return [stack.recorded(inputs) for inputs in planned]

    def update(self, stack: Stack, parameters: Parameters, inputs: Inputs, longest: int) -> Tensor:
        """Make one update in place; losses (B, A). Waits for no result and makes no host tensor.

        longest : tokens of the batch's longest sentence.
        """
        slots, chosen, scales = inputs
        settings = self.settings
        batch = self.training.draw(stack.rows, slots, chosen, longest)
        losses, gradient = self.step(parameters, stack.rows, slots, batch)
        keep = 1 - settings.learning_rate * settings.weight_decay
        adamw_step((stack.flat, gradient), stack.moments, scales, keep)
        return losses

    def _plan(self, rows: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Slots (B, n, A) and drawn sentences (B, n, A, S) of the next n steps."""
        ahead, size = self.settings.evaluate_every, self.settings.batch_sentences
        times = (steps.unsqueeze(1) + torch.arange(ahead, device=rows.device)).flatten()
        each = rows.repeat_interleave(ahead)
        counts = self.training.counts[each]
        passes = (counts + size - 1).div(size, rounding_mode="floor")
        slots = self.schedule.slots(self.phase.train, times, passes)
        sentence = torch.arange(size, device=rows.device)
        firsts, sizes = self.buckets.at(each, slots, times)
        chosen = firsts.unsqueeze(2) + draw_below(
            sizes.unsqueeze(2),
            self.seeds[each].view(-1, 1, 1),
            slots.unsqueeze(2),
            times.view(-1, 1, 1),
            sentence,
        )
        chosen = self.training.longest_first(each, slots, chosen)
        shape = (len(rows), ahead)
        return slots.reshape(*shape, -1), chosen.view(*shape, *chosen.shape[1:])

    def step(
        self, parameters: Parameters, rows: Tensor, slots: Tensor, batch: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Losses (B, A) of one batch, (tokens, labels), and the gradient (B, P) of what counts."""
        tokens, labels = batch
        logits = self.tagger.logits(parameters.views, tokens, slots)
        sums, counts = token_losses(logits, labels.flatten(2))
        losses = sums / counts.clamp(min=1)
        words = self.training.words[rows]
        total = self.weighting.combine(losses, slots, words, parameters.views)
        penalty = self.tagger.sharing.penalty(parameters.views)
        if penalty is not None:
            total = total + self.settings.soft_penalty * penalty
        return losses.detach(), parameters.gradient(total.sum())

    @torch.no_grad()
    def validation_loss(self, parameters: Parameters, rows: Tensor) -> Tensor:
        """Loss (B,) per validation token, averaged over the validated tasks that have any."""
        slots = every_task(len(rows), self.phase.validate, rows.device)
        total = torch.zeros(*slots.shape, dtype=parameters.flat.dtype, device=rows.device)
        words = torch.zeros_like(total)
        length = self.validation.labels.shape[3]
        numbers = slots.numel() * length * numbers_per_token(self.tagger.sizes)
        size = sentences_at_once(rows.device, numbers)
        for tokens, labels in self.validation.chunks(rows, size):
            logits = self.tagger.logits(parameters.views, tokens, slots)
            sums, counts = token_losses(logits, labels.flatten(2))
            total, words = total + sums, words + counts
        return (total / words.clamp(min=1)).sum(1) / (words > 0).sum(1)
