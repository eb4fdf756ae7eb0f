"""A user's mistake has a neutral path, and each face renders it in its own words."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import mtl_laws.pipeline
from mtl_laws.pipeline.cli.app import app
from mtl_laws.pipeline.cli.ending import by_option
from mtl_laws.pipeline.errors import FileError, FormulaError, MissingError, UserError
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.study.preflight import at_study_keys
from mtl_laws.simulator import SpecError

ROOT = Path(mtl_laws.pipeline.__file__).parent
QUESTION = Question("f1", {"n": "tokens", "T": "tasks"}, domain={"n": (1.0, 2.0)})
FIT = ("fit", "factors.csv", "--target", "f1", "--factors", "n,T", "--out", "laws")


def mistake(path: str) -> UserError:
    return UserError(path, "one of tiny, quick; see the guide; it is long", "huge")


def test_advice_comes_after_the_value() -> None:
    error = mistake("budget")
    assert (error.path, error.got) == ("budget", "huge")
    assert error.expected == "one of tiny, quick; see the guide; it is long"
    line = "budget: expected one of tiny, quick, got 'huge'; see the guide; it is long"
    assert str(error) == line
    assert str(FileError("a.csv", "a whole file", "damaged")).startswith("a.csv: damaged; ")
    assert str(MissingError("out", "a folder", None)) == "out is required: a folder"


@pytest.mark.parametrize("kind", [UserError, FileError, MissingError])
def test_a_mistake_is_the_same_in_another_process_and_at_another_path(
    kind: type[UserError],
) -> None:
    error = kind("seed", "a whole number; try 0", -1)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error.at("random_state")) is kind
    assert (again.path, again.got, again.expected) == ("seed", -1, "a whole number; try 0")
    assert str(error.at("random_state")) == str(kind("random_state", error.expected, -1))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("hold_out", "laws.hold_out"),
        ("factors.n", "laws.factors.n"),
        ("domain.n", "laws.domain.n"),
        ("forms[0]", "laws.forms[0]"),
        ("factors.csv, column n", "factors.csv, column n"),
        ("seed.yaml", "seed.yaml"),
        ("out", "out"),
        ("jobs", "jobs"),
        ("engine", "engine"),
    ],
)
def test_a_study_names_its_keys(path: str, key: str) -> None:
    with pytest.raises(UserError) as caught, at_study_keys(QUESTION, engine="operon"):
        raise mistake(path)
    assert caught.value.path == key


def test_the_engine_of_the_study_is_a_key_of_the_study() -> None:
    with pytest.raises(UserError) as caught, at_study_keys(QUESTION, engine=None):
        raise mistake("engine")
    assert caught.value.path == "laws.engine"


def context_of(*words: str) -> Any:
    """The context of a command as Typer makes it before it invokes the command."""
    group: Any = get_command(app)
    command = group.commands[words[0]]
    return command.make_context(words[0], list(words[1:]))


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("hold_out", "--hold-out"),
        ("factors.n", "--factors n"),
        ("domain.my n", "--domain my n"),
        ("forms[1]", "--form"),
        ("table", "TABLE"),
        ("factors.csv", "factors.csv"),
        ("factors.csv, column n", "factors.csv, column n"),
        ("jobs.conll, line 1", "jobs.conll, line 1"),
        ("laws.hold_out", "laws.hold_out"),
        ("weight", "weight"),
    ],
)
def test_the_command_line_names_options_and_arguments(path: str, option: str) -> None:
    with pytest.raises(UserError) as caught, by_option(context_of(*FIT)):
        raise mistake(path)
    assert caught.value.path == option
    assert (caught.value.expected, caught.value.got) == (mistake("").expected, "huge")


def test_the_command_line_names_options_of_a_family() -> None:
    context = context_of("simulate", "--out", "tasks")
    for path, option in (("options.zipf", "--option zipf"), ("label_noise", "--label-noise")):
        with pytest.raises(UserError) as caught, by_option(context):
            raise SpecError(path, 2, "a number from 0 to 1")
        assert (caught.value.path, caught.value.got) == (option, 2)


def test_a_formula_keeps_its_caret_at_an_option() -> None:
    with pytest.raises(FormulaError) as caught, by_option(context_of(*FIT)):
        raise FormulaError("forms[0]", "a value here", "c0 +", 4)
    assert str(caught.value).startswith("--form: ")
    assert caught.value.__notes__ == ["    c0 +\n        ^"]


def test_no_path_is_an_option_below_the_command_line() -> None:
    files = [file for file in ROOT.rglob("*.py") if file.parent.name != "cli"]
    calls = [
        (file.name, node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error") and node.args
    ]
    assert len(calls) > 100
    paths = [(name, ast.unparse(node.args[0])) for name, node in calls]
    assert [found for found in paths if found[1].lstrip("f'\"").startswith("--")] == []
