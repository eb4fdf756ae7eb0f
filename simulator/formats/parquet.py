"""Parquet: one row per sentence, with lists ``tokens``, ``main``, ``aux_1`` … and ``assigned``.

Notation
--------
N : tokens of a split;  S : its sentences
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mtl_laws.simulator.formats.base import SPLITS, Header
from mtl_laws.simulator.tasks import Split, TaskSet


class ParquetFormat:
    """Labels as strings, null where a token is not annotated."""

    def write(self, taskset: TaskSet, folder: Path) -> None:
        """Write ``train.parquet``, ``validation.parquet`` and ``test.parquet``."""
        header = Header.of(taskset)
        for name, split in taskset.splits.items():
            labels = [
                strings(names, row)
                for names, row in zip(header.label_names, split.labels, strict=True)
            ]
            pq.write_table(split_table(split, header, labels), folder / f"{name}.parquet")

    def read(self, header: Header, folder: Path) -> Mapping[str, Split]:
        """Read the three files."""
        splits = {}
        for name in SPLITS:
            table = pq.read_table(folder / f"{name}.parquet")
            columns = zip(header.tasks, header.label_names, strict=True)
            labels = [places(flat(table, task), names) for task, names in columns]
            splits[name] = table_split(table, header, labels)
        return splits


def split_table(split: Split, header: Header, labels: list[pa.Array]) -> pa.Table:
    """Return a split as a table; `labels` has the N labels of every task."""
    offsets = pa.array(split.bounds.astype(np.int32))
    columns = {"tokens": strings(header.vocabulary, split.tokens)}
    columns |= dict(zip(header.tasks, labels, strict=True))
    lists = {name: pa.ListArray.from_arrays(offsets, values) for name, values in columns.items()}
    return pa.table({**lists, "assigned": pa.array(split.assigned.astype(np.int64))})


def table_split(table: pa.Table, header: Header, labels: list[NDArray[np.int64]]) -> Split:
    """Return the split of a table; `labels` has the N label ids of every task."""
    lengths = pc.list_value_length(table["tokens"]).to_numpy()
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Split(
        places(flat(table, "tokens"), header.vocabulary).astype(np.int32),
        bounds,
        np.stack(labels).astype(np.int16),
        table["assigned"].to_numpy().astype(np.int16),
    )


def strings(names: tuple[str, ...], ids: NDArray[np.int32] | NDArray[np.int16]) -> pa.Array:
    """Return the strings of ids, (N,); null for −1."""
    where = pa.array(ids.astype(np.int32), mask=ids < 0)
    return pa.array(names, type=pa.string()).take(where)


def places(values: pa.Array, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the ids of strings, (N,); −1 for null."""
    places = pc.index_in(values, value_set=pa.array(names, type=pa.string()))
    return np.asarray(pc.fill_null(places, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def flat(table: pa.Table, column: str) -> pa.Array:
    """Return the values of a column of lists one after another, (N,)."""
    return pc.list_flatten(table[column]).combine_chunks()
