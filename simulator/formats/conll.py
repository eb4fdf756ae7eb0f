"""CoNLL columns: token, main, aux_1 …, apart by tabs; a blank line after every sentence.

The first line names the columns; a line ``# assigned = t`` stands before every sentence. A token
that a layer does not annotate has `UNLABELLED_MARK` there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.formats.base import SPLITS, Header, Record, records_of, split_of
from mtl_laws.simulator.readers.base import DOCUMENT_START, broken, read_lines
from mtl_laws.simulator.tasks import Split, TaskSet

UNLABELLED_MARK = "<unlabelled>"

_ASSIGNED = "# assigned = "


class ConllFormat:
    """See the module."""

    def write(self, taskset: TaskSet, folder: Path) -> None:
        """Write ``train.conll``, ``validation.conll`` and ``test.conll``."""
        header = Header.of(taskset)
        _check_strings(header)
        title = f"# columns = tokens {' '.join(header.tasks)}\n"
        for name, split in taskset.splits.items():
            text = "".join(_sentence(record) for record in records_of(split, header))
            (folder / f"{name}.conll").write_text(title + text, encoding="utf-8", newline="\n")

    def read(self, header: Header, folder: Path) -> Mapping[str, Split]:
        """Read the three files."""
        splits = {}
        for name in SPLITS:
            path = folder / f"{name}.conll"
            splits[name] = split_of(list(_records(path, len(header.tasks))), header)
        return splits


def _check_strings(header: Header) -> None:
    """Refuse tokens and labels that a line of columns cannot hold."""
    strings = [*header.vocabulary, *(name for names in header.label_names for name in names)]
    for text in strings:
        if (
            not text.strip()
            or set(text) & set("\t\n\r")
            or text in (DOCUMENT_START, UNLABELLED_MARK)
        ):
            raise SpecError(
                "format", "conll", f"another format: CoNLL columns cannot hold {text!r}"
            )


def _sentence(record: Record) -> str:
    columns = [record.tokens, *record.labels]
    shown = [[text or UNLABELLED_MARK for text in column] for column in columns]
    lines = "\n".join("\t".join(row) for row in zip(*shown, strict=True))
    return f"{_ASSIGNED}{record.assigned}\n{lines}\n\n"


def _records(path: Path, tasks: int) -> Iterator[Record]:
    assigned, rows = -1, list[list[str]]()
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith(_ASSIGNED):
            assigned = int(line.removeprefix(_ASSIGNED))
        elif not line and rows:
            tokens, *labels = zip(*rows, strict=True)
            marked = [[None if x == UNLABELLED_MARK else x for x in column] for column in labels]
            yield Record(tokens, marked, assigned)
            rows = []
        elif number > 1:
            fields = line.split("\t")
            if len(fields) != tasks + 1:
                raise broken(path, number, f"{len(fields)} columns", f"{tasks + 1} columns")
            rows.append(fields)
