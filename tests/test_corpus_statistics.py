"""Beside the outcomes of a study of corpora stands what a user knows before training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus_statistics import ADDED, ESTIMATED, with_statistics

from mtl_laws.pipeline.advice.corpus import CorpusFiles, frozen_vectors, open_corpus
from mtl_laws.pipeline.advice.evidence import Evidence, EvidenceRules
from mtl_laws.pipeline.advice.sizes import TokenCounts
from support.planted_laws import HARBOUR


def outcomes(corpus: Path) -> pd.DataFrame:
    """Two seeds of a main layer alone and with one or two auxiliaries, as a study records them."""
    rows = [
        {
            "trial": f"{seed}-{T}",
            "seed": seed,
            "T": T,
            "n_request": 200,
            "n_aux_request": 600.0 if T > 1 else np.nan,
            "corpus": json.dumps([str(corpus)]),
            "main": "pos",
            "aux": json.dumps(["chunk", "entity"]),
            "accuracy": 0.5 + 0.1 * T,
            "labels": 9,
            **dict.fromkeys(ESTIMATED, 0.0),
        }
        for seed in (0, 1)
        for T in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


def evidence(files: CorpusFiles, seed: int) -> Evidence:
    corpus = open_corpus(files)
    sizes = TokenCounts(200, dict.fromkeys(corpus.layers, 600))
    return Evidence(corpus, "pos", sizes, EvidenceRules(seed=seed), frozen_vectors(files, corpus))


def test_every_outcome_has_the_statistics_of_its_set_and_seed(tmp_path: Path) -> None:
    table = with_statistics(outcomes(HARBOUR), tmp_path).set_index("trial")
    assert len(table) == 6
    assert list(table["aux"].loc[["0-1", "0-2", "0-3"]]) == ["", "chunk", "chunk+entity"]
    for seed in (0, 1):
        known = evidence(CorpusFiles(paths=(HARBOUR,)), seed).statistics(("chunk", "entity"))
        row = table.loc[f"{seed}-3"]
        for name in (*ADDED, *ESTIMATED):
            assert row[name] == pytest.approx(getattr(known, name), nan_ok=True), name
    assert table.loc["0-2", "transfer"] != table.loc["1-2", "transfer"], "a draw for every seed"
    assert np.isnan(table.loc["0-1", "ami"])
    assert table.loc["0-1", "transfer"] == 0.0
    assert list(table["accuracy"].loc[["0-1", "1-3"]]) == [0.6, 0.8], "outcomes stay"


def test_statistics_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = with_statistics(outcomes(HARBOUR), tmp_path)
    monkeypatch.setattr("corpus_statistics.open_corpus", None)
    pd.testing.assert_frame_equal(with_statistics(outcomes(HARBOUR), tmp_path), first)


def test_frozen_vectors_have_a_probe_of_their_own(tmp_path: Path) -> None:
    corpus = open_corpus(CorpusFiles(paths=(HARBOUR,)))
    path = tmp_path / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(size=(corpus.text.size, 12)))
    given = outcomes(HARBOUR).assign(vectors=str(path))
    table = with_statistics(given, tmp_path / "statistics").set_index("trial")
    files = CorpusFiles(paths=(HARBOUR,), vectors=path)
    known = evidence(files, 0).statistics(("chunk",))
    assert table.loc["0-2", "probe"] == pytest.approx(known.probe)
    words = with_statistics(outcomes(HARBOUR), tmp_path / "words").set_index("trial")
    assert words.loc["0-2", "probe"] > table.loc["0-2", "probe"], "drawn vectors say nothing"
