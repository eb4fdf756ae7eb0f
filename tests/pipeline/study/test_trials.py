"""Trials: each run once, named the same everywhere, stacked only with its like."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study.controls import single_task_twin
from mtl_laws.pipeline.study.digest import DIGEST_LENGTH, canonical, digest
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.trials import MAX_TRIALS, Trial, expand, group
from mtl_laws.pipeline.training import TrainingSettings
from mtl_laws.simulator import TaskSpec

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)


def study(factors: str, rest: str = "seeds: 1") -> Study:
    return Study.parse(f"question: q\nfactors: {{{factors}}}\n{rest}\n")


# --- digest ------------------------------------------------------------------------------------


def test_the_canonical_text_is_what_it_always_was() -> None:
    value = {"b": (1.0, 0.1, -0.0, 1e22), "a": {"é": None, "x": True}, "c": 2.5e-7}
    text = '{"a":{"x":true,"\\u00e9":null},"b":[1,0.1,0,10000000000000000000000],"c":2.5e-07}'
    assert canonical(value) == text
    assert digest(value) == "49cd76f52c02edb44a9d927e2b3902b1"


@UNHURRIED
@given(st.dictionaries(st.text(max_size=4), JSON))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    names = list(value)
    random.Random(0).shuffle(names)
    assert digest({name: value[name] for name in names}) == digest(value)


@UNHURRIED
@given(JSON, JSON)
def test_different_descriptions_have_different_digests(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) == (canonical(one) == canonical(other))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_numbers_that_json_lacks_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest(value)


@pytest.mark.parametrize("value", [{1, 2}, {1: 2}, b"x", [object()]])
def test_objects_that_json_lacks_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="canonical JSON"):
        digest(value)


def test_true_is_not_one() -> None:
    assert digest(True) != digest(1)


def test_the_digest_is_the_same_in_another_process() -> None:
    code = (
        "from mtl_laws.pipeline.study.digest import digest\n"
        "print(digest({'b': [0.1, 3.0], 'a': 'é'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert found.stdout.strip() == digest({"a": "é", "b": [0.1, 3]})


# --- trials -------------------------------------------------------------------------------------


def test_a_trial_survives_its_json() -> None:
    trial = Trial(TaskSpec(tasks=3, ami=(0.1, 0.5), options={"zipf": 1.0}), TrainingSettings(), 7)
    again = Trial.from_json(trial.to_json())
    assert again == trial
    assert again.digest == trial.digest
    assert len(trial.digest) == DIGEST_LENGTH


def test_an_ordinary_trial_is_named_as_before_there_were_controls() -> None:
    assert set(Trial(TaskSpec(ami=0.5), TrainingSettings(), 0).to_json()) == {
        "task",
        "training",
        "seed",
    }


def test_whatever_differs_gives_another_digest() -> None:
    spec, settings = TaskSpec(ami=0.5), TrainingSettings()
    trials = [
        Trial(spec, settings, 0),
        Trial(spec, settings, 1),
        Trial(TaskSpec(ami=0.25), settings, 0),
        Trial(TaskSpec(ami=0.5, tokens=1001), settings, 0),
        Trial(TaskSpec(ami=0.5, options={"window": 1}), settings, 0),
        Trial(spec, TrainingSettings(hidden=17), 0),
    ]
    assert len({trial.digest for trial in trials}) == len(trials)


def test_a_whole_level_may_be_written_as_a_float() -> None:
    one, other = study("tasks: 2, tokens: 40, ami: [1]"), study("tasks: 2, tokens: 40, ami: [1.0]")
    assert digests(one) == digests(other)


def test_the_factorial_is_full() -> None:
    trials = expand(study("tasks: [2, 3], tokens: [40, 80, 160], ami: [0.1, 0.5]", "seeds: 2"))
    grid = {(c.task.tasks, c.task.tokens, c.task.ami, c.seed) for c in trials if c.task.tasks > 1}
    assert len(grid) == 2 * 3 * 2 * 2
    alone = [trial for trial in trials if trial.task.tasks == 1]
    assert len(trials) == len(grid) + len(alone)
    pairs = {(n, seed) for n in (40, 80, 160) for seed in (0, 1)}
    assert {(trial.task.tokens, trial.seed) for trial in alone} == pairs


@pytest.mark.parametrize("stl", ["true", "false"])
def test_a_single_task_has_no_ami_and_is_there_once(stl: str) -> None:
    factors = "tasks: [1, 2], tokens: [40, 80], ami: [0.1, 0.5], aux_tokens: [null, 60]"
    trials = expand(study(factors, f"stl: {stl}\nseeds: [4]"))
    alone = [trial for trial in trials if trial.task.tasks == 1]
    assert [trial.task.tokens for trial in alone] == [40, 80]
    assert all(trial.task.ami is None and trial.task.aux_tokens is None for trial in alone)
    assert len({trial.digest for trial in trials}) == len(trials) == 2 + 2 * 2 * 2


def test_random_auxiliary_labels_are_a_factor_where_there_are_auxiliaries() -> None:
    factors = "tasks: [1, 2, 3], tokens: 40, ami: 0.5, random_labels: [false, true]"
    found = [(c.task.tasks, c.settings.random_labels) for c in expand(study(factors))]
    assert sorted(found) == [(1, False), (2, False), (2, True), (3, False), (3, True)]


def test_without_stl_only_what_is_asked_for_is_trained() -> None:
    trials = expand(study("tasks: [2], tokens: [40], ami: [0.1]", "stl: false\nseeds: 1"))
    assert [trial.task.tasks for trial in trials] == [2]


def test_settings_options_and_keys_of_the_family_can_be_factors() -> None:
    factors = "tasks: 2, tokens: 40, ami: 0.5, hidden: [4, 8], zipf: [0, 1], label_noise: [0, 0.1]"
    trials = expand(study(factors, "seeds: 1\nstl: false"))
    found = {(c.settings.hidden, c.task.options["zipf"], c.task.label_noise) for c in trials}
    assert found == {(h, z, e) for h in (4, 8) for z in (0, 1) for e in (0, 0.1)}


def test_a_name_that_trainer_and_family_share_can_be_told_apart() -> None:
    factors = "tasks: 2, tokens: 40, ami: 0.5, training.window: [2, 3], options.window: [2]"
    trials = expand(study(factors, "seeds: 1\nstl: false"))
    assert {trial.settings.window for trial in trials} == {2, 3}
    assert {trial.task.options["window"] for trial in trials} == {2}


def test_the_order_of_levels_does_not_matter() -> None:
    one = study("tasks: [2, 3], tokens: [40, 80], ami: [0.1, 0.5]", "seeds: [0, 1]")
    other = study("tokens: [80, 40], ami: [0.5, 0.1], tasks: [3, 2]", "seeds: [1, 0]")
    assert digests(one) == digests(other)


def test_the_single_task_twin_is_the_trial_that_is_trained() -> None:
    factors = "tasks: [1, 3], tokens: [40], ami: [0.1], aux_tokens: [80], zipf: [0.5, 1]"
    trials = expand(study(factors, "seeds: 2\nfamily: {shared: false}"))
    trained = {trial.digest for trial in trials if trial.task.tasks == 1}
    for trial in trials:
        twin = digest(single_task_twin(trial.to_json()))
        assert twin == Trial(trial.task.alone(), trial.settings, trial.seed).digest
        assert twin in trained


LAYERS = """
family: {name: layers, options: {corpus: data/example/harbour.conll, min_overlap: 10}}
cases:
  - {main: pos, aux: [chunk, entity]}
  - {main: pos, aux: [entity, chunk]}
  - {main: chunk, aux: [pos, entity]}
