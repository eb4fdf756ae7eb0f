"""Tables to publish: Arrow tables of four types, with the meaning of every column.

Four types (text, whole numbers, numbers, true or false) suffice, and every file format can hold
them and their nulls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mtl_laws.pipeline.columns import Column
from mtl_laws.pipeline.errors import UserError

MAX_NAME_LENGTH = 100
WHOLE = "train"
"""The split of a table that is not split, as Hugging Face calls it."""


@dataclass(frozen=True, kw_only=True)
class ColumnType:
    """A type of values, by its name in ``dataset.json`` and elsewhere.

    Attributes
    ----------
    name : as pandas calls it.
    arrow : Arrow type.
    croissant, datasets : as Croissant and the package `datasets` call it.
    """

    name: str
    arrow: pa.DataType
    croissant: str
    datasets: str


TYPES: Mapping[str, ColumnType] = {
    kind.name: kind
    for kind in (
        ColumnType(name="str", arrow=pa.string(), croissant="sc:Text", datasets="string"),
        ColumnType(name="int64", arrow=pa.int64(), croissant="sc:Integer", datasets="int64"),
        ColumnType(name="float64", arrow=pa.float64(), croissant="sc:Float", datasets="float64"),
        ColumnType(name="bool", arrow=pa.bool_(), croissant="sc:Boolean", datasets="bool"),
    )
}


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """One table with the meaning of its columns.

    Attributes
    ----------
    name : of the table and of its files.
    meaning : what a row is.
    data : the rows.
    columns : one for each column of the data, in order.
    split_by : column whose values name the splits; empty for none.
    """

    name: str
    meaning: str
    data: pa.Table
    columns: tuple[Column, ...]
    split_by: str = ""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.data.num_rows)

    def splits(self) -> dict[str, pa.Table]:
        """The rows by split. The name of a split has letters, digits and underscores only."""
        if not self.split_by:
            return {WHOLE: self.data}
        values = self.data[self.split_by]
        return {
            "".join(c if c.isalnum() else "_" for c in value): self.data.filter(
                pc.equal(values, value)
            )
            for value in pc.unique(values).to_pylist()
        }


def published_table(
    name: str, meaning: str, rows: pd.DataFrame, columns: Sequence[Column], split_by: str = ""
) -> PublishedTable:
    """A table to publish from a DataFrame.

    Parameters
    ----------
    columns : meaning and unit of every column, in any order; their types are taken from the rows.

    Raises
    ------
    UserError
        if a column's name cannot be published, or a number is not finite.
    """
    for column in rows.columns:
        check_column_name(str(column))
    arrays, described = {}, []
    meanings = {column.name: column for column in columns}
    for column in map(str, rows.columns):
        kind, arrays[column] = _typed(column, rows[column])
        described.append(Column(column, kind, meanings[column].unit, meanings[column].meaning))
    return PublishedTable(
        name=name,
        meaning=meaning,
        data=pa.table(arrays),
        columns=tuple(described),
        split_by=split_by,
    )


def check_column_name(name: str) -> None:
    """Refuse a column name that could be a path, or that some format cannot hold.

    Raises
    ------
    UserError
        naming the column.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    unprintable = not name.isprintable() or not name.strip() or len(name) > MAX_NAME_LENGTH
    if unprintable or path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        shown = name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "…"
        expected = f"a name of at most {MAX_NAME_LENGTH} printable characters that is no path"
        raise UserError("column", expected, shown)


def _typed(name: str, values: pd.Series[Any]) -> tuple[str, pa.Array]:
    """A column in one of the four types, and the name of that type; NaN is null."""
    array, types = pa.array(values, from_pandas=True), pa.types
    if types.is_boolean(array.type):
        return "bool", array
    if types.is_integer(array.type):
        return "int64", array.cast(pa.int64())
    if types.is_string(array.type) or types.is_large_string(array.type):
        return "str", array.cast(pa.string())
    if types.is_floating(array.type) or types.is_null(array.type):
        numbers = array.cast(pa.float64())
        if pc.any(pc.is_inf(numbers)).as_py():
            raise UserError(f"column {name}", "finite numbers and nulls", "an infinite value")
        return "float64", numbers
    texts = [None if value is None else str(value) for value in array.to_pylist()]
    return "str", pa.array(texts, type=pa.string())
