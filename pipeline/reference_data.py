"""Data that ship: the reference tables and the example files.

``data/reference/`` holds the outcomes of the studies that ship, one Parquet file per study, and
``manifest.json``, which says how many rows each has, which trials they are and where they were
made. `python data/make_reference.py` writes it. ``data/example/`` holds a small table of results
and a small corpus. In an installed package both folders stand inside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_laws.pipeline.errors import UserError, nearest

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "reference:"
"""What stands before a table's name where a file could stand, too."""

MANIFEST = "manifest.json"
FOLDER = Path(__file__).resolve().parents[1] / "data" / "reference"
"""The folder of the tables: beside this package, in a checkout and in an installed package."""

EXAMPLE = FOLDER.with_name("example")
STUDIES = Path(__file__).with_name("studies")


def reference_names() -> list[str]:
    """The studies whose tables ship, in alphabetical order."""
    return sorted(reference_manifest()["studies"])


def reference_manifest() -> dict[str, Any]:
    """What the tables are: per study its file, rows, trials, digests and where they were made.

    Raises
    ------
    UserError : the tables are not there.
    """
    path = FOLDER / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        expected = "the reference tables; install the package again, or use a full checkout"
        raise UserError(str(path), expected, "no such file") from error
    return manifest


def load_reference(name: str) -> pd.DataFrame:
    """The outcome table of a study that ships: one row per trained model.

    Control runs are among the rows, their column `control` names them; a law wants
    `pipeline.columns.ordinary_rows`. Columns are those of ``docs/columns.md``.

    Parameters
    ----------
    name : of the study, as in ``pipeline/studies/``, with or without ``reference:`` before it.

    Raises
    ------
    UserError : no such table; names those that there are.

    Examples
    --------
    >>> table = load_reference("teacher-relatedness")
    """
    from mtl_laws.pipeline.io.tablefile import read_table

    wanted = name.removeprefix(PREFIX)
    studies = reference_manifest()["studies"]
    if wanted not in studies:
        raise UserError(name, nearest(wanted, sorted(studies), "a reference table"), wanted)
    return read_table(FOLDER / studies[wanted]["file"])


def read_source(source: Path, empty: bool = False) -> pd.DataFrame:
    """A table to find laws in, ours without controls.

    It is the file at `source`, the logs of MaChAmp in a folder, or ``reference:NAME``.

    Parameters
    ----------
    empty : whether a table without rows is accepted.

    Raises
    ------
    UserError : no such table, or a file that is none.
    """
    from mtl_laws.pipeline.columns import ordinary_rows
    from mtl_laws.pipeline.io.machamp import read_logs
    from mtl_laws.pipeline.io.tablefile import read_table

    if str(source).startswith(PREFIX):
        return ordinary_rows(load_reference(str(source)))
    return ordinary_rows(read_logs(source) if source.is_dir() else read_table(source, empty))


def write_example(folder: Path) -> dict[str, Path]:
    """Write the example files into a folder, which is created if missing.

    A file that is there already with the same content is left alone.

    Returns
    -------
    {kind: path}: ``table``, results of 234 small taggers; ``corpus``, sentences with three label
    layers; ``study``, that of `make demo`.

    Raises
    ------
    UserError : a file of that name with other content, or one that cannot be read; a folder that
        cannot be written.
    """
    from mtl_laws.pipeline.io.wholefile import write_whole

    sources = {
        "table": EXAMPLE / "results.csv",
        "corpus": EXAMPLE / "harbour.conll",
        "study": STUDIES / "quick.yaml",
    }
    paths = {kind: folder / source.name for kind, source in sources.items()}
    missing = {}
    for kind, path in paths.items():
        content = sources[kind].read_bytes()
        try:
            if not path.exists():
                missing[path] = content
            elif path.read_bytes() != content:
                raise FileExistsError
        except OSError as error:
            expected = f"a folder in which {path.name} is missing or unchanged"
            raise UserError("folder", expected, str(path)) from error
    try:
        for path, content in missing.items():
            write_whole(path, content)
    except UserError as error:
        raise error.at("folder") from error
    return paths
