"""Bad input: every mistake gets exit code 2 and one line, leaves no file, and makes nothing run."""

from __future__ import annotations

import difflib
import io
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.symbolic.engines import Readiness
from mtl_laws.pipeline.symbolic.engines.pysr import HINT, PySR
from support.mistakes import OUT, STUDY, TABLE, Mistake, fit, form, held, study, table
from support.mistakes_in_commands import (
    ANALYSED,
    ANSWERS,
    LAW,
    LAWS,
    OTHERS,
    REPORTS,
    changed,
    law,
    report,
)
from support.mistakes_in_studies import CORPORA, OPTIONS, STUDIES, WRONG_TYPES, npy, vectors
from support.mistakes_in_tables import GROUPS, TABLES, WORDS

MISTAKES = {
    f"{place}: {name}": mistake
    for place, mistakes in {
        "fit": WORDS,
        "table": TABLES,
        "groups": GROUPS,
        "study": STUDIES,
        "corpus": CORPORA,
        "type": WRONG_TYPES,
        "run": OPTIONS,
        "report": REPORTS,
        "predict": ANSWERS,
        "command": OTHERS,
    }.items()
    for name, mistake in mistakes.items()
}
AS_PROCESSES = (
    "fit: no decimal",
    "command: unfinished form",
    "table: huge cell",
    "study: engine not ready",
    "report: hostile law",
    "command: unknown option",
)


MESSAGES = Path(__file__).with_name("messages.txt")


@dataclass(frozen=True)
class Answer:
    """What a command line ended with: exit code, standard error, and whether the folder changed."""

    code: object
    error: str
    changed: bool

    def check(self, path: str) -> None:
        """Exit code 2, one line that begins with the path, and the folder as it was.

        Below the line of a formula stand the formula and a caret.
        """
        assert self.code == 2, self.error
        line, *marked = self.error.splitlines()
        assert len(marked) == (2 if "is not a formula" in line else 0)
        assert all(caret.strip() == "^" for caret in marked[1:])
        assert re.match(rf"mtl-laws: {re.escape(path) or '.+?'}(: | is required: )", line), line
        assert "Traceback" not in self.error
        assert not self.changed


@contextmanager
def no_work(folder: Path) -> Iterator[None]:
    """Work in a folder, on a machine without Julia and transformers, where work fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("work began before the mistake was named")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "excepthook", sys.excepthook)  # `main` sets it
        patch.setattr("mtl_laws.pipeline.laws.search.find_laws", refuse)
        patch.setattr("mtl_laws.pipeline.study.train.outcomes", refuse)
        patch.setattr("mtl_laws.pipeline.embedding.find_spec", lambda _: None)
        patch.setattr(PySR, "readiness", lambda _: Readiness(False, f"no Julia: {HINT}"))
        yield


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    """An empty folder to work in, where no work can begin."""
    with no_work(tmp_path):
        yield tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder, by path; None for a folder."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else None for name, path in files.items()}


def answer_to(words: tuple[str, ...], folder: Path) -> Answer:
    """What a command line ends with in this process, which works in the folder."""
    before, error = contents(folder), io.StringIO()
    with pytest.raises(SystemExit) as stop, redirect_stderr(error):
        main(words)
    return Answer(stop.value.code, error.getvalue(), contents(folder) != before)


@cache
def answer(name: str) -> Answer:
    """What the mistake of this name ends with, in a folder of its own."""
    with TemporaryDirectory() as folder, no_work(Path(folder)):
        MISTAKES[name].lay_out(Path(folder))
        return answer_to(MISTAKES[name].words, Path(folder))


def test_there_are_mistakes_enough() -> None:
    assert len(MISTAKES) >= 200
    assert all(mistake.path for mistake in MISTAKES.values())


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_in_one_line(name: str) -> None:
    answer(name).check(MISTAKES[name].path)


def test_the_messages_are_those_that_were_reviewed(request: pytest.FixtureRequest) -> None:
    """All messages stand in ``messages.txt``; ``pytest --update-messages`` writes it again."""
    texts = [f"[{name}]\n{normalised(answer(name).error)}" for name in MISTAKES]
    text = "\n".join(texts)
    if request.config.getoption("--update-messages"):
        MESSAGES.write_text(text, encoding="utf-8")
    reviewed = MESSAGES.read_text(encoding="utf-8")
    difference = difflib.unified_diff(
        reviewed.splitlines(), text.splitlines(), "reviewed", "now", lineterm="", n=1
    )
    assert text == reviewed, "\n".join(difference)


def normalised(error: str) -> str:
    """The message without what differs between machines, and without spaces at line ends."""
    error = error.removeprefix("mtl-laws: ")
    for pattern, text in ((r"[\d,]+ GB", "… GB"), (r"(.)\1{50,}", r"\1\1\1…"), (r" +\n", "\n")):
        error = re.sub(pattern, text, error)
    return error


def test_what_is_right_gets_as_far_as_the_work(desk: Path) -> None:
    """The sound table, study and laws that the mistakes are made in are sound."""
    fit().lay_out(desk)
    for words in (fit().words, ("run", "study.yaml", "--out", OUT)):
        with pytest.raises(AssertionError, match="work began"):
            main(words)
    report(json.dumps(LAWS)).lay_out(desk)
    assert LawSet.load(desk / "mine").law.expression == LAW["expression"]


@pytest.mark.parametrize(
    "name",
    [*AS_PROCESSES[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in AS_PROCESSES[2:])],
)
def test_a_real_process_says_the_same(name: str, tmp_path: Path) -> None:
    mistake = MISTAKES[name]
    mistake.lay_out(tmp_path)
    before = contents(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mtl_laws.pipeline.cli.app", *mistake.words],
        cwd=tmp_path,
        env={**os.environ, "PYTHON_JULIACALL_EXE": str(tmp_path / "no-julia")},
        capture_output=True,
        text=True,
        check=False,
    )
    Answer(done.returncode, done.stderr, contents(tmp_path) != before).check(mistake.path)
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("words", [fit().words, ("run", "study.yaml", "--out", OUT)])
def test_a_folder_that_may_not_be_written(words: tuple[str, ...], desk: Path) -> None:
    fit().lay_out(desk)
    desk.chmod(0o500)
    try:
        answer_to(words, desk).check("--out")
    finally:
        desk.chmod(0o700)


class Trap:
    """Unpickled, it would make the folder ``marker``."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("marker",)


