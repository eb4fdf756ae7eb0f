"""Honesty of a cell: its outcome is its own; early stopping, divergence and the learning curve."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mtl_laws.pipeline.training import Job, Outcome, Status, train_group, trainer
from mtl_laws.pipeline.training.parameters import draw_start
from support.training_jobs import small_job, small_taskset

SINGLE = {"precision": "float32", "embedding": 8, "hidden": 8, "patience": 4, "max_steps": 300}


def alike(mine: Outcome, other: Outcome, tolerance: float) -> None:
    """Equal but for the time it took."""
    assert (mine.status, mine.steps, mine.best_step) == (other.status, other.steps, other.best_step)
    np.testing.assert_allclose(mine.curve, other.curve, rtol=0, atol=tolerance)
    assert mine.scores == pytest.approx(dict(other.scores), abs=tolerance)


def group(settings: dict[str, Any]) -> list[Job]:
    return [small_job(s, settings, tokens=t) for s, t in ((1, 60), (2, 200), (3, 120), (4, 400))]


@pytest.mark.parametrize("settings", [{}, {"sharing": "transfer", "schedule": "sequential"}])
def test_an_outcome_does_not_depend_on_companions_in_float64(settings: dict[str, Any]) -> None:
    jobs = group(settings)
    together = train_group(jobs)
    for job, outcome in zip(jobs, together, strict=True):
        alike(train_group([job])[0], outcome, 1e-8)


def test_an_outcome_does_not_depend_on_order_or_width(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = group(SINGLE)
    together = train_group(jobs)
    monkeypatch.setattr(trainer, "stack_width", lambda *_: 2)
    narrow = train_group(jobs[::-1])[::-1]
    for outcome, other in zip(together, narrow, strict=True):
        alike(outcome, other, 2e-4)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 9])
def test_every_job_is_trained_however_many_stop_at_once(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "stack_width", lambda *_: width)
    jobs = [small_job(seed, SINGLE | {"patience": 0, "max_steps": 20}) for seed in range(8)]
    outcomes = train_group(jobs)
    assert [outcome.status for outcome in outcomes] == [Status.EXHAUSTED] * 8
    assert [outcome.steps for outcome in outcomes] == [20] * 8


def test_the_same_job_twice_gives_the_same_twice() -> None:
    first, second = train_group([small_job(5, SINGLE), small_job(5, SINGLE)])
    alike(first, second, 0.0)


def test_compiled_and_eager_loops_agree_on_float32_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = group(SINGLE)
    compiled = train_group(jobs)
    monkeypatch.setenv("MTL_LAWS_EAGER", "1")
    for outcome, other in zip(compiled, train_group(jobs), strict=True):
        assert outcome.scores["accuracy"] == pytest.approx(other.scores["accuracy"], abs=0.02)


def test_single_task_training_starts_and_draws_as_multi_task_training_does() -> None:
    """With the auxiliary's weight at nought both would be one run: only the main loss at step 0."""
    alone = small_job(6, {"max_steps": 1, "evaluate_every": 1}, tasks=1)
    both = small_job(6, {"max_steps": 1, "evaluate_every": 1}, tasks=2)
    (one,), (two,) = train_group([alone]), train_group([both])
    assert one.curve[0][1] == pytest.approx(two.curve[0][1], abs=1e-12)


def test_early_stopping_keeps_the_best_step() -> None:
    outcome = train_group([small_job(2, SINGLE)])[0]
    losses = {step: validation for step, _, validation in outcome.curve}
    assert outcome.status is Status.CONVERGED
    assert outcome.best_step == min(losses, key=lambda step: losses[step])
    assert outcome.steps == outcome.best_step + 4 * 10
    assert outcome.scores["validation_loss"] == losses[outcome.best_step]


def test_without_patience_every_step_is_made() -> None:
    outcome = train_group([small_job(2, SINGLE | {"patience": 0, "max_steps": 105})])[0]
    assert outcome.status is Status.EXHAUSTED
    assert outcome.steps == 110, "rounded up to a whole number of evaluations"
    assert len(outcome.curve) == 11


def test_more_data_is_learned_better() -> None:
    jobs = [small_job(s, SINGLE, tokens=t) for t in (40, 1000) for s in (1, 2, 3)]
    scores = [outcome.scores["accuracy"] for outcome in train_group(jobs)]
    assert np.mean(scores[3:]) > np.mean(scores[:3]) + 0.2
    assert np.mean(scores[3:]) > 0.7


def test_divergence_is_a_status_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = group(SINGLE)
    undisturbed = train_group(jobs)
    plain = draw_start

    def broken(layout: Any, seeds: list[int]) -> torch.Tensor:
        start = plain(layout, seeds)
        start[1] = math.nan
        return start

    monkeypatch.setattr(trainer, "draw_start", broken)
    outcomes = train_group(jobs)
    assert outcomes[1].status is Status.DIVERGED
    assert outcomes[1].scores == {}
    assert outcomes[1].message == Status.DIVERGED.remedy
    for place in (0, 2, 3):
        alike(outcomes[place], undisturbed[place], 1e-5)


def test_a_loss_that_explodes_is_divergence() -> None:
    settings = {"learning_rate": 1e4, "activation": "identity", "encoder": "window"}
    outcome = train_group([small_job(1, SINGLE | settings)])[0]
    assert outcome.status is Status.DIVERGED


def test_the_callers_threads_are_given_back() -> None:
    torch.set_num_threads(2)
    train_group([small_job(1, SINGLE | {"max_steps": 10})])
    after = torch.get_num_threads()
    torch.set_num_threads(1)
    assert after == 2


def test_progress_counts_every_model_once() -> None:
    seen: list[int] = []
    train_group(group(SINGLE), progress=seen.append)
    assert sum(seen) == 4


def test_random_labels_take_the_auxiliary_away_and_leave_the_main_task() -> None:
    taskset = small_taskset(1, tokens=400)
    settings = small_job(1, SINGLE).settings
    honest = Job(taskset, settings, 1)
    floor = Job(taskset, replace(settings, random_labels=True), 1)
    (learned,), (shuffled,) = train_group([honest]), train_group([floor])
    assert shuffled.scores["aux_accuracy"] < learned.scores["aux_accuracy"] - 0.15
    assert shuffled.scores["accuracy"] > 0.5


def test_no_tensor_is_made_on_the_default_device() -> None:
    """What runs on a GPU makes every tensor there: on `meta` a stray one would break the run."""
    for encoder, sharing in itertools.product(("bilstm", "cnn"), ("hard", "soft", "transfer")):
        settings = {"encoder": encoder, "sharing": sharing, "max_steps": 10}
        jobs = [small_job(1, settings), small_job(2, settings)]
        with torch.device("meta"):
            outcomes = train_group(jobs, device="cpu")
        assert all(outcome.status.scored for outcome in outcomes)
