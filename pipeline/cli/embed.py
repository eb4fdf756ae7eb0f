"""The command `mtl-laws embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_laws.pipeline.cli.options import CorpusColumns, CorpusFormat, WordColumn
from mtl_laws.pipeline.errors import UserError


def embed(
    corpus: Annotated[
        list[Path],
        typer.Argument(metavar="CORPUS", help="One or more CoNLL, CoNLL-U or JSONL files."),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Folder of a pretrained encoder, or its name on the Hugging Face hub.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write: .npy or .safetensors.")],
    batch: Annotated[
        int, typer.Option(metavar="N", help="Number of sentences that are read together.")
    ] = 32,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Device to run on: cpu, cuda or cuda:NUMBER.")
    ] = "cpu",
    columns: CorpusColumns = None,
    word_column: WordColumn = None,
    format: CorpusFormat = None,
) -> None:
    """Write a vector for each token of a corpus, by a pretrained encoder.

    The file is what studies read by the option `vectors` of the family layers. Needs
    transformers: `pip install 'transformers>=4.41'`. A model that is on this machine is not looked
    for elsewhere.

    Example: mtl-laws embed corpus.conllu --model ./my-encoder --out vectors.npy
    """
    from mtl_laws.pipeline.cli.options import parse_columns
    from mtl_laws.pipeline.cli.progress import RateProgress
    from mtl_laws.pipeline.embedding import EmbeddingRules, embed_corpus
    from mtl_laws.pipeline.study.backends import check_device
    from mtl_laws.simulator import ReaderOptions

    if batch < 1:
        raise UserError("batch", "a whole number of at least 1", batch)
    check_device(device)
    options = ReaderOptions(
        columns=parse_columns("columns", columns) or None, words=word_column, format=format
    )
    with RateProgress("tokens") as progress:
        rules = EmbeddingRules(batch=batch, device=device)
        tokens, width = embed_corpus(corpus, options, model, out, rules, progress)
    typer.echo(f"{tokens:,} tokens, vectors of {width:,} numbers: {out}")
