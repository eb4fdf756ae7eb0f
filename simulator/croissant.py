"""Croissant metadata (MLCommons, version 1.0) of an exported TaskSet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mtl_laws.simulator.card import licence_of, summary
from mtl_laws.simulator.tasks import TaskSet

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True)
class Field:
    """A column of a record set: what it holds, and whether each record has a list of it."""

    name: str
    kind: str
    meaning: str
    repeated: bool = False


@dataclass(frozen=True)
class Records:
    """A record set: rows of one file.

    Parameters
    ----------
    name : of the record set.
    meaning : what a record is.
    file : the written file.
    fields : its columns.
    encoding : MIME type of the file.
    """

    name: str
    meaning: str
    file: Path
    fields: tuple[Field, ...]
    encoding: str = "application/x-parquet"


def croissant(taskset: TaskSet, files: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Return the JSON-LD record of a TaskSet: one file and one record set per split.

    Parameters
    ----------
    files : the written Parquet file of every split.
    folder : what their addresses are relative to.
    """
    about = {
        "name": f"mtl-laws-{taskset.spec.family}-{taskset.seed}",
        "description": summary(taskset),
        "license": licence_of(taskset),
        "version": "1.0.0",
        "datePublished": "2026-01-01",
        "url": "https://arxiv.org/abs/2006.05561",
        "citeAs": f"TaskSet of family {taskset.spec.family}, seed {taskset.seed}, by mtl-laws.",
    }
    fields = _fields(taskset)
    meaning = "One record per sentence of the {} split."
    sets = [Records(name, meaning.format(name), path, fields) for name, path in files.items()]
    return dataset(about, sets, folder)


def dataset(about: Mapping[str, Any], sets: Sequence[Records], folder: Path) -> dict[str, Any]:
    """Return the JSON-LD record of a dataset.

    Parameters
    ----------
    about : name, description, licence and so on, as schema.org calls them.
    sets : its record sets, each in a file of its own.
    folder : what the files' addresses are relative to.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **about,
        "distribution": [_file(records, folder) for records in sets],
        "recordSet": [_records(records) for records in sets],
    }


def _file(records: Records, folder: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{records.name}-file",
        "name": f"{records.name}-file",
        "description": records.meaning,
        "contentUrl": records.file.relative_to(folder).as_posix(),
        "encodingFormat": records.encoding,
        "sha256": sha256(records.file.read_bytes()).hexdigest(),
    }


def _records(records: Records) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": records.name,
        "name": records.name,
        "description": records.meaning,
        "field": [_field(records.name, field) for field in records.fields],
    }


def _field(records: str, field: Field) -> dict[str, Any]:
    described = {
        "@type": "cr:Field",
        "@id": f"{records}/{field.name}",
        "name": field.name,
        "description": field.meaning,
        "dataType": field.kind,
        "source": {"fileObject": {"@id": f"{records}-file"}, "extract": {"column": field.name}},
    }
    return described | ({"repeated": True} if field.repeated else {})


def _fields(taskset: TaskSet) -> tuple[Field, ...]:
    labels = (
        Field(name, "sc:Integer", _MEANING.get(name, _AUXILIARY), repeated=True)
        for name in taskset.task_names
    )
    tokens = Field("tokens", "sc:Text", _MEANING["tokens"], repeated=True)
    return (tokens, *labels, Field("assigned", "sc:Integer", _MEANING["assigned"]))


_AUXILIARY = "Label ids of an auxiliary task, one per token."
_MEANING = {
    "tokens": "The words of the sentence.",
    "main": "Label ids of the main task, one per token.",
    "assigned": "The task whose labels a trainer may see on this sentence; -1 for all.",
}
