"""Laws: do they hold beyond the data, and do they take in what is not there?

Four parts, each side by side on the same tables:

    published   the published study's table: chosen on n ≤ 5,000 and T ≤ 5, scored on the rest
    planted     the suite of `planted.py` with a decoy factor, scored beyond every training maximum
    null        targets shuffled among the rows: how often is there a law, and with a false factor
    coverage    95 % intervals of the exponents of true templates: how often do they hold the truth

    python benchmarks/laws.py [--parts planted null] [--noise 0.01 0.03] [--tables 100]

Rivals: Operon as it selects by itself, PySR where it is ready, the best form from theory, ours at
the quick budget. Writes ``benchmarks/results/laws-PART.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from mtl_laws.pipeline.laws.intervals import constants
from mtl_laws.pipeline.laws.question import Problem, Question, pose
from mtl_laws.pipeline.laws.score import Scored, r_squared
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.symbolic.engines import ENGINES, Request
from mtl_laws.pipeline.symbolic.fit import RULES, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from planted import SUITE, Planted, beyond, table

RESULTS = Path(__file__).with_name("results")
ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared"))
PUBLISHED = {"n": "n_tokens_per_task", "T": "n_tasks", "ami": "mutual_info"}
Row = dict[str, Any]
Columns = dict[str, np.ndarray]


def columns_of(rows: pd.DataFrame, factors: Sequence[str]) -> Columns:
    return {name: rows[name].to_numpy(dtype=float) for name in factors}


def outside(text: str, far: pd.DataFrame, factors: Sequence[str], target: str = "y") -> float:
    """R² of a numeric expression on rows beyond the data; −inf where it breaks."""
    with np.errstate(all="ignore"):
        predicted = Expression.parse(text, tuple(factors)).evaluate(columns_of(far, factors))
        value = r_squared(far[target].to_numpy(), np.broadcast_to(predicted, len(far)))
    return float("-inf") if value is None or not np.isfinite(value) else value


def ours(problem: Problem, seed: int, engine: str = "operon", budget: str = "quick") -> Scored:
    options = SearchOptions(engine=engine, budget=budget, seed=seed, jobs=1)
    found = find_laws(problem.data, problem.held_out, options)
    assert found.selected is not None
    return found.laws[found.selected]


def raw(engine: str) -> Callable[[Problem, int], str]:
    """An engine's own best: the law of least error on its front."""

    def best(problem: Problem, seed: int) -> str:
        sample = problem.data.sample
        texts = ENGINES[engine].search(Request(sample, 200_000, seed, 20))

        def error(text: str) -> float:
            value = Expression.parse(text, problem.data.factors).evaluate(sample.columns)
            return float(np.sum(sample.weight * (sample.target - value) ** 2))

        with np.errstate(all="ignore"):
            return min(texts, key=lambda text: np.nan_to_num(error(text), nan=np.inf))

    return best


def theory(problem: Problem, seed: int) -> str:
    from mtl_laws.pipeline.laws.catalogue import theory as forms
    from mtl_laws.pipeline.laws.checks import Domain
    from mtl_laws.pipeline.laws.score import Candidate, fit_candidate

    domain = Domain.of(problem.data)
    fits = [
        fit_candidate(Candidate(f.tree, f.name), problem.data, domain, seed)
        for f in forms(problem.data)
    ]
    return min((f for f in fits if f), key=lambda f: f.fit.error).numeric().text


def rivals() -> dict[str, Callable[[Problem, int], str]]:
    known = {name: raw(name) for name in ("operon", "pysr", "gplearn") if name in ENGINES}
    ready = {n: rival for n, rival in known.items() if ENGINES[n].readiness().ready}
    return {**ready, "theory": theory, "ours": lambda p, s: ours(p, s).fitted.numeric().text}


def row_of(name: str, text: str, problem: Problem, far: pd.DataFrame, seconds: float) -> Row:
    factors = problem.data.factors
    expression = Expression.parse(text, factors)
    target = problem.data.name
    return {
        "by": name,
        "nodes": expression.complexity,
        "r2_outside": outside(text, far, factors, target),
        "decoy": "decoy" in expression.factors,
        "seconds": round(seconds, 1),
        "law": text,
    }


def published(arguments: argparse.Namespace) -> list[Row]:
    path = SHARED / "paper" / "balanced.csv"
    rows = pd.read_csv(path)
    renamed = rows.rename(columns={column: name for name, column in PUBLISHED.items()})
    question = Question("fscore", PUBLISHED, (0.0, 1.0), hold_out="n > 5000 or T > 5")
    problem = pose(rows, question, path.name)
    far = renamed[(renamed["n"] > 5000) | (renamed["T"] > 5)]
    found = []
    for seed in range(arguments.seeds):
        for name, rival in rivals().items():
            begin = time.monotonic()
            text = rival(problem, seed)
            row = row_of(name, text, problem, far, time.monotonic() - begin)
            found.append({"seed": seed, **row})
    return found


