"""The documentation is true: code runs, commands exist, links resolve, pages are not stale."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from typer.main import get_command

from mtl_laws import __all__, __version__
from mtl_laws.pipeline.cli.app import app
from mtl_laws.pipeline.columns import Column
from mtl_laws.pipeline.export import Publication, PublishedTable
from mtl_laws.pipeline.export.dataset import description
from mtl_laws.pipeline.export.publication import CURVES, FRONT, PREDICTIONS
from mtl_laws.pipeline.laws.catalogue import CATALOGUE
from mtl_laws.pipeline.laws.checks import Domain
from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.folds import Fold, extrapolation_folds, random_folds
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import Candidate, Scored, fit_candidate, score
from mtl_laws.pipeline.laws.search import SearchResult
from mtl_laws.pipeline.reference_data import write_example
from mtl_laws.pipeline.symbolic.tree import Tree
from support.documents import ROOT, Block, anchors, blocks, commands, links, name, pages
from support.other_tools import write_machamp, write_optuna, write_wandb

PAGES = pages()
README, TUTORIAL = ROOT / "README.md", ROOT / "docs" / "tutorial.md"
FAMILIES, LAWS_JSON = ROOT / "docs" / "families.md", ROOT / "docs" / "laws-json.md"
EXTEND, NOTEBOOK = ROOT / "docs" / "extend.md", ROOT / "docs" / "notebook.md"
METHOD, RULES_PAGE = ROOT / "docs" / "method.md", ROOT / "docs" / "rules.md"
FORMATS, REGRESSOR = ROOT / "docs" / "formats.md", ROOT / "docs" / "regressor.md"
IMPORT = ROOT / "docs" / "import.md"
PREDICT, IPYNB = ROOT / "docs" / "predict.md", ROOT / "docs" / "tutorial.ipynb"
EXECUTED = [
    README,
    TUTORIAL,
    FAMILIES,
    LAWS_JSON,
    EXTEND,
    FORMATS,
    NOTEBOOK,
    REGRESSOR,
    RULES_PAGE,
    PREDICT,
    IMPORT,
]
"""Pages whose blocks are run as a reader would: in order, in one folder."""


#: what a reader may install besides: options' values, and packages of a cluster or a developer
OTHERS = {"constraints.txt", "dask-jobqueue", "pre-commit"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder but for what `mtl-laws example` writes, in which commands may write."""
    write_example(tmp_path / "example")
    return tmp_path


