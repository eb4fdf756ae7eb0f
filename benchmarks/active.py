"""Which trials to run next: how well does a law predict that was fitted to a tenth of the cost?

The training rows of public tables are candidates, their test rows the goal. Every way of choosing
sees the factors of the goal and never its targets, and spends 1, 5 and 10 % of what all candidates
cost (`sparsity`: 20, 35 and 50 %), group by group. The form of the law is given, as in ScaleBench
(`active_forms`), and its constants are fitted in the same way for all.

    python benchmarks/active.py [--names moe parallel] [--ways ours random] [--tables DIR]
    python benchmarks/active.py --own --names moe       with laws of our own search, at 10 %
    python benchmarks/active.py --reference teacher-relatedness
    python benchmarks/active.py --page                   the table of docs/next.md again
    python benchmarks/active.py --figure docs/images/next-active.png

Adds to ``benchmarks/results/active.json``: a part that is measured again replaces what was there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

import numpy as np

from active_forms import FORMS, PUBLISHED, SHARES
from active_own import REFERENCE, SHARE, measure_own, measure_reference
from active_ways import RANDOM, REPEATS, WAYS, Offer, offers_of, r2_of
from mtl_laws.pipeline.laws.design.belief import RULES
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.symbolic.fit import descend
from mtl_laws.pipeline.symbolic.program import Expression, compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats, Tree
from rivals import PublicTable, read_tables

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared"))
TABLES = SHARED / "tables"
RESULTS = Path(__file__).with_name("results") / "active.json"
PAGE = ROOT / "docs" / "next.md"
FIGURE = ROOT / "docs" / "images" / "next-active.png"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
STARTS, STEPS = 60, 30
"""Starts and steps of the fits that are scored."""
NAMES = {
    "ours": "mtl-laws",
    "random": "random",
    "weighted": "random, by cost",
    "cheapest": "cheapest",
    "D": "D-optimal",
    "V": "V-optimal",
}
Row: TypeAlias = dict[str, Any]


def predicted(form: Expression, offer: Offer, chosen: Sequence[int]) -> Floats:
    """The law (K,) at the goal; nan where nothing was chosen.

    Few trials do not determine all constants. Of the fits from many starts that are about as close
    as the best, the one whose predictions are nearest to their median is the law. Predictions are
    kept within one range of the targets that were run: few trials do not exclude wild laws.
    """
    nothing = np.full(len(offer.truth), np.nan)
    if not len(chosen):
        return nothing
    rows = offer.rows(chosen)
    theta, error = descend(form, rows.sample, propose_starts(form, rows.sample, STARTS, 7), STEPS)
    values = form.evaluate(offer.goal, theta)
    sound = np.isfinite(error) & np.isfinite(values).all(axis=1)
    if not sound.any():
        return nothing
    values, error = values[sound], error[sound]
    low, high = float(rows.target.min()), float(rows.target.max())
    extent = (high - low) or high
    freedom = max(len(chosen) - len(form.constants), 1)
    noise = max(error.min() / freedom, (0.002 * extent) ** 2)
    near = values[error <= error.min() + 4.0 * noise]
    near = np.clip(near, max(low - RULES.reach * extent, 0.0), high + RULES.reach * extent)
    middle = np.median(near, axis=0)
    return np.asarray(near[((near - middle) ** 2).sum(axis=1).argmin()])


def measure_given(
    table: PublicTable, ways: Sequence[str], shares: Sequence[float], repeats: int = REPEATS
) -> Iterator[Row]:
    """R² of every way, mean over forms and repeats.

    Parameters
    ----------
    repeats : of ways that are random.
    """
    offers = offers_of(table)
    forms = [compiled(Tree.parse(text, table.factors)) for text in FORMS[table.name]]
    for way in ways:
        begin = time.process_time()
        choose = WAYS.get(way)
        times = repeats if way in RANDOM else 1
        for share in shares if choose else (1.0,):
            scores, trials = [], []
            for form in forms:
                for seed in range(times):
                    picks = [
                        choose(form, o, share, seed) if choose else range(len(o.y)) for o in offers
                    ]
                    spent = max(
                        float(o.cost[list(p)].sum()) for o, p in zip(offers, picks, strict=True)
                    )
                    assert spent <= share * (1 + 1e-6), (way, share, spent)
                    laws = [predicted(form, o, p) for o, p in zip(offers, picks, strict=True)]
                    scores.append(r2_of(offers, laws))
                    trials.append(sum(len(pick) for pick in picks))
            row = {"table": table.name, "way": way, "share": share, "r2": fmean(scores)}
            row |= {"sd": stdev(scores), "trials": fmean(trials), "forms": len(forms)}
            row |= {"repeats": times}
            yield {**row, "seconds": round(time.process_time() - begin, 1)}


def add(rows: Sequence[Row], path: Path) -> None:
    """Write rows to the results, in place of those of the same table, way and share.

    Each row gets the commit that measured it.
    """
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    stamp = provenance()
    rows = [{**row, "commit": stamp["commit"]} for row in rows]
    keys = [key_of(row) for row in rows]
    others = [row for row in before if key_of(row) not in keys]
    made_with = {key: stamp[key] for key in ("version", "python")}
    names = [*FORMS, *REFERENCE]
    ordered = sorted(
        [*others, *rows], key=lambda r: (names.index(r["table"]), r["way"], r["share"])
    )
    text = json.dumps({"made_with": made_with, "rows": ordered}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def key_of(row: Row) -> tuple[str, str, float]:
    """What a row is a result of."""
    return row["table"], row["way"], row["share"]


def two(value: float | None) -> str:
    """A number with two decimals and a proper minus; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def in_markdown(rows: Sequence[Row]) -> str:
    """The tables of the page: R² at the shares of the cost, and what our own search reaches."""
    score = {key_of(row): row["r2"] for row in rows if "r2" in row}
    tables = [name for name in FORMS if any(key[0] == name for key in score)]
    lines = [
        f"| way | {' | '.join(f'`{name}`' for name in tables)} |",
        "|---|" + "---|" * len(tables),
    ]
    for way, name in NAMES.items():
        cells = [" / ".join(two(score.get((t, way, s))) for s in SHARES[t]) for t in tables]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    everything = [two(score.get((t, "all", 1.0))) for t in tables]
    lines.append(f"| all rows | {' | '.join(everything)} |")
    reported = [" / ".join(two(v) for v in PUBLISHED[t]) for t in tables]
    lines.append(f"| active-sl, as reported | {' | '.join(reported)} |")
    own = [t for t in tables if (t, "own", SHARE) in score]
    if own:
        lines += [
            "",
            "| laws of our own search, R² | a tenth of the cost | all rows |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{t}` | {two(score[t, 'own', SHARE])} | {two(score.get((t, 'own', 1.0)))} |"
            for t in own
        ]
    return "\n".join([*lines, *in_markdown_of_studies(rows)])


