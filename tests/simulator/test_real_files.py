"""Files as people have them: comments, headers, counters, several parts, odd endings."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from mtl_laws.simulator import Corpus, CorpusError, ReaderOptions, load_corpus

SENTENCES = (
    (("Velda", "PROPN", "B-PER"), ("opens", "VERB", "O"), ("#", "SYM", "O"), ("three", "NUM", "O")),
    (("the", "DET", "O"), ("boat", "NOUN", "O"), ("sails", "VERB", "O"), (".", "PUNCT", "O")),
    (("#regatta", "NOUN", "O"), ("with", "ADP", "O"), ("Tasio", "PROPN", "B-PER")),
)
WORDS = [[row[0] for row in sentence] for sentence in SENTENCES]


def written(separator: str = "\t", before: str = "", counter: int | None = None) -> str:
    """The sentences as a column file, each after the line `before`, its tokens counted."""
    blocks = []
    for number, sentence in enumerate(SENTENCES):
        rows = [separator.join(row) for row in sentence]
        if counter is not None:
            rows = [f"{place + counter}{separator}{row}" for place, row in enumerate(rows)]
        comment = [before.format(number)] if before else []
        blocks.append("\n".join([*comment, *rows]))
    return "\n\n".join(blocks) + "\n"


def load(folder: Path, text: str, name: str = "a.conll", **options: object) -> Corpus:
    (folder / name).write_text(text, encoding="utf-8")
    return load_corpus(folder / name, ReaderOptions(**options))


def words(corpus: Corpus) -> list[list[str]]:
    bounds, tokens = corpus.text.bounds, corpus.text.tokens
    spelled = [corpus.vocabulary[token] for token in tokens]
    return [spelled[a:b] for a, b in pairwise(bounds)]


def labels(corpus: Corpus, layer: str) -> list[str | None]:
    found = corpus.layer(layer)
    return [None if label < 0 else found.names[label] for label in found.labels]


@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize(
    "comment", ["# id 4711-{}", "# Satz {}", "#\tfile-{}.txt\t[1/1]", "# text = a b", "# one"]
)
def test_a_comment_before_a_sentence_is_no_token(
    tmp_path: Path, separator: str, comment: str
) -> None:
    assert words(load(tmp_path, written(separator, comment))) == WORDS


def test_a_hashtag_is_a_word_also_on_the_first_line(tmp_path: Path) -> None:
    text = "#regatta\tNOUN\tO\nin\tADP\tO\nthe\tDET\tO\n\nboat\tNOUN\tO\n"
    assert words(load(tmp_path, text))[0][0] == "#regatta"


@pytest.mark.parametrize("start", [0, 1])
def test_a_column_that_counts_is_not_the_words(tmp_path: Path, start: int) -> None:
    corpus = load(tmp_path, written(counter=start))
    assert words(corpus) == WORDS
    assert list(corpus.layers) == ["layer_1", "layer_2"]


def test_a_column_that_names_the_document_is_not_the_words(tmp_path: Path) -> None:
    rows = [[("doc1", "0", *row) for row in sentence] for sentence in SENTENCES]
    text = "\n\n".join("\n".join(" ".join(row) for row in sentence) for sentence in rows)
    assert words(load(tmp_path, text)) == WORDS


@pytest.mark.parametrize("word", ["3", "form"])
def test_the_word_column_may_be_named_or_numbered(tmp_path: Path, word: str) -> None:
    text = "\n".join(f"{k}\tX\tw{k}\tY" for k in (7, 3, 9))
    names = ("id", "pos", "form", "chunk")
    corpus = load(tmp_path, text, columns=names, words=word, skip=("id",))
    assert words(corpus) == [["w7", "w3", "w9"]]
    assert list(corpus.layers) == ["pos", "chunk"]
    with pytest.raises(CorpusError, match="a number from 1 to 4, or one of the columns"):
        load(tmp_path, text, columns=names, words="5")


@pytest.mark.parametrize("header", ["TOKEN\tPOS\tNE-COARSE", "word\tpos\tner", "Form\tTag\tEntity"])
def test_a_header_names_the_columns(tmp_path: Path, header: str) -> None:
    corpus = load(tmp_path, f"{header}\n{written()}")
    assert words(corpus) == WORDS
    assert list(corpus.layers) == header.split("\t")[1:]
    named = load(tmp_path, f"{header}\n{written()}", columns=tuple(header.lower().split("\t")))
    assert words(named) == WORDS


def test_a_first_word_that_is_called_word_is_no_header(tmp_path: Path) -> None:
    text = "word\tNOUN\tO\n" + written().replace("boat", "word")
    assert words(load(tmp_path, text))[0][0] == "word"


def test_tokens_and_labels_may_hold_blanks_where_lines_have_tabs(tmp_path: Path) -> None:
    text = "New York\tPROPN\tB LOC\nis\tAUX\tO\n"
    corpus = load(tmp_path, text)
    assert words(corpus) == [["New York", "is"]]
    assert labels(corpus, "layer_2") == ["B LOC", "O"]


@pytest.mark.parametrize("name", ["A.CONLL", "a.bio", "a.iob2", "a.testa", "a", "a.conll2003"])
def test_the_ending_does_not_matter(tmp_path: Path, name: str) -> None:
    assert words(load(tmp_path, written(), name)) == WORDS


def test_a_gzipped_file_is_read_and_a_broken_one_refused(tmp_path: Path) -> None:
    packed = gzip.compress(written().encode())
    (tmp_path / "a.conll.gz").write_bytes(packed)
    (tmp_path / "b.conll.gz").write_bytes(packed[:-9])
    assert words(load_corpus(tmp_path / "a.conll.gz")) == WORDS
    with pytest.raises(CorpusError, match="a whole gzip file"):
        load_corpus(tmp_path / "b.conll.gz")


def test_a_format_may_be_named(tmp_path: Path) -> None:
    ten = "1\tthe\tthe\tDET\tX\t_\t0\troot\t_\tA=b\n"
    assert list(load(tmp_path, ten, "a.txt").layers) == ["upos", "xpos", "deprel", "misc.A"]
    columns = load(tmp_path, ten + ten.replace("1", "2", 1), "a.txt", format="conll")
    assert "layer_3" in columns.layers
    with pytest.raises(CorpusError, match="one of conll, conllu, jsonl"):
        load(tmp_path, ten, format="xml")


def conllu(rows: str, header: str = "") -> str:
    lines = []
    for number, row in enumerate(rows.splitlines(), start=1):
        form, upos, feats, misc = row.split()
        lines.append("\t".join([str(number), form, "_", upos, "_", feats, "0", "x", "_", misc]))
    return header + "\n".join(lines) + "\n"


def test_features_are_split_at_the_first_equals_sign_and_bare_keys_are_labels(
    tmp_path: Path,
) -> None:
    text = conllu("a X Case=Nom Gloss=PL=B|Foreign\nb Y _ Was=_|Foreign=da\nc Y _ Was=None")
    corpus = load(tmp_path, text, "a.conllu")
    assert labels(corpus, "misc.Gloss") == ["PL=B", "_", "_"]
    assert labels(corpus, "misc.Foreign") == ["Foreign", "da", "_"]
    assert labels(corpus, "misc.Was") == ["_", "_", "None"]
    assert labels(corpus, "Case") == ["Nom", "_", "_"]


def test_a_feature_that_one_file_lacks_is_absent_there(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text(conllu("a X Case=Nom _"), encoding="utf-8")
    (tmp_path / "b.conllu").write_text(conllu("b X Case=Acc|Number=Sing _"), encoding="utf-8")
    corpus = load_corpus([tmp_path / "a.conllu", tmp_path / "b.conllu"])
    assert labels(corpus, "Number") == ["_", "Sing"]


def test_conllu_plus_declares_its_columns(tmp_path: Path) -> None:
    text = "# global.columns = ID FORM UPOS PARSEME:MWE\n1\ta\tX\t*\n2\tb\tY\t1:VID\n"
    corpus = load(tmp_path, text, "a.tsv")
    assert words(corpus) == [["a", "b"]]
    assert list(corpus.layers) == ["upos", "parseme:mwe"]
    with pytest.raises(CorpusError, match=r"a\.tsv, line 2.*4 columns.*2 columns"):
        load(tmp_path, text.replace(" UPOS PARSEME:MWE", ""), "a.tsv")


def parts(folder: Path, *texts: str) -> list[Path]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"part{number}.conll")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_a_part_that_lacks_a_rare_label_is_the_same_corpus(tmp_path: Path) -> None:
    paths = parts(tmp_path, written(), "a\tDET\tO\nboat\tNOUN\tO\n")
    assert len(words(load_corpus(paths))) == len(SENTENCES) + 1


@pytest.mark.parametrize(
    ("other", "problem"),
    [("a\tB-NP\tI\nb\tI-NP\tI\n", "other labels in layer_1"), ("a\tDET\n", "3 and 2 columns")],
)
def test_columns_without_names_that_hold_other_things_are_refused(
    tmp_path: Path, other: str, problem: str
) -> None:
    paths = parts(tmp_path, written(), other)
    with pytest.raises(CorpusError, match=rf"part0\.conll and part1\.conll: {problem}"):
        load_corpus(paths)
    assert load_corpus(paths[:1]).layers


def test_a_file_counts_once(tmp_path: Path) -> None:
    (path,) = parts(tmp_path, written())
    (tmp_path / "link.conll").symlink_to(path)
    for other in (path, tmp_path / "link.conll"):
        with pytest.raises(CorpusError, match="every file once"):
            load_corpus([path, other])


def test_columns_that_are_no_layers_are_left_out_with_the_reason(tmp_path: Path) -> None:
    rows = [f"w{k}\t{'AB'[k % 2]}\t{k}\t_" for k in range(33_000)]
    corpus = load(tmp_path, "\n".join(rows))
    assert list(corpus.layers) == ["layer_1"]
    assert corpus.left_out == {
        "layer_2": "has 33,000 labels, more than 32,767",
        "layer_3": "has no labels",
    }


def test_an_endless_number_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"line 1.*one JSON object"):
        load(tmp_path, '{"tokens": ["a"], "x": [' + "7" * 5_000 + "]}", "a.jsonl")
