"""Engines side by side: the same tables, the same budget, the same search around each of them.

Every table of a folder in the layout of ``../shared/tables`` is searched on its training rows with
each engine, and the laws predict the test rows.

    python benchmarks/engines.py [--tables DIR] [--names moe parallel] [--engines operon pysr]
    python benchmarks/engines.py --page        the table of docs/engines.md again

Writes ``benchmarks/results/engines.json``; a row of an earlier run stays until it is measured
again, so that PySR's column can be filled on a machine with Julia. Columns:

    seconds   wall and processor time of the search, Julia's start included
    selected  R² of the selected law on the test rows, about one mean
    best      R² of the best law that was scored, chosen with a view of the test rows
    front     share of the front's laws that the engine found
    valid     share of the engine's scored laws that are valid
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.score import Scored, values
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.symbolic.engines import ENGINES, Prepared
from rivals import PublicTable, read_tables

ROOT = Path(__file__).resolve().parents[1]
TABLES = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared")) / "tables"
RESULTS = Path(__file__).with_name("results") / "engines.json"
PAGE = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
NAMES = ("grammar", "operon", "gplearn", "pysr")
NOT_RUN = "not run here: no Julia runtime"
#: a law that breaks on a test row counts as this
WORST = -1.0

Row: TypeAlias = dict[str, Any]


def searched(table: PublicTable, engine: str, budget: str, seed: int, jobs: int) -> Row:
    """One search with one engine, scored on the test rows."""
    question = Question(
        table.target,
        {factor: factor for factor in table.factors},
        table.bounds,
        groups=() if table.group is None else (table.group,),
        engine=engine,
        budget=budget,
        seed=seed,
    )
    problem = pose(table.train, question, table.path.name)
    options = SearchOptions(engine=engine, budget=budget, seed=seed, jobs=jobs)
    begin, spent = time.monotonic(), processor()
    result = find_laws(problem.data, None, options)
    source = ENGINES[engine]
    if isinstance(source, Prepared):
        source.close()  # else the time of its processes is not counted
    seconds, used = time.monotonic() - begin, processor() - spent
    scores = [held_out(law, table, problem.data.levels) for law in result.laws]
    mine = [law for law in result.laws if origin(law) == engine]
    fronts = [result.laws[place] for place in result.front]
    return {
        "table": table.name,
        "engine": engine,
        "seed": seed,
        "budget": budget,
        "seconds": round(seconds, 1),
        "processor_seconds": round(used, 1),
        "selected": None if result.selected is None else round(scores[result.selected], 4),
        "best": round(max(scores), 4),
        "front": round(sum(origin(law) == engine for law in fronts) / max(len(fronts), 1), 3),
        "valid": round(fmean(law.fitted.valid for law in mine), 3) if mine else None,
        "laws": len(mine),
        "origin": None if result.selected is None else origin(result.laws[result.selected]),
        "failures": result.failures,
        "evaluations_made": result.effort.made,
    }


def origin(law: Scored) -> str:
    return law.fitted.candidate.origin


def held_out(law: Scored, table: PublicTable, levels: Sequence[str]) -> float:
    """R² on the test rows about their one mean."""
    rows = table.test
    columns = {factor: rows[factor].to_numpy(dtype=float) for factor in table.factors}
    group = None
    if table.group is not None:
        place = {level: k for k, level in enumerate(levels)}
        group = rows[table.group].astype(str).map(place).to_numpy(dtype=float)
        known = np.isfinite(group)  # a group that was too small to fit is left out
        columns = {factor: column[known] for factor, column in columns.items()}
        rows, group = rows[known], group[known].astype(np.int64)
    fitted = law.fitted
    with np.errstate(all="ignore"):
        found = values(fitted.expression, fitted.fit.theta, columns, group)
    target = rows[table.target].to_numpy(dtype=float)
    error = np.sum((np.broadcast_to(found, target.shape) - target) ** 2)
    value = 1.0 - float(error / np.sum((target - target.mean()) ** 2))
    return max(value, WORST) if np.isfinite(value) else WORST


def processor() -> float:
    """Seconds of this process and of the children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def page(rows: Sequence[Row]) -> str:
    """The tables of the documentation, in Markdown."""
    lines = [
        "| engine | tables | processor seconds | R² selected | R² best | front | valid |",
        "|---|---|---|---|---|---|---|",
    ]
    tables = [{r["table"] for r in rows if r["engine"] == engine} for engine in NAMES]
    common = set.intersection(*filter(None, tables))  # means over other tables do not compare
    for engine in NAMES:
        mine = [row for row in rows if row["engine"] == engine and row["table"] in common]
        if not mine:
            lines.append(f"| `{engine}` | {NOT_RUN} | | | | | |")
            continue
        cells = [f"{len({row['table'] for row in mine})}"]
        cells += [_mean(mine, "processor_seconds", ".0f"), _mean(mine, "selected", ".3f")]
        cells += [_mean(mine, "best", ".3f")]
        cells += [_mean(mine, "front", ".0%"), _mean(mine, "valid", ".0%")]
        lines.append(f"| `{engine}` | {' | '.join(cells)} |")
    lines += [
        "",
        "R² of the selected law on the held-out rows, table by table (mean of the seeds):",
    ]
    names = list(dict.fromkeys(row["table"] for row in rows))
    lines += ["", f"| table | {' | '.join(f'`{name}`' for name in NAMES)} |"]
    lines += [f"|---|{'---|' * len(NAMES)}"]
    for name in names:
        of_table = [[r for r in rows if (r["table"], r["engine"]) == (name, e)] for e in NAMES]
        cells = [_mean(part, "selected", ".3f") if part else "–" for part in of_table]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(rows: Iterable[Row], key: str, form: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return format(fmean(values), form).replace("-", "−") if values else "–"


def merged(rows: Sequence[Row]) -> list[Row]:
    """New rows, and those of an earlier run that were not measured again."""
    if not RESULTS.exists():
        return list(rows)
    keys = {(row["table"], row["engine"], row["seed"]) for row in rows}
    former = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    kept = [row for row in former if (row["table"], row["engine"], row["seed"]) not in keys]
    return [*kept, *rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=Path, default=TABLES)
    parser.add_argument("--names", nargs="*", default=[])
    parser.add_argument("--engines", nargs="*", default=list(NAMES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    if not arguments.page:
        measure(arguments)
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{page(rows)}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    print(page(rows))


def measure(arguments: argparse.Namespace) -> None:
    """Run what was asked for, and write the results after every search."""
    for engine in arguments.engines:
        readiness = ENGINES[engine].readiness()
        if not readiness.ready:
            print(f"{engine}: {readiness.reason}", file=sys.stderr)
            continue
        for table in read_tables(arguments.tables, arguments.names):
            for seed in arguments.seeds:
                try:
                    row = searched(table, engine, arguments.budget, seed, arguments.jobs)
                except PipelineError as error:
                    print(f"{engine}, {table.name}: {error}", file=sys.stderr)
                    continue
                print(pd.Series(row).to_frame().T.to_string(header=False), file=sys.stderr)
                record = {"provenance": provenance(), "rows": merged([row])}
                RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
