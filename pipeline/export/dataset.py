"""Datasets to publish: the folder of a publication with its data card, written and read back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.export.formats import TableFormat, export_format
from mtl_laws.pipeline.export.formulas import python_module, siunitx, sympy_module
from mtl_laws.pipeline.export.model_card import NAME as MODEL_CARD
from mtl_laws.pipeline.export.model_card import model_card
from mtl_laws.pipeline.export.publication import Publication, publication_of
from mtl_laws.pipeline.export.tables import TYPES, PublishedTable
from mtl_laws.pipeline.laws.law import scores_in_words
from mtl_laws.pipeline.laws.lawset import LAWS_NAME, LawSet
from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex
from mtl_laws.simulator.card import escaped, pipe_table
from mtl_laws.simulator.folders import whole_folder

SCHEMA = 1
DESCRIPTION = "dataset.json"
MAX_LICENCE_LENGTH = 200

PAPER = "Bettgenhäuser, Hedderich and Klakow 2020, arXiv 2006.05561"
AMI_NOTE = """\
AMI (adjusted mutual information) measures how much the labels of two tasks say about each other:
0 is no more than chance, 1 means that one determines the other."""
LIMITS = """\
A law describes the rows of this dataset. It holds for the tasks, sizes and models that were varied,
and says nothing about factors that are not in the table. Results on simulated tasks may not carry
over to real text."""
NO_LICENCE = "Not stated. Before you publish, state here under which licence the data may be used."

Files = Mapping[str, list[dict[str, Any]]]


def export_results(folder: Path, out: Path, format: str = "parquet", licence: str = "") -> Path:
    """Write the results and laws of a run or a fit as a dataset to publish, and return its folder.

    The folder appears whole or not at all: tables, ``laws.json``, ``README.md`` (the data card) and
    ``dataset.json`` (types and meaning of every column, checksums of the files).

    Parameters
    ----------
    folder : of a run, finished or not, or of a fit.
    out : new or empty.
    format : a name among `export_names`.
    licence : of the data, as its owner states it.

    Raises
    ------
    UserError
        if there is nothing to publish, the format is unknown, or a name cannot be published.
    SpecError
        if `out` is not empty or not writable.
    """
    table_format = export_format(format)
    if len(licence) > MAX_LICENCE_LENGTH or (licence and not licence.isprintable()):
        expected = f"one line of at most {MAX_LICENCE_LENGTH} characters, such as CC-BY-4.0"
        raise UserError("licence", expected, licence[:MAX_LICENCE_LENGTH])
    publication = publication_of(Path(folder), licence)
    with whole_folder(Path(out)) as partial:
        _write(publication, table_format, format, partial)
    return Path(out)


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
    table_format = export_format(record["format"])
    frames: dict[str, pd.DataFrame] = {}
    for table in record["tables"]:
        kinds = [(column["name"], TYPES[column["type"]].arrow) for column in table["columns"]]
        schema, paths = pa.schema(kinds), (Path(folder) / file["path"] for file in table["files"])
        parts = [table_format.read(path, schema) for path in paths]
        frames[table["name"]] = pa.concat_tables(parts).to_pandas()
    return frames


def description(publication: Publication, format: str, files: Files) -> dict[str, Any]:
    """The contents of ``dataset.json``.

    Parameters
    ----------
    files : path, split, rows and checksum of the files of each table, by its name.
    """
    return {
        "schema": SCHEMA,
        "format": format,
        "title": publication.title,
        "question": publication.question,
        "unfinished": publication.unfinished,
        "licence": publication.licence or None,
        "made": dict(publication.provenance),
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


def card(publication: Publication, files: Files, reading: str) -> str:
    """The data card, as Markdown.

    Parameters
    ----------
    files : as in `description`.
    reading : Python lines that open the dataset.
    """
    paths = {name: [f"`{file['path']}`" for file in entries] for name, entries in files.items()}
    tables = [
        (f"`{table.name}`", f"{table.rows}", table.meaning, ", ".join(paths[table.name]))
        for table in publication.tables
    ]
    names = {column.name for table in publication.tables for column in table.columns}
    parts = [
        f"# {escaped(publication.title)}",
        escaped(publication.question),
        publication.unfinished,
        _summary(publication),
        *_law(publication),
        *_factors(publication.study),
        "## Tables",
        pipe_table(["table", "rows", "a row is", "files"], tables),
        AMI_NOTE if "ami" in names else "",
        *(part for table in publication.tables for part in _columns(table)),
        "## How to load it",
        f"```python\n{reading}\n```",
        "## How it was made",
        pipe_table(["what", "value"], list(_provenance_rows(publication))),
        "## Limits",
        LIMITS,
        "## Licence",
        escaped(publication.licence) or NO_LICENCE,
        "## Citation",
        f"Made with mtl-laws {publication.provenance['version']}, which builds on {PAPER}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _write(publication: Publication, table_format: TableFormat, format: str, folder: Path) -> None:
    files: dict[str, list[dict[str, Any]]] = {}
    for table in publication.tables:
        files[table.name] = []
        for split, (name, rows) in table_format.parts(table).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            table_format.write(rows, path)
            checksum = sha256(path.read_bytes()).hexdigest()
            entry = {"path": name, "split": split, "rows": rows.num_rows, "sha256": checksum}
            files[table.name].append(entry)
    if publication.laws is not None:
        publication.laws.save(folder / LAWS_NAME)
        _write_law(publication.laws, folder)
    head = table_format.finish(publication, folder)
    first = publication.tables[0].name
    reading = table_format.reading.format(file=files[first][0]["path"], table=first)
    text = head + card(publication, files, reading)
    (folder / "README.md").write_text(text, encoding="utf-8")
    record = json.dumps(description(publication, format, files), indent=1, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(record + "\n", encoding="utf-8")


def _write_law(laws: LawSet, folder: Path) -> None:
    """Write the selected law as source, and its model card."""
    if laws.selected is None:
        return
    texts = {
        MODEL_CARD: model_card(laws),
        "laws.py": python_module(laws),
        "laws_sympy.py": sympy_module(laws),
        "law.tex": siunitx(laws),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _summary(publication: Publication) -> str:
    rows = publication.tables[0].rows
    if publication.study is None:
        return f"{rows} rows of results of trained models, and the laws found in them."
    return (
        f"Results of {rows} trials. In each, a small sequence tagger was trained on one or several "
        "tasks whose relatedness was set. The tables hold the scores, and what the tasks and the "
        "training were."
    )


def _law(publication: Publication) -> Iterator[str]:
    laws = publication.laws
    yield "## Law"
    if laws is None or laws.selected is None:
        yield "No law has been found yet."
        return
    selected = laws.selected
    formula = formula_latex(selected.shown, laws.target)
    yield f"$${formula.replace('<', chr(92) + 'lt ').replace('>', chr(92) + 'gt ')}$$"
    yield scores_in_words(selected.scores) + "."
    yield f"`{selected.shown}`"
    yield f"Warnings, region and use: [{MODEL_CARD}]({MODEL_CARD})."
    sentences = [one.sentence for one in laws.evidence if one.sentence]
    notes = [*sentences, *laws.verdicts, *laws.data.notes]
    yield "\n".join(f"- {escaped(' '.join(note.split()))}" for note in notes)


def _factors(study: Mapping[str, Any] | None) -> Iterator[str]:
    if study is None:
        return
    yield "## Factors"
    yield f"Task family: `{study['family']['name']}`. Seeds: {len(study['seeds'])}."
    factors = study["factors"].items()
    rows = [(name, ", ".join(map(str, levels))) for name, levels in factors if levels]
    yield pipe_table(["factor", "levels"], rows)


def _columns(table: PublishedTable) -> Iterator[str]:
    yield f"## Columns of `{table.name}`"
    rows = [(f"`{c.name}`", c.dtype, c.unit, c.meaning) for c in table.columns]
    yield pipe_table(["column", "type", "unit", "meaning"], rows)


def _provenance_rows(publication: Publication) -> Iterator[tuple[str, str]]:
    yield from ((name, value) for name, value in publication.provenance.items() if value)
    if publication.laws is not None:
        origin, data = publication.laws.provenance, publication.laws.data
        rows = (
            ("laws found with", f"mtl-laws {origin.version}"),
            ("command", f"`{origin.command}`"),
            ("engine", origin.engine.used),
            ("seed of the search", origin.seed),
            ("budget of the search", origin.budget),
            ("checksum of the fitted rows", data.digest),
        )
        yield from ((name, str(value)) for name, value in rows if value not in ("", None))
