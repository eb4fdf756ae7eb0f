"""Any input at all: files and conditions with pieces cut out and put in are read or refused.

A refusal is an `InputError`; any other exception, and any warning, is a defect.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import TABLE
from mistakes_in_commands import LAW, LAWS

from pipeline.errors import InputError
from pipeline.files.tablefile import read_table
from pipeline.laws.holdout import held_out_rows
from pipeline.laws.lawsfile import read_laws
from pipeline.laws.problem import Question, pose
from pipeline.study import Study, commented_study

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
    with suppress(InputError):
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
    with suppress(InputError):
        problem = pose(read_table(path), question, "table.csv")
        assert np.isfinite(problem.data.target).all()
        assert np.isfinite(problem.data.sample.target).all()


@FUZZ
@given(edited(SOUND_LAWS, JSON_PIECES))
def test_any_laws_file_is_read_or_refused(drawer: Path, text: str) -> None:
    path = drawer / "laws.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(InputError):
        assert read_laws(path)["schema"] == 1


@FUZZ
@given(st.lists(st.sampled_from(CONDITION_PIECES), max_size=9).map(" ".join))
def test_any_condition_holds_rows_out_or_is_refused(condition: str) -> None:
    rows = {"n": np.arange(9.0), "T": np.ones(9), "ami": np.full(9, np.nan)}
    with suppress(InputError):
        mask = held_out_rows(condition, rows)
        assert 0 < mask.sum() < 9
