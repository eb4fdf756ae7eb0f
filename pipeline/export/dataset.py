"""A publication as a folder of files with its card, and the tables of the folder read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.export.card import card
from mtl_laws.pipeline.export.formats import TableFormat, export_format
from mtl_laws.pipeline.export.gather import gather
from mtl_laws.pipeline.export.publication import DTYPES, Publication, PublishedTable
from mtl_laws.pipeline.laws.lawset import LAWS_NAME
from mtl_laws.simulator.folders import whole_folder

SCHEMA = 1
DESCRIPTION = "dataset.json"
LONGEST_LICENCE = 200
TYPES = {dtype: pa.type_for_alias(kind) for kind, dtype in DTYPES.items()}
READING = {
    "csv": 'import pandas as pd\n\ntable = pd.read_csv("{first}")',
    "jsonl": 'import pandas as pd\n\ntable = pd.read_json("{first}", lines=True)',
    "parquet": 'import pandas as pd\n\ntable = pd.read_parquet("{first}")',
    "hf": 'from datasets import load_dataset\n\ntable = load_dataset("FOLDER", "{table}")',
}
ANYWHERE = (
    'from mtl_laws.pipeline.export import read_export\n\ntable = read_export("FOLDER")["{table}"]'
)

Files = dict[str, list[dict[str, Any]]]


def export_results(folder: Path, out: Path, format: str = "parquet", licence: str = "") -> Path:
    """Write the results and laws of a run or a fit as a dataset to publish.

    The folder appears whole or not at all: tables, ``laws.json``, ``README.md`` (the data card) and
    ``dataset.json`` (types and meaning of every column, digests of the files).

    Parameters
    ----------
    folder : of a run, finished or not, or of a fit.
    out : new or empty.
    format : a name among `export_names`.
    licence : of the data, as its owner states it.

    Returns
    -------
    `out`.

    Raises
    ------
    UserError
        if there is nothing to publish, the format is unknown, or a name cannot be published.
    SpecError
        if `out` is not empty or not writable.
    """
    chosen = export_format(format)
    check_licence(licence)
    publication = gather(Path(folder), licence)
    with whole_folder(Path(out)) as partial:
        _write(publication, chosen, format, partial)
    return Path(out)


def check_licence(licence: str) -> None:
    """Refuse a licence that is no line of text.

    Raises
    ------
    UserError
        naming the option.
    """
    if len(licence) > LONGEST_LICENCE or (licence and not licence.isprintable()):
        expected = f"one line of at most {LONGEST_LICENCE} characters, as in CC-BY-4.0"
        raise UserError("licence", expected, licence[:LONGEST_LICENCE])


def read_export(folder: Path | str) -> dict[str, pd.DataFrame]:
    """The tables of a folder that `export_results` wrote: the same values, types and nulls.

    Raises
    ------
    UserError
        if it is no such folder.
    """
    path = Path(folder) / DESCRIPTION
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(str(path), f"a folder with {DESCRIPTION}", "no description") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise UserError(f"{path}, schema", f"schema {SCHEMA}", record)
    chosen = export_format(record["format"])
    return {table["name"]: _read(table, chosen, Path(folder)) for table in record["tables"]}


def _read(table: Mapping[str, Any], chosen: TableFormat, folder: Path) -> pd.DataFrame:
    kinds = [(column["name"], TYPES[column["type"]]) for column in table["columns"]]
    parts = [chosen.read(folder / file["path"], pa.schema(kinds)) for file in table["files"]]
    rows: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return rows


def _write(publication: Publication, chosen: TableFormat, format: str, folder: Path) -> None:
    files = {table.name: _write_table(table, chosen, folder) for table in publication.tables}
    if publication.laws is not None:
        publication.laws.save(folder / LAWS_NAME)
    head = chosen.finish(publication, folder)
    names = {table: [file["path"] for file in found] for table, found in files.items()}
    first = publication.tables[0].name
    reading = READING.get(format, ANYWHERE).format(first=names[first][0], table=first)
    text = head + card(publication, names, reading)
    (folder / "README.md").write_text(text, encoding="utf-8")
    record = json.dumps(description(publication, format, files), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(record + "\n", encoding="utf-8")


def _write_table(table: PublishedTable, chosen: TableFormat, folder: Path) -> list[dict[str, Any]]:
    """Write the files of a table and say what they are."""
    found = []
    for split, (name, rows) in chosen.parts(table).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen.write(rows, path)
        digest = sha256(path.read_bytes()).hexdigest()
        found.append({"path": name, "split": split, "rows": rows.num_rows, "sha256": digest})
    return found


def description(publication: Publication, format: str, files: Files) -> dict[str, Any]:
    """What ``dataset.json`` holds."""
    return {
        "schema": SCHEMA,
        "format": format,
        "title": publication.title,
        "question": publication.question,
        "unfinished": publication.unfinished,
        "licence": publication.licence or None,
        "made": dict(publication.made),
        "tables": [
            {
                "name": table.name,
                "rows": table.rows,
                "files": files[table.name],
                "columns": [
                    {"name": c.name, "type": c.dtype, "unit": c.unit, "meaning": c.meaning}
                    for c in table.columns
                ],
            }
            for table in publication.tables
        ],
    }
