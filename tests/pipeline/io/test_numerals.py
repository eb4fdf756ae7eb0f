"""Numbers in text: one convention per column; two possible readings are never guessed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.numerals import both_readings, read_columns
from mtl_laws.pipeline.io.tablefile import READINGS, numbers, read_table

SIZES = [100, 750, 1000, 12_500, 1_000_000]
SCORES = [0.51, 0.625, 0.75, 0.8125, 0.9]


def written(values: list[float], thousands: str, mark: str) -> list[str]:
    """Numbers as a spreadsheet of some country shows them."""
    plain = [f"{value:,}" for value in values]
    return [text.translate({ord(","): thousands, ord("."): mark}) for text in plain]


@pytest.mark.parametrize(
    ("thousands", "mark"), [(",", "."), (".", ","), ("\u202f", ","), ("'", ".")]
)
@pytest.mark.parametrize("separator", ["\t", ";", ","])
def test_thousands_are_read_in_every_convention(thousands: str, mark: str, separator: str) -> None:
    columns = {"n": written(SIZES, thousands, mark), "f1": written(SCORES, thousands, mark)}
    readings = read_columns(columns, separator)
    assert readings["n"].values.tolist() == SIZES
    assert readings["f1"].values.tolist() == SCORES
    assert readings["n"].thousands
    assert readings["f1"].mark == mark


def test_the_other_columns_decide_what_a_comma_means() -> None:
    sizes = ["1,000", "2,000", "750"]
    assert read_columns({"n": sizes, "f1": ["0.5", "0.6", "0.7"]})["n"].values[0] == 1000
    assert read_columns({"n": sizes, "f1": ["0,5", "0,6", "0,7"]})["n"].values[0] == 1


def test_without_evidence_a_comma_is_ambiguous() -> None:
    reading = read_columns({"n": ["1,000", "2,000", "750"]}, "\t")["n"]
    assert (reading.kind, reading.example) == ("ambiguous", "1,000")
    assert both_readings("1,000") == (1000.0, 1.0)


def test_a_point_alone_is_a_decimal_point_except_beside_semicolons() -> None:
    losses = ["2.150", "3.275", "1.125"]
    assert read_columns({"loss": losses}, "\t")["loss"].values.tolist() == [2.15, 3.275, 1.125]
    assert read_columns({"loss": losses}, ";")["loss"].kind == "ambiguous"


@pytest.mark.parametrize("cell", ["0,784", "2,15", "5,0e-04", "-3,5", ",5"])
def test_what_cannot_be_thousands_is_a_decimal_comma(cell: str) -> None:
    reading = read_columns({"x": [cell]}, ";")["x"]
    assert reading.mark == ","
    assert reading.values[0] == float(cell.replace(",", "."))


@pytest.mark.parametrize(
    "cell", ["0,784.5", "1,00,000", "1.2.3", "1 0000", "1,000 000", "12k", "1-2"]
)
def test_what_is_no_number_in_any_convention_stays_text(cell: str) -> None:
    assert read_columns({"x": ["5", cell]})["x"].kind == "text"


def test_percent_signs_and_truths() -> None:
    readings = read_columns({"f1": ["84.2%", "90 %", ""], "pre": ["True", "false", "NA"]})
    assert readings["f1"].percent
    np.testing.assert_array_equal(readings["f1"].values, [84.2, 90.0, np.nan])
    np.testing.assert_array_equal(readings["pre"].values, [1.0, 0.0, np.nan])
    assert read_columns({"f1": ["84.2%", "90"]})["f1"].kind == "text"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_as_python_writes_them_come_back(values: list[float]) -> None:
    reading = read_columns({"x": [repr(value) for value in values], "y": ["0.5"] * len(values)})
    assert reading["x"].values.astype(float).tolist() == values


def table_file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_an_ambiguous_column_is_refused_with_both_readings_when_it_is_used(tmp_path: Path) -> None:
    table = read_table(table_file(tmp_path, "t.tsv", "n\tk\n1,000\t1\n2,000\t2\n"))
    assert numbers(table, "k", "t.tsv").tolist() == [1, 2]
    with pytest.raises(UserError, match="1000 with a decimal point and 1 with a decimal comma"):
        numbers(table, "n", "t.tsv")


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [100, 200], "f1": [0.5, None], "who": ["a", "b"]})
    workbook = io.BytesIO()
    frame.to_excel(workbook, index=False)
    rows = [json.dumps({"n": 100, "f1": 0.5, "who": "a"}), json.dumps({"n": 200, "who": "b"})]
    text = frame.to_csv(index=False)
    files = {
        "a.csv": text,
        "b.csv": "sep=;\n" + text.replace(",", ";"),
        "c.txt": text.replace(",", "\t").encode("utf-16"),
        "d.xlsx": workbook.getvalue(),
        "e.jsonl": "\n".join(rows),
        "f.csv": text.replace("\n", ",\n"),
    }
    frame.to_parquet(tmp_path / "g.parquet")
    for name, content in files.items():
        table_file(tmp_path, name, content)
    for path in sorted(tmp_path.iterdir()):
        pd.testing.assert_frame_equal(read_table(path), frame, check_dtype=False, obj=path.name)


def test_an_index_is_a_column_like_the_others(tmp_path: Path) -> None:
    frame = pd.DataFrame({"f1": [0.5, 0.6]}, index=pd.Index([100, 200], name="n"))
    frame.to_parquet(tmp_path / "named.parquet")
    frame.reset_index().to_csv(tmp_path / "nameless.csv")
    assert list(read_table(tmp_path / "named.parquet")) == ["n", "f1"]
    assert list(read_table(tmp_path / "nameless.csv")) == ["column_1", "n", "f1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + b"?" * 50, "a whole Excel file"),
        ('{"n": 1}\n{"n": ', "line 2: expected one JSON object"),
        ('{"n": {"a": 1}}', "key n: expected a number or a text"),
        ('{"n": ' + "[" * 100_000, "one JSON object"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_table(table_file(tmp_path, "mine", content))


def test_a_workbook_of_two_tables_is_refused(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "two.xlsx") as workbook:
        for name in ("one", "two"):
            pd.DataFrame({"n": [1]}).to_excel(workbook, sheet_name=name, index=False)
    with pytest.raises(UserError, match="'one', 'two'"):
        read_table(tmp_path / "two.xlsx")


def test_a_reading_is_noted(tmp_path: Path) -> None:
    path = table_file(tmp_path, "t.csv", "n;f1;pre\n1.000;0,5;True\n2.000;0,6;False\n")
    assert read_table(path).attrs[READINGS] == {"n": "comma", "f1": "comma", "pre": "truth"}
