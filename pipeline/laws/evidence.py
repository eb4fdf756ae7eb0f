"""What the data say for each factor: is it in the law, with which power, and would it be by luck.

A verdict rests on the laws that were found: the selected one against the best law of the pool that
does without the factor (or, for a factor that the law leaves out, the best that has it), compared
by the Bayesian information criterion over cells; the powers of the selected template, set free
(`exponents`); the power that the rows ask for without any template (`plainpower`); and how often
the factor is in the winning law, on halves of the cells and when shuffled (`inclusion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.exponents import Exponent, exponents
from pipeline.laws.expression import Expression
from pipeline.laws.inclusion import Inclusion, inclusion
from pipeline.laws.law import Law
from pipeline.laws.plainpower import PlainPower, plain_power
from pipeline.laws.scoring import Scored
from pipeline.laws.verdicts import on_exponents, on_factor, on_inclusion, on_plain_power


@dataclass(frozen=True)
class Finding:
    """Evidence on one factor.

    Attributes
    ----------
    delta_bic : BIC without the factor minus BIC with it, each by the best valid law of the pool;
        positive speaks for the factor. None where the pool holds only one kind.
    r2_without : share of variance that the best valid law without the factor explains.
    exponents : its effective exponent at every place of the selected template.
    plain : the power that the rows ask for without a template.
    inclusion : how often it is in the winning law; None where that was not asked.
    """

    factor: str
    in_law: bool
    delta_bic: float | None
    r2_without: float | None
    exponents: tuple[Exponent, ...]
    plain: PlainPower | None
    inclusion: Inclusion | None

    @property
    def exponent(self) -> Exponent | None:
        """The exponent, where there is one number that is it."""
        one = self.exponents[0] if len(self.exponents) == 1 else None
        return None if one is None or one.value is None else one

    @property
    def sentence(self) -> str:
        """All that is found, in words."""
        parts = (
            on_factor(self.factor, self.in_law, self.delta_bic, self.r2_without),
            on_exponents(self.factor, self.exponents),
            on_plain_power(self.factor, self.plain),
            on_inclusion(self.factor, self.in_law, self.inclusion),
        )
        return " ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """The record of `laws.json`."""
        single, shares = self.exponent, self.inclusion
        return {
            "factor": self.factor,
            "in_law": self.in_law,
            "delta_bic": self.delta_bic,
            "r2_without": self.r2_without,
            "exponent": single and {"value": single.value, "ci95": _listed(single.ci95)},
            "exponents": [_exponent_json(exponent) for exponent in self.exponents],
            "plain_exponent": self.plain
            and {**asdict(self.plain), "ci95": _listed(self.plain.ci95)},
            "inclusion": shares and shares.observed,
            "inclusion_permuted": shares and shares.permuted,
            "sentence": self.sentence,
        }


def evidence(
    selected: Law, pool: Sequence[Scored], data: LawData, seed: int, refit_pool: bool
) -> list[Finding]:
    """One finding for every factor of the table.

    Parameters
    ----------
    pool : the laws that were scored, on the rows of `data`.
    refit_pool : whether there is time to refit them for `inclusion`.
    """
    valid = [law for law in pool if law.fitted.valid]
    ranked = sorted(valid, key=lambda law: (bic(law, data), law.fitted.expression.text))
    known = [(law.fitted.expression.text, law.fitted.fit.theta) for law in ranked]
    findings = []
    for factor in data.factors:
        delta, r2 = _without(factor, ranked, data)
        shares = inclusion(known, factor, data, seed) if refit_pool else None
        powers = _exponents(selected, factor, data, seed)
        plain = plain_power(data, factor, seed)
        present = selected.uses(factor)
        findings.append(Finding(factor, present, delta, r2, powers, plain, shares))
    return findings


def _exponents(selected: Law, factor: str, data: LawData, seed: int) -> tuple[Exponent, ...]:
    names = Expression.parse(selected.template, selected.factors).constants
    theta = np.array([selected.constants[name].value for name in names])
    return tuple(exponents(selected.template, theta, factor, data, seed))


def _without(
    factor: str, ranked: Sequence[Scored], data: LawData
) -> tuple[float | None, float | None]:
    """ΔBIC and R² of the best laws without the factor; None where all or none have it."""
    with_it = [law for law in ranked if factor in law.fitted.expression.factors]
    without = [law for law in ranked if factor not in law.fitted.expression.factors]
    if not with_it or not without:
        return None, None
    least = min(law.fitted.fit.error for law in without)
    return bic(without[0], data) - bic(with_it[0], data), 1.0 - least / _total(data)


def bic(law: Scored, data: LawData) -> float:
    """Bayesian information criterion over cells, the noise variance fitted."""
    cells = len(np.unique(data.cell))
    mean = max(law.fitted.fit.error, 1e-300) / float(data.sample.weight.sum())
    return cells * float(np.log(mean)) + len(law.fitted.expression.constants) * float(np.log(cells))


def _total(data: LawData) -> float:
    sample = data.sample
    mean = float(np.average(sample.target, weights=sample.weight))
    return max(float(np.sum(sample.weight * (sample.target - mean) ** 2)), 1e-300)


def _exponent_json(exponent: Exponent) -> dict[str, Any]:
    return {
        "value": exponent.value,
        "ci95": _listed(exponent.ci95),
        "inside": exponent.inside,
        "varies_with": list(exponent.varies_with),
        "over": _listed(exponent.over),
        "logarithm": exponent.logarithm,
    }


def _listed(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else list(pair)
