"""Trials chosen as `mtl-laws next` chooses them, and laws from our own search.

No form is given: in every round the published forms that fit best so far choose, and the law is
searched at the end. The law from all candidates is searched in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from active_forms import COSTS
from active_ways import ROUNDS
from mtl_laws.pipeline.columns import ordinary_rows
from mtl_laws.pipeline.fit import fit_laws
from mtl_laws.pipeline.laws.design.knowledge import Knowledge
from mtl_laws.pipeline.laws.design.pool import costs_of
from mtl_laws.pipeline.laws.design.proposal import Request, propose
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.reference_data import load_reference
from rivals import PublicTable

SHARE = 0.10
"""Share of the cost of a pool that is spent."""

QUARTER = 0.25
"""Share of the cells of a reference study that is trained."""

REFERENCE: Mapping[str, tuple[str, ...]] = {
    "teacher-relatedness": ("n_request", "T", "ami_request", "feature_overlap"),
    "published-balanced": ("n_request", "T", "ami_request"),
}
"""Reference studies, and the factors that name their cells."""

Row: TypeAlias = dict[str, Any]


def chosen_by_next(
    candidates: pd.DataFrame,
    results: Callable[[Sequence[int]], pd.DataFrame],
    goal: pd.DataFrame,
    question: Question,
    budget: float,
) -> list[int]:
    """Places of the candidates that `mtl-laws next` chooses in `ROUNDS` rounds.

    Parameters
    ----------
    candidates : one row per trial, with its cost in ``cost``.
    results : the rows of chosen candidates, with their target.
    budget : cost of all of them together.
    """
    chosen: list[int] = []
    cost = candidates["cost"].to_numpy(float)
    for left in range(ROUNDS, 0, -1):
        remaining = budget - cost[chosen].sum()
        places = np.setdiff1d(np.arange(len(candidates)), chosen)
        if not (cost[places] <= remaining * (1 + 1e-9)).any():
            break
        request = Request(
            candidates=candidates.iloc[places],
            cost="cost",
            budget=remaining,
            goal=goal,
            repeats=True,
            replicates=False,
            seed=left,
        )
        proposal = propose(Knowledge.of_table(results(chosen), question, "results"), request)
        spent = np.cumsum(proposal.cost)
        now = max(int((spent <= remaining / left * (1 + 1e-9)).sum()), 1)
        chosen += [int(places[k]) for k in proposal.trials.index[:now]]
    return chosen


def measure_own(table: PublicTable, budget: str) -> Iterator[Row]:
    """R² of laws that our own search finds: in all candidates, and in a tenth of their cost."""
    groups = (table.group,) if table.group else ()
    factors = {name: name for name in table.factors}
    question = Question(table.target, factors, table.bounds, groups=groups)
    train = table.train.reset_index(drop=True)
    cost = costs_of(train, COSTS[table.name], table.name)
    candidates = train.drop(columns=table.target).assign(cost=cost / cost.sum())
    chosen = chosen_by_next(
        candidates, lambda places: train.iloc[places], table.test, question, SHARE
    )
    truth = table.test[table.target].to_numpy(float)
    for share, rows in ((1.0, train), (SHARE, train.iloc[chosen])):
        laws = fit_laws(
            rows, table.target, factors, table.bounds, groups=groups, budget=budget, jobs=1
        )
        error = ((truth - laws.predict(table.test).to_numpy(float)) ** 2).sum()
        r2 = max(float(1.0 - error / ((truth - truth.mean()) ** 2).sum()), -1.0)
        row = {
            "table": table.name,
            "way": "own",
            "share": share,
            "r2": r2,
            "budget": budget,
            "repeats": 1,
        }
        yield {**row, "trials": len(rows), "law": laws.law.shown}


def measure_reference(name: str, unit: str, budget: str) -> Iterator[Row]:
    """Errors of the law from a quarter of a study, and of the law from all of it.

    Both predict what the first has not seen, and the second has.

    Parameters
    ----------
    unit : ``cells``, of which all seeds are trained, or ``trials``, as an active study has it.
    """
    keys = list(REFERENCE[name])
    trials = ordinary_rows(load_reference(name)).sort_values([*keys, "seed"], ignore_index=True)
    cells = trials.groupby(keys, dropna=False, sort=False, as_index=False)["accuracy"].mean()
    units = cells if unit == "cells" else trials[[*keys, "accuracy"]]
    place = np.arange(len(trials)) // (len(trials) // len(units))
    factors = {key.removesuffix("_request"): key for key in keys}
    question = Question("accuracy", factors, (0.0, 1.0))

    def results(places: Sequence[int]) -> pd.DataFrame:
        return trials[np.isin(place, places)]

    chosen = chosen_by_next(
        units.drop(columns="accuracy").assign(cost=1.0),
        results,
        cells.drop(columns="accuracy"),
        question,
        round(QUARTER * len(units)),
    )
    rest = units.drop(index=chosen)
    for share, rows in ((1.0, trials), (QUARTER, results(chosen))):
        laws = fit_laws(rows, "accuracy", factors, (0, 1), budget=budget, jobs=1)
        error = rest["accuracy"].to_numpy() - laws.predict(rest).to_numpy(float)
        row = {"table": name, "way": unit, "share": share, "budget": budget}
        row |= {"repeats": 1, "rmse": float(np.sqrt((error**2).mean()))}
        yield {**row, "trials": len(rows), "law": laws.law.shown}
