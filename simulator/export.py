"""Export: a TaskSet as a folder of files with its data card, and the folder read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mtl_laws.simulator.card import card, front_matter
from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.folders import whole_folder
from mtl_laws.simulator.formats.base import Header, format_named
from mtl_laws.simulator.relatedness import Relatedness
from mtl_laws.simulator.spec import TaskSpec
from mtl_laws.simulator.tasks import TaskSet

SCHEMA = 1
_MATRICES = ("ami", "ami_clean", "conditional_entropy", "entropy")


def export_taskset(taskset: TaskSet, out: Path, format: str = "parquet") -> Path:
    """Write a TaskSet as a folder: splits, ``README.md`` (the data card) and ``taskset.json``.

    The folder appears whole or not at all.

    Parameters
    ----------
    out : the folder; new or empty.
    format : a name among `format_names`.

    Returns
    -------
    `out`.

    Raises
    ------
    SpecError : unknown format, `out` not empty or not writable, or the format cannot hold a token.
    """
    out = Path(out)
    writer = format_named(format)
    with whole_folder(out) as partial:
        writer.write(taskset, partial)
        _write_description(taskset, partial, format)
    return out


def _write_description(taskset: TaskSet, folder: Path, format: str) -> None:
    text = json.dumps(description(taskset, format), indent=1, ensure_ascii=False)
    (folder / "taskset.json").write_text(text + "\n", encoding="utf-8")
    head = ""
    if format == "hf":
        block = yaml.safe_dump(front_matter(taskset), sort_keys=False, allow_unicode=True)
        head = f"---\n{block}---\n\n"
    (folder / "README.md").write_text(head + card(taskset), encoding="utf-8")


def description(taskset: TaskSet, format: str) -> dict[str, Any]:
    """Return what ``taskset.json`` holds: spec, seed, names and measured relatedness."""
    measured = {name: getattr(taskset.relatedness, name).tolist() for name in _MATRICES}
    return {
        "schema": SCHEMA,
        "format": format,
        "spec": taskset.spec.to_json(),
        "seed": taskset.seed,
        "tasks": list(taskset.task_names),
        **measured,
        "pool_tokens": taskset.relatedness.tokens,
        "provenance": dict(taskset.provenance),
        "label_names": [list(names) for names in taskset.label_names],
        "vocabulary": list(taskset.vocabulary),
    }


def read_taskset(path: Path) -> TaskSet:
    """Read a folder that `export_taskset` wrote; the TaskSet is the same, bit for bit.

    Raises
    ------
    SpecError : no such folder, or a schema that this version does not know.
    """
    folder = Path(path)
    try:
        record = json.loads((folder / "taskset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError("path", str(path), "a folder with a taskset.json") from error
    if record.get("schema") != SCHEMA:
        raise SpecError("schema", record.get("schema"), f"schema {SCHEMA}")
    names = tuple(tuple(labels) for labels in record["label_names"])
    header = Header(tuple(record["tasks"]), tuple(record["vocabulary"]), names)
    splits = format_named(record["format"]).read(header, folder)
    matrices = {name: np.array(record[name], dtype=np.float64) for name in _MATRICES}
    return TaskSet(
        TaskSpec.from_json(record["spec"]),
        record["seed"],
        header.vocabulary,
        header.label_names,
        relatedness=Relatedness(**matrices, tokens=record["pool_tokens"]),
        provenance=record["provenance"],
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
    )
