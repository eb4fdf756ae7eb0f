"""Data card: the README.md beside an exported TaskSet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.relatedness import label_counts
from mtl_laws.simulator.tasks import TaskSet

_CITATION = {
    "channel": "Symmetric channel: Bettgenhäuser, Hedderich and Klakow 2020, arXiv 2006.05561.",
}
_MOST_LABELS = 60
_OF_SYNTHETIC_TEXT = ("labels", "vocabulary", "sentence_length")


def card(taskset: TaskSet) -> str:
    """Return the card: parameters, seed, sizes, measured AMI, label distribution, licence."""
    parts = [
        f"# Multi-task sequence labels: {taskset.spec.family}, {taskset.tasks} tasks",
        summary(taskset),
        "## Parameters",
        _parameters(taskset),
        "## Sizes",
        _sizes(taskset),
        "## Measured relatedness",
        f"AMI (scikit-learn's `adjusted_mutual_info_score`, arithmetic) of the observed labels on "
        f"a pool of {taskset.relatedness.tokens} tokens. 1 on the diagonal.",
        _matrix(taskset.task_names, taskset.relatedness.ami),
        "Conditional entropy H(row | column) in nats: relatedness is not symmetric.",
        _matrix(taskset.task_names, taskset.relatedness.conditional_entropy),
        "## Labels",
        "Share of each label among the labelled training tokens.",
        _distribution(taskset),
        "## Records",
        _RECORDS,
        "## Licence",
        licence_of(taskset),
        _CITATION.get(taskset.spec.family, ""),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_RECORDS = """One record per sentence: `tokens`; `main`, `aux_1` …, one label per token;
`assigned`, the number of the task whose labels a trainer may see on that sentence (0 is `main`),
or -1 for all. Every sentence carries the labels of every task, for measuring; training on labels
that are not assigned would make the tasks' data larger than stated. Label noise
is in the training labels only. `taskset.json` has the full description; `simulator.read_taskset`
reads this folder back."""


def summary(taskset: TaskSet) -> str:
    """Return two sentences on what the data is."""
    source = taskset.provenance.get("text", "synthetic")
    text = "Synthetic text" if source == "synthetic" else f"Text of {source}"
    related = "" if taskset.ami is None else f" Mean main-auxiliary AMI: {taskset.ami:.3f}."
    return (
        f"{text} with {taskset.tasks} label layers, one main task and {taskset.tasks - 1} "
        f"auxiliary ones, made by the `{taskset.spec.family}` family of mtl-laws.{related}"
    )


def licence_of(taskset: TaskSet) -> str:
    """Return what is known about the right to use the data."""
    if _is_synthetic(taskset):
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    stated = taskset.provenance.get("licence")
    return (
        str(stated)
        if stated
        else "That of the base corpus, which was not stated when this was made."
    )


def _is_synthetic(taskset: TaskSet) -> bool:
    return taskset.provenance.get("text", "synthetic") == "synthetic"


def pipe_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return escaped(str(value)).replace("|", "\\|").replace("\n", " ")


_ENTITIES = {c: f"&#{ord(c)};" for c in "&<>[]"}


def escaped(text: str) -> str:
    """Return text from data as Markdown that shows it: no HTML and no links; code stays code."""
    parts = re.split(
        r"(`[^`]*`)", "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    )
    for place in range(0, len(parts), 2):
        parts[place] = "".join(_ENTITIES.get(c, c) for c in parts[place])
    return "".join(parts)


def _parameters(taskset: TaskSet) -> str:
    given = {**taskset.spec.to_json(), "seed": taskset.seed, **taskset.provenance}
    options = dict(taskset.spec.options)
    if "corpus" in options:
        given["options"] = {**options, "corpus": taskset.provenance["text"]}
        given = {name: value for name, value in given.items() if name not in _OF_SYNTHETIC_TEXT}
    rows = [[name, "none" if value is None else value] for name, value in given.items()]
    return pipe_table(["parameter", "value"], rows)


def _sizes(taskset: TaskSet) -> str:
    head = ["split", "sentences", "tokens", *(f"tokens of {name}" for name in taskset.task_names)]
    rows = [
        [name, split.sentences, len(split.tokens)]
        + [split.token_count(task) for task in range(taskset.tasks)]
        for name, split in taskset.splits.items()
    ]
    return pipe_table(head, rows)


def _matrix(names: Sequence[str], matrix: NDArray[np.float64]) -> str:
    rows = [[name, *(f"{x:.3f}" for x in row)] for name, row in zip(names, matrix, strict=True)]
    return pipe_table(["", *names], rows)


def _distribution(taskset: TaskSet) -> str:
    rows = []
    layers = zip(taskset.task_names, taskset.label_names, taskset.train.labels, strict=True)
    for task, names, labels in layers:
        counts = label_counts(labels, len(names))
        shares = counts / max(int(counts.sum()), 1)
        order = np.argsort(-shares, kind="stable")[:_MOST_LABELS]
        rows.append([task, ", ".join(f"{names[k]} {shares[k]:.3f}" for k in order)])
    return pipe_table(["task", "labels"], rows)


def front_matter(taskset: TaskSet) -> dict[str, Any]:
    """Return the card's metadata block: where the splits are and what the columns hold."""
    columns: list[dict[str, Any]] = [{"name": "tokens", "sequence": "string"}]
    for task, names in zip(taskset.task_names, taskset.label_names, strict=True):
        numbered = {str(i): name for i, name in enumerate(names)}
        columns.append({"name": task, "sequence": {"class_label": {"names": numbered}}})
    columns.append({"name": "assigned", "dtype": "int64"})
    files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in taskset.splits]
    return {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": columns},
        "task_categories": ["token-classification"],
        "license": "cc0-1.0" if _is_synthetic(taskset) else "other",
        "tags": ["multi-task-learning", "sequence-labelling", taskset.spec.family],
    }
