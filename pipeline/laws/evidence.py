"""What the data say for each factor: is it in the law, and what would the law lose without it.

A verdict rests on the laws that were found: the selected one against the best law of the pool that
does without the factor (or, for a factor that the law leaves out, the best that has it), compared
by the Bayesian information criterion over cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.law import Law
from pipeline.laws.scoring import Scored

#: a difference in BIC above this is strong evidence
STRONG = 10.0


@dataclass(frozen=True)
class Finding:
    """Evidence on one factor.

    Attributes
    ----------
    delta_bic : BIC without the factor minus BIC with it, each by the best valid law of the pool;
        positive speaks for the factor. None where the pool holds only one kind.
    r2_without : share of variance that the best valid law without the factor explains.
    """

    factor: str
    in_law: bool
    delta_bic: float | None
    r2_without: float | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The record of `laws.json`."""
        return {
            "factor": self.factor,
            "in_law": self.in_law,
            "delta_bic": self.delta_bic,
            "r2_without": self.r2_without,
            "sentence": self.sentence,
        }


def evidence(selected: Law, pool: Sequence[Scored], data: LawData) -> list[Finding]:
    """One finding for every factor of the table."""
    valid = [law for law in pool if law.fitted.valid]
    return [_finding(factor, selected, valid, data) for factor in data.factors]


def _finding(factor: str, selected: Law, valid: Sequence[Scored], data: LawData) -> Finding:
    with_it = [law for law in valid if factor in law.fitted.expression.factors]
    without = [law for law in valid if factor not in law.fitted.expression.factors]
    present = selected.uses(factor)
    if not with_it or not without:
        return Finding(factor, present, None, None, _alone(factor, present))
    delta = min(bic(law, data) for law in without) - min(bic(law, data) for law in with_it)
    least = min(law.fitted.fit.error for law in without)
    r2 = 1.0 - least / _total(data)
    return Finding(factor, present, delta, r2, _sentence(factor, present, delta, r2))


def bic(law: Scored, data: LawData) -> float:
    """Bayesian information criterion over cells, the noise variance fitted."""
    cells = len(np.unique(data.cell))
    mean = max(law.fitted.fit.error, 1e-300) / float(data.sample.weight.sum())
    return cells * float(np.log(mean)) + len(law.fitted.expression.constants) * float(np.log(cells))


def _total(data: LawData) -> float:
    sample = data.sample
    mean = float(np.average(sample.target, weights=sample.weight))
    return float(np.sum(sample.weight * (sample.target - mean) ** 2))


def _sentence(factor: str, present: bool, delta: float, r2: float) -> str:
    least = f"the best law without {factor} explains {100 * r2:.0f} % of the variance"
    if present and delta > STRONG:
        return f"{factor} matters: {least} (ΔBIC = {delta:.0f} in favour of {factor})."
    if present:
        return (
            f"{factor} is in the law, but the data hardly ask for it: {least} (ΔBIC = {delta:.0f})."
        )
    if delta > STRONG:
        return (
            f"{factor} is not in the law, although laws with it fit better where there are data "
            f"(ΔBIC = {delta:.0f}): they do not extrapolate better."
        )
    return f"{factor} is not in the law, and the data do not ask for it (ΔBIC = {delta:.0f})."


def _alone(factor: str, present: bool) -> str:
    if present:
        return f"{factor} is in every valid law that was found."
    return f"{factor} is in no valid law that was found."
