"""Tables as files: any user's CSV or Parquet to a DataFrame, and ours to Parquet.

A CSV may be separated by commas, semicolons, tabs or bars, start with a byte-order mark and end its
lines as Windows does. Where the separator is not the comma, the decimal comma is understood.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mtl_laws.pipeline.errors import FileError, PipelineError, UserError, nearest

SEPARATORS = (",", ";", "\t", "|")
EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
"""Cells, in lower case, that mean that there is no value."""

_PART = ".part"
_TOLD = (str, int, float, Decimal, np.number)
"""Values that may tell a number; a date does not, though it is kept as one."""

LINES = "lines"
"""Key of `DataFrame.attrs` under which the line of each row in its file is kept."""


def read_table(path: Path) -> pd.DataFrame:
    """The table in a CSV or Parquet file.

    Columns in which every value is a number are float64 or int64; missing values are NaN. Where a
    file keeps lines, ``table.attrs["lines"]`` holds the line of each row, for error messages.

    Raises
    ------
    UserError : no such file, not a table, no rows, a column twice, a row of another length; the
        field names the file and, where there is one, the line.
    """
    path = Path(path)
    raw = _read_bytes(path)
    table = _parquet(path, raw) if raw[:4] == b"PAR1" else _csv(path, raw)
    if table.empty:
        raise FileError(str(path), "one row or more", f"{len(table.columns)} columns, no rows")
    return table


def numbers(table: pd.DataFrame, column: str, source: str) -> pd.Series[float]:
    """One column as float64: missing values as NaN, false and true as 0 and 1.

    Raises
    ------
    UserError : no such column (names the nearest), or a value that is not a finite number (names
        line and column).
    """
    if column not in table.columns:
        raise UserError(source, nearest(column, table.columns, "a column of the table"), column)
    values = table[column]
    if not pd.api.types.is_numeric_dtype(values):
        told = values.astype("object").where(values.map(lambda value: isinstance(value, _TOLD)))
        converted = pd.to_numeric(told, errors="coerce")
        _refuse(table, column, source, (values.notna() & converted.isna()).to_numpy())
        values = converted
    result = values.astype("float64")
    _refuse(table, column, source, np.isinf(result.to_numpy()))
    return result


def _refuse(table: pd.DataFrame, column: str, source: str, wrong: NDArray[np.bool_]) -> None:
    """Raise for the first row of `table` that is `wrong`, if there is one."""
    places = np.flatnonzero(wrong)
    if len(places):
        first = int(places[0])
        lines = table.attrs.get(LINES)
        where = f"line {lines[first]}" if lines else f"row {first + 1}"
        value = table[column].iloc[first]
        told = float(value) if isinstance(value, (float, np.number)) else str(value)
        raise UserError(f"{source}, {where}, column {column}", "a finite number", told)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write `table` so that `path` is, at any moment, the old file or the new one, whole.

    Raises
    ------
    PipelineError : the disk is full, or the folder cannot be written.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
        os.close(handle)
        part = Path(name)
        table.to_parquet(part, index=False)
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PipelineError(f"{path}: not written: {reason}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def drop_parts(path: Path) -> None:
    """Remove what writers of `path` that were killed have left; for who alone writes it."""
    for part in path.parent.glob(f".{path.name}.*{_PART}"):
        part.unlink(missing_ok=True)


def _read_bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise FileError(str(path), "the path of a CSV or Parquet file", reason) from error
    if not raw.removeprefix(codecs.BOM_UTF8).strip():
        raise FileError(str(path), "a CSV or Parquet file", "an empty file")
    return raw


def _parquet(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        table = pd.read_parquet(io.BytesIO(raw))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(str(path), "a whole Parquet file", f"damaged ({reason})") from error
    table.columns = _unique(path, [str(name) for name in table.columns], "the header")
    return table.reset_index(drop=True)


def _csv(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        found = f"byte {raw[error.start]:#04x}"
        raise UserError(f"{path}, line {line}", "text in UTF-8, or Parquet", found) from error
    separator = _separator(text)
    records = list(_records(path, text, separator))
    if not records:
        raise FileError(str(path), "a header and rows", "blank lines only")
    line, header = records[0]
    names = _unique(path, [name.strip() for name in header], f"line {line}")
    lines = [line for line, _ in records[1:]]
    columns = zip(*(cells for _, cells in records[1:]), strict=True)
    decimal_comma = separator != ","
    data = {
        name: _column(cells, decimal_comma) for name, cells in zip(names, columns, strict=False)
    }
    table = pd.DataFrame(data, columns=names)
    table.attrs[LINES] = lines
    return table


def _separator(text: str) -> str:
    """The separator that cuts the header into most columns; the comma where none cuts it."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    counts = {mark: len(next(csv.reader([header], delimiter=mark))) for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: counts[mark])


def _records(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every record that is not blank; all as wide as the first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    width = 0
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells) and len(cells) <= 1:
                continue
            width = width or len(cells)
            if len(cells) != width:
                where, found = f"{path}, line {line}", f"{len(cells)} values"
                raise UserError(where, f"{width} values, as in the header", found)
            yield line, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {before + 1}", "comma-separated text", str(error)) from error


def _unique(path: Path, names: Sequence[str], where: str) -> list[str]:
    for place, name in enumerate(names):
        if not name:
            raise UserError(f"{path}, {where}", "a name for every column", f"column {place + 1}")
        if name in names[:place]:
            raise UserError(f"{path}, {where}", "every column name once", name)
    return list(names)


def _column(cells: Sequence[str], decimal_comma: bool) -> pd.Series[float] | pd.Series[str]:
    """Numbers where every value is one, else text; missing values apart."""
    stripped = [cell.strip() for cell in cells]
    present = [None if cell.lower() in EMPTY else cell for cell in stripped]
    values = pd.Series(present, dtype="object")
    for candidate in (values, values.str.replace(",", ".") if decimal_comma else values):
        converted = pd.to_numeric(candidate, errors="coerce")
        if converted.isna().equals(values.isna()):
            return converted
    return values
