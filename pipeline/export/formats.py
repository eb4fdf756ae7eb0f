"""File formats of tables, and their registry. A new format is a class and one line of `EXPORTS`.

`hf` is a Hugging Face folder: one configuration per table, its splits as Parquet files, Croissant
metadata. ``datasets.load_dataset(FOLDER, "results")`` opens it; the first table is the default.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import yaml
from typing_extensions import override

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.export.publication import Publication
from mtl_laws.pipeline.export.tables import TYPES, WHOLE, PublishedTable
from mtl_laws.simulator.croissant import Field, Records, dataset
from mtl_laws.simulator.registry import enter, made


class TableFormat(ABC):
    """Writes tables, each to a file, and reads them back with the same types and nulls.

    Attributes
    ----------
    ending : of the files, without the dot.
    reading : Python lines for the data card that open ``{table}``, whose file is ``{file}``.
    """

    ending: str
    reading: str = (
        "from mtl_laws.pipeline.export import read_export\n\n"
        'table = read_export("FOLDER")["{table}"]'
    )

    @abstractmethod
    def write(self, table: pa.Table, path: Path) -> None:
        """Write one table."""

    @abstractmethod
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        """Read one table; `schema` has the types of its columns."""

    def parts(self, table: PublishedTable) -> dict[str, tuple[str, pa.Table]]:
        """Split -> path of its file in the folder, and its rows."""
        return {WHOLE: (f"{table.name}.{self.ending}", table.data)}

    def finish(self, publication: Publication, folder: Path) -> str:
        """Write what the format has besides tables; return the head of the data card."""
        del publication, folder  # most formats have nothing besides
        return ""


class Csv(TableFormat):
    """Comma-separated, UTF-8, a header; text in quotes; a null is an empty cell without quotes.

    Text that a spreadsheet would run as a formula is marked by an apostrophe before it.
    """

    ending = "csv"
    reading = 'import pandas as pd\n\ntable = pd.read_csv("{file}")'

    @override
    def write(self, table: pa.Table, path: Path) -> None:
        columns = [
            pa.array(map(marked_formula, column.to_pylist()), type=column.type)
            if pa.types.is_string(column.type)
            else column
            for column in table.columns
        ]
        names = [marked_formula(name) for name in table.column_names]
        pa.csv.write_csv(pa.Table.from_arrays(columns, names=names), path)

    @override
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        convert = pa.csv.ConvertOptions(
            column_types={marked_formula(field.name): field.type for field in schema},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        table = pa.csv.read_csv(path, parse_options=parse, convert_options=convert)
        columns = [
            pa.array(map(_unmarked, column.to_pylist()), type=column.type)
            if pa.types.is_string(column.type)
            else column
            for column in table.columns
        ]
        return pa.Table.from_arrays(columns, names=[_unmarked(n) for n in table.column_names])


_FORMULA = re.compile("'*[-=+@\t\r]")


def marked_formula(text: str | None) -> str | None:
    """The text with an apostrophe before it, if a spreadsheet would take it for a formula."""
    return f"'{text}" if text is not None and _FORMULA.match(text) else text


def _unmarked(text: str | None) -> str | None:
    return text[1:] if text is not None and text.startswith("'") and _FORMULA.match(text) else text


class JsonLines(TableFormat):
    """One JSON object per row, with every key in every row, null for a missing value."""

    ending = "jsonl"
    reading = 'import pandas as pd\n\ntable = pd.read_json("{file}", lines=True)'

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
    reading = 'import pandas as pd\n\ntable = pd.read_parquet("{file}")'

    @override
    def write(self, table: pa.Table, path: Path) -> None:
        pa.parquet.write_table(table, path)

    @override
    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        return pa.parquet.read_table(path, partitioning=None).select(schema.names)


class HuggingFace(Parquet):
    """A Hugging Face folder; see the module."""

    reading = 'from datasets import load_dataset\n\ntable = load_dataset("FOLDER", "{table}")'

    @override
    def parts(self, table: PublishedTable) -> dict[str, tuple[str, pa.Table]]:
        return {
            split: (f"data/{table.name}/{split}-00000-of-00001.parquet", rows)
            for split, rows in table.splits().items()
        }

    @override
    def finish(self, publication: Publication, folder: Path) -> str:
        records = []
        for table in publication.tables:
            parts = self.parts(table)
            fields = tuple(
                Field(c.name, TYPES[c.dtype].croissant, c.meaning) for c in table.columns
            )
            for split, (path, _) in parts.items():
                name = table.name if len(parts) == 1 else f"{table.name}_{split}"
                records.append(Records(name, table.meaning, folder / path, fields))
        version = publication.provenance["version"]
        about = {
            "name": re.sub(r"[^\w.-]+", "-", publication.title).strip("-"),
            "description": publication.question or publication.title,
            "license": publication.licence or "not stated",
            "version": "1.0.0",
            "datePublished": datetime.now(UTC).date().isoformat(),
            "citeAs": f"{publication.title}, made with mtl-laws {version}.",
        }
        text = json.dumps(dataset(about, records, folder), indent=2, ensure_ascii=False)
        (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")
        front_matter = self.front_matter(publication)
        block = yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)
        return f"---\n{block}---\n\n"

    def front_matter(self, publication: Publication) -> dict[str, Any]:
        """The card's metadata: licence, configurations, their files and types of columns."""
        licence = publication.licence
        if re.fullmatch(r"[A-Za-z0-9.+-]+", licence):
            stated = {"license": licence.lower()}
        else:  # Hugging Face knows licences by short names only
            stated = {"license": "other", "license_name": licence}
        configs: list[dict[str, Any]] = []
        information: list[dict[str, Any]] = []
        for table in publication.tables:
            parts = self.parts(table).items()
            files = [{"split": split, "path": path} for split, (path, _) in parts]
            first = {} if configs else {"default": True}
            configs.append({"config_name": table.name, "data_files": files, **first})
            features = [{"name": c.name, "dtype": TYPES[c.dtype].datasets} for c in table.columns]
            information.append({"config_name": table.name, "features": features})
        return {
            "pretty_name": publication.title,
            **(stated if licence else {"license": "unknown"}),
            "tags": ["multi-task-learning", "sequence-labelling", "scaling-laws"],
            "configs": configs,
            "dataset_info": information,
        }


EXPORTS: dict[str, str | Callable[[], TableFormat]] = {
    "csv": Csv,
    "hf": HuggingFace,
    "jsonl": JsonLines,
    "parquet": Parquet,
}


def register_export(name: str, maker: Callable[[], TableFormat]) -> None:
    """Register a format by name; `SpecError` if the name is taken."""
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
