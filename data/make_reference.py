"""Write data/reference/: the outcome tables of the studies that ship, from folders of their runs.

Run it from the root, once every study has been run to its end:

    mtl-laws run pipeline/studies/NAME.yaml --out RUNS/NAME     (for every name below)
    python data/make_reference.py RUNS
    python data/make_reference.py RUNS --only real-gains --corpora FOLDER

The second command writes one table again and leaves the others. `real-gains` needs the folder of
its corpora, for the statistics that go beside its outcomes (`corpus_statistics.py`). The same runs
give the same tables; only `seconds` and the manifest's dates differ between runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from contextlib import chdir
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from corpus_statistics import with_statistics

from mtl_laws.pipeline.columns import GLOSSARY, Column
from mtl_laws.pipeline.export.tables import TYPES, PublishedTable, published_table
from mtl_laws.pipeline.io.tablefile import read_table, write_parquet
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.reference_data import MANIFEST, reference_manifest
from mtl_laws.pipeline.study.store import STORE_NAME, read_rows, read_runs
from mtl_laws.pipeline.study.study import Study, shipped_studies
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.train import study_digest
from mtl_laws.pipeline.study.trials import expand
from mtl_laws.simulator.card import pipe_table
from mtl_laws.simulator.croissant import Field, Records, dataset

FOLDER = Path(__file__).resolve().parent / "reference"
STUDIES = (
    "published-balanced",
    "published-unbalanced",
    "real-gains",
    "real-gains-vectors",
    "sharing",
    "teacher-noise",
    "teacher-relatedness",
    "weighting",
)
LEFT_OUT = ("settings", "message", "finished", "version", "commit", "host", "torch", "loops")
"""Columns that are the same in all rows, or say something of the machine and nothing of a model."""
READING = (
    *("affixes", "licence", "lowercase", "max_types", "options", "shared", "vectors", "vocabulary"),
)
"""Columns that are the same in all rows of a study of corpora."""
RECORDED = ("version", "commit", "python", "torch", "platform")
OPTIONS = {
    "feature_overlap": Column("feature_overlap", "", "share", "of features that tasks share"),
    "label_prior": Column("label_prior", "", "", "shares of the labels of every task, as JSON"),
    "random_labels": Column("random_labels", "", "", "whether auxiliary labels are shuffled"),
    "patience": Column("patience", "", "looks", "looks without a new best before a model stops"),
}
STATISTICS = {
    "main": Column("main", "", "", "layer of the main task"),
    "aux": Column("aux", "", "", "layers of the auxiliaries, apart by +; empty for T = 1"),
    "corpus": Column("corpus", "", "", "the treebank"),
    "span_f1": Column("span_f1", "float64", "share", "main task, F1 of spans; null without spans"),
    "explained": Column("explained", "float64", "share", "of H(main) that an auxiliary removes"),
    "majority": Column("majority", "float64", "share", "of the most frequent main label"),
    "probe_alone": Column("probe_alone", "float64", "share", "soft accuracy of a ridge probe"),
    "probe": Column("probe", "float64", "share", "the same with auxiliaries' predicted labels"),
    "transfer": Column("transfer", "float64", "share", "probe minus probe_alone"),
    "probe_f1_alone": Column("probe_f1_alone", "float64", "share", "span F1 of a ridge probe"),
    "transfer_f1": Column("transfer_f1", "float64", "share", "what auxiliaries add to it"),
}
"""Columns of studies of corpora; all of these, `ami` and entropies are estimated from n labels."""
LICENCE = "CC0-1.0"
ABOUT = {
    "name": "mtl-laws-reference",
    "description": "Scores of small multi-task sequence taggers over the number of tasks, tokens, "
    "relatedness, label noise, sharing and loss weighting, with controls.",
    "license": "https://creativecommons.org/publicdomain/zero/1.0/",
    "version": "1.0.0",
    "url": "https://arxiv.org/abs/2006.05561",
    "citeAs": "Reference tables of mtl-laws.",
}


def main() -> None:
    """Write tables, manifest, data card and Croissant metadata."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="folder with one folder per study")
    parser.add_argument("--only", choices=STUDIES, help="the one table to write again")
    parser.add_argument(
        "--corpora", type=Path, default=Path(), help="folder of the corpora and their vectors"
    )
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    again = STUDIES if given.only is None else (given.only,)
    records = {} if given.only is None else dict(reference_manifest()["studies"])
    runs = given.runs.resolve()
    with chdir(given.corpora):  # the study of corpora names them from there
        for name in again:
            table = _table(name, runs / name)
            records[name] = _record(name, table, runs / name)
    records = {name: records[name] for name in STUDIES}
    manifest = {"schema": 1, "licence": LICENCE, "studies": records}
    write_whole(FOLDER / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    tables = {name: read_table(FOLDER / f"{name}.parquet") for name in STUDIES}
    described = [_described(name, table) for name, table in tables.items()]
    write_whole(FOLDER / "croissant.json", _croissant(described, manifest))
    write_whole(FOLDER / "README.md", _card(described, records))
    rows = sum(len(table) for table in tables.values())
    print(f"{rows:,} models in {len(tables)} tables: {FOLDER}")


def _study(name: str) -> Study:
    """A study that ships, or one of corpora, which stands here."""
    own = Path(__file__).resolve().parent / f"{name}.yaml"
    return Study.load(own if own.exists() else shipped_studies()[name])


def _table(name: str, run: Path) -> pd.DataFrame:
    """The outcomes of one run, complete, as they are kept."""
    store = run / STORE_NAME
    table = outcomes_table(read_rows(store), read_runs(store))
    wanted = {trial.digest for trial in expand(_study(name))}
    if set(table["trial"]) != wanted:
        raise SystemExit(f"{name}: {len(table)} of {len(wanted)} models: run it to its end")
    if not table["status"].isin(["converged", "exhausted"]).all():
        raise SystemExit(f"{name}: {table['status'].value_counts().to_dict()}")
    if "corpus" in table:
        table = with_statistics(table, run / "statistics")
        table = table.drop(columns=[name for name in READING if name in table])
    kept = table.drop(columns=[column for column in LEFT_OUT if column in table])
    write_parquet(kept, FOLDER / f"{name}.parquet")
    return kept


def _record(name: str, table: pd.DataFrame, run: Path) -> dict[str, Any]:
    """What the manifest says of one table."""
    study = _study(name)
    path = FOLDER / f"{name}.parquet"
    made = list(read_runs(run / STORE_NAME).values())[-1]
    return {
        "file": path.name,
        "question": " ".join(study.question.split()),
        "rows": len(table),
        "controls": int(table["control"].notna().sum()),
        "study_digest": study_digest(expand(study)),
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "minutes_of_training": round(float(table["seconds"].sum()) / 60, 1),
        "made": {"date": made["started"][:10], **{key: made.get(key, "") for key in RECORDED}},
    }


def _described(name: str, table: pd.DataFrame) -> PublishedTable:
    known = {column.name: column for column in GLOSSARY}
    columns = [known.get(str(c)) or {**OPTIONS, **STATISTICS}[str(c)] for c in table.columns]
    return published_table(name, f"One trained model of the study {name}.", table, columns)


def _croissant(tables: list[PublishedTable], manifest: Mapping[str, Any]) -> str:
    sets = [
        Records(
            table.name,
            table.meaning,
            FOLDER / f"{table.name}.parquet",
            tuple(Field(c.name, TYPES[c.dtype].croissant, c.meaning) for c in table.columns),
        )
        for table in tables
    ]
    dates = [record["made"]["date"] for record in manifest["studies"].values()]
    about = {**ABOUT, "datePublished": max(dates)}
    return json.dumps(dataset(about, sets, FOLDER), indent=1, ensure_ascii=False) + "\n"


CARD = """\
# Reference tables

{description}

One Parquet file per study of `pipeline/studies/`; a row is one trained model. The laws and answers
drawn from them are in [docs/findings.md](../../docs/findings.md).

{tables}

```python
from mtl_laws.pipeline.reference_data import load_reference

table = load_reference("teacher-relatedness")
```

`mtl-laws fit reference:teacher-relatedness --target accuracy --factors n=n,T=T,ami=ami --out laws`
searches for a law without training anything; control runs are left out there.

## Columns

{columns}

## How it was made

`mtl-laws run` of the studies, then `python data/make_reference.py RUNS`. `manifest.json`
holds, for every table, its SHA-256, the digest of the trials, the minutes of training (wall time
of a shared machine) and where it was made (version, commit, Python, torch); a commit that ends in
`+changes` is the one before the studies were added. The taggers are small and start from scratch.
Nothing was left out: every trial of every study is a row, and all of them converged or used up
their updates.

## Limits

`real-gains` are taggers of 14 Universal Dependencies treebanks (CC BY-SA; no text of theirs is in
the table), `real-gains-vectors` taggers of six of them (of two the entities only) that read frozen
vectors of a small pretrained encoder (all-MiniLM-L6-v2, Apache 2.0). Their `ami`, entropies and
probes are what a user with n main labels can estimate, from a draw of sentences for every seed. All
other tables are simulated. Simulated tasks are not corpora. In the `published-…` tables auxiliary
labels are noisy copies of main labels: that they act like more data is nearly built in. Each cell
has 5 seeds, in `published-unbalanced` 3, in `real-gains` 6 and in `real-gains-vectors` 4; the test
set has 4,000 tokens, which puts the sampling error of an accuracy below 0.008.

## Licence

CC0 1.0.
"""


def _card(tables: list[PublishedTable], records: Mapping[str, Mapping[str, Any]]) -> str:
    summary = pipe_table(
        ["table", "models", "of them controls", "question"],
        [(f"`{name}`", r["rows"], r["controls"], r["question"]) for name, r in records.items()],
    )
    columns = {column.name: column for table in tables for column in table.columns}
    meanings = pipe_table(
        ["column", "type", "unit", "meaning"],
        [(f"`{c.name}`", c.dtype, c.unit, c.meaning) for c in columns.values()],
    )
    return CARD.format(description=ABOUT["description"], tables=summary, columns=meanings)


if __name__ == "__main__":
    main()
