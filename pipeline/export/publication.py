"""Publication: what is published, before any file format.

Tables are Arrow tables of four types (string, int64, float64, bool), so that every format holds the
same values and the same nulls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mtl_laws.pipeline.columns import Column
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.lawset import LawSet

#: a longer name is no name
LONGEST_NAME = 100
WHOLE = "train"
"""The split of a table that has no other, as Hugging Face calls it."""


@dataclass(frozen=True)
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
        """The rows by split."""
        if not self.split_by:
            return {WHOLE: self.data}
        values = self.data[self.split_by]
        return {
            split_name(value): self.data.filter(pc.equal(values, value))
            for value in pc.unique(values).to_pylist()
        }


@dataclass(frozen=True)
class Publication:
    """Everything that is published.

    Attributes
    ----------
    title, question : in words; the question is empty where none was asked.
    tables : the most important one first.
    laws : what ``laws.json`` holds; None where no laws have been searched.
    study : the study as JSON values; None for a table that was there before.
    unfinished : what is still to come, in a sentence; empty where nothing is.
    licence : as the user states it; empty where not.
    made : where and with what: version, commit, command, digests.
    """

    title: str
    question: str
    tables: tuple[PublishedTable, ...]
    laws: LawSet | None
    study: Mapping[str, Any] | None = None
    unfinished: str = ""
    licence: str = ""
    made: Mapping[str, str] = field(default_factory=dict)


def published(
    name: str, meaning: str, rows: pd.DataFrame, columns: Sequence[Column], split_by: str = ""
) -> PublishedTable:
    """A table to publish from a DataFrame.

    Raises
    ------
    UserError
        if a column's name cannot be published, or a number is not finite.
    """
    for column in rows.columns:
        check_name(str(column))
    arrays = {str(column): _array(str(column), rows[column]) for column in rows.columns}
    known = {column.name: column for column in columns}
    described = tuple(_described(known[name], array.type) for name, array in arrays.items())
    return PublishedTable(name, meaning, pa.table(arrays), described, split_by)


def check_name(name: str) -> None:
    """Refuse a column's name that could be taken for a path, or that no format can hold.

    Raises
    ------
    UserError
        naming the column.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    strange = not name.isprintable() or not name.strip() or len(name) > LONGEST_NAME
    if strange or path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        shown = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
        expected = f"a name of at most {LONGEST_NAME} printable characters that is no path"
        raise UserError("column", expected, shown)


def split_name(value: str) -> str:
    """``hold-out`` as ``hold_out``: a split's name is letters, digits and underscores."""
    return "".join(c if c.isalnum() else "_" for c in value)


def _array(name: str, values: pd.Series[Any]) -> pa.Array:
    """A column in one of the four types; NaN is null."""
    found = pa.array(values, from_pandas=True)
    wanted = _wanted(found.type)
    if wanted is None:
        texts = [None if value is None else str(value) for value in found.to_pylist()]
        return pa.array(texts, type=pa.string())
    cast = found.cast(wanted)
    if wanted == pa.float64() and pc.any(pc.is_inf(cast)).as_py():
        raise UserError(f"column {name}", "finite numbers and nulls", "an infinite value")
    return cast


def _wanted(kind: pa.DataType) -> pa.DataType | None:
    """The type of the four for values of another; None where they have to become text."""
    types = pa.types
    if types.is_boolean(kind):
        return pa.bool_()
    if types.is_integer(kind):
        return pa.int64()
    if types.is_floating(kind) or types.is_null(kind):
        return pa.float64()
    return pa.string() if types.is_string(kind) or types.is_large_string(kind) else None


#: what pandas calls the four types
DTYPES = {"string": "str", "int64": "int64", "double": "float64", "bool": "bool"}


def _described(column: Column, kind: pa.DataType) -> Column:
    return Column(column.name, DTYPES[str(kind)], column.unit, column.meaning)
