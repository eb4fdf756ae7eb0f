"""Vectors of a corpus by a pretrained encoder: one row per token, for `simulator.readers.vectors`.

Notation
--------
N : tokens of the corpus
W : width of the encoder
P : word pieces of a sentence
M : most pieces that the encoder reads at once, special ones aside

A token's vector is the mean of the last layer over its pieces. Tokens are split into pieces one by
one, so the pieces never cross a token. A sentence of more than M pieces is read in windows that
overlap by half; a piece's vector comes from the window in which it has most context.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.wholefile import make_folder, write_whole
from mtl_laws.simulator.memory import free_bytes
from mtl_laws.simulator.readers.base import ReaderOptions
from mtl_laws.simulator.readers.files import read_parts
from mtl_laws.simulator.readers.vectors import HEADERS, Vectors

if TYPE_CHECKING:
    import torch

Pieces = NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Called with the tokens that have a vector, and all tokens."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingRules:
    """How a corpus is read by an encoder.

    Attributes
    ----------
    batch : windows that are read together.
    longest : pieces of a window at most, special ones included, whatever the encoder allows: the
        cost of attention grows with the square.
    spare : positions that are not used; RoBERTa counts its own from 2.
    device : of torch.
    """

    batch: int = 32
    longest: int = 512
    spare: int = 2
    device: str = "cpu"


RULES = EmbeddingRules()


@dataclass(frozen=True)
class Window:
    """Neighbouring pieces of one sentence, and those of them whose vectors are used.

    Attributes
    ----------
    pieces : their ids.
    used : from which to which piece of the window vectors are used.
    tokens : of the used pieces, places in the corpus.
    """

    pieces: Pieces
    used: slice
    tokens: Pieces


@dataclass
class Encoder:
    """A pretrained model and its tokenizer.

    Attributes
    ----------
    name : as the user gave it.
    model, tokenizer : of transformers.
    before, after : special pieces around a window.
    most : M.
    """

    name: str
    model: Any
    tokenizer: Any
    before: list[int]
    after: list[int]
    most: int
    _pieces: dict[str, Pieces] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """W."""
        return int(self.model.config.hidden_size)

    def pieces(self, words: Sequence[str]) -> list[Pieces]:
        """The pieces of each word; of one that the tokenizer drops, the piece for unknown words."""
        new = sorted(set(words) - self._pieces.keys())
        if new:
            split = self.tokenizer(
                [[word] for word in new], is_split_into_words=True, add_special_tokens=False
            )["input_ids"]
            unknown = self.tokenizer.unk_token_id
            nothing = [] if unknown is None else [unknown]
            for word, ids in zip(new, split, strict=True):
                self._pieces[word] = np.array((ids or nothing)[: self.most], dtype=np.int64)
        return [self._pieces[word] for word in words]

    def encode(self, windows: Sequence[Window]) -> Iterator[NDArray[np.float32]]:
        """The vectors of the used pieces of each window, read together."""
        import torch

        rows = [[*self.before, *window.pieces.tolist(), *self.after] for window in windows]
        shape = len(rows), max(map(len, rows))
        ids = np.full(shape, self.tokenizer.pad_token_id or 0, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)], mask[place, : len(row)] = row, 1
        device: torch.device = self.model.device
        with torch.inference_mode():
            seen = self.model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(mask).to(device),
            ).last_hidden_state
        values = seen.float().cpu().numpy()
        for place, window in enumerate(windows):
            first = len(self.before) + window.used.start
            yield values[place, first : first + len(window.tokens)]


def embed_corpus(
    corpus: Sequence[Path],
    options: ReaderOptions,
    model: str,
    out: Path,
    rules: EmbeddingRules = RULES,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Write a vector for each token of a corpus to a file; returns N and W.

    Parameters
    ----------
    corpus, options : files, and how they are read; the same as for the commands that use them.
    model : a folder with a model of transformers, or the name of one on the Hugging Face hub, which
        is loaded from there if it is not on this machine.
    out : a new file, .npy or .safetensors; float32.
    progress : see `Progress`.

    Raises
    ------
    UserError : transformers or the model is missing, the ending of the file is another, or the
        vectors do not fit into memory.
    CorpusError : a file of the corpus cannot be read.
    """
    if out.suffix not in HEADERS or out.is_dir():
        raise UserError("out", f"a file that ends in {' or '.join(HEADERS)}", str(out))
    sentences = [
        part.words for content in read_parts(corpus, options) for part in content.sentences
    ]
    encoder = load_encoder(model, rules)
    tokens = sum(map(len, sentences))
    needed, there = 4.0 * tokens * encoder.width, free_bytes()
    if needed > there:
        expected = (
            f"a smaller corpus: {needed / 1e9:,.1f} GB are needed, {there / 1e9:,.1f} are free"
        )
        raise UserError("corpus", expected, f"{tokens:,} tokens")
    make_folder(out.parent)
    vectors = embed(sentences, encoder, rules, progress)
    write_whole(out, HEADERS[out.suffix](vectors), vectors.data)
    return vectors.shape[0], vectors.shape[1]


