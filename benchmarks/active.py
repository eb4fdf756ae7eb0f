"""Which trials to run next: how well does a law predict that was fitted to a tenth of the cost?

The training rows of public tables are candidates, their test rows the goal. Every way of choosing
sees the factors of the goal and never its targets, and spends 1, 5 and 10 % of what all candidates
cost, group by group. The form of the law is given, as in ScaleBench (`active_forms`), and its
constants are fitted in the same way for all.

    python benchmarks/active.py [--names moe parallel] [--ways ours random] [--tables DIR]
    python benchmarks/active.py --own --names moe       with forms of our own search, at 10 %
    python benchmarks/active.py --page                   the table of docs/next.md again
    python benchmarks/active.py --figure docs/images/next-active.png

Adds to ``benchmarks/results/active.json``: a part that is measured again replaces what was there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from active_forms import COSTS, FORMS, PUBLISHED
from mtl_laws.pipeline.fit import fit_laws
from mtl_laws.pipeline.laws.design.belief import RULES, beliefs
from mtl_laws.pipeline.laws.design.plan import first_plan, plan
from mtl_laws.pipeline.laws.design.pool import Pool, costs_of
from mtl_laws.pipeline.laws.design.proposal import catalogue_forms
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.symbolic.fit import descend, fit_constants
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
SHARES = (0.01, 0.05, 0.10)
ROUNDS = 5
"""Rounds of choosing and fitting in which a budget is spent."""
REPEATS = 10
"""Repeats of what is random."""
MOST_GOAL = 40
"""Points of the goal that a choice looks at; all of them are scored."""
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


@dataclass(frozen=True)
class Offer:
    """The candidates of one group, with targets that are seen once a trial is chosen.

    Attributes
    ----------
    cost : (C,) as a fraction of that of all.
    pool : its goal is a subset of at most `MOST_GOAL` points.
    goal : all points of the goal, (K,) by factor.
    y, truth : (C,) and (K,) targets of the candidates and of the goal.
    """

    pool: Pool
    goal: Mapping[str, Floats]
    y: Floats
    truth: Floats

    @property
    def cost(self) -> Floats:
        """(C,) costs."""
        return self.pool.cost

    def rows(self, chosen: Sequence[int]) -> Rows:
        """The trials that were run."""
        places = np.array(chosen, dtype=np.int64)
        columns = {name: column[places] for name, column in self.pool.candidates.items()}
        return Rows(columns, self.y[places], np.arange(len(places)), bounds=(0.0, np.inf))


Way: TypeAlias = Callable[[Expression, Offer, float, int], list[int]]
"""Form, candidates, budget and seed -> the trials, in any order."""


def offers_of(table: PublicTable) -> list[Offer]:
    """One for every group."""
    found = []
    levels = table.groups(table.train)
    for level in dict.fromkeys(levels):
        train = table.train[levels == level]
        test = table.test[table.groups(table.test) == level]
        cost = costs_of(train, COSTS[table.name], table.name)
        columns, goal = (
            {name: part[name].to_numpy(float) for name in table.factors} for part in (train, test)
        )
        step = -(-len(test) // MOST_GOAL)
        pool = Pool.of(columns, cost / cost.sum(), {k: v[::step] for k, v in goal.items()})
        found.append(Offer(pool, goal, *(p[table.target].to_numpy(float) for p in (train, test))))
    return found


def affordable(offer: Offer, chosen: Sequence[int], budget: float) -> np.ndarray[Any, Any]:
    """Mask (C,) of the candidates that are not chosen yet and that the budget pays for."""
    mask = offer.cost <= budget - offer.cost[list(chosen)].sum() + 1e-12
    mask[list(chosen)] = False
    return np.asarray(mask)


def pilot(form: Expression, offer: Offer, budget: float) -> list[int]:
    """A first design of as many trials as constants, for part of the budget; at least two."""
    count = max(len(form.constants), 2)
    chosen = list(first_plan(offer.pool, count=count, budget=RULES.first_share * budget).order)
    while len(chosen) < 2 and affordable(offer, chosen, budget).any():
        free = affordable(offer, chosen, budget)
        chosen.append(int(np.argmin(np.where(free, offer.cost, np.inf))))
    return chosen


def ours(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
    """`mtl-laws next`, a fifth of what is left at a time."""
    chosen = pilot(form, offer, budget)
    for left in range(ROUNDS, 0, -1):
        free = affordable(offer, chosen, budget)
        if len(chosen) < 2 or not free.any():
            break
        remaining = budget - offer.cost[chosen].sum()
        believed = beliefs([form.tree], offer.rows(chosen), offer.pool, seed + left)
        planned = plan(believed, offer.pool, budget=remaining, available=free)
        chosen += planned.within(offer.cost, remaining / left) if left > 1 else planned.order
    return chosen


def optimal(kind: str) -> Way:
    """D- or V-optimal design at the best fit, per cost, in the same rounds from the same pilot."""

    def choose(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
        chosen = pilot(form, offer, budget)
        for left in range(ROUNDS, 0, -1):
            if len(chosen) < 2 or not affordable(offer, chosen, budget).any():
                break
            sample = offer.rows(chosen).sample
            fit = fit_constants(form, sample, propose_starts(form, sample, 20, seed + left), 40)
            if fit is None:
                break
            slopes, goal = (
                np.nan_to_num(form.jacobian(columns, fit.theta[None])[1][0].T, posinf=0, neginf=0)
                for columns in (offer.pool.candidates, offer.pool.goal)
            )
            size = np.sqrt((np.clip(slopes, -1e100, 1e100) ** 2).mean(axis=0))
            slopes, goal = slopes / np.where(size > 0, size, 1), goal / np.where(size > 0, size, 1)
            inverse = np.linalg.inv(slopes[chosen].T @ slopes[chosen] + 1e-6 * np.eye(len(size)))
            share = (budget - offer.cost[chosen].sum()) / left
            spent = 0.0
            while (free := affordable(offer, chosen, budget)).any():
                spread = slopes @ inverse
                leverage = np.maximum((spread * slopes).sum(axis=1), 0.0)
                drop = ((goal @ spread.T) ** 2).sum(axis=0) / (1.0 + leverage)
                gain = np.log1p(leverage) if kind == "D" else drop
                best = int(np.argmax(np.where(free, gain / offer.cost, -1.0)))
                if left > 1 and spent and spent + offer.cost[best] > share:
                    break
                chosen.append(best)
                spent += float(offer.cost[best])
                inverse = inverse - np.outer(spread[best], spread[best]) / (1.0 + leverage[best])
        return chosen

    return choose


def drawn(weighted: bool) -> Way:
    """Random trials, perhaps the more likely the cheaper, until the budget pays for none."""

    def choose(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
        rng, chosen = np.random.default_rng([seed, 41]), list[int]()
        while (free := affordable(offer, chosen, budget)).any():
            weight = free / offer.cost if weighted else free.astype(float)
            chosen.append(int(rng.choice(len(free), p=weight / weight.sum())))
        return chosen

    return choose


def cheapest(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
    """The cheapest trials."""
    order = np.argsort(offer.cost, kind="stable")
    return [int(k) for k in order[np.cumsum(offer.cost[order]) <= budget + 1e-12]]


WAYS: Mapping[str, tuple[Way, int]] = {
    "ours": (ours, 1),
    "random": (drawn(False), REPEATS),
    "weighted": (drawn(True), REPEATS),
    "cheapest": (cheapest, 1),
    "D": (optimal("D"), 1),
    "V": (optimal("V"), 1),
}
"""Ways of choosing, and repeats of each."""


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


def r2_of(offers: Sequence[Offer], predictions: Sequence[Floats]) -> float:
    """R² about one mean of the test rows, clipped at −1; −1 where a prediction is missing."""
    truth, values = (np.concatenate(list(p)) for p in ([o.truth for o in offers], predictions))
    r2 = 1.0 - ((truth - values) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    return float(max(r2, -1.0)) if np.isfinite(r2) else -1.0


def measure_given(
    table: PublicTable, ways: Sequence[str], shares: Sequence[float]
) -> Iterator[Row]:
    """R² of every way, mean over forms and repeats."""
    offers = offers_of(table)
    forms = [compiled(Tree.parse(text, table.factors)) for text in FORMS[table.name]]
    for way in ways:
        begin = time.process_time()
        choose, repeats = WAYS.get(way, (None, 1))
        for share in shares if choose else (1.0,):
            scores, trials = [], []
            for form in forms:
                for seed in range(repeats):
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
            yield {**row, "seconds": round(time.process_time() - begin, 1)}


def measure_own(table: PublicTable, budget: str) -> Iterator[Row]:
    """R² of laws that our own search finds: in all candidates, and in a tenth of their cost.

    Trials are chosen by the published forms that fit best so far; the law is searched at the end.
    """
    offers = offers_of(table)
    levels = table.groups(table.train)
    parts = [table.train[levels == level] for level in dict.fromkeys(levels)]
    chosen = [_by_catalogue(offer, 0.10) for offer in offers]
    some = pd.concat([part.iloc[pick] for part, pick in zip(parts, chosen, strict=True)])
    for share, rows in ((1.0, table.train), (0.10, some)):
        found = fit_laws(
            rows,
            table.target,
            list(table.factors),
            table.bounds,
            groups=(table.group,) if table.group else (),
            budget=budget,
            engine="operon",
            jobs=1,
        )
        r2 = r2_of(offers, [found.predict(table.test).to_numpy(float)]) if not table.group else None
        if r2 is None:
            truth = table.test[table.target].to_numpy(float)
            values = found.predict(table.test).to_numpy(float)
            r2 = 1.0 - ((truth - values) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
        row = {"table": table.name, "way": "own", "share": share, "r2": max(float(r2), -1.0)}
        yield {**row, "trials": len(rows), "law": found.law.shown}


def _by_catalogue(offer: Offer, budget: float) -> list[int]:
    order = first_plan(offer.pool, count=12, budget=RULES.first_share * budget).order
    chosen = list(order)
    for left in range(ROUNDS, 0, -1):
        free = affordable(offer, chosen, budget)
        if not free.any():
            break
        rows, remaining = offer.rows(chosen), budget - offer.cost[chosen].sum()
        forms = catalogue_forms(rows, left)
        if not forms:
            more = first_plan(offer.pool.take(free), rows.columns, budget=remaining / left)
            places = np.flatnonzero(free)[list(more.order)]
            chosen += [int(k) for k in places]
            continue
        planned = plan(
            beliefs(forms, rows, offer.pool, left), offer.pool, budget=remaining, available=free
        )
        chosen += planned.within(offer.cost, remaining / left) if left > 1 else planned.order
    return chosen


def add(rows: Sequence[Row], path: Path) -> None:
    """Write rows to the results, in place of those of the same table, way and share."""
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    keys = [(row["table"], row["way"], row["share"]) for row in rows]
    others = [row for row in before if (row["table"], row["way"], row["share"]) not in keys]
    made_with = {key: provenance()[key] for key in ("version", "commit", "python")}
    names = [*FORMS]
    ordered = sorted(
        [*others, *rows], key=lambda r: (names.index(r["table"]), r["way"], r["share"])
    )
    text = json.dumps({"made_with": made_with, "rows": ordered}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def two(value: float | None) -> str:
    """A number with two decimals and a proper minus; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def in_markdown(rows: Sequence[Row]) -> str:
    """The table of the page: R² at 1 / 5 / 10 % of the cost."""
    score = {(row["table"], row["way"], row["share"]): row["r2"] for row in rows}
    tables = [name for name in FORMS if any(key[0] == name for key in score)]
    lines = [
        f"| way | {' | '.join(f'`{name}`' for name in tables)} |",
        "|---|" + "---|" * len(tables),
    ]
    for way, name in NAMES.items():
        cells = [" / ".join(two(score.get((t, way, s))) for s in SHARES) for t in tables]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    everything = [two(score.get((t, "all", 1.0))) for t in tables]
    lines.append(f"| all rows | {' | '.join(everything)} |")
    reported = [" / ".join(two(v) for v in PUBLISHED[t]) for t in tables]
    lines.append(f"| active-sl, as reported | {' | '.join(reported)} |")
    own = [t for t in tables if (t, "own", 0.10) in score]
    if own:
        lines += ["", "| our own search | a tenth of the cost | all rows |", "|---|---|---|"]
        lines += [
            f"| `{t}` | {two(score[t, 'own', 0.10])} | {two(score.get((t, 'own', 1.0)))} |"
            for t in own
        ]
    return "\n".join(lines)


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
            axes.plot(SHARES, PUBLISHED[name], "x", color="#333333", label="active-sl")
            axes.set_xscale("log")
            axes.set_xticks(SHARES, ["1 %", "5 %", "10 %"])
            axes.minorticks_off()
            axes.set_title(name, fontsize=9)
            axes.grid(color=FAINT.light, linewidth=0.6)
        np.atleast_1d(panels)[0].set_ylabel("R² on the test rows")
        handles, labels = np.atleast_1d(panels)[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=5, frameon=False)
        figure.savefig(path, dpi=150, facecolor=PAPER.light, metadata={"Software": None})


def main() -> None:
    """Measure, or write the page or the figure from what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder with meta.json")
    parser.add_argument("--names", nargs="+", default=[*FORMS], choices=[*FORMS])
    parser.add_argument("--ways", nargs="+", default=[*WAYS, "all"], choices=[*WAYS, "all"])
    parser.add_argument("--shares", nargs="+", type=float, default=list(SHARES))
    parser.add_argument("--own", action="store_true", help="with forms of our own search")
    parser.add_argument("--budget", default="tiny", help="of that search")
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
    for table in read_tables(arguments.tables, arguments.names):
        measured = (
            measure_own(table, arguments.budget)
            if arguments.own
            else measure_given(table, arguments.ways, arguments.shares)
        )
        for row in measured:
            print(
                {key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()},
                flush=True,
            )
            add([row], arguments.results)


if __name__ == "__main__":
    main()
