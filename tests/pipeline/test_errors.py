"""A user's mistake carries a neutral path, and each face says it in its own words."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

import mtl_laws.pipeline
from mtl_laws.pipeline.cli.options import said_as_options
from mtl_laws.pipeline.errors import FileError, MissingError, UserError, renamed, said_as
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.study.preflight import at_study_keys

ROOT = Path(mtl_laws.pipeline.__file__).parent
QUESTION = Question("f1", {"n": "tokens", "T": "tasks"}, domain={"n": (1.0, 2.0)})


def mistake(path: str) -> UserError:
    return UserError(path, "one of tiny, quick; see the guide; it is long", "huge")


def test_advice_comes_after_the_value() -> None:
    error = mistake("budget")
    assert (error.path, error.got) == ("budget", "huge")
    assert error.expected == "one of tiny, quick; see the guide; it is long"
    line = "budget: expected one of tiny, quick, got 'huge'; see the guide; it is long"
    assert str(error) == line
    assert str(FileError("a.csv", "a whole file", "damaged")).startswith("a.csv: damaged; ")
    assert str(MissingError("out", "a folder", None)) == "out is missing: a folder"


@pytest.mark.parametrize("kind", [UserError, FileError, MissingError])
def test_a_mistake_is_the_same_in_another_process_and_at_another_path(
    kind: type[UserError],
) -> None:
    error = kind("seed", "a whole number; try 0", -1)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(renamed(error, "random_state")) is kind
    assert (again.path, again.got, again.expected) == ("seed", -1, "a whole number; try 0")
    assert str(renamed(error, "random_state")) == str(kind("random_state", error.expected, -1))


def test_paths_that_have_no_other_word_stay() -> None:
    kept = mistake("seeds")
    with pytest.raises(UserError) as caught, said_as({"seed": "random_state"}):
        raise kept
    assert caught.value is kept


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("hold_out", "laws.hold_out"),
        ("factors.n", "laws.factors.n"),
        ("domain.n", "laws.domain.n"),
        ("factors.csv, column n", "factors.csv, column n"),
        ("out", "out"),
        ("jobs", "jobs"),
        ("engine", "engine"),
    ],
)
def test_the_study_says_its_keys(path: str, key: str) -> None:
    with pytest.raises(UserError) as caught, at_study_keys(QUESTION, engine="operon"):
        raise mistake(path)
    assert caught.value.path == key


def test_the_engine_of_the_study_is_a_key_of_the_study() -> None:
    with pytest.raises(UserError) as caught, at_study_keys(QUESTION, engine=None):
        raise mistake("engine")
    assert caught.value.path == "laws.engine"


@pytest.mark.parametrize(
    ("path", "option"),
    [("factors.n", "--factors n"), ("domain.n", "--domain n"), ("factors.csv", "factors.csv")],
)
def test_one_factor_is_said_as_an_option(path: str, option: str) -> None:
    with pytest.raises(UserError) as caught, said_as_options(QUESTION.paths):
        raise mistake(path)
    assert caught.value.path == option


def test_no_path_is_an_option_below_the_command_line() -> None:
    """Only `pipeline/terminal` and `pipeline/cli/app.py` know options."""
    files = [file for file in ROOT.rglob("*.py") if file.parent.name != "terminal"]
    calls = [
        (file.name, node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error") and node.args
    ]
    assert len(calls) > 100
    paths = [(name, ast.unparse(node.args[0])) for name, node in calls]
    assert [found for found in paths if found[1].lstrip("f'\"").startswith("--")] == []
