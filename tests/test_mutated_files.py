"""Damaged files: a command works with each, or ends with one line and exit code 2, and soon.

Files of every kind that a command reads are damaged at random (`support.mutations`). A traceback, a
warning, a second line, or more than `LIMIT` seconds is a defect. Only a file that the run itself
wrote, such as its store, may end a command with exit code 1.

The core suite tries few files of each kind, `CORE` or `CORE_SLOW`, the slow tests `MANY`.
A defect is shown by its kind and its seed: ``outcome("table", 17, folder)`` repeats it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest

from mtl_laws.pipeline import plugins
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.export.formats import EXPORTS
from mtl_laws.pipeline.io.yamlfile import parse_yaml
from mtl_laws.pipeline.laws.lawset import LAWS_NAME, TABLE_NAME
from mtl_laws.pipeline.study.storefile import STORE_NAME
from mtl_laws.pipeline.study.study import commented_study
from mtl_laws.pipeline.symbolic.engines import ENGINES
from mtl_laws.pipeline.training.encoders import ENCODERS
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from mtl_laws.simulator.families.base import FAMILIES, family
from mtl_laws.simulator.formats.base import FORMATS
from support.documents import ROOT, blocks
from support.mistakes import CORPUS, TABLE
from support.mutations import mutated, mutated_json

LIMIT, WAIT = 20.0, 600.0
"""Seconds of the processor, and of the clock, that a command may take with a small file."""
CORE, CORE_SLOW, MANY = 8, 3, 150
"""Damaged files of each kind; where a command takes a while, fewer."""
REGISTRIES: tuple[dict[str, Any], ...] = (EXPORTS, ENGINES, ENCODERS, WEIGHTINGS, FAMILIES, FORMATS)
FACTORS = ("--target", "f1", "--factors", "n,T,ami", "--out", "out")
ADVISE = ("--out", "out", "--main")


class Endless(BaseException):
    """A command took too long."""


class SearchBegan(BaseException):
    """The input was accepted; a search would follow."""


@dataclass(frozen=True)
class Victim:
    """A file to damage and the command that reads it.

    Attributes
    ----------
    file : its name in the folder.
    content : (folder of a finished run) -> the sound file; bytes, or a JSON document.
    words : the command line.
    codes : exit codes that are no defect.
    run : whether the folder holds a copy of the finished run, named ``run``.
    slow : whether the command takes a second or more: the core suite tries fewer files.
    """

    file: str
    content: Callable[[Path], Any]
    words: tuple[str, ...]
    codes: tuple[int, ...] = (0, 2)
    run: bool = False
    slow: bool = False


def frame() -> pd.DataFrame:
    """The sound table of the mistakes."""
    return pd.read_csv(io.StringIO(TABLE))


def parquet(_: Path) -> bytes:
    """It as Parquet."""
    return frame().to_parquet()


def excel(_: Path) -> bytes:
    """It as Excel."""
    file = io.BytesIO()
    frame().to_excel(file, index=False)
    return file.getvalue()


def json_lines(_: Path) -> bytes:
    """It as JSON Lines."""
    return frame().to_json(orient="records", lines=True).encode()


def german(_: Path) -> bytes:
    """It with semicolons, decimal commas and percent signs."""
    table = frame()
    table["f1"] = [f"{100 * value:.1f} %".replace(".", ",") for value in table["f1"]]
    return table.to_csv(sep=";", decimal=",", index=False).encode()


TOKEN = "{0}\tw{1}\tw{1}\t{2}\tX\tCase={3}|Number=Sing\t0\t{4}\t_\tSpaceAfter=No|Foreign=Yes\n"


def conllu(_: Path) -> bytes:
    """Forty sentences of CoNLL-U."""
    tokens = [
        TOKEN.format(i % 8 + 1, i % 30, "NVAD"[i % 4], "ND"[i % 2], ["nsubj", "obj", "root"][i % 3])
        for i in range(320)
    ]
    sentences = ["".join(tokens[k : k + 8]) for k in range(0, 320, 8)]
    return "".join(f"# sent_id = {k}\n{text}\n" for k, text in enumerate(sentences)).encode()


def corpus_lines(_: Path) -> bytes:
    """Forty sentences of JSON Lines."""
    sentence = {"tokens": [f"w{i}" for i in range(8)]}
    labels = [
        {"a": ["AB"[(i + k) % 2] for i in range(8)], "b": ["XYZ"[i * k % 3] for i in range(8)]}
        for k in range(40)
    ]
    return "".join(json.dumps({**sentence, **one}) + "\n" for one in labels).encode()


def study_document(_: Path) -> Any:
    """The commented study as a document; JSON is YAML too."""
    return parse_yaml(commented_study(), "commented")


def of_run(name: str) -> Callable[[Path], bytes]:
    """A file of the finished run."""
    return lambda run: (run / name).read_bytes()


def laws_document(run: Path) -> Any:
    """The laws of the finished run as a document."""
    return json.loads((run / LAWS_NAME).read_text(encoding="utf-8"))


SHORT_CORPUS = CORPUS[: len(CORPUS) // 4]
PLUG_INS = [b.text for b in blocks(ROOT / "docs" / "extend.md") if b.file.endswith(".py")]
VICTIMS: Mapping[str, Victim] = {
    "table": Victim("mine.csv", lambda _: TABLE.encode(), ("fit", "mine.csv", *FACTORS)),
    "table with options": Victim(
        "mine.csv",
        lambda _: TABLE.replace(",w", ",").encode(),
        ("fit", "mine.csv", *FACTORS, "--where", "n > 5", "--hold-out", "n > 40", "--sd", "same"),
    ),
    "German table": Victim("mine.csv", german, ("fit", "mine.csv", *FACTORS)),
    "JSON Lines": Victim("mine.jsonl", json_lines, ("fit", "mine.jsonl", *FACTORS)),
    "Parquet": Victim("mine.parquet", parquet, ("fit", "mine.parquet", *FACTORS)),
    "Excel": Victim("mine.xlsx", excel, ("fit", "mine.xlsx", *FACTORS)),
    "CoNLL": Victim(
        "mine.conll",
        lambda _: SHORT_CORPUS.encode(),
        ("advise", "mine.conll", *ADVISE, "layer_1"),
    ),
    "CoNLL-U": Victim("mine.conllu", conllu, ("advise", "mine.conllu", *ADVISE, "upos")),
    "corpus in JSON Lines": Victim(
        "mine.jsonl", corpus_lines, ("advise", "mine.jsonl", *ADVISE, "a")
    ),
    "study": Victim(
        "mine.yaml", lambda _: commented_study().encode(), ("plan", "mine.yaml"), slow=True
    ),
    "document of a study": Victim("mine.yaml", study_document, ("plan", "mine.yaml")),
    "laws": Victim(f"run/{LAWS_NAME}", of_run(LAWS_NAME), ("report", "run"), run=True, slow=True),
    "document of laws": Victim(
        f"run/{LAWS_NAME}", laws_document, ("report", "run"), run=True, slow=True
    ),
    "laws of an advice": Victim(
        "laws.json",
        lambda _: json.loads(
            (ROOT / "pipeline/advice/shipped/accuracy.json").read_text(encoding="utf-8")
        ),
        ("advise", "corpus.conllu", "--laws", "laws.json", *ADVISE, "upos"),
    ),
    "analysed table": Victim(f"run/{TABLE_NAME}", of_run(TABLE_NAME), ("report", "run"), run=True),
    "store, status": Victim(
        f"run/{STORE_NAME}", of_run(STORE_NAME), ("status", "run"), (0, 1, 2), run=True
    ),
    "store, export": Victim(
        f"run/{STORE_NAME}",
        of_run(STORE_NAME),
        ("export", "run", "--out", "out"),
        (0, 1, 2),
        run=True,
    ),
    "plug-in": Victim(
        "mine.py", lambda _: PLUG_INS[0].encode(), ("--plugin", "mine.py", "engines")
    ),
    "engine plug-in": Victim(
        "mine.py", lambda _: PLUG_INS[1].encode(), ("--plugin", "mine.py", "engines")
    ),
}


@cache
def sound(kind: str, run: Path) -> Any:
    """The file of this kind before the damage."""
    return VICTIMS[kind].content(run)


def damaged(kind: str, seed: int, run: Path) -> bytes:
    """The file of this kind after the damage."""
    content = sound(kind, run)
    return mutated(content, seed) if isinstance(content, bytes) else mutated_json(content, seed)


@contextmanager
def limited() -> Iterator[None]:
    """Raise `Endless` in what takes longer than `LIMIT` or `WAIT`."""

    def stop(*_: object) -> None:
        raise Endless

    timers = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    former = {number: signal.signal(number, stop) for number in timers}
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    signal.setitimer(signal.ITIMER_REAL, WAIT)
    try:
        yield
    finally:
        for number, timer in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, former[number])


@contextmanager
def untouched_process() -> Iterator[None]:
    """Undo what a command and a plug-in leave in the process; a search ends as it begins."""

    def begin(*_: object, **__: object) -> None:
        raise SearchBegan

    before = [dict(registry) for registry in REGISTRIES]
    here = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_loaded", [])
        patch.setattr(sys, "excepthook", sys.excepthook)
        patch.setattr("mtl_laws.pipeline.laws.search.find_laws", begin)
        try:
            yield
        finally:
            os.chdir(here)
            sys.modules.pop("mine", None)
            for registry, entries in zip(REGISTRIES, before, strict=True):
                registry.clear()
                registry.update(entries)
            family.cache_clear()


def outcome(kind: str, seed: int, run: Path) -> str:
    """What is wrong with how the command ends; empty if nothing is."""
    victim = VICTIMS[kind]
    with TemporaryDirectory() as name, untouched_process():
        folder = Path(name)
        if victim.run:
            shutil.copytree(run, folder / "run")
        (folder / "corpus.conllu").write_bytes(conllu(run))
        (folder / victim.file).write_bytes(damaged(kind, seed, run))
        os.chdir(folder)
        return ending(victim.words, victim.codes)


def ending(words: Sequence[str], codes: Sequence[int]) -> str:
    """What is wrong with how a command line ends in this folder; empty if nothing is."""
    error = io.StringIO()
    try:
        with limited(), redirect_stderr(error), redirect_stdout(io.StringIO()):
            main(words)
    except SearchBegan:
        return ""
    except SystemExit as stop:
        lines = [line for line in error.getvalue().splitlines() if line.strip()]
        if stop.code not in codes:
            return f"exit {stop.code}: {lines[-1:]}"
        mistakes = [line for line in lines if line.startswith("mtl-laws: ")]
        most = 20 if words[0] in ("plan", "run") else 1  # a study: all its problems, one a line
        if stop.code and not (0 < len(mistakes) <= most and max(map(len, mistakes)) <= 1500):
            return f"{len(mistakes)} lines of {[len(line) for line in lines]} characters: {lines}"
        return ""
    except (Exception, Endless) as other:  # noqa: BLE001 - a defect of any kind
        return f"{type(other).__name__}: {str(other)[:200]}"
    return "no exit"


def defects(kind: str, seeds: Sequence[int], run: Path) -> dict[int, str]:
    """Seed -> what is wrong, for those where something is."""
    found = {seed: outcome(kind, seed, run) for seed in seeds}
    return {seed: wrong for seed, wrong in found.items() if wrong}


@pytest.mark.parametrize("kind", VICTIMS)
def test_a_damaged_file_is_read_or_refused(kind: str, finished_run: Path) -> None:
    assert not defects(kind, range(CORE_SLOW if VICTIMS[kind].slow else CORE), finished_run)


@pytest.mark.slow
@pytest.mark.parametrize("kind", VICTIMS)
def test_many_damaged_files_are_read_or_refused(kind: str, finished_run: Path) -> None:
    assert not defects(kind, range(CORE_SLOW, MANY), finished_run)
