"""The teacher family: relatedness is set, difficulty is not, shared features are a cause apart."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.testing import FamilyContract
from mtl_laws.simulator import SpecError, TaskSpec, UnreachableAMIError, make_taskset
from mtl_laws.simulator.corpus import Text
from mtl_laws.simulator.families.base import read_options
from mtl_laws.simulator.families.teacher.family import TeacherOptions
from mtl_laws.simulator.families.teacher.frames import mix_scores
from mtl_laws.simulator.families.teacher.innovations import InnovationKey, innovation
from mtl_laws.simulator.labelling import windows_of
from mtl_laws.simulator.relatedness import ami_by_definition
from mtl_laws.simulator.world import World, world


class TestTeacher(FamilyContract):
    spec = TaskSpec(family="teacher", tasks=3, ami=0.5, tokens=400, test_tokens=100)


class TestTeacherWithSpans(FamilyContract):
    spec = TaskSpec(
        tasks=3, ami=0.5, tokens=400, test_tokens=100, options={"spans": True, "length_spread": 0.5}
    )


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("ami", [0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0])
def test_the_ami_is_as_requested(ami: float, seed: int) -> None:
    taskset = make_taskset(TaskSpec(tasks=4, ami=ami, tokens=6000), seed)
    np.testing.assert_allclose(taskset.relatedness.ami[0, 1:], ami, atol=0.01)
    assert taskset.relatedness.tokens == 24_000
    np.testing.assert_allclose(ami_by_definition(taskset.train.labels)[0, 1:], ami, atol=0.01)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": 2},
        {"labels": 9},
        {"vocabulary": 1000, "labels": 9},
        {"options": {"window": 3}},
        {"options": {"label_prior": [83.3, 5.5, 4.9, 4.1, 2.2]}},
        {"options": {"imbalance": 1.5}},
        {"options": {"feature_overlap": 0.0}},
        {"options": {"features": 16, "design": "star"}},
        {"options": {"spans": True}},
        {"label_noise": 0.1},
        {"sentence_length": 25, "options": {"length_spread": 0.8}},
    ],
)
def test_the_ami_is_as_requested_in_other_settings(changes: dict[str, object]) -> None:
    spec = TaskSpec.from_json({"tasks": 4, "ami": [0.1, 0.25, 0.4], "tokens": 5000, **changes})
    taskset = make_taskset(spec, 0)
    np.testing.assert_allclose(taskset.relatedness.ami[0, 1:], [0.1, 0.25, 0.4], atol=0.01)


def test_without_enough_text_of_their_own_tasks_are_measured_on_a_full_pool() -> None:
    measured = make_taskset(TaskSpec(tasks=2, ami=0.4, tokens=40), 0).relatedness
    assert measured.tokens >= 20_000


def margins(home: World, tables: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label shares of a teacher on fresh text, and the gaps between best and second scores."""
    text = home.source.draw(40_000, "margins")
    windows = home.windows(text)
    ruler = home.ruler.windows.scores(tables)
    scores = windows.scores(tables) + home.ruler.balance(ruler, start)[:, None]
    shares = np.bincount(scores.argmax(axis=0)[windows.index], minlength=len(scores)) / text.size
    ordered = np.sort(scores, axis=0)
    return shares, (ordered[-1] - ordered[-2])[windows.index]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_difficulty_does_not_depend_on_relatedness(seed: int) -> None:
    made_of = read_options(TeacherOptions, {}).world(TaskSpec(ami=0.5))
    home = world(made_of, seed)
    own = innovation(InnovationKey(made_of, seed, 1.0, False), 1).tables
    entropies, quartiles = [], []
    for rho in (0.0, 0.3, 0.6, 0.8, 0.95, 1.0):
        tables = mix_scores(home.tables, own, np.arccos(rho))
        shares, gaps = margins(home, tables, home.biases)
        entropies.append(-(shares * np.log(shares)).sum())
        quartiles.append(np.quantile(gaps, [0.25, 0.5, 0.75]))
    np.testing.assert_allclose(entropies, np.log(5), atol=0.005)
    spread = np.ptp(quartiles, axis=0) / np.mean(quartiles, axis=0)
    assert (spread < 0.2).all(), f"margin quartiles vary by {spread} of themselves"


def test_label_shares_are_those_of_the_main_task_at_every_ami() -> None:
    prior = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
    for ami in (0.05, 0.4, 0.9):
        spec = TaskSpec(tasks=4, ami=ami, tokens=8000, options={"label_prior": prior.tolist()})
        for row in make_taskset(spec, 0).train.labels:
            np.testing.assert_allclose(np.bincount(row, minlength=5) / len(row), prior, atol=0.015)


def explained(taskset_options: dict[str, object], ami: float) -> float:
    """How much of an auxiliary's labels the main task's features explain: accuracy of the best
    linear readout from them, fitted on 12,000 tokens, scored on others."""
    spec = TaskSpec(tasks=2, ami=ami, tokens=6000, test_tokens=6000, options=taskset_options)
    taskset = make_taskset(spec, 0)
    home = world(read_options(TeacherOptions, taskset_options).world(spec), 0)
    features = np.vstack([home.features, np.zeros(home.features.shape[1])])
    sides = []
    for split in (taskset.train, taskset.test):
        windows = windows_of(Text(split.tokens, split.bounds), 2, 200)
        rows = features[windows.ids[windows.index]].reshape(len(split.tokens), -1)
        sides.append((np.hstack([rows, np.ones((len(rows), 1))]), split.labels[1]))
    (X, y), (X_test, y_test) = sides
    weights = np.linalg.lstsq(X, np.eye(5)[y], rcond=None)[0]
    return float(((X_test @ weights).argmax(axis=1) == y_test).mean())