def embed(
    sentences: Sequence[Sequence[str]],
    encoder: Encoder,
    rules: EmbeddingRules = RULES,
    progress: Progress | None = None,
) -> Vectors:
    """The vectors (N, W) of all tokens, sentence after sentence."""
    windows: list[Window] = []
    counts: list[int] = []
    for words in sentences:
        pieces = encoder.pieces(words)
        windows += cut_windows(pieces, encoder.most, len(counts))
        counts += [len(one) for one in pieces]
    windows.sort(key=lambda window: -len(window.pieces))  # equal lengths together: little padding
    vectors = np.zeros((len(counts), encoder.width), dtype=np.float32)
    done = 0
    if progress is not None:
        progress(0, len(counts))
    for first in range(0, len(windows), rules.batch):
        batch = windows[first : first + rules.batch]
        for window, values in zip(batch, encoder.encode(batch), strict=True):
            np.add.at(vectors, window.tokens, values)
            done += len(window.tokens)
        if progress is not None:
            progress(round(len(counts) * done / sum(counts)), len(counts))
    vectors /= np.maximum(counts, 1)[:, None].astype(np.float32)
    return vectors


def cut_windows(pieces: Sequence[Pieces], most: int, first: int) -> list[Window]:
    """The windows of one sentence.

    Parameters
    ----------
    pieces : of each of its tokens.
    most : M.
    first : place of its first token in the corpus.
    """
    ids = np.concatenate([*pieces, np.zeros(0, dtype=np.int64)])
    tokens = first + np.repeat(np.arange(len(pieces)), [len(one) for one in pieces])
    step, margin = max(1, most // 2), most // 4
    starts = range(0, max(1, len(ids) - most + step), step)
    windows = []
    for start in starts:
        low = 0 if start == 0 else start + margin
        high = len(ids) if start == starts[-1] else start + step + margin
        part = ids[start : start + most]
        if low < high:
            windows.append(Window(part, slice(low - start, high - start), tokens[low:high]))
    return windows


def load_encoder(name: str, rules: EmbeddingRules = RULES) -> Encoder:
    """A pretrained encoder, from a folder, from the cache of transformers, or from the hub.

    Raises
    ------
    UserError : transformers is not installed, or there is no such model.
    """
    if find_spec("transformers") is None:
        expected = "a model, once transformers is installed; pip install 'transformers>=4.41'"
        raise UserError("model", expected, name)
    transformers: Any = import_module("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        try:
            tokenizer, model = _loaded(transformers, name, local_files_only=True)
        except OSError:
            if Path(name).exists():
                raise
            tokenizer, model = _loaded(transformers, name)
    except _faults() as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        expected = (
            "a folder with a model of transformers, or the name of one on the Hugging Face hub; "
            f"transformers says: {reason[:200]}"
        )
        raise UserError("model", expected, name) from error
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    before, after = _special_pieces(tokenizer)
    allowed = [rules.longest, int(min(tokenizer.model_max_length, rules.longest))]
    positions = getattr(model.config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > rules.spare:
        allowed.append(positions - rules.spare)
    most = max(1, min(allowed) - len(before) - len(after))
    return Encoder(name, model.to(rules.device).float().eval(), tokenizer, before, after, most)


def _loaded(transformers: Any, name: str, **options: Any) -> tuple[Any, Any]:
    """Tokenizer and model of a name. No code that comes with a model is run."""
    options = {**options, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
    if getattr(tokenizer, "add_prefix_space", None) is False:  # else words would begin inside words
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            name, add_prefix_space=True, **options
        )
    return tokenizer, transformers.AutoModel.from_pretrained(name, **options)


def _faults() -> tuple[type[Exception], ...]:
    """What transformers raises where a model is missing, broken, or in need of another package."""
    broken: type[Exception] = import_module("safetensors").SafetensorError
    return (broken, ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError)


def _special_pieces(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special pieces that the tokenizer puts before and after a sentence."""
    plain = tokenizer(["a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    whole = tokenizer(["a"], is_split_into_words=True)["input_ids"]
    starts = range(len(whole) - len(plain) + 1)
    first = next((s for s in starts if whole[s : s + len(plain)] == plain), 0)
    return list(whole[:first]), list(whole[first + len(plain) :])
