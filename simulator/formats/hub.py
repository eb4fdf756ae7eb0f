"""Hugging Face folder: Parquet with class labels, a card that `datasets` reads, Croissant metadata.

``datasets.load_dataset(FOLDER)`` opens it: splits train, validation and test; ``tokens`` a list of
strings, ``main``, ``aux_1`` … lists of `ClassLabel` (−1 where a token is not annotated),
``assigned`` a whole number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtl_laws.simulator.croissant import croissant
from mtl_laws.simulator.formats.base import SPLITS, Header
from mtl_laws.simulator.formats.parquet import flat, split_table, table_split
from mtl_laws.simulator.tasks import Split, TaskSet


class HubFormat:
    """See the module."""

    def write(self, taskset: TaskSet, folder: Path) -> None:
        """Write ``data/*.parquet`` and ``croissant.json``."""
        header = Header.of(taskset)
        (folder / "data").mkdir()
        for name, split in taskset.splits.items():
            labels = [pa.array(row.astype(np.int64)) for row in split.labels]
            table = split_table(split, header, labels)
            info = json.dumps({"info": {"features": features(header)}})
            pq.write_table(
                table.replace_schema_metadata({"huggingface": info}), folder / file(name)
            )
        record = croissant(taskset, {name: folder / file(name) for name in SPLITS}, folder)
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")

    def read(self, header: Header, folder: Path) -> Mapping[str, Split]:
        """Read the three files."""
        splits = {}
        for name in SPLITS:
            table = pq.read_table(folder / file(name))
            labels = [flat(table, task).to_numpy() for task in header.tasks]
            splits[name] = table_split(table, header, labels)
        return splits


def file(split: str) -> str:
    """Return where a split's file stands in the folder."""
    return f"data/{split}-00000-of-00001.parquet"


def features(header: Header) -> dict[str, Any]:
    """Return the columns as `datasets.Features` stores them in a Parquet file."""
    string = {"dtype": "string", "_type": "Value"}
    described: dict[str, Any] = {"tokens": {"feature": string, "_type": "Sequence"}}
    for task, names in zip(header.tasks, header.label_names, strict=True):
        label = {"names": list(names), "_type": "ClassLabel"}
        described[task] = {"feature": label, "_type": "Sequence"}
    return {**described, "assigned": {"dtype": "int64", "_type": "Value"}}
