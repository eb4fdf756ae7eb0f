"""Exports: the contract's files, the same TaskSet read back, and formats that others open."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mtl_laws.simulator import (
    SpecError,
    TaskSet,
    TaskSpec,
    export_taskset,
    format_names,
    load_corpus,
    make_taskset,
    read_taskset,
)
from mtl_laws.simulator.card import escaped
from support.documents import HARBOUR

LAYERS = {"corpus": HARBOUR, "main": "entity", "aux": ["pos", "chunk"], "licence": "CC0 1.0"}
SPECS = {
    "teacher": TaskSpec(tasks=3, ami=0.4, tokens=100, test_tokens=60, label_noise=0.1),
    "single": TaskSpec(tasks=1, tokens=100, test_tokens=60),
    "channel": TaskSpec(family="channel", tasks=3, ami=(0.2, 0.7), tokens=100, test_tokens=60),
    "layers": TaskSpec(family="layers", tasks=3, tokens=100, test_tokens=60, options=LAYERS),
}


@pytest.fixture(scope="module")
def tasksets() -> dict[str, TaskSet]:
    return {name: make_taskset(spec, 3) for name, spec in SPECS.items()}


@pytest.mark.parametrize("format", format_names())
@pytest.mark.parametrize("name", SPECS)
def test_reading_back_gives_the_same_taskset(
    tasksets: dict[str, TaskSet], name: str, format: str, tmp_path: Path
) -> None:
    folder = export_taskset(tasksets[name], tmp_path / "out", format)
    assert read_taskset(folder).equals(tasksets[name])
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing else is left behind"


def unlabelled(taskset: TaskSet, path: Path) -> TaskSet:
    """The layers TaskSet with a hole in each layer, through a corpus with holes."""
    corpus = load_corpus(HARBOUR)
    names = np.array(corpus.vocabulary, dtype=object)[corpus.text.tokens]
    edges = zip(corpus.text.bounds[:-1], corpus.text.bounds[1:], strict=True)
    rows = []
    for a, b in edges:
        record: dict[str, object] = {"tokens": names[a:b].tolist()}
        for name, layer in corpus.layers.items():
            values = [layer.names[label] for label in layer.labels[a:b]]
            record[name] = [None, *values[1:]]
        rows.append(json.dumps(record))
    path.write_text("\n".join(rows), encoding="utf-8")
    options = {**LAYERS, "corpus": str(path)}
    return make_taskset(TaskSpec.from_json({**taskset.spec.to_json(), "options": options}), 3)


@pytest.mark.parametrize("format", format_names())
def test_unlabelled_tokens_stay_unlabelled(
    tasksets: dict[str, TaskSet], format: str, tmp_path: Path
) -> None:
    taskset = unlabelled(tasksets["layers"], tmp_path / "holes.jsonl")
    assert (taskset.train.labels[:, taskset.train.bounds[:-1]] == -1).all()
    assert read_taskset(export_taskset(taskset, tmp_path / "out", format)).equals(taskset)


def test_jsonl_records_are_those_of_the_contract(
    tasksets: dict[str, TaskSet], tmp_path: Path
) -> None:
    taskset = tasksets["channel"]
    folder = export_taskset(taskset, tmp_path / "out", "jsonl")
    for name, split in taskset.splits.items():
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == split.sentences
        for line, task in zip(lines, split.assigned, strict=True):
            record = json.loads(line)
            assert list(record) == ["tokens", "main", "aux_1", "aux_2", "assigned"]
            assert record["assigned"] == task
            assert {len(record[key]) for key in list(record)[:-1]} == {len(record["tokens"])}
    description = json.loads((folder / "taskset.json").read_text(encoding="utf-8"))
    assert description["seed"] == 3
    assert description["spec"]["ami"] == [0.2, 0.7]
    assert np.array(description["ami"]).shape == (3, 3)


def test_conll_columns_are_those_of_the_contract(
    tasksets: dict[str, TaskSet], tmp_path: Path
) -> None:
    folder = export_taskset(tasksets["teacher"], tmp_path / "out", "conll")
    corpus = load_corpus(folder / "train.conll")
    assert list(corpus.layers) == ["main", "aux_1", "aux_2"]
    train = tasksets["teacher"].train
    assert np.array_equal(corpus.text.bounds, train.bounds)
    names = np.array(corpus.layer("aux_1").names)[corpus.layer("aux_1").labels]
    assert names.tolist() == [f"L{label}" for label in train.labels[1]]


def test_the_card_says_what_was_made(tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    card = (export_taskset(tasksets["layers"], tmp_path / "a", "jsonl") / "README.md").read_text()
    for needed in ("harbour.conll", "CC0 1.0", "| seed | 3 |", "AMI", "B-PER", "## Licence"):
        assert needed in card
    assert str(Path(HARBOUR).parent) not in card, "a card to publish names no folder of its maker"
    ami = tasksets["layers"].relatedness.ami[0, 1]
    assert f"{ami:.3f}" in card
    synthetic = export_taskset(tasksets["teacher"], tmp_path / "b", "hf") / "README.md"
    assert "license: cc0-1.0" in synthetic.read_text().split("---")[1]


def test_a_folder_in_use_is_left_alone(tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SpecError, match="new or empty"):
        export_taskset(tasksets["single"], tmp_path, "jsonl")
    with pytest.raises(SpecError, match="new or empty"):
        export_taskset(tasksets["single"], tmp_path / "mine.txt", "jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    export_taskset(tasksets["single"], tmp_path / "empty", "jsonl")


def test_a_failed_export_leaves_nothing(tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    corpus = tmp_path / "odd.jsonl"
    rows = [{"tokens": ["a\tb", "c"], "x": ["1", "2"], "y": ["1", "1"]} for _ in range(60)]
    corpus.write_text("\n".join(map(json.dumps, rows)))
    options = {"corpus": str(corpus), "min_overlap": 1}
    spec = TaskSpec(family="layers", tasks=2, tokens=10, test_tokens=10, options=options)
    taskset = make_taskset(spec, 0)
    with pytest.raises(SpecError, match="another format"):
        export_taskset(taskset, tmp_path / "out", "conll")
    assert [path.name for path in tmp_path.iterdir()] == ["odd.jsonl"]
    assert read_taskset(export_taskset(taskset, tmp_path / "out", "jsonl")).equals(taskset)


def test_what_cannot_be_done_is_said(tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="conll, hf, jsonl, parquet"):
        export_taskset(tasksets["single"], tmp_path / "out", "csv")
    with pytest.raises(SpecError, match=r"taskset\.json"):
        read_taskset(tmp_path)
    (tmp_path / "taskset.json").write_text('{"schema": 99}')
    with pytest.raises(SpecError, match="schema"):
        read_taskset(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="writable"):
        export_taskset(tasksets["single"], tmp_path / "file" / "out", "jsonl")


@pytest.mark.filterwarnings("ignore")
def test_datasets_opens_the_hub_folder(tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    datasets = pytest.importorskip("datasets", reason="needs the optional package datasets")
    taskset = tasksets["layers"]
    folder = export_taskset(taskset, tmp_path / "out", "hf")
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {
        name: split.sentences for name, split in taskset.splits.items()
    }
    assert loaded["train"].features["main"].feature.names == list(taskset.label_names[0])
    flat = [label for row in loaded["train"]["aux_2"] for label in row]
    assert flat == taskset.train.labels[2].tolist()


@pytest.mark.filterwarnings("ignore")
def test_croissant_metadata_is_valid(tasksets: dict[str, TaskSet], tmp_path: Path) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="needs the optional package mlcroissant")
    taskset = tasksets["teacher"]
    folder = export_taskset(taskset, tmp_path / "out", "hf")
    dataset = croissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    first = next(iter(dataset.records("train")))
    assert list(first["train/main"]) == taskset.train.labels[0][:10].tolist()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>x</script>", "&#60;script&#62;x&#60;/script&#62;"),
        ("[a](javascript:b)", "&#91;a&#93;(javascript:b)"),
        ("a & b", "a &#38; b"),
        ("`<b>` <b>", "`<b>` &#60;b&#62;"),
        ("\x1b[31mred", "\ufffd&#91;31mred"),
    ],
)
def test_a_card_shows_text_from_data_and_runs_none(text: str, shown: str) -> None:
    assert escaped(text) == shown