seeds: 1
"""


def test_cases_are_combined_with_all_levels() -> None:
    trials = expand(study("tasks: [2, 3], tokens: [40, 80], aux_tokens: [null, 60]", LAYERS))
    together = [trial.task for trial in trials if trial.task.tasks > 1]
    kinds = {f"{task.options['main']} {task.options['aux']}" for task in together}
    assert kinds == {
        "pos ['chunk', 'entity']",
        "pos ['entity', 'chunk']",
        "chunk ['pos', 'entity']",
    }
    assert len(together) == 3 * 2 * 2 * 2


def test_cases_that_differ_in_auxiliaries_only_have_one_single_task_trial() -> None:
    trials = expand(study("tasks: [2], tokens: [40, 80]", LAYERS))
    alone = [trial for trial in trials if trial.task.tasks == 1]
    assert [(trial.task.options["main"], trial.task.tokens) for trial in alone] == [
        ("pos", 40),
        ("pos", 80),
        ("chunk", 40),
        ("chunk", 80),
    ]
    twins = {digest(single_task_twin(trial.to_json())) for trial in trials}
    assert twins == {trial.digest for trial in alone}


REFUSED = [
    ("tasks: 1, tokens: 40", "laws: {target: acuracy}", "laws.target", "'accuracy'"),
    ("tasks: 1, tokens: 40", "laws: {target: status}", "laws.target", "accuracy"),
    ("tasks: 1, tokens: 40", "laws: {factors: {n: N_tokens}}", "laws.factors.n", "n_request"),
    ("tasks: 2, tokens: 40", "", "factors.ami", "number"),
    ("tasks: 2, tokens: 40, ami: 0.5, T: [2]", "", "factors.T", "'tasks'"),
    ("tasks: 2, tokens: 40, ami: 0.5, n: [2]", "", "factors.n", "'tokens'"),
    ("tasks: 2, tokens: 40, ami: 0.5, hiden: [8]", "", "factors.hiden[0]", "'hidden'"),
    ("tasks: 2, tokens: 40, ami: 0.5, zipff: [1]", "", "factors.zipff[0]", "'zipf'"),
    ("tasks: 2, tokens: 40, ami: 0.5, hidden: [8, 0]", "", "factors.hidden[1]", "at least 1"),
    ("tasks: 2, tokens: 40, ami: 0.5, training.foo: [8]", "", "factors.training.foo", "training."),
    ("tasks: 2, tokens: 40, ami: 0.5, data.foo: [8]", "", "factors.data.foo", "options.NAME"),
    (
        "tasks: 2, tokens: 40, ami: 0.5, label_noise: [0, 1]",
        "",
        "factors.label_noise[1]",
        "below 1",
    ),
    ("tasks: 2, tokens: 40, ami: 0.5, feature_overlap: [2]", "", "factors.feature_overlap[0]", "1"),
    ("tasks: 2, tokens: 40, ami: 0.5", "training: {hiden: 8}", "training.hiden", "'hidden'"),
    ("tasks: 2, tokens: 40, ami: 0.5", "training: {hidden: x}", "training.hidden", "at least 1"),
    ("tasks: 2, tokens: 40, ami: 0.5", "training: {encoder: lstm}", "training.encoder", "bilstm"),
    ("tasks: 2, tokens: 40, ami: 0.5", "family: {name: student}", "family.name", "teacher"),
    ("tasks: 2, tokens: 40, ami: 0.5", "family: {labels: 1}", "family.labels", "at least 2"),
    ("tasks: 2, tokens: 40, ami: 0.5", "family: {options: {zip: 1}}", "family.options.zip", "zipf"),
    (
        "tasks: 2, tokens: 40, ami: 0.5, aux_tokens: [80]",
        "family: {shared: true}",
        "factors.aux_tokens[0]",
        "shared",
    ),
]


@pytest.mark.parametrize(("factors", "rest", "field", "accepted"), REFUSED)
def test_what_simulator_or_trainer_refuse_is_told_by_its_path(
    factors: str, rest: str, field: str, accepted: str
) -> None:
    with pytest.raises(UserError) as caught:
        expand(study(factors, rest))
    assert caught.value.path == field
    assert accepted in caught.value.expected


def test_more_trials_than_can_be_trained_are_refused_at_once() -> None:
    factors = f"tasks: {list(range(1, 300))}, tokens: {list(range(1, 300))}, ami: [0.1]"
    with pytest.raises(UserError, match=f"{MAX_TRIALS:,}"):
        expand(study(factors, "seeds: 100"))


# --- groups ------------------------------------------------------------------------------------

SPECS = st.builds(
    TaskSpec,
    tasks=st.integers(2, 4),
    ami=st.sampled_from([0.1, 0.5]),
    tokens=st.sampled_from([40, 80, 5000]),
    labels=st.sampled_from([3, 5]),
    vocabulary=st.sampled_from([50, 200]),
)
TRIALS = st.lists(
    st.builds(
        Trial,
        SPECS,
        st.builds(TrainingSettings, hidden=st.sampled_from([4, 8])),
        st.integers(0, 50),
    ),
    unique_by=lambda trial: trial.digest,
    max_size=40,
)


@UNHURRIED
@given(TRIALS, st.integers(1, 5))
def test_groups_hold_every_trial_once_with_its_like_and_no_more_than_the_limit(
    trials: list[Trial], limit: int
) -> None:
    groups = group(trials, limit)
    assert sorted(c.digest for part in groups for c in part) == sorted(c.digest for c in trials)
    assert all(1 <= len(part) <= limit for part in groups)
    for part in groups:
        shapes = {(c.settings, c.task.tasks, c.task.labels, c.task.vocabulary) for c in part}
        assert len(shapes) == 1


@UNHURRIED
@given(TRIALS)
def test_groups_do_not_depend_on_the_order_of_trials(trials: list[Trial]) -> None:
    assert set(group(trials)) == set(group(trials[::-1]))


@UNHURRIED
@given(TRIALS)
def test_long_groups_start_first(trials: list[Trial]) -> None:
    costs = [sum(trial.cost for trial in part) for part in group(trials, 3)]
    assert costs == sorted(costs, reverse=True)


def test_groups_are_even() -> None:
    trials = [Trial(TaskSpec(ami=0.5), TrainingSettings(), seed) for seed in range(11)]
    assert sorted(map(len, group(trials, 4))) == [3, 4, 4]


def test_what_takes_longest_does_not_wait_for_its_companions() -> None:
    sizes = [40, 5000, 320]
    trials = [Trial(TaskSpec(ami=0.5, tokens=n), TrainingSettings(), 0) for n in sizes]
    groups = {tuple(sorted(trial.task.tokens for trial in part)) for part in group(trials, 2)}
    assert groups == {(5000,), (40, 320)}


def test_a_large_device_stacks_more() -> None:
    trials = [Trial(TaskSpec(ami=0.5), TrainingSettings(), seed) for seed in range(200)]
    assert len(group(trials, device="cuda")) == 1 < len(group(trials))


def digests(of: Study) -> set[str]:
    return {trial.digest for trial in expand(of)}
