"""Any input at all: files with pieces cut out and put in, and with any value in any place.

They are read or refused. A refusal is an `UserError`; any other exception, and any warning, is a
defect. Pieces try the reading of text; values get past it, to what is checked afterwards.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.tablefile import read_table
from mtl_laws.pipeline.io.yamlfile import parse_yaml
from mtl_laws.pipeline.laws.holdout import held_out_rows
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.study.study import Study, commented_study
from mtl_laws.pipeline.study.trials import expand
from support.mistakes import TABLE
from support.mistakes_in_commands import LAW, LAWS

FUZZ = settings(max_examples=150, deadline=None, derandomize=True)
SOUND_LAWS = json.dumps({**LAWS, "theory": [LAW], "data": {"ranges": {"n": [1, 2]}}})


def edited(text: str, snippets: tuple[str, ...]) -> st.SearchStrategy[str]:
    """`text` with a few pieces cut out and others put in."""
    edit = st.tuples(
        st.integers(0, len(text)),
        st.integers(0, 9),
        st.sampled_from(snippets) | st.text(max_size=4),
    )

    def apply(edits: list[tuple[int, int, str]]) -> str:
        result = text
        for place, cut, piece in edits:
            result = result[:place] + piece + result[place + cut :]
        return result

    return st.lists(edit, min_size=1, max_size=4).map(apply)


YAML_PIECES = (
    *(":", "- ", "[", "]", "{", "}", "#", "&a", "*a", "!!int", "~", ".inf", "|", "'", "\n", "\n  "),
)
CSV_PIECES = (
    *(",", ",,", ";", '"', "inf", "-", "1e308", "1e-320", "é", "\n", "\r", "\t", "\0", "\x85"),
)
JSON_PIECES = (
    *("null", "[", "]", "{", "}", '"', ",", "-1", "1e999", "NaN", "[[]]", "true", "\\u0000"),
)
CONDITION_PIECES = (
    *("n", "T", "ami", "m", "5", "1e9", "0.5", "9" * 400, "True", "'x'", "(", ")", "[", "]"),
    *(">", "<", "==", "=", "and", "or", "not", "+", "-", "*", "/", "**", ".", ",", ":", "if", "\n"),
)


@FUZZ
@given(edited(commented_study(), YAML_PIECES))
def test_any_study_is_read_or_refused(text: str) -> None:
    with suppress(UserError):
        assert Study.parse(text).factors.levels()


@pytest.fixture(scope="module")
def drawer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawer")


@FUZZ
@given(
    text=edited(TABLE, CSV_PIECES), noise=st.binary(max_size=3), place=st.integers(0, len(TABLE))
)
def test_any_table_is_posed_or_refused(drawer: Path, text: str, noise: bytes, place: int) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    path = drawer / "table.csv"
    path.write_bytes(raw[:place] + noise + raw[place:])
    question = Question("f1", {"n": "n", "T": "T", "ami": "ami"}, (0.0, None))
    with suppress(UserError):
        problem = pose(read_table(path), question, "table.csv")
        assert np.isfinite(problem.data.target).all()
        assert np.isfinite(problem.data.sample.target).all()


@FUZZ
@given(edited(SOUND_LAWS, JSON_PIECES))
def test_any_laws_file_is_read_or_refused(drawer: Path, text: str) -> None:
    path = drawer / "laws.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(UserError):
        assert LawSet.load(path).version == 2


@FUZZ
@given(st.lists(st.sampled_from(CONDITION_PIECES), max_size=9).map(" ".join))
def test_any_condition_holds_rows_out_or_is_refused(condition: str) -> None:
    rows = {"n": np.arange(9.0), "T": np.ones(9), "ami": np.full(9, np.nan)}
    with suppress(UserError):
        mask = held_out_rows(condition, rows)
        assert 0 < mask.sum() < 9


# --- any value in any place ----------------------------------------------------------------------

FEW_CELLS = 300
WORDS = (
    *("n", "T", "ami", "accuracy", "teacher", "channel", "layers", "bilstm", "cnn", "hard", "zipf"),
    *("grammar", "auto", "pysr", "n > 40", "T > 1 or", "1e3", "no", "", "../x", "<b>", "\x00", "é"),
)
NUMBERS = (
    st.sampled_from([0, 1, 2, 3, -1, 1_000_001, 10**20, 0.0, 0.5, 1.0, -0.5, 1e-320, 1e308])
    | st.integers(-5, 50)
    | st.floats()
)
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=5,
)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything inside a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inside:
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from places(item, (*path, key))


def replaced(document: Any) -> st.SearchStrategy[Any]:
    """`document` with another value in one place or two, or with one more key there."""
    where = st.sampled_from([*places(document)])

    def apply(changes: list[tuple[tuple[Any, ...], bool, Any]]) -> Any:
        result = deepcopy(document)
        for path, added, value in changes:
            with suppress(KeyError, IndexError, TypeError):  # another change has taken it away
                block = result
                for key in path[:-1]:
                    block = block[key]
                key = f"{path[-1]}_" if added and isinstance(block, dict) else path[-1]
                block[key] = value
        return result

    return st.lists(st.tuples(where, st.booleans(), VALUES), min_size=1, max_size=2).map(apply)


WHOLE_STUDY = parse_yaml(commented_study(), "commented")


@FUZZ
@given(replaced(WHOLE_STUDY))
def test_any_value_in_a_study_is_taken_or_refused(content: dict[str, Any]) -> None:
    with suppress(UserError):
        study = Study.parse(yaml.safe_dump(content, allow_unicode=True))
        levels = study.factors.levels().values()
        if math.prod(map(len, levels)) * len(study.seeds) <= FEW_CELLS:
            assert all(cell.digest for cell in expand(study))


@FUZZ
@given(replaced(json.loads(SOUND_LAWS)))
def test_any_value_in_a_laws_file_is_taken_or_refused(drawer: Path, content: Any) -> None:
    path = drawer / "laws.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with suppress(UserError):
        assert LawSet.load(path).version == 2


CELLS = st.sampled_from(["", "NA", "1e999", "-1", "0", "1,5", "0x1", "1_0", "+.5", " 7 ", "nan"])


@FUZZ
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(0, 5), CELLS | st.text(max_size=4)), max_size=4
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_cell_of_a_table_is_posed_or_refused(
    drawer: Path, changes: list[tuple[int, int, str]], separator: str
) -> None:
    rows = [line.split(",") for line in TABLE.splitlines()]
    for row, column, cell in changes:
        rows[row][column] = '"' + cell.replace('"', '""') + '"'
    path = drawer / "table.csv"
    text = "\n".join(separator.join(row) for row in rows)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    posed_or_refused(path)


COLUMNS = st.one_of(
    st.lists(st.integers(-(2**31), 2**31), min_size=12, max_size=12),
    st.lists(st.floats(), min_size=12, max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
    st.lists(st.text(max_size=3) | st.none(), min_size=12, max_size=12),
    st.lists(st.binary(max_size=3), min_size=12, max_size=12),
    st.lists(st.dates(datetime.date(1900, 1, 1)), min_size=12, max_size=12),
    st.lists(st.datetimes(datetime.datetime(1900, 1, 1)), min_size=12, max_size=12),
    st.lists(st.decimals(-9, 9, places=2), min_size=12, max_size=12),
    st.lists(st.lists(st.integers(0, 9), max_size=2), min_size=12, max_size=12),
    st.just([datetime.timedelta(seconds=1)] * 12),
)


@FUZZ
@given(
    st.fixed_dictionaries({"n": COLUMNS}, optional={"T": COLUMNS, "ami": COLUMNS, "f1": COLUMNS})
)
def test_any_parquet_is_posed_or_refused(drawer: Path, changes: dict[str, list[Any]]) -> None:
    lines = [line.split(",") for line in TABLE.splitlines()]
    sound = {name: [line[k] or None for line in lines[1:]] for k, name in enumerate(lines[0])}
    path = drawer / "table.parquet"
    pd.DataFrame({**sound, **changes}).to_parquet(path)
    posed_or_refused(path)


def posed_or_refused(path: Path) -> None:
    question = Question("f1", {"n": "n", "T": "T", "ami": "ami"}, (None, None))
    with suppress(UserError):
        problem = pose(read_table(path), question, path.name)
        assert np.isfinite(problem.data.target).all()
        for column in problem.data.columns.values():
            assert not np.isinf(column).any()
