"""The English EWT treebank: its layers load, and relate as has been measured on it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mtl_laws.simulator import (
    Corpus,
    TaskSpec,
    export_taskset,
    load_corpus,
    make_taskset,
    measure,
    read_taskset,
)
from mtl_laws.simulator.figures import ami_figure
from mtl_laws.simulator.relatedness import ami_by_definition

pytestmark = pytest.mark.reference

SHARED = Path(os.environ.get("MTL_LAWS_SHARED", Path(__file__).parents[3] / "shared"))
EWT = SHARED / "corpora" / "ud_english_ewt"
LAYERS = ["upos", "xpos", "deprel", "Number", "VerbForm"]


@pytest.fixture(autouse=True)
def _present() -> None:
    if not EWT.is_dir():
        pytest.skip("the EWT treebank is not in ../shared (or $MTL_LAWS_SHARED)")


@cache
def part(name: str) -> Corpus:
    return load_corpus(EWT / f"en_ewt-ud-{name}.conllu")


@pytest.mark.parametrize(("name", "count"), [("train", 12_544), ("dev", 2_001), ("test", 2_077)])
def test_every_sentence_loads(name: str, count: int) -> None:
    assert part(name).text.sentences == count
    assert (part(name).layer("upos").labels >= 0).all()


def test_layers_relate_as_measured_and_are_plotted(tmp_path: Path) -> None:
    corpus = part("train")
    labels = np.stack([corpus.layer(name).labels for name in LAYERS])
    sizes = [len(corpus.layer(name).names) for name in LAYERS]
    ami = measure(labels, labels, sizes).ami
    np.testing.assert_allclose(ami, ami_by_definition(labels), atol=1e-9)
    assert ami[0, 1] == pytest.approx(0.83, abs=0.02)
    assert ami[0, 2] == pytest.approx(0.69, abs=0.02)
    assert ami[3, 4] == pytest.approx(0.10, abs=0.02)
    figure = ami_figure(ami, LAYERS)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == LAYERS
    figure.savefig(tmp_path / "ewt.png")
    assert (tmp_path / "ewt.png").stat().st_size > 5_000


def test_a_taskset_of_its_layers(tmp_path: Path) -> None:
    options = {
        "corpus": str(EWT / "en_ewt-ud-dev.conllu"),
        "main": "upos",
        "aux": ["deprel", "Number"],
        "licence": "CC BY-SA 4.0",
        "max_types": 2000,
        "affixes": 2,
    }
    spec = TaskSpec(family="layers", tasks=3, tokens=2000, aux_tokens=1000, options=options)
    taskset = make_taskset(spec, 0)
    assert taskset.ami_aux is not None
    assert taskset.train.token_count(0) == pytest.approx(2000, abs=40)
    assert any(word.startswith("<unk>-") for word in taskset.vocabulary)
    folder = export_taskset(taskset, tmp_path / "out", "conll")
    assert read_taskset(folder).equals(taskset)
    assert "CC BY-SA 4.0" in (folder / "README.md").read_text(encoding="utf-8")


def test_the_channel_over_its_tags() -> None:
    options = {"corpus": str(EWT / "en_ewt-ud-dev.conllu"), "main": "upos"}
    spec = TaskSpec(family="channel", tasks=4, ami=(0.1, 0.5, 0.9), tokens=2000, options=options)
    taskset = make_taskset(spec, 0)
    np.testing.assert_allclose(taskset.relatedness.ami[0, 1:], [0.1, 0.5, 0.9], atol=0.01)
    assert taskset.relatedness.tokens >= 20_000