def planted(arguments: argparse.Namespace) -> list[Row]:
    tasks = [(law, noise) for noise in arguments.noise for law in SUITE]
    work = Parallel(n_jobs=2, backend="multiprocessing")(
        delayed(_planted)(law, noise) for law, noise in tasks
    )
    return [row for rows in work for row in rows]


def _planted(law: Planted, noise: float) -> list[Row]:
    question = Question("y", {name: name for name in ("n", "T", "ami", "decoy")}, law.bounds)
    problem, far = pose(table(law, noise, 0), question, law.name), beyond(law, 0)
    found = []
    for name, rival in rivals().items():
        begin = time.monotonic()
        text = rival(problem, 0)
        row = row_of(name, text, problem, far, time.monotonic() - begin)
        found.append({"planted": law.name, "noise": noise, **row})
    return found


def null(arguments: argparse.Namespace) -> list[Row]:
    work = (delayed(_null)(seed) for seed in range(arguments.tables))
    return list(Parallel(n_jobs=2, backend="multiprocessing")(work))


def _null(seed: int) -> Row:
    """A table whose target depends on n only; a law that uses T, ami or the decoy is false."""
    rows = table(SUITE[5], 0.3, seed)
    question = Question("y", {name: name for name in ("n", "T", "ami", "decoy")})
    problem = pose(rows, question, "null")
    fitted = ours(problem, seed, engine="grammar").fitted
    used = fitted.expression.factors
    return {"seed": seed, "law": fitted.numeric().text, "false": sorted({*used} - {"n"})}


def coverage(arguments: argparse.Namespace) -> list[Row]:
    laws = [law for law in SUITE if law.exponents]
    each = max(arguments.tables // len(laws), 1)
    tasks = [(law, seed) for law in laws for seed in range(each)]
    work = Parallel(n_jobs=2, backend="multiprocessing")(
        delayed(_coverage)(law, seed) for law, seed in tasks
    )
    return [row for rows in work for row in rows]


def _coverage(law: Planted, seed: int) -> list[Row]:
    question = Question("y", {name: name for name in ("n", "T", "ami")}, law.bounds)
    problem = pose(table(law, 0.03, seed).drop(columns="decoy"), question, law.name)
    expression = Expression.parse(law.template, problem.data.factors)
    starts = propose_starts(expression, problem.data.sample, 12, seed)
    starts = np.vstack([np.array([law.constants]), starts])
    fit = fit_constants(expression, problem.data.sample, starts, 200, RULES.exact)
    assert fit is not None
    known = constants(expression, fit, problem.data, seed)
    found = []
    for p in law.exponents:
        ci95 = known[f"c{p}"].ci95
        holds = ci95 is not None and ci95[0] <= law.constants[p] <= ci95[1]
        found.append({"planted": law.name, "seed": seed, "constant": f"c{p}", "covered": holds})
    return found


def summary(part: str, rows: Sequence[Row]) -> Iterator[str]:
    frame = pd.DataFrame(rows)
    if part == "coverage":
        yield f"covered: {frame['covered'].mean():.3f} of {len(frame)} intervals"
        yield frame.groupby("planted")["covered"].mean().round(2).to_string()
    elif part == "null":
        false = frame["false"].map(bool)
        yield f"a false factor in {100 * false.mean():.0f} % of {len(frame)} tables"
    else:
        keys = ["noise", "by"] if part == "planted" else ["by"]
        frame["good"] = frame["r2_outside"] >= 0.97
        columns = {"nodes": "median", "r2_outside": "median", "good": "mean", "decoy": "mean"}
        yield frame.groupby(keys).agg({**columns, "seconds": "median"}).round(3).to_string()


PARTS = {"published": published, "planted": planted, "null": null, "coverage": coverage}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--noise", nargs="+", type=float, default=[0.01, 0.03])
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    for part in arguments.parts:
        begin = time.monotonic()
        rows = PARTS[part](arguments)
        kept = ("version", "commit", "python")
        made_with = {key: provenance()[key] for key in kept}
        record = {"made_with": made_with, "seconds": time.monotonic() - begin, "rows": rows}
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"laws-{part}.json"
        path.write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
        print(f"\n{part} ({record['seconds']:.0f} s)", *summary(part, rows), sep="\n", flush=True)


if __name__ == "__main__":
    main()
