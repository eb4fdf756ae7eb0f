"""The layers family: a corpus's own annotation as tasks, with its own AMI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mtl_laws.pipeline.testing import FamilyContract
from mtl_laws.simulator import SpecError, Split, TaskSpec, load_corpus, make_taskset
from mtl_laws.simulator.relatedness import ami_by_definition
from support.documents import HARBOUR


def layers_spec(**changes: object) -> TaskSpec:
    options = {"corpus": HARBOUR, "main": "pos", "aux": ["chunk", "entity"]}
    base = {"family": "layers", "tasks": 3, "tokens": 400, "test_tokens": 100, "options": options}
    return TaskSpec.from_json(base | changes)


class TestLayers(FamilyContract):
    spec = layers_spec()
    sets_ami = False
    misspelt = "corpuss"

    def at(self, **changes: object) -> TaskSpec:
        tasks = changes.get("tasks", 3)
        assert isinstance(tasks, int)
        options = {**self.spec.options, "aux": ["chunk", "entity"][: tasks - 1]}
        return super().at(**{"options": options, **changes})


def test_the_measured_ami_is_the_corpus_s() -> None:
    corpus = load_corpus(HARBOUR)
    rows = np.stack([corpus.layer(name).labels for name in ("pos", "chunk", "entity")])
    np.testing.assert_allclose(
        make_taskset(layers_spec(), 0).relatedness.ami, ami_by_definition(rows), atol=1e-9
    )


def test_no_sentence_is_used_twice() -> None:
    taskset = make_taskset(layers_spec(tokens=850, test_tokens=500), 0)
    corpus = load_corpus(HARBOUR)
    used = [tuple(words) for split in taskset.splits.values() for words in sentences(split)]
    there = [tuple(words) for words in np.split(corpus.text.tokens, corpus.text.bounds[1:-1])]
    for sentence in set(used):
        assert used.count(sentence) <= there.count(sentence)


def sentences(split: Split) -> list[np.ndarray]:
    return np.split(split.tokens, split.bounds[1:-1])


def test_layer_names_may_be_given_in_any_case() -> None:
    options = {"corpus": HARBOUR, "main": "POS", "aux": ["Chunk"]}
    taskset = make_taskset(layers_spec(tasks=2, options=options), 0)
    assert taskset.provenance["layers"] == ["pos", "chunk"]


def test_without_names_the_first_layers_are_taken() -> None:
    taskset = make_taskset(layers_spec(options={"corpus": HARBOUR}), 0)
    assert taskset.provenance["layers"] == ["pos", "chunk", "entity"]


def half_annotated(path: Path, overlap: int) -> Path:
    """200 sentences: the first half has layer a, the second b, `overlap` sentences both."""
    rng = np.random.default_rng(0)
    lines = []
    for s in range(200):
        words = rng.integers(0, 20, 10)
        record: dict[str, object] = {"tokens": [f"w{w}" for w in words]}
        if s < 100 + overlap:
            record["a"] = [str(w % 3) for w in words]
        if s >= 100:
            record["b"] = [None if w == 0 else int(w % 2) for w in words]
        lines.append(json.dumps(record))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_layers_need_an_overlap_to_have_an_ami(tmp_path: Path) -> None:
    apart = half_annotated(tmp_path / "apart.jsonl", 0)
    base = {"family": "layers", "tasks": 2, "tokens": 100, "test_tokens": 50}
    spec = TaskSpec.from_json({**base, "options": {"corpus": str(apart)}})
    with pytest.raises(SpecError, match=r"1000 tokens.*share 0"):
        make_taskset(spec, 0)
    some = half_annotated(tmp_path / "some.jsonl", 40)
    options = {"corpus": str(some), "min_overlap": 300}
    taskset = make_taskset(TaskSpec.from_json({**base, "options": options}), 0)
    for task, split in ((0, taskset.train), (1, taskset.train)):
        labels = split.labels[task][np.repeat(split.assigned == task, split.lengths())]
        assert (labels >= 0).mean() > 0.8, "a task trains on sentences that it annotates"
    assert (taskset.train.labels < 0).any()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ami": 0.5}, "no value"),
        ({"options": {}}, "corpus"),
        ({"options": {"corpus": "nowhere.conll"}}, r"nowhere\.conll"),
        ({"options": {"corpus": HARBOUR, "main": "upos"}}, "pos, chunk, entity"),
        ({"options": {"corpus": HARBOUR, "aux": ["chunk"]}}, "2 layers other than pos"),
        ({"options": {"corpus": HARBOUR, "aux": ["chunk", "pos"]}}, "2 layers other than pos"),
        ({"options": {"corpus": HARBOUR, "min_count": 0}}, "min_count"),
        ({"options": {"corpus": 3}}, "corpus"),
        ({"tokens": 5000}, "training of task 0: 3[0-9]* of"),
        ({"aux_tokens": 2000}, "training of task 2.* left"),
    ],
)
def test_what_cannot_be_met_is_said(changes: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        make_taskset(layers_spec(**changes), 0)


def test_a_corpus_too_small_for_the_test_says_so_by_its_name() -> None:
    options = {"corpus": HARBOUR}
    spec = TaskSpec(family="layers", tokens=100, test_tokens=10**6, options=options)
    with pytest.raises(SpecError, match="fewer for the test") as caught:
        make_taskset(spec, 0)
    assert caught.value.field == "test_tokens"


def with_vectors(folder: Path, rows: int = 3643, **changes: object) -> TaskSpec:
    """The layers of our own corpus, with vectors from which the place of a token can be told."""
    path = folder / "vectors.npy"
    if not path.exists():
        places = np.arange(rows, dtype=np.float64)
        np.save(path, np.stack([places, np.sin(places)], axis=1))
    options = {"corpus": HARBOUR, "main": "pos", "aux": ["chunk", "entity"], "vectors": str(path)}
    return layers_spec(options=options, **changes)


def test_every_token_has_the_vector_of_its_row(tmp_path: Path) -> None:
    taskset = make_taskset(with_vectors(tmp_path), 0)
    corpus = load_corpus(HARBOUR)
    assert taskset.vectors is not None
    table = taskset.vectors.table
    places = np.arange(len(table)) - (len(table) - 1) / 2
    np.testing.assert_allclose(table[:, 0], 4 * places / places.std() / 2**0.5, atol=1e-4)
    for name, split in taskset.splits.items():
        rows = taskset.vectors.places[name]
        np.testing.assert_array_equal(corpus.text.tokens[rows], split.tokens)
        labels = np.stack(
            [corpus.layer(layer).labels[rows] for layer in ("pos", "chunk", "entity")]
        )
        np.testing.assert_array_equal(labels, split.labels)


def test_task_sets_share_one_table_of_vectors(tmp_path: Path) -> None:
    several = [
        make_taskset(with_vectors(tmp_path, tokens=n), s) for n in (100, 400) for s in (0, 1)
    ]
    tables = [taskset.vectors.table for taskset in several if taskset.vectors is not None]
    assert len(tables) == 4
    assert all(table is tables[0] for table in tables)
    assert several[0].equals(make_taskset(with_vectors(tmp_path, tokens=100), 0))
    assert not several[0].equals(make_taskset(layers_spec(tokens=100), 0))


def test_a_changed_file_of_vectors_is_read_again(tmp_path: Path) -> None:
    before = make_taskset(with_vectors(tmp_path), 0)
    np.save(tmp_path / "vectors.npy", np.random.default_rng(0).normal(size=(3643, 3)))
    after = make_taskset(with_vectors(tmp_path), 0)
    assert before.vectors is not None
    assert after.vectors is not None
    assert (before.vectors.table.shape, after.vectors.table.shape) == ((3643, 2), (3643, 3))


def test_vectors_of_another_corpus_are_refused(tmp_path: Path) -> None:
    spec = with_vectors(tmp_path, rows=3642)
    with pytest.raises(SpecError, match=r"vectors\.npy: 3,642 rows.*3,643 rows") as caught:
        make_taskset(spec, 0)
    assert caught.value.field == "options.vectors"