CODE = "__import__('os').mkdir('marker')"
TRICKS = (CODE, "open('marker', 'w')", "[].append(open('marker', 'w'))", "exec('import this')")
PICKLE = pickle.dumps(Trap())
PICKLED_ARRAY = npy(np.array([[Trap()]] * 3000, dtype=object))
TAG = "!!python/object/apply:os.mkdir ['marker']"
HOSTILE: dict[str, Mistake] = {
    **{f"hold-out {trick}": held(trick) for trick in TRICKS},
    **{f"law {trick}": law(trick) for trick in TRICKS},
    "template": changed({"front": [{**LAW, "template": CODE}]}),
    "theory": changed({"theory": [{**LAW, "expression": CODE}]}),
    "own form of a law": changed({"forms": [{**LAW, "expression": CODE}]}),
    **{f"form {trick}": form(trick) for trick in TRICKS},
    "form of a study": study(STUDY + f'laws: {{forms: ["{CODE}"]}}\n'),
    "factor of a law": changed({"factors": [CODE]}),
    "factor": fit(factors=f"{CODE}=n"),
    "column": fit(factors=f"n={CODE}"),
    "target": fit(target=CODE),
    "domain": fit(domain=f"{CODE}=0:1"),
    "bounds": fit(bounds=f"{CODE},1"),
    "cell": table(TABLE.replace("0.53", CODE)),
    "header": table(TABLE.replace("f1", CODE, 1)),
    "pickled table": table(PICKLE),
    "pickled Parquet": table(PICKLE, name="mine.parquet"),
    "pickled rows": report(json.dumps(LAWS), rows=PICKLE.decode("latin-1")),
    "pickled laws": report(PICKLE.decode("latin-1")),
    "pickled vectors": Mistake(
        vectors("mine.npy").words, "", {**vectors("mine.npy").files, "mine.npy": PICKLED_ARRAY}
    ),
    "pickled store": Mistake(("status", "mine"), "", {"mine/results.sqlite": PICKLE}),
    "pickled study": study(PICKLE),
    "tag": study(f"question: {TAG}\n"),
    "tag of a block": study(f"{TAG}\n"),
    "tag of a level": study(STUDY + f"seeds: [{TAG}]\n"),
    "hold-out of a study": study(STUDY + f'laws: {{hold_out: "{CODE}"}}\n'),
    "target of a study": study(STUDY + f'laws: {{target: "{CODE}"}}\n'),
    "factor of a study": study(STUDY + f'laws: {{factors: {{n: "{CODE}"}}}}\n'),
    "engine of a study": study(STUDY + f'laws: {{engine: "{CODE}"}}\n'),
    "encoder of a study": study(STUDY + f'training: {{encoder: "{CODE}"}}\n'),
    "family of a study": study(STUDY + f'family: {{name: "{CODE}"}}\n'),
    "corpus of a study": study(STUDY + f'family: {{options: {{corpus: "{CODE}"}}}}\n'),
}


@pytest.mark.parametrize("place", HOSTILE)
def test_nothing_runs(place: str, desk: Path) -> None:
    HOSTILE[place].lay_out(desk)
    answer_to(HOSTILE[place].words, desk).check(HOSTILE[place].path)
    assert not (desk / "marker").exists()


def test_the_trap_would_have_worked(desk: Path) -> None:
    pickle.loads(PICKLE)
    assert (desk / "marker").is_dir()


def test_a_report_escapes_the_text_of_its_laws(desk: Path) -> None:
    evil = "<script>alert(1)</script>"
    texts = dict.fromkeys(("latex", "reason", "limits", "origin"), evil)
    told = {
        "target": evil,
        "selected": None,
        "front": [{**LAW, **texts}, {**LAW, **texts, "complexity": 7, "valid": False}],
        "theory": [{**LAW, **texts}],
        "forms": [{**LAW, **texts}],
        "evidence": [{"factor": evil, "sentence": evil}],
        "data": {"notes": [evil], "hold_out": evil, "digest": evil, "columns": {"n": evil}},
        "provenance": {"command": evil, "engine": {"used": evil}, "engine_failures": [evil]},
    }
    wrong = changed(told, rows=ANALYSED.replace("f1", evil))
    wrong.lay_out(desk)
    before = contents(desk).keys()
    assert answer_to(wrong.words, desk).code == 0
    written = {name: text for name, text in contents(desk).items() if name not in before}
    assert {"mine/report.html", "mine/report.md"} <= written.keys()
    assert all(name.startswith("mine/") for name in written)
    pages = [text for name, text in written.items() if name.endswith((".html", ".svg")) and text]
    assert all(b"<script" not in page for page in pages)
    assert b"&lt;script&gt;" in pages[-1] or b"&lt;script&gt;" in pages[0]
