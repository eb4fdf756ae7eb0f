"""Table formats: one file per table. Base class and registry; adding one is one line here."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from typing_extensions import override

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.export.publication import WHOLE, Publication, PublishedTable
from mtl_laws.simulator.registry import enter, made


class TableFormat(ABC):
    """Writes tables, one to a file, and reads them back with the same types and nulls.

    Attributes
    ----------
    ending : of the files, without the dot.
    """

    ending: str

    @abstractmethod
    def write(self, table: pa.Table, path: Path) -> None:
        """Write one table."""

    @abstractmethod
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        """Read one table; `schema` has the types of its columns."""

    def parts(self, table: PublishedTable) -> dict[str, tuple[str, pa.Table]]:
        """Split -> where its file stands in the folder, and its rows."""
        return {WHOLE: (f"{table.name}.{self.ending}", table.data)}

    def finish(self, publication: Publication, folder: Path) -> str:
        """Write what the format has besides tables; what stands at the head of the card."""
        del publication, folder  # most formats have nothing besides
        return ""


class Csv(TableFormat):
    """Comma-separated, UTF-8, a header; text in quotes, a null is an empty cell without quotes."""

    ending = "csv"

    @override
    def write(self, table: pa.Table, path: Path) -> None:
        pa.csv.write_csv(table, path)

    @override
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        kinds = {field.name: field.type for field in schema}
        convert = pa.csv.ConvertOptions(
            column_types=kinds,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        return pa.csv.read_csv(path, parse_options=parse, convert_options=convert)


class JsonLines(TableFormat):
    """One object a row, every key in every row, null where there is no value."""

    ending = "jsonl"

    @override
    def write(self, table: pa.Table, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for row in table.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    @override
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        with path.open(encoding="utf-8", newline="\n") as file:
            return pa.Table.from_pylist([json.loads(line) for line in file], schema=schema)


class Parquet(TableFormat):
    """Parquet, which holds types and nulls by itself."""

    ending = "parquet"

    @override
    def write(self, table: pa.Table, path: Path) -> None:
        pa.parquet.write_table(table, path)

    @override
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        return pa.parquet.read_table(path, partitioning=None).select(schema.names)


EXPORTS: dict[str, str | Callable[[], TableFormat]] = {
    "csv": Csv,
    "hf": "mtl_laws.pipeline.export.hub:Hub",
    "jsonl": JsonLines,
    "parquet": Parquet,
}


def register_export(name: str, maker: Callable[[], TableFormat]) -> None:
    """Make a format known by name; `SpecError` where the name is taken."""
    enter(EXPORTS, name, maker)


def export_names() -> list[str]:
    """Names of the registered formats."""
    return sorted(EXPORTS)


def export_format(name: str) -> TableFormat:
    """A format by name.

    Raises
    ------
    UserError
        naming the nearest one.
    """
    if name not in EXPORTS:
        raise UserError("format", nearest(name, export_names()), name)
    return made(EXPORTS[name])
