"""Hugging Face folder: a configuration per table, its splits as Parquet, Croissant metadata.

``datasets.load_dataset(FOLDER, "results")`` opens it; the first table is the default.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from typing_extensions import override

from mtl_laws.pipeline.export.formats import Parquet
from mtl_laws.pipeline.export.publication import Publication, PublishedTable
from mtl_laws.simulator.croissant import Field, Records, dataset

#: what Croissant calls the four types
KINDS = {"str": "sc:Text", "int64": "sc:Integer", "float64": "sc:Float", "bool": "sc:Boolean"}
#: what `datasets` calls them
FEATURES = {"str": "string", "int64": "int64", "float64": "float64", "bool": "bool"}


class Hub(Parquet):
    """See the module."""

    @override
    def parts(self, table: PublishedTable) -> dict[str, tuple[str, pa.Table]]:
        return {split: (_file(table, split), rows) for split, rows in table.splits().items()}

    @override
    def finish(self, publication: Publication, folder: Path) -> str:
        sets = [
            _records(table, split, folder / _file(table, split))
            for table in publication.tables
            for split in table.splits()
        ]
        text = json.dumps(dataset(_about(publication), sets, folder), indent=2, ensure_ascii=False)
        (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")
        block = yaml.safe_dump(front_matter(publication), sort_keys=False, allow_unicode=True)
        return f"---\n{block}---\n\n"


def front_matter(publication: Publication) -> dict[str, Any]:
    """The card's metadata block: configurations, their files and the types of their columns."""
    return {
        "pretty_name": publication.title,
        **_licence(publication.licence),
        "tags": ["multi-task-learning", "sequence-labelling", "scaling-laws"],
        "configs": [
            {"config_name": table.name, "data_files": _files(table)}
            | ({"default": True} if place == 0 else {})
            for place, table in enumerate(publication.tables)
        ],
        "dataset_info": [
            {
                "config_name": table.name,
                "features": [{"name": c.name, "dtype": FEATURES[c.dtype]} for c in table.columns],
            }
            for table in publication.tables
        ],
    }


def _licence(stated: str) -> dict[str, str]:
    """The hub knows licences by short names; any other is told by its own words."""
    if not stated:
        return {"license": "unknown"}
    if re.fullmatch(r"[A-Za-z0-9.+-]+", stated):
        return {"license": stated.lower()}
    return {"license": "other", "license_name": stated}


def _files(table: PublishedTable) -> list[dict[str, str]]:
    return [{"split": split, "path": _file(table, split)} for split in table.splits()]


def _file(table: PublishedTable, split: str) -> str:
    return f"data/{table.name}/{split}-00000-of-00001.parquet"


def _about(publication: Publication) -> dict[str, str]:
    name = re.sub(r"[^\w.-]+", "-", publication.title).strip("-")
    stated = publication.licence or "not stated"
    return {
        "name": name,
        "description": publication.question or publication.title,
        "license": stated,
        "version": "1.0.0",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "citeAs": f"{publication.title}, made with mtl-laws {publication.made['version']}.",
    }


def _records(table: PublishedTable, split: str, path: Path) -> Records:
    fields = tuple(Field(c.name, KINDS[c.dtype], c.meaning) for c in table.columns)
    name = table.name if len(table.splits()) == 1 else f"{table.name}_{split}"
    return Records(name, table.meaning, path, fields)
