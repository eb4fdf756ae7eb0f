"""The laws behind `mtl-laws advise`: gains measured on real corpora, and laws that predict them.

The reference table `real-gains` holds taggers trained on layers of 14 treebanks, and for every one
the statistics that a user with n main labels has before training (`pipeline.advice.evidence`, a
draw of sentences for every seed); `real-gains-vectors` has the same for taggers that start from
frozen vectors of a pretrained encoder. Laws are searched in the mean gains of cells, and compared
by their error on corpora left out, which their constants have not seen. What ships is a form of our
own after what the search found: as good as laws of three times its length (decision 030).

    python benchmarks/advice_law.py          # refits, validates, prints
    python benchmarks/advice_law.py --ship   # also writes pipeline/advice/shipped/
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize
from scipy.stats import spearmanr

from mtl_laws import fit_laws
from mtl_laws.pipeline.advice.advice import SHIPPED
from mtl_laws.pipeline.advice.predict import GainErrors
from mtl_laws.pipeline.laws.bands import Uncertainty
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.reference_data import load_reference
from mtl_laws.pipeline.symbolic.program import Expression

Floats = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results" / "advice-law.json"
SITUATION = ["corpus", "encoder", "main", "n_request", "n_aux_request"]
"""What is given when auxiliaries are chosen."""
CELL = [*SITUATION, "aux", "T"]
#: seeds whose statistics are used; the gain of a cell is the mean over all seeds
DRAWS = (0, 1)
#: standard errors from which a measured gain has a sign
CLEAR = 2.0


@dataclass(frozen=True)
class Gains:
    """What a law of gains is of.

    Attributes
    ----------
    name : of the files that ship.
    table, encoder : the reference table, and which of its taggers.
    score : column of the score.
    factors : of the law of gains.
    alone : factors of the law of the score alone; none for no such law.
    form : of the law of gains that ships.
    """

    name: str
    table: str
    encoder: str
    score: str
    factors: tuple[str, ...]
    alone: tuple[str, ...]
    form: str


ALL = (
    Gains(
        "accuracy",
        "real-gains",
        "bilstm",
        "accuracy",
        ("transfer", "ami", "n_aux", "n"),
        ("probe_alone", "n"),
        "c0*transfer*ami*n_aux**c1 + c2/sqrt(n)",
    ),
    Gains(
        "span_f1",
        "real-gains",
        "bilstm",
        "span_f1",
        ("transfer_f1", "ami", "n_aux", "n"),
        (),
        "c0*ami*sqrt(n)*n_aux**c1",
    ),
    Gains(
        "accuracy-vectors",
        "real-gains-vectors",
        "vectors_bilstm",
        "accuracy",
        ("transfer", "ami", "n_aux", "n"),
        ("probe_alone", "n"),
        "c0*(transfer + ami/sqrt(n))*exp(-c1/n_aux)",
    ),
    Gains(
        "span_f1-vectors",
        "real-gains-vectors",
        "vectors_bilstm",
        "span_f1",
        ("transfer_f1", "ami", "n_aux", "n"),
        (),
        "c0*ami*log(n_aux/c1)",
    ),
)


def single_task_table(table: pd.DataFrame, gains: Gains) -> pd.DataFrame:
    """Scores alone, one row for every main layer, n and draw."""
    rows = table[(table["T"] == 1) & _of(table, gains)]
    key = ["corpus", "encoder", "main", "n_request"]
    score = rows.groupby(key)[gains.score].mean().rename("score").reset_index()
    drawn = rows.loc[rows["seed"].isin(DRAWS), [*key, *gains.alone]]
    return score.merge(drawn, on=key)


def cell_table(table: pd.DataFrame, gains: Gains) -> pd.DataFrame:
    """Gains of cells, mean and standard error over seeds, with the statistics of every draw."""
    twins = table.loc[table["T"] == 1].set_index("trial")[gains.score]
    rows = table[(table["T"] > 1) & _of(table, gains)].copy()
    rows["gain_of_seed"] = rows[gains.score] - rows["stl"].map(twins)
    by_cell = rows.groupby(CELL)["gain_of_seed"]
    cells = by_cell.agg(gain="mean", seed_sd="std", seeds="count").reset_index()
    cells["se"] = cells["seed_sd"] / np.sqrt(cells["seeds"])
    drawn = rows.loc[rows["seed"].isin(DRAWS), [*CELL, "seed", *STATISTICS]]
    return cells.merge(drawn, on=CELL).rename(columns={"seed": "draw"})


def _of(table: pd.DataFrame, gains: Gains) -> pd.Series:
    """Which rows have a score of these gains."""
    return table[gains.score].notna() & (table["encoder"] == gains.encoder)


STATISTICS = (
    *("n", "n_aux", "ami", "h_main", "h_aux", "h_main_given_aux", "h_aux_given_main"),
    *("majority", "probe_alone", "transfer", "probe_f1_alone", "transfer_f1"),
)


def left_out(law: Law, cells: pd.DataFrame) -> Floats:
    """Predictions for every row by the form of a law, its constants from the other corpora."""
    template = Expression.parse(law.template, law.factors)
    start = np.array([law.constants[name].value for name in template.constants])
    columns = {name: cells[name].to_numpy(float) for name in law.factors}
    target, corpus = cells["gain"].to_numpy(float), cells["corpus"].to_numpy()
    predicted = np.empty(len(cells))
    for name in np.unique(corpus):
        own = corpus == name
        theta = start
        if len(start):
            scale = np.maximum(np.abs(start), 1e-12)
            others = {k: v[~own] for k, v in columns.items()}
            residuals = partial(_residuals, template, others, target[~own], scale)
            theta = scale * least_squares(residuals, start / scale, max_nfev=200).x
        predicted[own] = template.evaluate({k: v[own] for k, v in columns.items()}, theta[None])[0]
    return predicted


def _residuals(
    template: Expression, columns: Mapping[str, Floats], target: Floats, scale: Floats, x: Floats
) -> Floats:
    value = template.evaluate(columns, (scale * x)[None])[0] - target
    return np.nan_to_num(value, nan=1e3, posinf=1e3, neginf=-1e3)


def compare(laws: LawSet, cells: pd.DataFrame) -> tuple[Law, Floats]:
    """Print every law's error on corpora left out; return the law of our form, and predictions."""
    for law in [*laws.front, *laws.forms]:
        predicted = left_out(law, cells)
        error, rank = rmse(cells, predicted), spearmanr(predicted, cells["gain"]).statistic
        print(f"  {law.complexity:3d} nodes  {error:.4f}  {rank:.3f}  {law.template}")
    return laws.forms[0], left_out(laws.forms[0], cells)


