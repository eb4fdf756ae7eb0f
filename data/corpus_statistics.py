"""What a user with n main labels knows before training: statistics beside the outcomes of a study.

The study is one of family `layers` with `cases`. Its corpora are needed; only numbers come out.
Every seed has its own draw of sentences, as in training, but not the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_laws.pipeline.advice.corpus import CorpusFiles, frozen_vectors, open_corpus
from mtl_laws.pipeline.advice.evidence import Evidence, EvidenceRules
from mtl_laws.pipeline.advice.sizes import TokenCounts
from mtl_laws.pipeline.io.tablefile import write_parquet

KEYS = ["corpus", "main", "aux", "T", "n_request", "n_aux_request", "seed"]
ADDED = (
    *("explained", "labels", "majority", "probe_alone", "probe", "transfer"),
    *("probe_f1_alone", "transfer_f1"),
)
"""Statistics that the outcomes do not have."""
ESTIMATED = ("ami", "h_main", "h_aux", "h_main_given_aux", "h_aux_given_main")
"""Those that they have, measured on the whole corpus: here they are estimated from n labels."""


def with_statistics(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The outcomes with the statistics of their set, sizes and seed.

    Parameters
    ----------
    table : outcomes; `corpus` is a list of files as JSON text, `aux` one of layers, `vectors` the
        file of frozen vectors, if taggers start from them.
    folder : of the statistics of one corpus and seed each, which take a while to compute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = table["corpus"].map(json.loads)
    named = table.assign(corpus=files.map(lambda paths: Path(paths[0]).parent.name))
    layers = named["aux"].map(lambda text: [] if pd.isna(text) else json.loads(text))
    named["aux"] = ["+".join(names[: T - 1]) for names, T in zip(layers, named["T"], strict=True)]
    parts = []
    for (corpus, seed), rows in named.groupby(["corpus", "seed"]):
        path = folder / f"{corpus}-{seed}.parquet"
        if not path.exists():
            vectors = None if "vectors" not in rows else Path(rows["vectors"].iloc[0])
            read = CorpusFiles(paths=tuple(map(Path, files[rows.index[0]])), vectors=vectors)
            write_parquet(pd.DataFrame(list(_described(rows, read, int(seed)))), path)
        parts.append(pd.read_parquet(path).assign(corpus=corpus, seed=seed))
    statistics = pd.concat(parts, ignore_index=True)
    wanted = [name for name in statistics if name in (*KEYS, *ADDED, *ESTIMATED)]
    joined = named.drop(columns=["labels", *ESTIMATED]).merge(
        statistics[wanted], on=KEYS, how="left", validate="many_to_one"
    )
    if joined["probe_alone"].isna().any():
        raise ValueError("a row of the table has no statistics")
    return joined.sort_values("trial", ignore_index=True)


def _described(rows: pd.DataFrame, files: CorpusFiles, seed: int) -> Iterator[dict[str, Any]]:
    """Statistics of every set and size of one corpus and seed."""
    corpus = open_corpus(files)
    vectors = frozen_vectors(files, corpus)
    for (main, n), alike in rows.groupby(["main", "n_request"]):
        for n_aux, same in alike.groupby(alike["n_aux_request"].fillna(0)):
            sizes = TokenCounts(int(n), dict.fromkeys(corpus.layers, int(n_aux)))
            evidence = Evidence(corpus, str(main), sizes, EvidenceRules(seed=seed), vectors)
            for aux in same["aux"].unique():
                statistics = asdict(evidence.statistics(tuple(aux.split("+")) if aux else ()))
                sized = {"n_request": n, "n_aux_request": n_aux or None, "T": statistics.pop("T")}
                del statistics["n"], statistics["n_aux"]
                yield {"main": main, "aux": aux, **sized, **statistics}
