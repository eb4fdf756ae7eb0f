"""Tables as files: a user's CSV, Excel, JSON Lines or Parquet file as a DataFrame, and Parquet out.

A file is known by its content, not by its name. Text may be in UTF-8 or UTF-16, separated by
commas, semicolons, tabs or bars, with a first line ``sep=;``. `numerals` reads the numbers in it.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mtl_laws.pipeline.errors import FileError, PipelineError, UserError, nearest
from mtl_laws.pipeline.io.numerals import Reading, both_readings, read_columns
from mtl_laws.pipeline.io.wholefile import PART

SEPARATORS = (",", ";", "\t", "|")
FORMATS = "a CSV, Excel (.xlsx), JSON Lines or Parquet file"

_NUMERIC = (str, int, float, Decimal, np.number)
"""Types of values that may be numbers; dates are not."""

LINES = "lines"
"""Key of `DataFrame.attrs`: the line of the file that each row is on."""

READINGS = "readings"
"""Key of `DataFrame.attrs`: {column: how its text was read}, where a user should know it: ``comma``
(decimal comma), ``thousands``, ``percent``, ``truth`` or ``ambiguous``."""

EXAMPLES = "examples"
"""Key of `DataFrame.attrs`: {ambiguous column: a cell that can be read in two ways}."""


def read_table(path: Path, empty: bool = False) -> pd.DataFrame:
    """The table in a file.

    Columns in which every value is a number are float64 or int64; missing values are NaN. Where a
    file has lines, ``table.attrs["lines"]`` holds the line of each row, for error messages.

    Parameters
    ----------
    empty : whether a table without rows is accepted.

    Raises
    ------
    UserError : no such file, not a table, no rows, a column twice, a row of another length. The
        path names the file and, where there is one, the line.
    """
    path = Path(path)
    raw = _read_bytes(path)
    if raw[:4] == b"PAR1":
        table = _parquet(path, raw)
    elif raw[:4] == b"PK\x03\x04":
        table = _excel(path, raw)
    else:
        text = _decoded(path, raw)
        table = _json_lines(path, text) if text.lstrip()[:1] == "{" else _csv(path, text)
    if table.empty and not (empty and len(table.columns)):
        raise FileError(str(path), "one row or more", f"{len(table.columns)} columns, no rows")
    return table


def numbers(table: pd.DataFrame, column: str, source: str) -> pd.Series[float]:
    """One column as float64: missing values as NaN, false and true as 0 and 1.

    Raises
    ------
    UserError : no such column (names the nearest), a value that is not a finite number (names line
        and column), or numbers that two conventions read differently.
    """
    if column not in table.columns:
        raise UserError(source, nearest(column, table.columns, "a column of the table"), column)
    example = table.attrs.get(EXAMPLES, {}).get(column)
    if example is not None:
        point, comma = both_readings(example)
        expected = (
            f"numbers with one meaning; this one is {point:g} with a decimal point and {comma:g} "
            "with a decimal comma: write thousands without a separator"
        )
        raise UserError(f"{source}, column {column}", expected, example)
    values = table[column]
    if not pd.api.types.is_numeric_dtype(values):
        texts = values.astype("object").where(values.map(lambda value: isinstance(value, _NUMERIC)))
        converted = pd.to_numeric(texts, errors="coerce")
        _refuse(table, column, source, (values.notna() & converted.isna()).to_numpy())
        values = converted
    result = values.astype("float64")
    _refuse(table, column, source, np.isinf(result.to_numpy()))
    return result


def is_text(table: pd.DataFrame, column: str) -> bool:
    """Whether a column of the table holds names: no value in it is a number."""
    if column not in table.columns or pd.api.types.is_numeric_dtype(table[column]):
        return False
    values = table[column].dropna()
    return len(values) > 0 and bool(pd.to_numeric(values, errors="coerce").isna().all())


def _refuse(table: pd.DataFrame, column: str, source: str, wrong: NDArray[np.bool_]) -> None:
    """Raise for the first row of `table` that is `wrong`, if there is one."""
    places = np.flatnonzero(wrong)
    if len(places):
        first = int(places[0])
        lines = table.attrs.get(LINES)
        where = f"line {lines[first]}" if lines else f"row {first + 1}"
        value = table[column].iloc[first]
        shown = float(value) if isinstance(value, (float, np.number)) else str(value)
        raise UserError(f"{source}, {where}, column {column}", "a finite number", shown)


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write `table` so that `path` is, at any moment, the old file or the new one, whole.

    Raises
    ------
    PipelineError : the disk is full, or the folder cannot be written.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
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


def _read_bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise FileError(str(path), f"the path of {FORMATS}", reason) from error
    if not raw.removeprefix(codecs.BOM_UTF8).strip():
        raise FileError(str(path), FORMATS, "an empty file")
    return raw


def _parquet(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        table = pd.read_parquet(io.BytesIO(raw))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(str(path), "a whole Parquet file", f"damaged ({reason})") from error
    if any(name is not None and name not in table.columns for name in table.index.names):
        table = table.reset_index()
    table.columns = _unique(path, [str(name) for name in table.columns], "the header")
    return table.reset_index(drop=True)


def _excel(path: Path, raw: bytes) -> pd.DataFrame:
    """The one sheet of a workbook that holds data."""
    try:
        sheets = pd.read_excel(io.BytesIO(raw), sheet_name=None, header=None, dtype=object)
    except ImportError as error:
        expected = "a CSV or Parquet file, or openpyxl to read Excel; pip install 'openpyxl>=3.1'"
        raise FileError(str(path), expected, "an Excel file") from error
    except Exception as error:  # openpyxl raises whatever its parsers raise
        reason = f"damaged ({type(error).__name__})"
        raise FileError(str(path), "a whole Excel file (.xlsx)", reason) from error
    filled = {name: sheet.dropna(how="all") for name, sheet in sheets.items()}
    filled = {name: sheet for name, sheet in filled.items() if len(sheet)}
    if len(filled) != 1:
        sheets_of_data = ", ".join(map(repr, filled)) or "no sheet of data"
        raise FileError(str(path), "a workbook with one sheet of data", sheets_of_data)
    sheet = next(iter(filled.values())).dropna(axis=1, how="all")
    lines = [int(row) + 1 for row in sheet.index]
    names = ["" if pd.isna(name) else str(name).strip() for name in sheet.iloc[0]]
    records = [sheet.iloc[1:, place].tolist() for place in range(len(names))]
    return _assembled(path, names, records, lines)


def _json_lines(path: Path, text: str) -> pd.DataFrame:
    """One object per line; a key that a line lacks is a missing value."""
    records, lines = [], []
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content, parse_int=_whole)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {line}", "one JSON object", content[:40]) from error
        if not isinstance(record, dict):
            raise UserError(f"{path}, line {line}", "one JSON object", content[:40])
        for key, value in record.items():
            if isinstance(value, (dict, list)):
                expected = "a number or a text for every key"
                raise UserError(f"{path}, line {line}, key {key}", expected, str(value)[:40])
        records.append(record)
        lines.append(line)
    names = list(dict.fromkeys(key for record in records for key in record))
    columns = [[record.get(name) for record in records] for name in names]
    return _assembled(path, names, columns, [0, *lines])


def _whole(digits: str) -> int | float:
    """A whole number as int64 holds it, else as a float."""
    return int(digits) if len(digits) < 19 else float(digits)


def _assembled(
    path: Path, names: Sequence[str], columns: Sequence[Sequence[Any]], lines: Sequence[int]
) -> pd.DataFrame:
    """A table from columns of typed values; `lines` begins with that of the header."""
    names = _named(path, names, [[str(v) for v in column] for column in columns], "the header")
    texts = {
        name: ["" if pd.isna(value) else str(value) for value in column]
        for name, column in zip(names, columns, strict=True)
        if any(isinstance(value, str) for value in column)
    }
    readings = read_columns(texts)
    data = {
        name: readings[name].values if name in readings else pd.Series(list(column))
        for name, column in zip(names, columns, strict=True)
    }
    table = pd.DataFrame({name: _numeric(column) for name, column in data.items()}, columns=names)
    return _described(table, readings, lines[1:])


def _numeric(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of numbers, truths and nulls as float64 or int64; others as they are."""
    if column.dtype != object:
        return column.astype("float64") if column.dtype == bool else column
    converted = pd.to_numeric(column, errors="coerce")
    return converted if converted.isna().equals(column.isna()) else column


