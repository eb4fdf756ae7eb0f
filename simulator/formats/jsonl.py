"""JSONL: one object per sentence, with ``tokens``, ``main``, ``aux_1`` … and ``assigned``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mtl_laws.simulator.formats.base import SPLITS, Header, Record, records_of, split_of
from mtl_laws.simulator.readers.base import read_lines
from mtl_laws.simulator.tasks import Split, TaskSet


class JsonlFormat:
    """See the module."""

    def write(self, taskset: TaskSet, folder: Path) -> None:
        """Write ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl``."""
        header = Header.of(taskset)
        for name, split in taskset.splits.items():
            with (folder / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
                for record in records_of(split, header):
                    layers = dict(zip(header.tasks, record.labels, strict=True))
                    line = {"tokens": record.tokens, **layers, "assigned": record.assigned}
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def read(self, header: Header, folder: Path) -> Mapping[str, Split]:
        """Read the three files."""
        splits = {}
        for name in SPLITS:
            lines = [json.loads(line) for line in read_lines(folder / f"{name}.jsonl")]
            records = [
                Record(line["tokens"], [line[task] for task in header.tasks], line["assigned"])
                for line in lines
            ]
            splits[name] = split_of(records, header)
        return splits
