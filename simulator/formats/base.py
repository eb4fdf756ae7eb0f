"""Format: writes the splits of a TaskSet and reads them back. Protocol, registry, shared pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mtl_laws.simulator.corpus import bounds_of
from mtl_laws.simulator.errors import SpecError, one_of
from mtl_laws.simulator.registry import enter, made
from mtl_laws.simulator.tasks import Split, TaskSet

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Header:
    """What the split files do not say: ids and names.

    Parameters
    ----------
    tasks : ``main``, ``aux_1`` …
    vocabulary : token strings by id.
    label_names : label strings by task.
    """

    tasks: tuple[str, ...]
    vocabulary: tuple[str, ...]
    label_names: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, taskset: TaskSet) -> Header:
        """Return the header of a TaskSet."""
        return cls(taskset.task_names, taskset.vocabulary, taskset.label_names)


@dataclass(frozen=True)
class Record:
    """One sentence as strings.

    Parameters
    ----------
    tokens : its words.
    labels : per task a label string for every word; None where it is not annotated.
    assigned : the task whose labels a trainer may see; −1 for all.
    """

    tokens: Sequence[str]
    labels: Sequence[Sequence[str | None]]
    assigned: int


class Format(Protocol):
    """Files of one kind."""

    def write(self, taskset: TaskSet, folder: Path) -> None:
        """Write the three splits into a folder."""

    def read(self, header: Header, folder: Path) -> Mapping[str, Split]:
        """Read the three splits from a folder."""


FORMATS: dict[str, str | Callable[[], Format]] = {
    "conll": "mtl_laws.simulator.formats.conll:ConllFormat",
    "hf": "mtl_laws.simulator.formats.hub:HubFormat",
    "jsonl": "mtl_laws.simulator.formats.jsonl:JsonlFormat",
    "parquet": "mtl_laws.simulator.formats.parquet:ParquetFormat",
}


def register_format(name: str, maker: Callable[[], Format]) -> None:
    """Make a format known by name; `SpecError` where the name is taken."""
    enter(FORMATS, name, maker)


def format_names() -> list[str]:
    """Return the names of the registered formats."""
    return sorted(FORMATS)


def format_named(name: str) -> Format:
    """Return a format by name; `SpecError` lists the names there are."""
    if name not in FORMATS:
        raise SpecError("format", name, one_of(name, format_names()))
    return made(FORMATS[name])


def records_of(split: Split, header: Header) -> list[Record]:
    """Return the sentences of a split as strings."""
    words = np.array(header.vocabulary, dtype=object)[split.tokens]
    rows = [
        np.array([*names, None], dtype=object)[row]
        for names, row in zip(header.label_names, split.labels, strict=True)
    ]
    edges = list(zip(split.bounds[:-1].tolist(), split.bounds[1:].tolist(), strict=True))
    return [
        Record(words[a:b].tolist(), [row[a:b].tolist() for row in rows], int(task))
        for (a, b), task in zip(edges, split.assigned, strict=True)
    ]


def split_of(records: Sequence[Record], header: Header) -> Split:
    """Return the split that `records_of` came from."""
    places = {word: i for i, word in enumerate(header.vocabulary)}
    tokens = [places[word] for record in records for word in record.tokens]
    labels = np.empty((len(header.tasks), len(tokens)), dtype=np.int16)
    for task, names in enumerate(header.label_names):
        ids: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        ids[None] = -1
        labels[task] = [ids[label] for record in records for label in record.labels[task]]
    return Split(
        np.array(tokens, dtype=np.int32),
        bounds_of([len(record.tokens) for record in records]),
        labels,
        np.array([record.assigned for record in records], dtype=np.int16),
    )
