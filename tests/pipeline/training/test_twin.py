"""The stack against its readable twin: every registered class, float64, 20 steps, to 1e-8."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import torch

from mtl_laws.pipeline.training.architectures import SHARINGS
from mtl_laws.pipeline.training.buckets import cut_buckets
from mtl_laws.pipeline.training.draws import draw_below
from mtl_laws.pipeline.training.encoders import ENCODERS, vector_encoders
from mtl_laws.pipeline.training.job import Job
from mtl_laws.pipeline.training.parameters import draw_start, views
from mtl_laws.pipeline.training.reference import OWN_TRUNKS, TWIN_ENCODERS, build_twin, draw_one
from mtl_laws.pipeline.training.schedules import SCHEDULES
from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.trainer import PhaseRun, build_tagger, train_group
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from support.training_jobs import ragged_job, small_job

TOLERANCE = 1e-8
SHORT = {"max_steps": 20, "evaluate_every": 5}
REGISTRIES: dict[str, Collection[str]] = {
    "encoder": ENCODERS,
    "sharing": SHARINGS,
    "weighting": WEIGHTINGS,
    "schedule": SCHEDULES,
}
DEFAULTS = TrainingSettings().to_json()
VARIANTS: list[dict[str, Any]] = [
    {},
    *({field: n} for field, names in REGISTRIES.items() for n in names if n != DEFAULTS[field]),
    {"shared_layers": 1, "private_layers": 2},
    {"shared_layers": 3, "activation": "identity"},
    {"sharing": "soft", "shared_layers": 1, "encoder": "window"},
    {"sharing": "private", "schedule": "sequential", "weighting": "uncertainty"},
    {"sharing": "transfer", "encoder": "cnn", "hidden": 3},
    {"sharing": "private", "encoder": "vectors"},
    {"sharing": "soft", "encoder": "vectors_bilstm"},
    {"max_steps": 100, "patience": 2, "evaluate_every": 5},
]


def trained(job: Job, companions: list[Job]) -> tuple[dict[str, torch.Tensor], list[Any]]:
    """Best parameters of `job` by name, trained between companions, and its last curve."""
    jobs = [*companions, job]
    tagger = build_tagger(job)
    layout = tagger.layout() | WEIGHTINGS[job.settings.weighting].layout(job.sizes)
    flat = draw_start(layout, [each.seed for each in jobs])
    for phase in tagger.sharing.phases(job.taskset.tasks):
        flat, records = PhaseRun(tagger, jobs, phase, None).train(flat)
    found = {name: value[-1] for name, value in views(flat, layout).items()}
    return found, records[-1].curve


def started(job: Job) -> dict[str, torch.Tensor]:
    tagger = build_tagger(job)
    layout = tagger.layout() | WEIGHTINGS[job.settings.weighting].layout(job.sizes)
    return {name: v[0] for name, v in views(draw_start(layout, [job.seed]), layout).items()}


def assert_same(job: Job, companions: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the job's twin once, and the job in a stack with either kind of inner loop."""
    twin = build_twin(job).train(started(job))
    for eager in ("", "1"):
        monkeypatch.setenv("MTL_LAWS_EAGER", eager)
        stacked, curve = trained(job, companions)
        np.testing.assert_allclose(curve, twin.curve, rtol=0, atol=TOLERANCE)
        compared = set()
        for name, index, view in twin.model.pieces():
            if name in stacked:
                mine = stacked[name][index].reshape(view.shape)
                torch.testing.assert_close(mine, view.detach(), rtol=0, atol=TOLERANCE)
                compared.add(name)
        assert compared == set(stacked)


@pytest.mark.parametrize(
    "variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())) or "defaults"
)
def test_a_stacked_model_is_its_twin(
    variant: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = SHORT | variant
    job = small_job(3, chosen, tasks=3)
    companions = [small_job(seed, chosen, tasks=3, tokens=90) for seed in (1, 2)]
    assert_same(job, companions, monkeypatch)


def test_training_moves_what_is_compared() -> None:
    job = small_job(3, tasks=3)
    stacked, _ = trained(job, [])
    before = started(job)
    assert all((stacked[name] - before[name]).abs().max() > 1e-3 for name in stacked)


@pytest.mark.parametrize("encoder", ["bilstm", *vector_encoders()])
def test_scores_are_those_of_the_twin(encoder: str) -> None:
    job = small_job(4, {"encoder": encoder}, tasks=2, tokens=200)
    twin = build_twin(job).train(started(job))
    outcome = train_group([job])[0]
    assert outcome.scores["accuracy"] == pytest.approx(twin.accuracy(), abs=1e-12)
    assert outcome.best_step == twin.best_step


@pytest.mark.parametrize("encoder", ENCODERS)
def test_unlike_label_counts_and_sentence_lengths(
    encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same(ragged_job(7, encoder=encoder), [ragged_job(8, encoder=encoder)], monkeypatch)


def test_sentences_in_buckets_of_length(monkeypatch: pytest.MonkeyPatch) -> None:
    job = ragged_job(7, sentences=120)
    lengths = np.sort(job.taskset.train.lengths()[job.taskset.train.of_task(0)])
    assert len(cut_buckets(lengths, job.settings.evaluate_every, 2)) > 1
    assert_same(job, [ragged_job(8, sentences=60), ragged_job(9)], monkeypatch)


def test_tasks_that_label_the_same_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    job, other = (small_job(seed, SHORT, tasks=3, shared=True) for seed in (3, 4))
    assert_same(job, [other], monkeypatch)


def test_every_registered_class_has_a_twin() -> None:
    assert set(TWIN_ENCODERS) == set(ENCODERS)
    assert set(OWN_TRUNKS) == set(SHARINGS)


def test_draws_are_the_written_hash() -> None:
    seeds = torch.tensor([0, 1, 2**62 + 12345])
    steps = torch.arange(40)
    drawn = draw_below(torch.tensor(17), seeds.view(-1, 1), torch.tensor(2), steps)
    expected = [[draw_one(17, int(s), 2, int(t)) for t in steps] for s in seeds]
    assert drawn.tolist() == expected


def test_draws_are_uniform_and_unlike() -> None:
    drawn = draw_below(
        torch.tensor(10), torch.tensor(5), torch.arange(200).view(-1, 1), torch.arange(500)
    )
    shares = torch.bincount(drawn.flatten(), minlength=10) / drawn.numel()
    assert (shares - 0.1).abs().max() < 5 * (0.09 / drawn.numel()) ** 0.5
    correlation = np.corrcoef(drawn[:-1].flatten(), drawn[1:].flatten())[0, 1]
    assert abs(correlation) < 5 / drawn.numel() ** 0.5
