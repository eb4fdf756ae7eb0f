"""An interrupted search that resumes finds the same laws, to the last bit."""

from __future__ import annotations

import errno
import io
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.laws.checks import Defect
from mtl_laws.pipeline.laws.journal import Journal, decode, encode, fingerprint
from mtl_laws.pipeline.laws.question import Problem, Question, pose
from mtl_laws.pipeline.laws.score import Candidate, Fitted, Scored
from mtl_laws.pipeline.laws.search import RESUMED, SearchOptions, SearchResult, find_laws
from mtl_laws.pipeline.symbolic.fit import Fit
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.tree import Tree
from support.planted import planted_table
from support.rows import posed

TINY = SearchOptions(engine="grammar", budget="tiny", jobs=1)


def search(
    problem: Problem, path: Path, options: SearchOptions = TINY, version: str = "1"
) -> SearchResult:
    with Journal(path, {"mtl-laws": version}) as journal:
        return find_laws(problem.data, problem.held_out, replace(options, journal=journal))


def interrupted(problem: Problem, path: Path, options: SearchOptions, lines: int) -> None:
    """A search that is interrupted when its journal has so many lines."""

    def interrupt(stage: str, done: int, total: int) -> None:
        if path.exists() and len(path.read_bytes().splitlines()) >= lines:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(problem, path, replace(options, progress=interrupt))


def resumed(problem: Problem, path: Path, options: SearchOptions = TINY) -> tuple[Any, int]:
    """What the search found, and the number of answers that were in the journal."""
    answers = [0]

    def listen(stage: str, done: int, total: int) -> None:
        if stage == RESUMED:
            answers[0] = done

    result = search(problem, path, replace(options, progress=listen))
    return content(result), answers[0]


def content(result: SearchResult) -> Any:
    """All laws with constants and losses, to the last bit."""
    laws = [encode(result.laws), encode(result.theory), result.selected, result.front]
    return [*laws, result.candidates, result.failures]


def plain() -> Problem:
    table = planted_table(seed=3)
    return posed(table[table["n"] <= 800].drop(columns=["decoy", "ami"]), hold_out="n > 400")


def with_outliers() -> Problem:
    table = planted_table(seed=4).drop(columns=["decoy", "ami"])
    table.loc[::40, "y"] += 0.3
    return posed(table)


def with_groups() -> Problem:
    parts = []
    for k, name in enumerate(("lstm", "cnn")):
        part = planted_table(seed=k).query("T == 2")[["n", "y"]]
        parts.append(part.assign(y=part["y"] - 0.1 * k, encoder=name))
    table = pd.concat(parts, ignore_index=True)
    question = Question("y", {"n": "n"}, groups=("encoder",))
    return pose(table, question, "table.csv")