def rmse(cells: pd.DataFrame, predicted: Floats) -> float:
    """Root mean squared error of predicted gains, every corpus with the same weight."""
    squares = (predicted - cells["gain"].to_numpy(float)) ** 2
    return float(np.sqrt(pd.Series(squares).groupby(cells["corpus"].to_numpy()).mean().mean()))


def gain_errors(cells: pd.DataFrame, predicted: Floats) -> GainErrors:
    """Deviations on corpora left out, as a function of n, by maximum likelihood."""
    n = cells["n_request"].to_numpy(float)
    errors = cells["gain"].to_numpy(float) - predicted
    base, by_token = _deviation(errors, n)
    noise = cells["seed_sd"].to_numpy(float)
    seed_base, seed_by_token = _deviation(noise, n)
    return GainErrors(
        base=base,
        by_token=by_token,
        seed_base=seed_base,
        seed_by_token=seed_by_token,
        corpora=cells["corpus"].nunique(),
        freedom=_freedom(cells, errors / np.hypot(base, by_token / np.sqrt(n))),
    )


def _freedom(cells: pd.DataFrame, errors: Floats) -> float:
    """Degrees of freedom of the mean square of errors that differ between and within corpora.

    Rows of the same layers are taken as one, because their errors are alike.

    Source: Satterthwaite 1946.
    """
    by_corpus = pd.Series(errors).groupby(cells["corpus"].to_numpy())
    between = float(np.mean(by_corpus.mean() ** 2))
    within = float(np.mean(errors**2)) - between
    corpora, sets = by_corpus.ngroups, cells.groupby(["corpus", "main", "aux"]).ngroups
    parts = between**2 / (corpora - 1) + within**2 / (sets - corpora)
    return (between + within) ** 2 / parts


def _deviation(errors: Floats, n: Floats) -> tuple[float, float]:
    """Base and by_token of normal errors with the standard deviation √(base² + by_token²/n)."""

    def loss(x: Floats) -> float:
        variance = np.exp(2 * x[0]) + np.exp(2 * x[1]) / n
        return float(np.sum(np.log(variance) + errors**2 / variance))

    fitted = minimize(loss, np.log([0.01, 0.3]), method="Nelder-Mead").x
    return float(np.exp(fitted[0])), float(np.exp(fitted[1]))


