"""Contracts of task families and of the formats that tasks are written in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_laws.simulator import (
    SpecError,
    Split,
    TaskSet,
    TaskSpec,
    export_taskset,
    make_taskset,
    read_taskset,
)
from mtl_laws.simulator.tasks import ALL_TASKS


def blocks(taskset: TaskSet, split: str) -> dict[int, tuple[list[int], list[list[int]]]]:
    """Tokens and labels of every task's sentences."""
    part = taskset.splits[split]
    owner = np.repeat(part.assigned, part.lengths())
    return {
        int(task): (part.tokens[owner == task].tolist(), part.labels[:, owner == task].tolist())
        for task in np.unique(part.assigned)
    }


class FamilyContract:
    """Inherit, and give the family's `spec`.

    Attributes
    ----------
    spec : T = 3, 400 tokens, 100 test tokens, and an AMI where the family sets it.
    sets_ami : whether the family makes tasks of a requested AMI, or measures what there is.
    misspelt : almost the name of one of the family's options.
    """

    spec: TaskSpec
    sets_ami = True
    misspelt = "windw"

    def at(self, **changes: Any) -> TaskSpec:
        """The spec with changes; a change of T drops an AMI that it makes meaningless."""
        if changes.get("tasks") == 1:
            changes["ami"] = None
        return replace(self.spec, **changes)

    def test_shapes_types_and_ranges(self) -> None:
        taskset = make_taskset(self.spec, 0)
        assert taskset.tasks == 3
        for split in taskset.splits.values():
            N, S = len(split.tokens), split.sentences
            types = [array.dtype.name for array in (split.tokens, split.bounds)]
            assert types == ["int32", "int64"]
            types = [array.dtype.name for array in (split.labels, split.assigned)]
            assert types == ["int16", "int16"]
            assert split.labels.shape == (3, N)
            assert split.assigned.shape == (S,)
            assert (split.bounds[0], split.bounds[-1]) == (0, N)
            assert (split.lengths() > 0).all()
            assert 0 <= split.tokens.min() <= split.tokens.max() < len(taskset.vocabulary)
            for names, row in zip(taskset.label_names, split.labels, strict=True):
                assert -1 <= row.min() <= row.max() < len(names)
            with pytest.raises(ValueError, match="read-only"):
                split.tokens[0] = 1

    def test_a_seed_reproduces_and_another_differs(self) -> None:
        first, again = make_taskset(self.spec, 4), make_taskset(self.spec, 4)
        other = make_taskset(self.spec, 5)
        assert first.equals(again)
        assert not first.equals(other)
        assert not np.array_equal(first.train.tokens, other.train.tokens)

    def test_sizes_to_the_nearest_sentence(self) -> None:
        taskset = make_taskset(self.at(aux_tokens=150), 1)
        longest = max(int(split.lengths().max()) for split in taskset.splits.values())
        for task, wanted in ((0, 400), (1, 150), (2, 150)):
            assert abs(taskset.train.token_count(task) - wanted) <= longest / 2
            assert abs(taskset.validation.token_count(task) - 0.2 * wanted) <= longest / 2 + 1
        assert abs(len(taskset.test.tokens) - 100) <= longest / 2

    def test_disjoint_tasks_have_sentences_of_their_own(self) -> None:
        taskset = make_taskset(self.spec, 2)
        for split in (taskset.train, taskset.validation):
            assert set(split.assigned.tolist()) == {0, 1, 2}
            owned = [set(split.of_task(task).tolist()) for task in range(3)]
            assert sum(map(len, owned)) == split.sentences == len(set.union(*owned))
        assert set(taskset.test.assigned.tolist()) == {ALL_TASKS}

    def test_shared_tasks_have_the_same_sentences(self) -> None:
        taskset = make_taskset(self.at(shared=True), 2)
        assert set(taskset.train.assigned.tolist()) == {ALL_TASKS}
        apart = make_taskset(self.spec, 2)
        assert blocks(taskset, "train")[ALL_TASKS][0] == blocks(apart, "train")[0][0]

    def test_the_main_task_does_not_depend_on_the_others(self) -> None:
        reference = make_taskset(self.spec, 3)
        changes: list[dict[str, Any]] = [{"tasks": 1}, {"tasks": 2}, {"aux_tokens": 100}]
        changes += [{"ami": 0.2}, {"ami": 0.9}] if self.sets_ami else []
        for change in changes:
            other = make_taskset(self.at(**change), 3)
            for split in ("train", "validation"):
                mine, theirs = blocks(reference, split)[0], blocks(other, split)[0]
                assert (mine[0], mine[1][0]) == (theirs[0], theirs[1][0]), change
            assert np.array_equal(reference.test.tokens, other.test.tokens)
            assert np.array_equal(reference.test.labels[0], other.test.labels[0])

    def test_sizes_are_nested(self) -> None:
        small, large = make_taskset(self.at(tokens=50), 6), make_taskset(self.spec, 6)
        for split in ("train", "validation"):
            mine, theirs = blocks(small, split)[0], blocks(large, split)[0]
            assert mine[0] == theirs[0][: len(mine[0])]
            assert mine[1][0] == theirs[1][0][: len(mine[0])]

    def test_noise_is_in_training_labels_only(self) -> None:
        clean = make_taskset(self.spec, 7)
        noisy = make_taskset(self.at(label_noise=0.2, tasks=1), 7)
        assert np.array_equal(clean.test.labels[0], noisy.test.labels[0])
        mine, theirs = blocks(clean, "train")[0], blocks(noisy, "train")[0]
        assert mine[0] == theirs[0]
        changed = np.mean(np.array(mine[1][0]) != np.array(theirs[1][0]))
        assert changed == pytest.approx(0.2, abs=0.08)
        assert blocks(clean, "validation")[0][1][0] == blocks(noisy, "validation")[0][1][0]

    def test_relatedness_is_reported_as_defined(self) -> None:
        taskset = make_taskset(self.spec, 8)
        measured = taskset.relatedness
        assert taskset.ami == pytest.approx(measured.ami[0, 1:].mean())
        assert taskset.ami_aux == pytest.approx(measured.ami[1, 2])
        assert np.array_equal(measured.ami, measured.ami.T)
        information = measured.entropy[:, None] - measured.conditional_entropy
        np.testing.assert_allclose(
            np.where(np.eye(3), 0, information), np.where(np.eye(3), 0, information.T), atol=1e-9
        )
        alone = make_taskset(self.at(tasks=1), 8)
        assert (alone.ami, alone.ami_clean, alone.ami_aux) == (None, None, None)

    @pytest.mark.parametrize("seed", [-1, 1.5, True])
    def test_a_bad_seed_is_named(self, seed: int) -> None:
        with pytest.raises(SpecError, match="seed"):
            make_taskset(self.spec, seed)

    def test_an_unknown_option_names_the_nearest(self) -> None:
        wrong = self.at(options={**self.spec.options, self.misspelt: 2})
        with pytest.raises(SpecError, match="did you mean"):
            make_taskset(wrong, 0)


