"""A report's input that looks like a study: a planted law, replicates, single-task rows, rivals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.record import GainCell, GainRegion, PooledGain

LAW = "0.9 - 0.5/sqrt(n*(1 + (T - 1)*ami)/100)"
NOISE = 0.012

REGION = GainRegion(
    where={"n": (40, 100), "ami": (0.05, 0.05)},
    gain=-0.008,
    ci95=(-0.012, -0.004),
    cells=12,
    below=12,
    runs=36,
    law=0.002,
)
CELLS = tuple(GainCell(gain=g, pooled=g, region=r) for g, r in ((-0.008, -1), (0.01, 0)))
PAIRED = PooledGain(
    count="T",
    share="ami",
    tested=True,
    ranges={"n": (40, 4000), "ami": (0.05, 0.9)},
    harm=(REGION,),
    cells=CELLS,
)
"""Measured harm that the law does not predict, in the cells of the fewest tokens."""


def report_table(seed: int = 0) -> pd.DataFrame:
    """A grid: T = 1 rows have no relatedness, measured AMI scatters around its levels."""
    random = np.random.default_rng(seed)
    rows: list[tuple[float, int, float, int]] = []
    for size in (40, 80, 160, 320, 640, 1280, 2560, 5120):
        for tasks in (1, 2, 4, 8):
            for level in (0.05, 0.3, 0.6, 0.9) if tasks > 1 else (np.nan,):
                ami = level + random.uniform(-0.008, 0.008)
                rows += [(size, tasks, ami, len(rows) // 3)] * 3
    table = pd.DataFrame(rows, columns=["n", "T", "ami", "cell"]).astype({"n": float, "T": float})
    effective = table["n"] * (1 + (table["T"] - 1) * table["ami"].fillna(0)) / 100
    table["accuracy"] = 0.9 - 0.5 / np.sqrt(effective) + random.normal(0, NOISE, len(table))
    table["role"] = np.where((table["n"] > 1280) | (table["T"] > 4), "hold-out", "fit")
    return table


def law(expression: str, complexity: int, outside: float, **more: Any) -> dict[str, Any]:
    """A LAW record with plausible scores around its R² outside."""
    scores = {
        "r2_train": min(0.985, outside + 0.08),
        "r2_cv": min(0.98, outside + 0.07),
        "r2_extrapolation": outside,
        "r2_hold_out": outside - 0.02,
        "rmse_train": 0.012,
        "rmse_cv": 0.0126,
        "rmse_extrapolation": 0.1 * abs(1 - outside) ** 0.5,
        "rmse_hold_out": 0.02,
    }
    record = {
        "expression": expression,
        "template": expression,
        "latex": expression,
        "complexity": complexity,
        "constants": {},
        "scores": scores,
        "valid": True,
        "reason": "",
        "origin": "operon",
    }
    return {**record, **more}


def uncertainty(draws: int = 80) -> dict[str, Any]:
    """What the bands of the selected law are computed from."""
    random = np.random.default_rng(7)
    limit, gap = random.normal(0.8993, 0.004, draws), random.normal(4.973, 0.08, draws)
    return {
        "draws": {
            "c0": limit.tolist(),
            "c1": gap.tolist(),
            "c2": [1.012] * draws,
            "c3": [0.4981] * draws,
        },
        "replicate_sd": NOISE,
        "misfit_sd": 0.003,
        "ranges": {"n": [40, 1280], "T": [1, 4], "ami": [0.042, 0.908]},
        "domain": {"n": [40, 10240], "T": [1, 16], "ami": [0, 1]},
        "bounds": [0, 1],
    }


def planted_laws() -> dict[str, Any]:
    """``laws.json`` for `report_table`."""
    selected = law(
        "0.8993 - 4.973*(n*(ami*(T - 1) + 1.012))**(-0.4981)",
        15,
        0.971,
        template="c0 - c1*(n*(ami*(T - 1) + c2))**(-c3)",
        constants={
            "c0": {"value": 0.8993, "se": 0.0021, "ci95": [0.8951, 0.9035]},
            "c1": {"value": 4.973, "se": 0.081, "ci95": [4.81, 5.13]},
            "c2": {"value": 1.012, "se": 0.03, "ci95": [0.95, 1.07]},
            "c3": {"value": 0.4981, "se": 0.004, "ci95": [0.489, 0.506]},
        },
        origin="grammar",
        uncertainty=uncertainty(),
    )
    front = [
        law("0.1357*log(n)", 4, 0.42),
        law("0.93 - 4.2/sqrt(n)", 7, 0.71),
        law("0.91 - 4.4/sqrt(n*T**0.4)", 11, 0.88),
        selected,
        law("0.9 - 4.9*(n*(ami**1.02*(T - 1) + 1))**(-0.499)", 17, 0.9715),
        law("0.9 - 4.9*(n*(ami*(T - 1) + 1) + 3.2e-5*T)**(-0.499)", 19, 0.968),
        law("1/(0.4 - ami + sqrt(n))", 9, -612_345.0, valid=False, reason="pole at ami = 0.9"),
        law("0.2*tanh(n/300)*exp(ami - 1) + 0.5", 13, 0.3, valid=False, reason="leaves 0 to 1"),
        law("0.5 + 0.1*log(T)", 5, -0.6),
    ]
    return {
        "schema": 2,
        "target": "accuracy",
        "factors": ["n", "T", "ami"],
        "selected": selected,
        "front": front,
        "evidence": [
            {
                "factor": "n",
                "sentence": "The data ask for n to the power 0.50: √n is supported.",
                "exponent": {"value": 0.498, "ci95": [0.489, 0.506]},
                "inclusion": 1.0,
                "inclusion_permuted": 0.02,
                "delta_bic": 900.1,
                "r2_without": 0.12,
                "root": "supported",
            },
            {
                "factor": "T",
                "sentence": "T is part of every law that wins.",
                "exponent": None,
                "inclusion": 1.0,
                "inclusion_permuted": 0.1,
                "delta_bic": 400.0,
            },
            {
                "factor": "ami",
                "sentence": "Related tasks multiply the data: ami enters linearly.",
                "exponent": {"value": 1.02, "ci95": [0.95, 1.09]},
                "inclusion": 0.98,
                "inclusion_permuted": 0.07,
                "delta_bic": None,
            },
        ],
        "theory": [
            law("0.9 - 3.1/sqrt(n*T) - 2.2/sqrt(n)", 14, 0.83, origin="theory: Maurer 2016"),
            law("0.91 - 40/(n*T) - 6/n", 12, 0.31, origin="theory: Du 2020"),
            law("0.89 - 3.9*n**(-0.45)", 8, 0.7, origin="theory: Hestness 2017"),
        ],
        "data": {
            "rows": 312,
            "rows_fit": 126,
            "rows_hold_out": 186,
            "cells": 104,
            "digest": "5f2c9d1e77aa",
            "ranges": {"n": [40, 1280], "T": [1, 4], "ami": [0.042, 0.908]},
            "domain": {"n": [40, 10240], "T": [1, 16], "ami": [0, 1]},
            "columns": {"n": "n_tokens", "T": "n_tasks", "ami": "ami"},
            "bounds": [0, 1],
            "hold_out": "n>1280 or T>4",
            "replicate_sd": 0.0119,
        },
        "provenance": {
            "version": "0.1.0",
            "commit": "0123abc",
            "command": "mtl-laws run quick.yaml --out out",
            "engine": {
                "requested": "auto",
                "used": "operon",
                "reason": "PySR's Julia is not installed here",
            },
            "seed": 0,
            "budget": "quick",
            "time_limit": None,
            "cut": False,
            "seconds": 83.2,
            "python": "3.11.2",
            "packages": {"numpy": "2.4.6", "pyoperon": "0.6.2"},
            "created": "2026-11-22T06:00:00+00:00",
            "candidates": 1234,
            "engine_failures": [],
        },
    }


def planted_curves() -> pd.DataFrame:
    """Learning curves of a few cells."""
    rows = []
    for cell, size in enumerate((40, 160, 640, 1280)):
        best = 40 + 20 * cell
        for step in range(0, 2 * best + 1, 10):
            train = 1.6 * np.exp(-step / 30)
            late = max(0, step - best) * 0.002
            validation = 0.3 + 9 / size + 1.3 * np.exp(-step / 25) + late
            rows.append((cell, 2, size, 0.6, step, train, validation, best))
    columns = ["trial", "T", "n", "ami", "step", "train_loss", "validation_loss", "best_step"]
    return pd.DataFrame(rows, columns=columns)