def perform(block: Block, folder: Path, programs: Path | None = None) -> str:
    """What a block prints, or "" where it is a file or is not run; fail with what it printed.

    Parameters
    ----------
    programs : the folder of the programs of another environment.
    """
    if block.file:
        (folder / block.file).write_text(block.text, encoding="utf-8")
    if not block.runnable:
        return ""
    shell = ["bash", "-euo", "pipefail", "-c"]
    command = ["python", "-c"] if block.language == "python" else shell
    path = f"{programs or Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    modules = {} if programs is None else {"PYTHONPATH": ""}
    process = subprocess.run(
        [*command, block.instead or block.text],
        cwd=folder,
        env={**os.environ, **modules, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    output = f"{block.text}\n{process.stdout}\n{process.stderr}"
    assert process.returncode == block.exit_code, output
    return f"{process.stdout}\n{process.stderr}"


def perform_all(page: Path, folder: Path, slow: bool, programs: Path | None = None) -> None:
    """Run the blocks of a page in order; text right below one that ran is what it printed."""
    printed = ""
    for block in blocks(page):
        if block.language == "text" and block.adjacent and printed:
            missing = [line for line in block.text.splitlines() if not has_line(printed, line)]
            assert [line for line in missing if "per second" not in line] == []
        printed = perform(block, folder, programs) if slow or not block.slow else ""


NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def has_line(printed: str, line: str) -> bool:
    """Whether a line was printed, up to the last digits, which differ between processors."""
    return line.strip() in printed or any(alike(line, other) for other in printed.splitlines())


def alike(one: str, other: str) -> bool:
    """Whether two lines have the same words, and numbers that differ by 2 % or 0.006 at most."""
    words, other_words = (" ".join(NUMBER.sub("0", line).split()) for line in (one, other))
    first, second = (
        [float(n.replace(",", "")) for n in NUMBER.findall(line)] for line in (one, other)
    )
    return words == other_words and np.allclose(first, second, rtol=0.02, atol=0.006)


def test_lines_with_other_words_or_numbers_are_not_alike() -> None:
    line = "trust:  up to n = 4,500, within ± 0.079 (95 %)"
    assert alike(line, "trust: up to n = 4,500, within ± 0.078 (95 %)")
    assert not alike(line, "trust: up to n = 4,500, within ± 0.089 (95 %)")
    assert not alike(line, "trust: up to n = 5,500, within ± 0.079 (95 %)")
    assert not alike(line, "trust: up to N = 4,500, within ± 0.079 (95 %)")


@pytest.mark.parametrize("page", [README, TUTORIAL, FAMILIES, EXTEND, RULES_PAGE], ids=name)
def test_cheap_blocks_run(page: Path, folder: Path) -> None:
    perform_all(page, folder, slow=False)


@pytest.mark.slow
def test_the_readme_runs_from_a_wheel_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """And its answer in words is that of the law of the demo."""
    perform_all(README, tmp_path, slow=True, programs=installed)
    laws = LawSet.load(tmp_path / "runs" / "quick")
    alone, together = laws.predict(pd.DataFrame({"n": 250, "T": [1, 2], "ami": [None, 0.6]}))
    (gain,) = laws.gain({"n": 250, "T": 2, "ami": 0.6}).to_dict("records")
    (needed,) = laws.solve("n", together, {"T": 1}).solutions
    numbers = (alone, together, *(gain[name] for name in ("gain", "law_low", "law_high")))
    sentence = (
        "With 250 labelled tokens, the law predicts an accuracy of {:.3f} for the main task alone. "
        "Trained with one related task (AMI 0.6) it predicts {:.3f}, a gain of {:.3f} with a 95 % "
        "interval from {:.3f} to {:.3f}: the two tasks act like {:.1f} times the data of one."
    )
    words = README.read_text(encoding="utf-8")
    assert any(
        alike(sentence.format(*numbers, needed.value / 250), part)
        for part in re.findall(r"With 250 labelled.*?times the data of one\.", words)
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", [TUTORIAL, LAWS_JSON, EXTEND, REGRESSOR, PREDICT], ids=name)
def test_all_blocks_run_in_order(page: Path, folder: Path) -> None:
    perform_all(page, folder, slow=True)


@pytest.mark.slow
def test_results_of_other_tools_are_fitted_as_the_page_says(folder: Path) -> None:
    write_wandb(folder / "wandb_export.csv")
    write_optuna(folder / "trials.csv")
    write_machamp(folder / "logs")
    for table in ("wandb_export.csv", "trials.csv"):
        beginning = "".join((folder / table).read_text(encoding="utf-8").splitlines(True)[:2])
        assert beginning in [block.text for block in blocks(IMPORT)]
    perform_all(IMPORT, folder, slow=True)


@pytest.mark.slow
def test_the_cells_of_the_notebook_run_in_one_session(folder: Path) -> None:
    cells = [block.text for block in blocks(NOTEBOOK) if block.runnable]
    assert len(cells) >= 5
    perform(Block("python", "\n".join(cells)), folder)


def test_the_tutorial_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, and what a cell ends with can be shown."""
    write_example(tmp_path / "example")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(IPYNB.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 8
    names: dict[str, Any] = {}
    shown = [run_cell(cell, names) for cell in cells]
    assert any("n_eff" in text for text in shown)
    assert any(text == "a picture" for text in shown)


def run_cell(cell: str, names: dict[str, Any]) -> str:
    """Run a cell as a notebook does; what it shows of the value that it ends with."""
    tree = ast.parse(cell)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), names)
        return ""
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if hasattr(value, "_repr_png_"):
        assert value._repr_png_().startswith(b"\x89PNG")
        return "a picture"
    return f"{getattr(value, '_repr_html_', str)()}\n{value!r}"


def test_the_notebook_begins_with_four_lines() -> None:
    lines = [line for line in blocks(NOTEBOOK)[0].text.splitlines() if line]
    of_pandas = [line for line in lines if "pd" in line]
    assert len(lines) - len(of_pandas) == 4
    assert lines[-1] == "laws"


@pytest.mark.parametrize("page", EXECUTED, ids=name)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("sh", "python", "yaml", "text")
        assert block.understood, block.run


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_commands_in_shell_blocks_are_accepted(page: Path) -> None:
    """Every command and option exists; what they would do is not done here."""
    group: Any = get_command(app)
    for words in commands(page):
        assert words[0] in group.commands, words
        command = group.commands[words[0]]
        command.make_context(words[0], words[1:])


def test_the_first_screen_names_targets_that_make_knows() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w.$()/-]+):", makefile, re.MULTILINE))
    first = blocks(ROOT / "README.md")[0]
    named = [line.removeprefix("make ") for line in first.text.splitlines()]
    assert named == ["demo", "test"]
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_command_line_page_is_not_stale() -> None:
    generated = runpy.run_path(str(ROOT / "docs" / "generate_cli.py"))["page"]()
    stale = "docs/cli.md is stale: python docs/generate_cli.py"
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == generated, stale


def test_every_command_has_help_an_example_and_described_options() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "generate_cli.py"))
    for command, function in generator["commands"]().items():
        text = generator["described"](function)
        assert f"Example: mtl-laws {command}" in text
        for parameter in generator["parameters"](function):
            assert parameter.info.help, f"{command} {parameter.name}"


def test_every_option_before_a_command_is_on_the_page() -> None:
    group: Any = get_command(app)
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    options = {name for param in group.params for name in param.opts} - {"--help"}
    assert options >= {"--version", "--debug", "--plugin"}
    assert {name for name in options if f"`{name}" not in page} == set()


def test_every_page_is_reached_from_the_readme_or_another() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in links(page)
        if link.partition("#")[0]
    }
    loose = [page for page in (ROOT / "docs").glob("*.md") if page.resolve() not in linked]
    assert [name(page) for page in loose] == []


def test_every_column_and_key_of_what_is_published_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", FORMATS.read_text(encoding="utf-8")))
    assert {column.name for column in (*CURVES, *FRONT, *PREDICTIONS)} - named == set()
    column = Column("a", "int64", "", "it")
    table = PublishedTable(name="t", meaning="", data=pa.table({"a": [1]}), columns=(column,))
    origin = {"version": "1", "commit": ""}
    publication = Publication(title="t", question="", tables=(table,), laws=None, provenance=origin)
    files = {"t": [{"path": "t.csv", "split": "train", "rows": 1, "sha256": ""}]}
    record = description(publication, "csv", files)
    assert keys(record, frozenset()) - named == set()


def test_every_threshold_in_the_documents_is_that_of_the_code() -> None:
    generated = runpy.run_path(str(ROOT / "docs" / "generate_rules.py"))["pages"]()
    assert {METHOD, RULES_PAGE} <= set(generated)
    for page, text in generated.items():
        assert page.read_text(encoding="utf-8") == text, f"{name(page)} is stale: make docs"


def test_the_method_page_has_a_row_for_every_form_of_the_catalogue() -> None:
    rows = re.findall(r"^\| \$c_0 \+", METHOD.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(CATALOGUE) - 1, "one row stands for two forms of Maurer et al."


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Every page has a place, every link leads somewhere, every public name has a docstring."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    process = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    text = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")}
    formulas = "".join(re.findall(r"<math.*?</math>", text["method.html"], re.DOTALL))
    assert "<mfrac>" in formulas
    assert "\\" not in formulas, "a command that latex2mathml does not know"
    assert "arithmatex" not in text["method.html"]
    assert all(
        f"mtl_laws.{public}" in text["laws.html"] + text["studies.html"] for public in __all__
    )


HINT = re.compile(r"pip install ((?:(?:'[^']+'|[^\s'`\"|,;)]+) ?)+)")
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[\w,-]+\])?(.*)")


def test_hints_name_packages_that_the_project_declares() -> None:
    """An index has no mtl-laws, so `mtl-laws[extra]` there would be somebody else's package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {*project["dependencies"], *(one for extra in extras.values() for one in extra)}
    names = {REQUIREMENT.fullmatch(one)[1] for one in declared}
    local = re.compile(r"(?:\.|mtl_laws-[\w.-]+\.whl)(?:\[([\w-]+)\])?")
    sources = [*PAGES, *(p for f in ("pipeline", "simulator") for p in (ROOT / f).rglob("*.py"))]
    count = 0
    for path in sources:
        for hint in HINT.findall(path.read_text(encoding="utf-8")):
            for word in (word.strip("'") for word in hint.split()):
                count += 1
                own = local.fullmatch(word)
                known = word in declared | names | OTHERS or word.startswith("--")
                assert known or (own and own[1] in {None, *extras}), f"{name(path)}: {word}"
    assert count >= 8


def test_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == __version__
    assert citation["license"] == project["license"]
    assert f"## [{__version__}]" in changes


def small_document() -> dict[str, Any]:
    """A document of two laws, made without a search."""
    rng = np.random.default_rng(4)
    n = np.repeat([50.0, 100.0, 200.0, 400.0, 800.0], 4)
    tasks = np.tile([1.0, 1.0, 2.0, 4.0], 5)
    table = {"n": n, "T": tasks, "y": 0.9 - 3 / np.sqrt(n * tasks) + rng.normal(0, 0.01, 20)}
    question = Question("y", {"n": "n", "T": "T"}, (0.0, 1.0), hold_out="n > 400")
    problem = pose(pd.DataFrame(table), question, "a table")
    data = problem.data
    grid, folds = Domain.of(data), (random_folds(data, 0), extrapolation_folds(data))
    laws = [scored(text, data, grid, folds) for text in ("c0 + c1/sqrt(n*T)", "c0 + c1*log(n)")]
    result = SearchResult(laws, 0, [0, 1], laws[1:], folds[1], False, [], 2, data, None)
    return {**laws_document(problem, result, 0).to_json(), "rules": {}}


def scored(text: str, data: Rows, grid: Domain, folds: tuple[list[Fold], list[Fold]]) -> Scored:
    fitted = fit_candidate(Candidate(Tree.parse(text, data.factors), "by hand"), data, grid, 0)
    assert fitted is not None
    return score(fitted, data, folds[0], folds[1], 0)


def keys(value: Any, names: frozenset[str]) -> set[str]:
    """Every key in a document, below it too; the names of factors and constants left out."""
    if isinstance(value, list):
        return {key for item in value for key in keys(item, names)}
    if not isinstance(value, dict):
        return set()
    own = {key for key in value if key not in names and not re.fullmatch(r"c\d+", key)}
    return own | {key for item in value.values() for key in keys(item, names)}


def test_the_page_on_laws_json_names_every_key() -> None:
    page = (ROOT / "docs" / "laws-json.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    missing = keys(small_document(), frozenset({"n", "T"})) - named
    assert not missing