def in_markdown_of_studies(rows: Sequence[Row]) -> list[str]:
    """The table of the reference studies: error at what was not trained."""
    error = {key_of(row): row["rmse"] for row in rows if "rmse" in row}
    lines = [
        "",
        "| study | a quarter of its | law from these, RMSE | law from all | ratio |",
        "|---|---|---|---|---|",
    ]
    for (name, unit, share), some in error.items():
        whole = error.get((name, unit, 1.0))
        if share < 1 and whole is not None:
            lines.append(f"| `{name}` | {unit} | {some:.4f} | {whole:.4f} | {some / whole:.2f} |")
    return lines if len(lines) > 3 else []


def write_page(rows: Sequence[Row], page: Path = PAGE) -> None:
    """Put the results between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{in_markdown(rows)}\n{END}{after}", encoding="utf-8")


def draw(rows: Sequence[Row], path: Path) -> None:
    """R² against the share of the cost, one panel for each table."""
    import matplotlib.pyplot as plt

    from mtl_laws.pipeline.report.figures.canvas import FAINT, LAW, PAPER, drawing_style

    tables = [name for name in FORMS if any(row["table"] == name for row in rows)]
    shown = {"ours": (LAW.light, "-"), "random": ("#888888", ":"), "D": ("#888888", "--")}
    shown |= {"V": ("#888888", "-.")}
    with drawing_style("next-active"):
        figure, panels = plt.subplots(
            1, len(tables), figsize=(2.3 * len(tables), 2.6), sharey=True, layout="constrained"
        )
        for axes, name in zip(np.atleast_1d(panels), tables, strict=True):
            for way, (colour, style) in shown.items():
                points = sorted(
                    (r["share"], r["r2"]) for r in rows if (r["table"], r["way"]) == (name, way)
                )
                axes.plot(*np.array(points).T, style, marker="o", color=colour, label=NAMES[way])
            axes.plot(SHARES[name], PUBLISHED[name], "x", color="#333333", label="active-sl")
            own = [r["r2"] for r in rows if key_of(r) == (name, "own", SHARE)]
            axes.plot([SHARE] * len(own), own, "*", markersize=9, color=LAW.light, label="own laws")
            axes.set_xscale("log")
            axes.set_xticks(SHARES[name], [f"{share:.0%}" for share in SHARES[name]])
            axes.minorticks_off()
            axes.set_title(name, fontsize=9)
            axes.grid(color=FAINT.light, linewidth=0.6)
        np.atleast_1d(panels)[0].set_ylabel("R² on the test rows")
        handles, labels = np.atleast_1d(panels)[0].get_legend_handles_labels()  # all ways are there
        figure.legend(handles, labels, loc="outside upper left", ncols=6, frameon=False)
        figure.savefig(path, dpi=150, facecolor=PAPER.light, metadata={"Software": None})


def main() -> None:
    """Measure, or write the page or the figure from what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder with meta.json")
    parser.add_argument("--names", nargs="+", default=[*FORMS], choices=[*FORMS])
    parser.add_argument("--ways", nargs="+", default=[*WAYS, "all"], choices=[*WAYS, "all"])
    parser.add_argument("--shares", nargs="+", type=float, default=[])
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of what is random")
    parser.add_argument("--own", action="store_true", help="with laws of our own search")
    parser.add_argument("--reference", nargs="+", default=[], choices=[*REFERENCE])
    parser.add_argument("--budget", default="quick", help="of our own search")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="only rewrite the page")
    parser.add_argument("--figure", type=Path, help="only draw the figure")
    arguments = parser.parse_args()
    if arguments.page or arguments.figure:
        rows = json.loads(arguments.results.read_text(encoding="utf-8"))["rows"]
        if arguments.figure:
            draw(rows, arguments.figure)
        if arguments.page:
            write_page(rows)
        return
    for row in measured(arguments):
        print(
            {key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()}, flush=True
        )
        add([row], arguments.results)


def measured(arguments: argparse.Namespace) -> Iterator[Row]:
    """The rows that were asked for."""
    for name in arguments.reference:
        for unit in ("cells", "trials"):
            yield from measure_reference(name, unit, arguments.budget)
    if arguments.reference:
        return
    for table in read_tables(arguments.tables, arguments.names):
        if arguments.own:
            yield from measure_own(table, arguments.budget)
        else:
            shares = arguments.shares or SHARES[table.name]
            yield from measure_given(table, arguments.ways, shares, arguments.repeats)


if __name__ == "__main__":
    main()
