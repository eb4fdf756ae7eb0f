"""Public tables: do laws hold on rows of published scaling studies that were kept out?

Every table of ``../shared/tables`` is fitted by ``mtl-laws fit`` on its training rows and scored on
its test rows by the folder's own ``score.py``, beside rivals that see the same rows.

    python benchmarks/public_tables.py [--names moe parallel] [--seeds 0 1] [--tables DIR]
    python benchmarks/public_tables.py --page      the table of docs/public-tables.md again
    python benchmarks/public_tables.py --figure docs/images/public-tables.png

Writes ``benchmarks/results/public_tables.json`` and prints the tables in Markdown. `DIR` is any
folder with the same layout: ``meta.json``, a CSV file per table and, where it has one, a scorer.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.provenance import provenance
from rivals import PublicTable, read_tables, ready_rivals

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared"))
TABLES = SHARED / "tables"
RESULTS = Path(__file__).with_name("results") / "public_tables.json"
PAGE = ROOT / "docs" / "public-tables.md"
FIGURE = ROOT / "docs" / "images" / "public-tables.png"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
OURS = "mtl-laws"
HUMAN = {
    "data_constrained": 0.911,
    "moe": 0.703,
    "parallel": 1.000,
    "lr_bsz": -0.076,
    "sft": 0.957,
}
"""R² of the law that people published, about one mean of the test rows: SLDBench (Lin et al. 2025,
arXiv 2507.21184). Its `sft` has 42 of the 54 groups."""
Row: TypeAlias = dict[str, Any]
Results: TypeAlias = Mapping[str, Any]


def scorer_of(folder: Path) -> ModuleType:
    """The folder's ``score.py``, or that of ``../shared/tables``."""
    path = folder / "score.py" if (folder / "score.py").exists() else TABLES / "score.py"
    spec = importlib.util.spec_from_file_location("public_tables_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(table: PublicTable, seed: int, jobs: int, out: Path) -> list[str]:
    """The call of ``mtl-laws fit`` that a user would make."""
    low, high = ("" if bound is None else f"{bound:g}" for bound in table.bounds)
    words = [sys.executable, "-m", "mtl_laws.pipeline.cli.app", "fit", str(table.path)]
    words += ["--target", table.target, "--factors", ",".join(f"{f}={f}" for f in table.factors)]
    words += ["--bounds", f"{low},{high}", "--where", f"{table.test_column} == 0"]
    words += ["--groups", table.group] if table.group else []
    words += ["--engine", "operon", "--budget", "quick"]
    return [*words, "--seed", str(seed), "--jobs", str(jobs), "--out", str(out)]


def ours(table: PublicTable, seed: int, jobs: int, scorer: ModuleType) -> Row:
    """One fit by the command line, scored on the test rows."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = command(table, seed, jobs, Path(folder))
        done = subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        row = {"table": table.name, "by": OURS, "seed": seed, "seconds": round(spent, 1)}
        if done.returncode:
            return {**row, "r2": None, "r2_all": None, "failed": done.stderr.strip()[-300:]}
        laws = json.loads((Path(folder) / "laws.json").read_text(encoding="utf-8"))
        intervals = LawSet.load(folder).intervals(table.test)
    scores = scores_of_laws(laws, table, scorer)
    return {**row, **scores, **interval_scores(intervals, table)}


def interval_scores(found: pd.DataFrame, table: PublicTable) -> Row:
    """Fraction of the test rows within the 95 % intervals that `LawSet` gives, and the score of
    those of a run over that of mean ± 1.96 SD of the training rows (Gneiting and Raftery 2007)."""
    target, train = table.test[table.target], table.train[table.target]
    held = {}
    for band in ("law", "run"):
        low, high = (found[f"{band}_{end}"].astype(float) for end in ("low", "high"))
        held[band] = float(((low <= target) & (target <= high)).mean())
    plain = (train.mean() - 1.96 * train.std(), train.mean() + 1.96 * train.std())
    ours_ = interval_score(found["run_low"], found["run_high"], target)
    return {**held, "score": ours_ / interval_score(*plain, target)}


def interval_score(low: Any, high: Any, target: pd.Series) -> float:
    """Mean width of 95 % intervals, and 40 times what they miss the target by."""
    missed = (low - target).clip(lower=0) + (target - high).clip(lower=0)
    return float(np.mean(high - low + 40.0 * missed))


def scores_of_laws(laws: Mapping[str, Any], table: PublicTable, scorer: ModuleType) -> Row:
    """Scores of the selected law, of the best valid one of the front, and what was claimed."""
    selected, rows = laws["selected"], table.test

    def score(law: Mapping[str, Any]) -> Row:
        return dict(scorer.score_law(laws, law, rows, table.target, table.group or "group"))

    found = score(selected)
    valid = [law for law in [*laws["front"], selected] if law.get("valid", True)]
    return {
        **_figures(found),
        "draws": found["law"],
        "r2_best": finite(max(score(law)["r2"] for law in valid)),
        "claimed": selected["scores"]["r2_extrapolation"],
        "formula": selected.get("expression") or selected["template"],
    }


def rival(
    name: str, predict: Callable[[PublicTable, int], Any], table: PublicTable, seed: int, by: Any
) -> Row:
    """One rival's predictions, scored by `by`, the scorer."""
    begin = time.process_time()
    predicted = predict(table, seed)
    spent = round(time.process_time() - begin, 1)
    target, groups = table.test[table.target], table.groups(table.test)
    found = by.scores(target, predicted, groups)
    return {"table": table.name, "by": name, "seed": seed, "seconds": spent, **_figures(found)}


def _figures(found: Mapping[str, Any]) -> Row:
    return {
        "r2": finite(found["r2"]),
        "r2_all": finite(found["r2_all"]),
        "missing": found["missing"],
    }


def finite(value: float) -> float | None:
    """The value; None where it is infinite or no number, which JSON cannot hold."""
    return float(value) if math.isfinite(value) else None


def clipped(value: float | None) -> float:
    """An R² within [−1, 1]; −1 where a law gives no number."""
    return -1.0 if value is None else min(max(value, -1.0), 1.0)


def of_tables(rows: Sequence[Row], by: str, score: str) -> dict[str, float]:
    """Table -> mean over seeds of the clipped score of one rival."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["by"] == by and score in row:
            found.setdefault(row["table"], []).append(clipped(row[score]))
    return {table: fmean(values) for table, values in found.items()}


def coverage(rows: Sequence[Row], band: str) -> dict[str, float]:
    """Table -> what the band of our law scores; none where no band is recorded."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["by"] == OURS and row.get(band) is not None:
            found.setdefault(row["table"], []).append(row[band])
    return {table: fmean(values) for table, values in found.items()}


def claims(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """Table -> claimed and true R² of our law, clipped, means over seeds."""
    stated = [row for row in rows if row["by"] == OURS and row.get("claimed") is not None]
    claimed, true = of_tables(stated, OURS, "claimed"), of_tables(stated, OURS, "r2")
    return {table: (claimed[table], true[table]) for table in claimed}


def summary(rows: Sequence[Row]) -> Row:
    """Means over the tables, and how far the claimed R² can be trusted."""
    pairs = list(claims(rows).values())
    names = list(dict.fromkeys(row["by"] for row in rows))
    means = {
        by: {score: fmean(of_tables(rows, by, score).values()) for score in ("r2", "r2_all")}
        for by in names
    }
    return {
        "means": means,
        "overstatement": fmean(claimed - true for claimed, true in pairs) if pairs else None,
        "spearman": rank_correlation(pairs),
    }


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation; None for fewer than three pairs or where one side is constant."""
    ranks = pd.DataFrame(pairs, columns=["claimed", "true"]).rank()
    if len(ranks) < 3 or (ranks.nunique() < 2).any():
        return None
    return float(ranks["claimed"].corr(ranks["true"]))


def measure(arguments: argparse.Namespace) -> Results:
    """Fit and score every table by everyone; the results so far are written after each table."""
    scorer = scorer_of(arguments.tables)
    rivals, missing = ready_rivals()
    meta = json.loads((arguments.tables / "meta.json").read_text(encoding="utf-8"))
    rows: list[Row] = []
    facts: dict[str, Row] = {}
    results: Row = {}
    for table in read_tables(arguments.tables, arguments.names):
        facts[table.name] = {
            "train": len(table.train),
            "test": len(table.test),
            "groups": table.groups(table.train).nunique(),
            "human": HUMAN.get(table.name, meta[table.name].get("human_r2_sldbench")),
        }
        for seed in arguments.seeds:
            rows.append(ours(table, seed, arguments.jobs, scorer))
            rows += [rival(name, by, table, seed, scorer) for name, by in rivals.items()]
            print(*(_said(row) for row in rows[-len(rivals) - 1 :]), sep="\n", flush=True)
        made_with = {key: provenance()[key] for key in ("version", "commit", "python")}
        results = {
            "made_with": made_with,
            "seeds": arguments.seeds,
            "missing": missing,
            "tables": facts,
            "summary": summary(rows),
            "rows": rows,
        }
        arguments.results.parent.mkdir(exist_ok=True)
        text = json.dumps(results, indent=1, ensure_ascii=False)
        arguments.results.write_text(text + "\n", encoding="utf-8")
    return results


def _said(row: Row) -> str:
    r2 = two(row["r2"])
    return f"{row['table']:<18}{row['by']:<20}seed {row['seed']}  R² {r2:<8}{row['seconds']:.0f} s"


def two(value: float | None) -> str:
    """A number with two decimals and a proper minus; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def in_markdown(results: Results) -> str:
    """The part of the page that the results file determines."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    rows, made, totals = results["rows"], results["made_with"], results["summary"]
    commit, changed, _ = made["commit"].partition("+")
    commit = commit[:7] + (" with changes" if changed else "")
    seeds = " and ".join(map(str, results["seeds"]))
    yield f"{len(results['tables'])} tables, seeds {seeds}, commit {commit}. Means over seeds."
    yield ""
    yield from _our_table(results)
    yield ""
    over, rank = totals["overstatement"], totals["spearman"]
    said = f"On average the claimed R² is {two(over)} above the true one"
    yield said + (f"; their rank correlation is {two(rank)}." if rank is not None else ".")
    yield ""
    yield from _rivals_table(results)
    for name, reason in results["missing"].items():
        yield from ("", f"Without {name}: {reason.partition(':')[0]}.")
    failed = [row for row in rows if "failed" in row]
    if failed:
        yield from ("", f"{len(failed)} fits ended without a law and count as −1.")


def _our_table(results: Results) -> Iterator[str]:
    rows = results["rows"]
    means = {score: of_tables(rows, OURS, score) for score in ("r2", "r2_best")}
    means["claimed"] = {table: claimed for table, (claimed, _) in claims(rows).items()}
    means |= {band: coverage(rows, band) for band in ("law", "run", "score")}
    seconds = pd.DataFrame([row for row in rows if row["by"] == OURS])
    spent = seconds.groupby("table")["seconds"].mean().to_dict()
    yield (
        "| table | rows, train + test | R² | best of the front | claimed R² "
        "| in the law's band | in a run's band | interval score | processor time, s |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, facts in results["tables"].items():
        figures = [two(means[score].get(name)) for score in means]
        counts = f"{facts['train']} + {facts['test']}"
        yield f"| `{name}` | {counts} | {' | '.join(figures)} | {spent[name]:.0f} |"
    averages = [two(fmean(each.values())) if each else "–" for each in means.values()]
    yield f"| mean | | {' | '.join(averages)} | {fmean(spent.values()):.0f} |"


def _rivals_table(results: Results) -> Iterator[str]:
    rows, tables = results["rows"], results["tables"]
    names = list(results["summary"]["means"])
    human = {name: facts["human"] for name, facts in tables.items()}
    known = [clipped(value) for value in human.values() if value is not None]
    yield f"| table | {' | '.join(names)} | published law |"
    yield "|---|" + "---|" * (len(names) + 1)
    columns = [of_tables(rows, by, "r2_all") for by in names]
    for table in tables:
        figures = [two(column.get(table)) for column in columns]
        yield f"| `{table}` | {' | '.join(figures)} | {two(human[table])} |"
    means = [two(results["summary"]["means"][by]["r2_all"]) for by in names]
    of_known = f"{two(fmean(known))} (of {len(known)})" if known else "–"
    yield f"| mean | {' | '.join(means)} | {of_known} |"
    within = [two(results["summary"]["means"][by]["r2"]) for by in names]
    yield f"| mean, within groups | {' | '.join(within)} | – |"


def write_page(results: Results, page: Path = PAGE, figure: Path = FIGURE) -> None:
    """Put the results between the marks of the page, and the figure where it has been drawn."""
    text = page.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    lines = [BEGIN, in_markdown(results)]
    if figure.exists():
        lines += ["", f"![{_alternative(results)}](images/{figure.name})"]
    page.write_text(before + "\n".join([*lines, END]) + after, encoding="utf-8")


def _alternative(results: Results) -> str:
    """The figure for those who cannot see it."""
    pairs = claims(results["rows"]).items()
    told = ", ".join(f"{name} {two(claimed)} and {two(true)}" for name, (claimed, true) in pairs)
    return f"Claimed and true R² of each table: {told}."


def draw(results: Results, path: Path) -> None:
    """Claimed and true R² of our laws, a line for each table, the best on top."""
    from mtl_laws.pipeline.report.figures.canvas import (
        FAINT,
        LAW,
        LINE,
        PAPER,
        drawing_style,
        label_axes,
        new_panel,
    )

    pairs = sorted(claims(results["rows"]).items(), key=lambda pair: pair[1][1])
    places = range(len(pairs))
    claimed, true = ([pair[side] for _, pair in pairs] for side in (0, 1))
    with drawing_style("public-tables"):
        figure, axes = new_panel(5.6, 1.2 + 0.34 * len(pairs))
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color=FAINT.light, linewidth=0.8)
        axes.hlines(places, claimed, true, color=LINE.light, linewidth=2.0)
        rings: dict[str, Any] = {"markerfacecolor": PAPER.light, "color": LAW.light}
        axes.plot(claimed, places, "o", label="claimed: extrapolation folds", **rings)
        axes.plot(true, places, "o", label="true: test rows", color=LAW.light)
        axes.set_yticks(places, [name for name, _ in pairs])
        axes.set_xlim(min(0.0, *claimed, *true) - 0.05, 1.05)
        label_axes(axes, "R²", "")
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        figure.savefig(path, dpi=150, facecolor=PAPER.light, metadata={"Software": None})


def main() -> None:
    """Measure, or write the page or the figure from what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder with meta.json")
    parser.add_argument("--names", nargs="+", default=[], help="tables; all if none is named")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="only rewrite the page")
    parser.add_argument("--figure", type=Path, help="only draw claimed against true R²")
    arguments = parser.parse_args()
    if arguments.page or arguments.figure:
        results = json.loads(arguments.results.read_text(encoding="utf-8"))
        if arguments.figure:
            draw(results, arguments.figure)
        if arguments.page:
            write_page(results)
        return
    if not (arguments.tables / "meta.json").exists():
        print(f"{arguments.tables}: no meta.json; give a folder of tables with --tables")
        return
    print(in_markdown(measure(arguments)))


if __name__ == "__main__":
    main()