def _decoded(path: Path, raw: bytes) -> str:
    utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        value = f"byte {raw[error.start]:#04x}"
        expected = "text in UTF-8 or UTF-16, or Parquet"
        raise UserError(f"{path}, line {line}", expected, value) from error


def _csv(path: Path, text: str) -> pd.DataFrame:
    declared = re.match(r"sep=(.)\r?\n", text)
    separator = declared[1] if declared else _separator(text)
    body = text[declared.end() :] if declared else text
    records = list(_records(path, body, separator, first=2 if declared else 1))
    if not records:
        raise FileError(str(path), "a header and rows", "blank lines only")
    line, header = records[0]
    cells = [[record[place] for _, record in records[1:]] for place in range(len(header))]
    names = _named(path, [name.strip() for name in header], cells, f"line {line}")
    columns = {name: column for name, column in zip(names, cells, strict=True) if name}
    readings = read_columns(columns, separator)
    table = pd.DataFrame({name: reading.values for name, reading in readings.items()})
    return _described(table, readings, [line for line, _ in records[1:]])


def _described(
    table: pd.DataFrame, readings: Mapping[str, Reading], lines: Sequence[int]
) -> pd.DataFrame:
    """The table with the lines of its rows and what a user should know about its numbers."""
    table.attrs[LINES] = list(lines)
    table.attrs[READINGS] = {
        name: kind for name, reading in readings.items() if (kind := _remarkable(reading))
    }
    table.attrs[EXAMPLES] = {
        name: reading.example for name, reading in readings.items() if reading.example
    }
    return table