def clear_gains(cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows have a mean gain that differs clearly from 0."""
    return np.abs(cells["gain"].to_numpy(float)) > CLEAR * cells["se"].to_numpy(float)


def agreement(cells: pd.DataFrame, predicted: Floats) -> dict[str, float]:
    """How predictions agree with measured gains."""
    gain = cells["gain"].to_numpy(float)
    clear = clear_gains(cells)
    right = np.sign(predicted) == np.sign(gain)
    return {
        "spearman": float(spearmanr(predicted, gain).statistic),
        "sign": float(right.mean()),
        "sign_clear": float(right[clear].mean()),
        "mae": float(np.abs(predicted - gain).mean()),
        "r2": float(1 - np.mean((predicted - gain) ** 2) / gain.var()),
    }


def coverage(cells: pd.DataFrame, predicted: Floats) -> float:
    """Fraction of mean gains in the 95 % interval, its widths from the other corpora."""
    inside = np.empty(len(cells), dtype=bool)
    corpus, gain = cells["corpus"].to_numpy(), cells["gain"].to_numpy(float)
    for name in np.unique(corpus):
        own = corpus == name
        errors = gain_errors(cells[~own], predicted[~own])
        sd, _ = errors.deviations(cells.loc[own, "n_request"].to_numpy(float))
        half = errors.width * sd
        inside[own] = np.abs(gain[own] - predicted[own]) <= half
    return float(inside.mean())


def regret(cells: pd.DataFrame, scores: Mapping[str, Floats]) -> dict[str, float]:
    """Mean gain that is lost by choosing among alone and all sets of a main layer by a score.

    The score of `alone` is 0. "all" always takes the largest set.
    """
    lost: dict[str, list[float]] = {name: [] for name in (*scores, "all", "alone")}
    situations = cells.groupby([*SITUATION, "draw"]).indices
    gain, size = cells["gain"].to_numpy(float), cells["T"].to_numpy(float)
    for rows in situations.values():
        best = max(0.0, gain[rows].max())
        for name, values in scores.items():
            top = rows[int(values[rows].argmax())]
            lost[name].append(best - (gain[top] if values[top] > 0 else 0.0))
        lost["all"].append(best - gain[rows[int(size[rows].argmax())]])
        lost["alone"].append(best)
    return {name: float(np.mean(values)) for name, values in lost.items()}


def ship(name: str, laws: LawSet, law: Law, cells: pd.DataFrame) -> None:
    """Write a law as the selected and only one of its file, with the ranges it was fitted on."""
    if law.uncertainty is None:
        ranges = {k: (float(cells[k].min()), float(cells[k].max())) for k in law.factors}
        law = law.model_copy(update={"uncertainty": Uncertainty(ranges=ranges)})
    known = laws.provenance.model_copy(update={"family": "layers"})
    only = {"selected": law, "front": (law,), "theory": (), "forms": (), "provenance": known}
    SHIPPED.mkdir(exist_ok=True)
    laws.model_copy(update=only).save(SHIPPED / f"{name}.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--only", choices=[one.name for one in ALL], help="the one law to refit")
    given = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if given.only else {}
    for gains in ALL:
        if given.only not in (None, gains.name):
            continue
        table = load_reference(gains.table)
        cells = cell_table(table, gains)
        print(f"\n{gains.name}: {len(cells)} rows, {cells['corpus'].nunique()} corpora")
        laws = fit_laws(
            cells,
            "gain",
            list(gains.factors),
            bounds=(None, None),
            loss="squares",
            forms=[gains.form],
            budget=given.budget,
        )
        law, predicted = compare(laws, cells)
        errors = gain_errors(cells, predicted)
        transfer = gains.factors[0]
        ways = {
            "law": predicted,
            "ami": cells["ami"].to_numpy(float),
            "transfer": cells[transfer].to_numpy(float),
            "entropy": -(cells["h_main"] * cells["h_aux"] / cells["n"]).to_numpy(float),
        }
        results[gains.name] = {
            "law": law.expression,
            "cells": len(cells) // len(DRAWS),
            "rmse": rmse(cells, predicted),
            "coverage": coverage(cells, predicted),
            "errors": asdict(errors),
            "agreement": {name: agreement(cells, values) for name, values in ways.items()},
            "regret": regret(cells, ways),
            "positive": float((cells["gain"] > 0).mean()),
            "positive_clear": float((cells["gain"] > 0)[clear_gains(cells)].mean()),
            "clear": int(clear_gains(cells).sum()) // len(DRAWS),
            "by_n": {
                int(n): {
                    "measured": float(part["gain"].mean()),
                    "predicted": float(predicted[part.index].mean()),
                }
                for n, part in cells.groupby("n_request")
            },
        }
        print(json.dumps(results[gains.name], indent=1))
        if given.ship:
            ship(gains.name, laws, law, cells)
            if gains.alone:
                alone = single_task_table(table, gains)
                factors = list(gains.alone)
                laws_alone = fit_laws(alone, "score", factors, bounds=(0, 1), budget=given.budget)
                ship(f"{gains.name}-alone", laws_alone, laws_alone.law, alone)
            text = json.dumps(asdict(errors), indent=1)
            (SHIPPED / f"{gains.name}-errors.json").write_text(text + "\n", encoding="utf-8")
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
