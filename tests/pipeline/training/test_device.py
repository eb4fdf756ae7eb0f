"""The path of a GPU, on machines without one.

On the device `meta` tensors have shapes and types but no numbers: what waits for a result, or takes
one to the host, breaks an update there, as it would break a recording.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from mtl_laws.pipeline.training import Job, TrainingSettings, capture, train_group, trainer
from mtl_laws.pipeline.training.architectures import SHARINGS
from mtl_laws.pipeline.training.capture import Inputs, Update, captured
from mtl_laws.pipeline.training.encoders import ENCODERS
from mtl_laws.pipeline.training.modules import token_losses
from mtl_laws.pipeline.training.optimiser import Moments
from mtl_laws.pipeline.training.parameters import Parameters
from mtl_laws.pipeline.training.schedules import SCHEDULES
from mtl_laws.pipeline.training.stack import Stack
from mtl_laws.pipeline.training.trainer import PhaseRun, build_tagger
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from mtl_laws.pipeline.training.width import free_numbers, sentences_at_once, stack_width
from support.training_jobs import ragged_job, small_job


def phase_run(jobs: list[Job], device: str = "cpu") -> PhaseRun:
    tagger = build_tagger(jobs[0], device)
    return PhaseRun(tagger, jobs, tagger.sharing.phases(tagger.sizes.tasks)[-1], None)


def update_on_meta(jobs: list[Job]) -> torch.Tensor:
    """Losses of one update, planned and made where tensors have no numbers."""
    run, device = phase_run(jobs, "meta"), torch.device("meta")
    run.training, run.buckets = run.training.to(device), run.buckets.to(device)
    run.seeds = run.seeds.to(device)
    rows = torch.arange(len(jobs), device=device)
    numbers = sum(start.size for start in run.layout.values())
    flat = torch.empty(len(jobs), numbers, device=device, dtype=torch.float64)
    stack = Stack(rows, flat, Moments.zeros_like(flat))
    parameters = Parameters(flat, run.layout)
    slots, chosen = run._plan(rows, torch.zeros_like(rows))
    scales = torch.empty(len(jobs), 2, device=device)
    return run.update(stack, parameters, (slots[:, 0], chosen[:, 0], scales), 9)


CHOICES = [
    *({"encoder": e, "sharing": s} for e, s in itertools.product(ENCODERS, SHARINGS)),
    *({"weighting": weighting} for weighting in WEIGHTINGS),
    *({"schedule": schedule} for schedule in SCHEDULES),
    {"shared_layers": 1, "private_layers": 2},
]


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: "-".join(map(str, chosen.values())))
def test_an_update_waits_for_nothing_and_stays_on_its_device(chosen: dict[str, Any]) -> None:
    jobs = [small_job(seed, chosen) for seed in (1, 2)]
    losses = update_on_meta(jobs)
    assert losses.device.type == "meta"
    assert losses.shape[0] == 2


def test_so_do_tasks_of_unlike_labels_and_lengths() -> None:
    assert update_on_meta([ragged_job(1), ragged_job(2)]).device.type == "meta"


def test_an_update_that_waits_for_a_result_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def waits(*args: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = losses(*args)
        assert found[0].sum().item() >= 0
        return found

    losses = token_losses
    monkeypatch.setattr(trainer, "token_losses", waits)
    with pytest.raises(RuntimeError, match="meta"):
        update_on_meta([small_job(1)])


def replay(update: Update, inputs: Inputs) -> Update:
    """What a graph does, without one: the same tensors at every launch, filled beforehand."""
    own = (inputs[0].clone(), inputs[1].clone(), inputs[2].clone())
    update(own)

    def launch(given: Inputs) -> torch.Tensor:
        for mine, other in zip(own, given, strict=True):
            mine.copy_(other)
        return update(own)

    return launch


def test_kept_places_give_the_same_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    early = {"patience": 1, "max_steps": 60, "evaluate_every": 5}
    jobs = [
        small_job(seed, early, tokens=n) for seed, n in enumerate((60, 40, 90, 60, 50, 120, 80))
    ]
    expected = train_group(jobs)
    assert len({outcome.steps for outcome in expected}) > 1, "models stop at different looks"
    monkeypatch.setattr(trainer, "stack_width", lambda *_: 4)
    monkeypatch.setattr(PhaseRun, "_keeps_places", lambda *_: True)
    recorded: list[int] = []

    def record(update: Update, inputs: Inputs, state: tuple[torch.Tensor, ...]) -> Update:
        recorded.append(len(state[0]))
        return captured(update, inputs, state)

    monkeypatch.setattr(trainer, "captured", record)
    monkeypatch.setattr(capture, "_record", replay)
    finished: list[int] = []
    found = train_group(jobs, progress=finished.append)
    for one, other in zip(found, expected, strict=True):
        assert (one.status, one.steps, one.best_step) == (
            other.status,
            other.steps,
            other.best_step,
        )
        assert one.scores == pytest.approx(dict(other.scores), abs=1e-9)
    assert sum(finished) == len(jobs)
    assert recorded[0] == 4
    assert len(recorded) <= 3, "one recording until half of the stack idles"


def test_what_cannot_be_recorded_is_said_once_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(update: Update, inputs: Inputs) -> Update:
        update(inputs)
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    capture._say_once.cache_clear()
    jobs = [small_job(seed) for seed in (1, 2, 3)]
    expected = train_group(jobs)
    monkeypatch.setattr(PhaseRun, "_keeps_places", lambda *_: True)
    monkeypatch.setattr(capture, "_record", refuse)
    with caplog.at_level("WARNING"):
        found = train_group(jobs)
        train_group(jobs[:1])
    assert [one.scores for one in found] == [other.scores for other in expected]
    assert len([m for m in caplog.messages if "not permitted when stream" in m]) == 1


def test_sentences_of_unlike_lengths_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(*_: object) -> Update:
        raise AssertionError("shapes differ from step to step")

    jobs = [ragged_job(1), ragged_job(2)]
    expected = train_group(jobs)
    monkeypatch.setattr(PhaseRun, "_keeps_places", lambda *_: True)
    monkeypatch.setattr(trainer, "captured", record)
    assert [one.scores for one in train_group(jobs)] == [one.scores for one in expected]


def test_stacks_and_evaluations_are_sized_to_the_memory_of_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, device = TrainingSettings(), torch.device("cuda")
    sizes = settings.sizes(200, (5, 5, 5, 5))
    free = {"bytes": 2**28}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free["bytes"], 0))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 3 * 2**20)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 2**20)
    assert free_numbers(device) == (2**28 + 2**21) // 16
    small = stack_width(settings, sizes, device)
    assert stack_width(settings, sizes, device, length=40) < small
    free["bytes"] *= 4
    assert small < stack_width(settings, sizes, device) <= 4096
    assert sentences_at_once(device, 10**10) == 1
    assert 1 < sentences_at_once(device, 10**6) < sentences_at_once(device, 10**5) <= 1024
