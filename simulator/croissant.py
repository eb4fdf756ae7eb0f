"""Croissant metadata (MLCommons, version 1.0) of an exported TaskSet."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from simulator.card import licence_of, summary
from simulator.tasks import TaskSet

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


def croissant(taskset: TaskSet, files: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Return the JSON-LD record: one file and one record set per split.

    Parameters
    ----------
    files : the written Parquet file of every split.
    folder : what their addresses are relative to.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"mtl-laws-{taskset.spec.family}-{taskset.seed}",
        "description": summary(taskset),
        "license": licence_of(taskset),
        "version": "1.0.0",
        "datePublished": "2026-01-01",
        "url": "https://arxiv.org/abs/2006.05561",
        "citeAs": f"TaskSet of family {taskset.spec.family}, seed {taskset.seed}, by mtl-laws.",
        "distribution": [_file(name, path, folder) for name, path in files.items()],
        "recordSet": [_records(name, taskset) for name in files],
    }


def _file(split: str, path: Path, folder: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{split}-file",
        "name": f"{split}-file",
        "description": f"Sentences of the {split} split.",
        "contentUrl": path.relative_to(folder).as_posix(),
        "encodingFormat": "application/x-parquet",
        "sha256": sha256(path.read_bytes()).hexdigest(),
    }


def _records(split: str, taskset: TaskSet) -> dict[str, Any]:
    kinds = {"tokens": "sc:Text"} | dict.fromkeys(taskset.task_names, "sc:Integer")
    fields = [_field(split, name, kind, repeated=True) for name, kind in kinds.items()]
    fields.append(_field(split, "assigned", "sc:Integer", repeated=False))
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"One record per sentence of the {split} split.",
        "field": fields,
    }


def _field(split: str, column: str, kind: str, repeated: bool) -> dict[str, Any]:
    described = {
        "@type": "cr:Field",
        "@id": f"{split}/{column}",
        "name": column,
        "description": _MEANING.get(column, "Label ids of an auxiliary task, one per token."),
        "dataType": kind,
        "source": {"fileObject": {"@id": f"{split}-file"}, "extract": {"column": column}},
    }
    return described | ({"repeated": True} if repeated else {})


_MEANING = {
    "tokens": "The words of the sentence.",
    "main": "Label ids of the main task, one per token.",
    "assigned": "The task whose labels a trainer may see on this sentence; -1 for all.",
}