def _remarkable(reading: Reading) -> str:
    if reading.kind in ("ambiguous", "truth"):
        return reading.kind
    if reading.percent:
        return "percent"
    if reading.mark == ",":
        return "comma"
    return "thousands" if reading.thousands else ""


def _separator(text: str) -> str:
    """The separator that cuts the header into most columns; the comma where none cuts it."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a limit of the whole process
    header = next((line for line in text.splitlines() if line.strip()), "")
    counts = {mark: len(next(csv.reader([header], delimiter=mark))) for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: counts[mark])


def _records(path: Path, text: str, separator: str, first: int) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every record that is not blank; all as wide as the first.

    `first` is the line of the file that the text begins on.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    width = 0
    before = first - 1
    try:
        for cells in reader:
            line, before = before + 1, first - 1 + reader.line_num
            if not any(cell.strip() for cell in cells) and len(cells) <= 1:
                continue
            width = width or len(cells)
            if len(cells) != width:
                expected = f"{width} values, as in the header"
                raise UserError(f"{path}, line {line}", expected, f"{len(cells)} values")
            yield line, cells
    except csv.Error as error:
        raise UserError(f"{path}, line {before + 1}", "comma-separated text", str(error)) from error


def _named(
    path: Path, names: Sequence[str], columns: Sequence[Sequence[str]], where: str
) -> list[str]:
    """Names of the columns; empty for one without a name and without values.

    A first column without a name is an index, as pandas writes it: `column_1`.
    """
    filled = [any(cell.strip() for cell in column) for column in columns]
    index = bool(names) and not names[0] and filled[0]
    labels = ["column_1", *names[1:]] if index else list(names)
    pairs = zip(labels, filled, strict=True)
    _unique(path, [label for label, present in pairs if label or present], where)
    return labels


def _unique(path: Path, names: Sequence[str], where: str) -> list[str]:
    for place, name in enumerate(names):
        if not name:
            raise UserError(f"{path}, {where}", "a name for every column", f"column {place + 1}")
        if name in names[:place]:
            raise UserError(f"{path}, {where}", "every column name once", name)
    return list(names)