class FormatContract:
    """Inherit, and give the `name` under which the format is registered."""

    name: str

    @pytest.fixture
    def taskset(self) -> TaskSet:
        """Three tasks; each task has an unlabelled token at the beginning of a sentence."""
        taskset = make_taskset(TaskSpec(tasks=3, ami=0.4, tokens=100, test_tokens=60), 3)
        train = taskset.train
        labels = train.labels.copy()
        labels[range(3), train.bounds[:3]] = -1
        return replace(taskset, train=Split(train.tokens, train.bounds, labels, train.assigned))

    @pytest.mark.parametrize("tasks", [1, 3])
    def test_reading_back_gives_the_same_taskset(self, tasks: int, tmp_path: Path) -> None:
        spec = TaskSpec(tasks=tasks, ami=0.4 if tasks > 1 else None, tokens=100, test_tokens=60)
        taskset = make_taskset(spec, 3)
        assert read_taskset(export_taskset(taskset, tmp_path / "out", self.name)).equals(taskset)

    def test_unlabelled_tokens_stay_unlabelled(self, taskset: TaskSet, tmp_path: Path) -> None:
        folder = export_taskset(taskset, tmp_path / "out", self.name)
        assert read_taskset(folder).equals(taskset)

    def test_nothing_is_left_beside_the_folder(self, taskset: TaskSet, tmp_path: Path) -> None:
        folder = tmp_path / "empty"
        folder.mkdir()
        export_taskset(taskset, folder / "out", self.name)
        assert [path.name for path in folder.iterdir()] == ["out"]
