"""`mtl-laws advise --vectors`: the same advice for taggers that start from frozen vectors."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mtl_laws.pipeline.advice.advice import AdviceRequest, answer_request
from mtl_laws.pipeline.advice.check import CheckPlan
from mtl_laws.pipeline.advice.corpus import CorpusFiles, open_corpus
from mtl_laws.pipeline.advice.present import Advice, as_text
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.errors import UserError
from mtl_laws.simulator import Corpus
from support.planted_laws import HARBOUR, write_laws


@cache
def corpus() -> Corpus:
    return open_corpus(CorpusFiles(paths=(HARBOUR,)))


def vectors_of_words(path: Path, width: int = 40) -> Path:
    """A file of vectors that tell the words and nothing of their context."""
    drawn = np.random.default_rng(4).normal(size=(len(corpus().vocabulary), width))
    np.save(path, drawn[corpus().text.tokens].astype(np.float32))
    return path


def advice_on(vectors: Path | None) -> Advice:
    files = CorpusFiles(paths=(HARBOUR,), vectors=vectors)
    return answer_request(AdviceRequest(corpus=files, main="pos", auxiliaries=("chunk",), n=150))


def test_the_probe_reads_the_vectors_and_the_law_is_that_of_vectors(tmp_path: Path) -> None:
    frozen = advice_on(vectors_of_words(tmp_path / "vectors.npy"))
    words = advice_on(None)
    assert frozen.law.expression != words.law.expression
    first, second = frozen.suggestions[0].statistics, words.suggestions[0].statistics
    assert first.ami == second.ami, "labels are the same"
    assert first.probe_alone != second.probe_alone
    assert frozen.to_json()["vectors"] == str(tmp_path / "vectors.npy")
    assert words.to_json()["vectors"] is None
    assert "on frozen vectors" in as_text(frozen)
    assert "frozen vectors" not in as_text(words)


def test_a_law_of_ones_own_is_said_to_know_nothing_of_vectors(tmp_path: Path) -> None:
    files = CorpusFiles(paths=(HARBOUR,), vectors=vectors_of_words(tmp_path / "vectors.npy"))
    laws = write_laws(tmp_path / "laws.json", "0.5 + 0.1*ami*(T - 1)")
    request = AdviceRequest(corpus=files, main="pos", auxiliaries=("chunk",), laws=laws, n=150)
    own = answer_request(request).warnings
    assert any("frozen vectors" in line for line in own)
    assert not any("frozen" in line for line in advice_on(files.vectors).warnings)


def test_a_file_of_another_corpus_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "short.npy", np.ones((7, 3)))
    out = tmp_path / "advice"
    given = ["advise", str(HARBOUR), "--main", "pos", "--vectors", str(tmp_path / "short.npy")]
    with pytest.raises(SystemExit) as end:
        main([*given, "--out", str(out)])
    assert end.value.code == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "vectors: " in said
    assert "one for each token of the corpus" in said
    assert not out.exists()


@pytest.mark.parametrize("content", [None, b"text", b"\x93NUMPY\x01\x00"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "vectors.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        advice_on(path)
    assert caught.value.path == "vectors"
    assert str(path) in str(caught.value.got)


@pytest.mark.slow
def test_a_check_trains_on_the_vectors_and_says_how_long_it_takes(tmp_path: Path) -> None:
    plan, stages = CheckPlan(seeds=2, top=1), []

    def alone(vectors: Path | None) -> float:
        files = CorpusFiles(paths=(HARBOUR,), vectors=vectors)
        request = AdviceRequest(corpus=files, main="pos", auxiliaries=("chunk",), n=300)
        advice = answer_request(request, plan, lambda stage, done, total: stages.append(stage))
        assert advice.check is not None
        return advice.check.results[0].alone

    frozen = alone(vectors_of_words(tmp_path / "vectors.npy"))
    assert frozen > 0.4, "words tell most parts of speech"
    assert frozen != alone(None)
    assert any(stage.startswith("training 4 models, about ") for stage in stages)
