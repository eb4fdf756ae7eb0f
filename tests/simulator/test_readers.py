"""Readers: three formats, their odd corners, and one line of complaint for a broken file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.simulator import (
    Corpus,
    CorpusError,
    ReaderOptions,
    SpecError,
    VocabularyOptions,
    load_corpus,
)
from support.documents import HARBOUR

CONLLU_LINE = "{id}\t{form}\tlemma\t{upos}\t{xpos}\t{feats}\t0\t{deprel}\t_\t{misc}"


def token(id: object, form: str, **columns: str) -> str:
    blank = dict.fromkeys(("upos", "xpos", "feats", "deprel", "misc"), "_")
    return CONLLU_LINE.format(id=id, form=form, **(blank | columns))


def words(corpus: Corpus) -> list[list[str]]:
    names = np.array(corpus.vocabulary, dtype=object)[corpus.text.tokens]
    return [part.tolist() for part in np.split(names, corpus.text.bounds[1:-1])]


def labels(corpus: Corpus, layer: str) -> list[str | None]:
    found = corpus.layer(layer)
    return [None if label < 0 else found.names[label] for label in found.labels]


def load(path: Path, content: str | bytes, options: ReaderOptions | None = None) -> Corpus:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_corpus(path, options)


def test_the_corpus_of_our_own() -> None:
    corpus = load_corpus(HARBOUR)
    assert (corpus.text.sentences, corpus.text.size) == (400, 3643)
    assert list(corpus.layers) == ["pos", "chunk", "entity"]
    assert set(corpus.layer("entity").names) == {"O"} | {
        f"{mark}-{kind}" for mark in "BI" for kind in ("PER", "LOC", "ORG")
    }


def test_columns_with_documents_comments_and_windows_ends(tmp_path: Path) -> None:
    text = (
        "-DOCSTART- -X- O\r\n\r\n# sent_id = 1\r\nMara NNP B-PER\r\n# NN O\r\n\r\n"
        "# just a note here, of another width\r\nsails VBZ O\r\n-DOCSTART- -X- O\r\nhome RB O"
    )
    corpus = load(tmp_path / "a.conll", text)
    assert words(corpus) == [["Mara", "#"], ["sails"], ["home"]]
    assert labels(corpus, "layer_1") == ["NNP", "NN", "VBZ", "RB"]
    assert labels(corpus, "layer_2") == ["B-PER", "O", "O", "O"]


def test_columns_have_the_names_and_the_separator_that_are_given(tmp_path: Path) -> None:
    options = ReaderOptions(
        columns=("id", "word", "ner"), separator="|", words="word", skip=("id",)
    )
    corpus = load(tmp_path / "a.txt", "1|New York|LOC\n2|is|O\n", options)
    assert words(corpus) == [["New York", "is"]]
    assert list(corpus.layers) == ["ner"]


def test_conllu_layers_multiword_tokens_and_empty_nodes(tmp_path: Path) -> None:
    rows = [
        "# sent_id = s1",
        "# text = du Brot",
        token("1-2", "du"),
        token(1, "de", upos="ADP", deprel="case", misc="Entity=A|SpaceAfter=No"),
        token(2, "le", upos="DET", xpos="D", feats="Number=Sing|Case=Nom", deprel="det"),
        token("2.1", "gone", upos="VERB"),
        token(3, "Brot", upos="NOUN", feats="Number=Plur", deprel="root"),
        "",
        token(1, "x"),
    ]
    corpus = load(tmp_path / "a.conllu", "\ufeff" + "\n".join(rows))
    assert words(corpus) == [["de", "le", "Brot"], ["x"]]
    assert labels(corpus, "upos") == ["ADP", "DET", "NOUN", None]
    assert labels(corpus, "xpos") == [None, "D", None, None]
    assert labels(corpus, "Number") == ["_", "Sing", "Plur", "_"]
    assert labels(corpus, "misc.Entity") == ["A", "_", "_", "_"]
    assert set(corpus.layers) == {
        *("upos", "xpos", "deprel", "Case", "Number", "misc.Entity", "misc.SpaceAfter")
    }


def test_jsonl_layers_may_be_partial(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["a", "b"], "x": ["1", None], "assigned": 0, "note": "no layer"},
        {"tokens": ["c"], "x": None, "y": [7]},
    ]
    corpus = load(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert words(corpus) == [["a", "b"], ["c"]]
    assert labels(corpus, "x") == ["1", None, None]
    assert labels(corpus, "y") == [None, None, "7"]


def test_several_files_make_one_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a X\n")
    (tmp_path / "b.tsv").write_text("b X\n")
    corpus = load_corpus([tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert words(corpus) == [["a"], ["b"]]
    assert corpus.source == "a.tsv, b.tsv"


WORDS = ["the", "The", "boat", "sailing", "walking", "walked"]


def test_vocabulary_options(tmp_path: Path) -> None:
    text = "\n".join(f"{word} X" for word in WORDS)
    path = tmp_path / "a.conll"

    def vocabulary(**options: object) -> set[str]:
        chosen = VocabularyOptions(**options)
        return set(load(path, text, ReaderOptions(vocabulary=chosen)).vocabulary)

    assert len(vocabulary()) == 6
    assert vocabulary(lowercase=True) == {"the", "boat", "sailing", "walking", "walked"}
    assert vocabulary(lowercase=True, min_count=2) == {"the", "<unk>"}
    assert vocabulary(lowercase=True, max_types=1) == {"the", "<unk>"}
    affixed = vocabulary(lowercase=True, max_types=1, affixes=3)
    assert affixed == {"the", "<unk>-ing", "<unk>-ked", "<unk>-oat"}


BROKEN = {
    "empty.conll": ("", "at least one sentence"),
    "blank.conllu": ("\n\n", "at least one sentence"),
    "comments.conllu": ("# only = this\n\n", "at least one sentence"),
    "empty.jsonl": ("", "at least one sentence"),
    "docstart.conll": ("-DOCSTART- O\n\n", "at least one sentence"),
    "alone.conll": ("word\nword\n", "line 1.*at least one label"),
    "nolabels.conllu": (token(1, "a"), "at least one label layer"),
    "nolabels.jsonl": ('{"tokens": ["a"]}', "at least one label layer"),
    "truncated.conll": ("a X Y\nb X Y\nc X\n", "line 3.*3 columns"),
    "wide.conll": ("a X\nb X Y\n", "line 2.*2 columns"),
    "truncated.conllu": (token(1, "a", upos="X") + "\n2\tb\tc\n", "line 2.*10 columns"),
    "number.conllu": (token("one", "a", upos="X"), "line 1.*token number"),
    "bytes.conll": (b"a X\nb X\nc\xff X\n", "line 3.*UTF-8"),
    "bytes.jsonl": (b'{"tokens": ["\xe9"]}', "line 1.*UTF-8"),
    "truncated.jsonl": ('{"tokens": ["a"], "x": ["1"]}\n{"tokens": ["b"', "line 2.*JSON"),
    "list.jsonl": ("[1, 2]", "line 1.*tokens"),
    "numbers.jsonl": ('{"tokens": [1]}', "line 1.*strings"),
    "short.jsonl": ('{"tokens": ["a", "b"], "x": ["1"]}', "line 1.*2 labels"),
    "nested.jsonl": ('{"tokens": ["a"], "x": [["1"]]}', "line 1.*1 labels"),
    "kind.csv": ("a,b", "line 1.*at least one label"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gets_one_line(name: str, tmp_path: Path) -> None:
    content, says = BROKEN[name]
    with pytest.raises(CorpusError, match=says) as caught:
        load(tmp_path / name, content)
    assert str(tmp_path / name) in str(caught.value) or name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.conll"):
        load_corpus(tmp_path / "gone.conll")
    (tmp_path / "folder.conll").mkdir()
    with pytest.raises(CorpusError, match=r"folder\.conll"):
        load_corpus(tmp_path / "folder.conll")


def test_a_sentence_of_a_hundred_thousand_tokens_is_read(tmp_path: Path) -> None:
    corpus = load(tmp_path / "long.conll", "a X\nb Y\n" * 50_000)
    assert (corpus.text.sentences, corpus.text.size) == (1, 100_000)


ROWS = st.lists(
    st.lists(
        st.sampled_from(["a", "#", "é", "-DOCSTART-", "_", "1", "\t", " ", "0-1"]), max_size=12
    )
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([".conll", ".conllu", ".jsonl"]),
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        ROWS.map(lambda rows: "\n".join("\t".join(row) for row in rows).encode()),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from(["tokens", "x", "y"]), inner, max_size=3)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_fuzzed_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    try:
        corpus = load(path, content)
    except SpecError:
        return
    assert corpus.text.size == corpus.text.bounds[-1] > 0
    assert all(len(layer.labels) == corpus.text.size for layer in corpus.layers.values())


FEATS = st.dictionaries(
    st.sampled_from(["Case", "Number", "=", "|"]), st.text("AB=|_ ", max_size=3), max_size=3
).map(lambda found: "|".join(f"{key}={value}" for key, value in found.items()) or "_")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["1", "2", "1-2", "1.1", "0.1", "-", "7.x"]), FEATS, FEATS))
)
def test_fuzzed_conllu_lines_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.conllu"
    lines = [token(id, "w", upos="X", feats=feats, misc=misc) for id, feats, misc in rows]
    try:
        corpus = load(path, "\n".join(lines))
    except SpecError:
        return
    assert corpus.text.size == sum(id.isdecimal() for id, _, _ in rows)