CASES: dict[str, tuple[Callable[[], Problem], SearchOptions]] = {
    "grammar": (plain, TINY),
    "operon": (plain, replace(TINY, engine="operon")),
    "outliers": (with_outliers, replace(TINY, loss="huber")),
    "groups": (with_groups, TINY),
    "two workers": (plain, replace(TINY, jobs=2)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_search_interrupted_again_and_again_finds_the_same_laws(
    tmp_path: Path, name: str
) -> None:
    pose_it, options = CASES[name]
    problem, path = pose_it(), tmp_path / "search.partial"
    want, before = resumed(problem, tmp_path / "undisturbed", options)
    assert before == 0
    lines = len((tmp_path / "undisturbed").read_bytes().splitlines())
    for part in (3, 5, 8):
        interrupted(problem, path, options, max(part * lines // 10, 2))
    text = path.read_bytes()
    found, answers = resumed(problem, path, options)
    assert found == want
    assert answers == len(text.splitlines()) - 1
    assert path.read_bytes().startswith(text), "an answer was worked out twice"
    assert len(path.read_bytes().splitlines()) == lines
    found, answers = resumed(problem, path, options)
    assert (found, answers) == (want, lines - 1)


def test_the_journal_changes_no_law(tmp_path: Path) -> None:
    problem = plain()
    want = content(find_laws(problem.data, problem.held_out, TINY))
    assert content(search(problem, tmp_path / "search.partial")) == want


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Any]:
    """The journal of a whole search, and its laws."""
    path = tmp_path_factory.mktemp("finished") / "search.partial"
    found, _ = resumed(plain(), path)
    return path.read_bytes(), found


@pytest.mark.parametrize("seed", range(6))
def test_damage_costs_only_what_comes_after_it(
    finished: tuple[bytes, Any], tmp_path: Path, seed: int
) -> None:
    rng, path = np.random.default_rng(seed), tmp_path / "search.partial"
    text, want = bytearray(finished[0]), finished[1]
    lines = bytes(text).splitlines(keepends=True)
    place = int(rng.integers(len(lines[0]), len(text)))
    if seed % 2:
        text[place] ^= 1 << int(rng.integers(8))
    else:
        del text[place:]
    whole = len(bytes(finished[0][:place]).splitlines(keepends=True)) - 2
    path.write_bytes(text)
    found, answers = resumed(plain(), path)
    assert found == want
    assert answers in (whole, whole + 1)  # one more where a line has just ended
    assert len(path.read_bytes().splitlines()) == len(lines)


def test_a_line_of_another_hand_is_worked_out_again(
    finished: tuple[bytes, Any], tmp_path: Path
) -> None:
    path = tmp_path / "search.partial"
    first, second, *_ = finished[0].splitlines(keepends=True)
    record = json.loads(second[9:])
    record["answer"] = {"tuple": [[{"tree": "__import__('os').getcwd()"}], "grammar", ""]}
    forged = json.dumps(record, separators=(",", ":")).encode()
    path.write_bytes(first + b"%08x %s\n" % (crc32(forged), forged))
    found, answers = resumed(plain(), path)
    assert (found, answers) == (finished[1], 1)
    assert path.read_bytes().splitlines(keepends=True)[1][9:] != forged + b"\n"


@pytest.mark.parametrize(
    ("options", "version"),
    [
        (replace(TINY, seed=1), "1"),
        (replace(TINY, budget="quick"), "1"),
        (replace(TINY, engine="operon"), "1"),
        (replace(TINY, engine_options={"parsimony": 0.1}), "1"),
        (replace(TINY, fallback="operon"), "1"),
        (replace(TINY, forms=(Tree.parse("c0 + c1*n", ("n",)),)), "1"),
        (TINY, "2"),
    ],
)
def test_answers_to_another_question_are_not_taken(
    finished: tuple[bytes, Any], tmp_path: Path, options: SearchOptions, version: str
) -> None:
    path = tmp_path / "search.partial"
    path.write_bytes(finished[0])
    with Journal(path, {"mtl-laws": version}) as journal:
        stop = replace(options, journal=journal, progress=stop_at_first_stage)
        with pytest.raises(KeyboardInterrupt):
            find_laws(plain().data, plain().held_out, stop)
        assert journal.resumed == 0
    assert len(path.read_bytes().splitlines()) == 1


def stop_at_first_stage(stage: str, done: int, total: int) -> None:
    assert stage != RESUMED
    raise KeyboardInterrupt


def test_jobs_are_no_part_of_the_question(finished: tuple[bytes, Any], tmp_path: Path) -> None:
    path = tmp_path / "search.partial"
    path.write_bytes(finished[0])
    found, answers = resumed(plain(), path, replace(TINY, jobs=2))
    assert found == finished[1]
    assert answers == len(finished[0].splitlines()) - 1


def test_a_change_of_any_row_is_another_table() -> None:
    data = plain().data
    digests = {fingerprint(data), fingerprint(plain().data)}
    assert len(digests) == 1
    for name in ("target", "cell"):
        changed = getattr(data, name).copy()
        changed[-1] += 1
        digests.add(fingerprint(replace(data, **{name: changed})))
    digests.add(fingerprint(replace(data, precision=np.ones(len(data)))))
    digests.add(fingerprint(replace(data, bounds=(0.0, 1.0))))
    digests.add(fingerprint(data, None))
    assert len(digests) == 6


def test_answers_come_back_to_the_last_bit() -> None:
    rng, factors = np.random.default_rng(0), ("n", "T")
    tree = Tree.parse("c0 - 2.5*n**-c1 + (T - -3)**2", factors)
    candidate = Candidate(tree, "grammar")
    theta = rng.normal(size=(3, 2)) * 10.0 ** rng.integers(-300, 300, (3, 2))
    defect = Defect("pole", "n", math.inf, {"n": 0.1, "T": math.nan})
    fitted = Fitted(candidate, compiled(tree), Fit(theta, 0.1 + 0.2), 9, defect, None, ("c0",))
    law = Scored(fitted, rng.random((5, 7)), np.zeros((0, 7)))
    answer = ([tree, candidate, None, 1e-320, math.inf], "grammar", law)
    again = decode(json.loads(json.dumps(encode(answer))), factors)
    assert again[:2] == answer[:2]
    got = again[2]
    for one, other in (
        (got.random, law.random),
        (got.extrapolation, law.extrapolation),
        (got.fitted.fit.theta, theta),
    ):
        np.testing.assert_array_equal(one, other)
    assert got.fitted.expression is fitted.expression
    assert (got.fitted.fit.error, got.fitted.complexity) == (0.1 + 0.2, 9)
    assert got.fitted.shared == ("c0",)
    assert got.fitted.defect.value == math.inf
    assert got.fitted.limits is None
    with pytest.raises(TypeError, match="no answer"):
        encode({1, 2})


class Full(io.BytesIO):
    """A file on a full disk."""

    def write(self, *_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def keep_on_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(path, {}) as journal:
        journal.begin(("n",), 1)
        journal.stage("searching", 2)
        assert journal._file is not None
        journal._file.close()
        monkeypatch.setattr(journal, "_file", Full())
        journal.add("searching", 2, 0, ["n"] * 99, 1.0)


def test_a_full_disk_ends_the_search_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PipelineError, match=r"search\.partial: not written: no space"):
        keep_on_a_full_disk(tmp_path / "search.partial", monkeypatch)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "search.partial"
    precious.write_text("mine", encoding="utf-8")
    path.symlink_to(precious)
    with Journal(path, {}) as journal:
        journal.begin(("n",), 1)
        journal.stage("searching", 1)
        journal.add("searching", 1, 0, "n", 0.0)
        journal.remove()
    assert precious.read_text(encoding="utf-8") == "mine"
    assert not path.exists()
