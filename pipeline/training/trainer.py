"""Train a group of cells at once: one optimiser step updates every model of the stack.

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
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.training.architectures import SHARINGS, Phase, Tagger, every_task
from pipeline.training.draws import draw_below
from pipeline.training.encoders import ENCODERS
from pipeline.training.job import Job, check_alike
from pipeline.training.modules import token_losses
from pipeline.training.optimiser import Moments, adamw_step, step_scales
from pipeline.training.outcome import Outcome, Status
from pipeline.training.parameters import Parameters, draw_start, views
from pipeline.training.progress import Record
from pipeline.training.schedules import SCHEDULES
from pipeline.training.scoring import score
from pipeline.training.sentences import stack_sentences
from pipeline.training.settings import TrainingSettings
from pipeline.training.sizes import Sizes
from pipeline.training.weighting import WEIGHTINGS
from pipeline.training.width import sentences_at_once, stack_width

Progress = Callable[[int], None]


def build_tagger(settings: TrainingSettings, sizes: Sizes) -> Tagger:
    """Encoder and sharing of the settings, at these sizes."""
    return Tagger(ENCODERS[settings.encoder], SHARINGS[settings.sharing], sizes)


def train_group(
    jobs: Sequence[Job], device: str = "cpu", progress: Progress | None = None
) -> list[Outcome]:
    """Train and test one model per job; outcomes in the order of the jobs.

    Parameters
    ----------
    jobs : cells of equal settings, T, vocabulary size and label counts; n, AMI, seeds may differ.
    device : a torch device.
    progress : called with the number of models that finished since the last call.

    Raises
    ------
    InputError : where the jobs are not alike. A model that diverges is an outcome, not an error.
    """
    if not jobs:
        return []
    check_alike(jobs)
    with _one_thread():
        return _train(jobs, device, progress)


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
    tagger = build_tagger(settings, sizes)
    layout = tagger.layout() | WEIGHTINGS[settings.weighting].layout(sizes)
    precision = torch.float64 if settings.precision == "float64" else torch.float32
    flat = draw_start(layout, [job.seed for job in jobs]).to(device, precision)
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


@dataclass
class _Stack:
    """Models in training: their jobs (B,), parameters and moments (B, P)."""

    rows: Tensor
    flat: Tensor
    moments: Moments

    def replaced(self, keep: Tensor, rows: Tensor, flat: Tensor) -> _Stack:
        """Drop all but `keep` (places) and append fresh models."""
        fresh = torch.zeros_like(flat)
        moments = Moments(
            torch.cat([self.moments.first[keep], fresh]),
            torch.cat([self.moments.second[keep], fresh]),
        )
        return _Stack(
            torch.cat([self.rows[keep], rows]), torch.cat([self.flat[keep], flat]), moments
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
        shuffled = self.settings.control == "random_labels"
        seeds = [job.seed if shuffled else None for job in jobs]
        training = [job.taskset.train for job in jobs]
        validation = [job.taskset.validation for job in jobs]
        self.training = stack_sentences(training, tasks, vocabulary, seeds)
        self.validation = stack_sentences(validation, self.phase.validate, vocabulary)

    def train(self, start: Tensor) -> tuple[Tensor, list[Record]]:
        """Best parameters (J, P) by validation loss, from starting ones, and each job's record."""
        device = start.device
        self.training, self.validation = self.training.to(device), self.validation.to(device)
        self.seeds = self.seeds.to(device)
        best = start.clone()
        width = stack_width(self.settings, self.tagger.sizes, device.type)
        waiting = self.training.words.sum(1).argsort(descending=True, stable=True)
        none = torch.arange(0, device=device)
        stack = _Stack(none, start[none], Moments.zeros_like(start[none]))
        while True:
            keep = self._unfinished(stack.rows)
            room = width - len(keep)
            entering, waiting = waiting[:room], waiting[room:]
            stack = stack.replaced(keep, entering, start[entering])
            if len(stack.rows) == 0:
                return best, self.records
            self._advance(stack, best)
            if self.progress:
                self.progress(len(stack.rows) - len(self._unfinished(stack.rows)))

    def _unfinished(self, rows: Tensor) -> Tensor:
        going = [i for i, row in enumerate(rows.tolist()) if self.records[row].status is None]
        return torch.tensor(going, dtype=torch.long, device=rows.device)

    def _advance(self, stack: _Stack, best: Tensor) -> None:
        """Make `evaluate_every` steps and look at the validation loss."""
        started = time.perf_counter()
        records = [self.records[row] for row in stack.rows.tolist()]
        steps = torch.tensor([record.steps for record in records], device=stack.rows.device)
        parameters = Parameters(stack.flat, self.layout)
        training = self._steps(stack, parameters, steps).tolist()
        validation = self.validation_loss(parameters, stack.rows).tolist()
        better = [
            record.note(trained, validated, self.settings)
            for record, trained, validated in zip(records, training, validation, strict=True)
        ]
        improved = torch.tensor(better, device=stack.rows.device)
        best[stack.rows[improved]] = stack.flat[improved]
        share = (time.perf_counter() - started) / len(records)
        for record in records:
            record.seconds += share

    def _steps(self, stack: _Stack, parameters: Parameters, steps: Tensor) -> Tensor:
        """Update `evaluate_every` times; return mean training losses (B,) of validated tasks."""
        settings = self.settings
        slots, chosen = self._plan(stack.rows, steps)
        scales = step_scales(steps, settings.evaluate_every, settings.learning_rate)
        keep = 1 - settings.learning_rate * settings.weight_decay
        found = []
        for i, scale in enumerate(scales.to(stack.flat.dtype)):
            losses, gradient = self.step(parameters, stack.rows, slots[:, i], chosen[:, i])
            adamw_step((stack.flat, gradient), stack.moments, scale, keep)
            found.append(losses)
        validated = torch.tensor(self.phase.validate, device=steps.device)
        counted = (slots.unsqueeze(3) == validated).any(3)
        total = (torch.stack(found, dim=1) * counted).sum((1, 2))
        return total / counted.sum((1, 2)).clamp(min=1)

    def _plan(self, rows: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Slots (B, n, A) and drawn sentences (B, n, A, S) of the next n steps."""
        ahead, size = self.settings.evaluate_every, self.settings.batch_sentences
        times = (steps.unsqueeze(1) + torch.arange(ahead, device=rows.device)).flatten()
        each = rows.repeat_interleave(ahead)
        counts = self.training.counts[each]
        passes = (counts + size - 1).div(size, rounding_mode="floor")
        slots = self.schedule.slots(self.phase.train, times, passes)
        sentence = torch.arange(size, device=rows.device)
        chosen = draw_below(
            counts.gather(1, slots).unsqueeze(2),
            self.seeds[each].view(-1, 1, 1),
            slots.unsqueeze(2),
            times.view(-1, 1, 1),
            sentence,
        )
        chosen = self.training.longest_first(each, slots, chosen)
        shape = (len(rows), ahead)
        return slots.reshape(*shape, -1), chosen.view(*shape, *chosen.shape[1:])

    def step(
        self, parameters: Parameters, rows: Tensor, slots: Tensor, chosen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Losses (B, A) of one batch and the gradient (B, P) of what is minimised."""
        tokens, labels = self.training.draw(rows, slots, chosen)
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
        for tokens, labels in self.validation.chunks(rows, sentences_at_once(rows.device.type)):
            logits = self.tagger.logits(parameters.views, tokens, slots)
            sums, counts = token_losses(logits, labels.flatten(2))
            total, words = total + sums, words + counts
        return (total / words.clamp(min=1)).sum(1) / (words > 0).sum(1)
