"""The command `mtl-laws advise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_laws.pipeline.cli.options import CorpusColumns, CorpusFormat, Out, WordColumn


def advise(
    corpus: Annotated[
        list[Path],
        typer.Argument(metavar="CORPUS", help="One or more CoNLL, CoNLL-U or JSONL files."),
    ],
    main: Annotated[str, typer.Option(metavar="LAYER", help="Label layer of the main task.")],
    aux: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER",
            help="Auxiliary label layer to consider; repeatable; default: every other layer.",
        ),
    ] = None,
    laws: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="laws.json of `run` or `fit`; default: the law shipped with mtl-laws.",
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="n, the labelled tokens of the main task; default: all in the corpus."
        ),
    ] = None,
    aux_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Further tokens of each auxiliary task; default: all in the corpus."
        ),
    ] = None,
    columns: CorpusColumns = None,
    word_column: WordColumn = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="Column that is not a label layer; repeatable."),
    ] = None,
    format: CorpusFormat = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="accuracy or span_f1; default: span_f1 where the main labels mark spans (B-, I-).",
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Frozen vectors that taggers start from, one per token (`embed`): .npy or "
            ".safetensors.",
        ),
    ] = None,
    out: Out = Path("advice"),
    check: Annotated[
        bool, typer.Option("--check", help="Train the best suggestions on this corpus too.")
    ] = False,
    top: Annotated[
        int, typer.Option(metavar="N", help="Number of suggestions that --check trains.")
    ] = 3,
    seeds: Annotated[
        int, typer.Option(metavar="N", help="Number of seeds per suggestion with --check.")
    ] = 5,
) -> None:
    """Predict how much each auxiliary layer of a corpus helps the main task.

    The advice shows AMI (adjusted mutual information, 0 = unrelated, 1 = the same) to the main
    layer, the predicted gain, and its interval.

    Example: mtl-laws advise corpus.conllu --main deprel --tokens 500 --check
    """
    from mtl_laws.pipeline.advice.advice import (
        AdviceRequest,
        answer_request,
        check_out,
        write_advice,
    )
    from mtl_laws.pipeline.advice.check import CheckPlan
    from mtl_laws.pipeline.advice.corpus import CorpusFiles
    from mtl_laws.pipeline.advice.present import as_text
    from mtl_laws.pipeline.cli.progress import SearchProgress
    from mtl_laws.pipeline.errors import printable

    check_out(out)
    request = AdviceRequest(
        corpus=CorpusFiles(
            paths=tuple(corpus),
            columns=tuple(columns.split(",")) if columns else None,
            words=word_column,
            skip=tuple(skip or ()),
            format=format,
            vectors=vectors,
        ),
        main=main,
        auxiliaries=tuple(aux or ()),
        laws=laws,
        n=tokens,
        n_aux=aux_tokens,
        metric=metric,
    )
    with SearchProgress() as progress:
        progress("reading corpus", 0, 0)
        plan = CheckPlan(seeds=seeds, top=top) if check else None
        advice = answer_request(request, plan, progress)
    write_advice(advice, out)
    typer.echo(printable(as_text(advice)))
    typer.echo(f"\npage: {out / 'advice.html'}")