def test_shared_features_and_related_labels_are_separate_causes() -> None:
    at_low_ami = [explained({"feature_overlap": phi}, 0.02) for phi in (0.0, 0.5, 1.0)]
    assert at_low_ami[0] < 0.35, "private features: the main task's say next to nothing"
    assert at_low_ami[0] < at_low_ami[1] < at_low_ami[2]
    assert at_low_ami[2] > 0.75, "all features shared: they say it all, at the same AMI"
    assert explained({"feature_overlap": 0.0}, 0.6) > 0.6, "related labels, private features"


def test_star_and_equicorrelated_designs() -> None:
    def between(design: str) -> float:
        options = {"features": 16, "design": design}
        taskset = make_taskset(TaskSpec(tasks=6, ami=0.4, tokens=4000, options=options), 0)
        assert taskset.ami_aux is not None
        return taskset.ami_aux

    assert between("equicorrelated") == pytest.approx(0.4, abs=0.03)
    assert between("star") == pytest.approx(0.27, abs=0.03)  # that of the squared correlation


def test_spans_are_well_formed() -> None:
    taskset = make_taskset(TaskSpec(tasks=2, ami=0.3, labels=7, options={"spans": True}), 0)
    names = taskset.label_names[0]
    assert names == ("O", "B-1", "I-1", "B-2", "I-2", "B-3", "I-3")
    for row in taskset.train.labels:
        for a, b in zip(taskset.train.bounds[:-1], taskset.train.bounds[1:], strict=True):
            tags = [names[label] for label in row[a:b]]
            for before, tag in zip(["O", *tags], tags, strict=False):
                assert tag[0] != "I" or before[2:] == tag[2:], tags


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tasks": 8, "options": {"design": "star"}}, "features × window ≥ 32"),
        ({"options": {"features": 3}}, "features × window ≥ 8"),
        ({"vocabulary": 20, "options": {"feature_overlap": 0.5, "features": 12}}, "at most 9"),
        ({"labels": 4, "options": {"spans": True}}, "odd"),
        ({"options": {"feature_overlap": 2}}, "feature_overlap"),
        ({"options": {"design": "ring"}}, "star"),
        ({"options": {"label_prior": [1, 2]}}, "5 shares"),
        ({"options": {"label_prior": [1, 2, 3, 4, 0]}}, "positive"),
        ({"options": {"window": 0}}, "window"),
        ({"options": {"zipf": "steep"}}, "zipf"),
        ({"options": {"classes": 500}}, "classes"),
        ({"family": "teachers"}, "channel, layers, teacher"),
        ({"ami": None}, "ami"),
        ({"label_noise": 0.3, "ami": 0.9}, "to 0.1"),
        (
            {"tasks": 3, "ami": [0.1, 0.2], "options": {"features": 8, "design": "equicorrelated"}},
            "one value for all",
        ),
    ],
)
def test_what_cannot_be_met_is_said(changes: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        make_taskset(TaskSpec.from_json({"ami": 0.3, **changes}), 0)


def test_an_unreachable_ami_names_the_range() -> None:
    spec = TaskSpec(tasks=2, ami=0.0, labels=17)
    with pytest.raises(UnreachableAMIError, match=r"0\.0\d\d to 1\.000, with features = 16"):
        make_taskset(spec, 0)


@pytest.mark.slow
def test_single_task_accuracy_of_auxiliaries_does_not_depend_on_ami() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    def accuracy(ami: float, seed: int, task: int) -> float:
        spec = TaskSpec(tasks=3, ami=ami, tokens=640)
        taskset = make_taskset(spec, seed)
        owner = np.repeat(taskset.train.assigned, taskset.train.lengths())
        sides = []
        for split in (taskset.train, taskset.test):
            windows = windows_of(Text(split.tokens, split.bounds), 2, 200)
            sides.append(windows.ids[windows.index])
        encoder = OneHotEncoder(categories=[range(201)] * 2)
        X, X_test = encoder.fit_transform(sides[0]), encoder.transform(sides[1])
        model = LogisticRegression(C=3.0, max_iter=500)
        model.fit(X[owner == task], taskset.train.labels[task][owner == task])
        return float(model.score(X_test, taskset.test.labels[task]))

    seeds = range(6)
    main = np.mean([accuracy(0.5, seed, 0) for seed in seeds])
    means = []
    for ami in (0.05, 0.3, 0.6, 0.9):
        means.append(np.mean([accuracy(ami, seed, task) for seed in seeds for task in (1, 2)]))
    assert main > 0.5, "the task can be learned"
    assert np.ptp([main, *means]) < 0.03, f"main {main:.3f}, auxiliaries {np.round(means, 3)}"
