"""What the data say for each factor: is it in the law, with which power, and would it be by luck.

A verdict rests on the laws that were found. The best of them with the factor is set against the
best without it, the same laws with the factor taken out among them, by the Bayesian information
criterion over cells (`criterion`). Beside that: the powers of the selected template, set free
(`exponents`); the power that the rows ask for without any template (`plainpower`); and how often
the factor is in the winning law, on halves of the cells and when shuffled (`inclusion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.laws.evidence.criterion import bic, cell_means
from pipeline.laws.evidence.exponents import Exponent, exponents
from pipeline.laws.evidence.inclusion import Inclusion, Rival, inclusion, rivals
from pipeline.laws.evidence.model_free_exponent import PlainPower, plain_power
from pipeline.laws.law import Law
from pipeline.laws.rows import Rows
from pipeline.laws.score import Scored
from pipeline.laws.verdicts import (
    Worth,
    on_exponents,
    on_factor,
    on_inclusion,
    on_plain_power,
    on_root_in_law,
)
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class Finding:
    """Evidence on one factor.

    Attributes
    ----------
    worth : what the best laws with and without it reach; None where no law that was found has it.
    exponents : its effective exponent at every place of the selected template, the place that
        moves the law most first.
    plain : the power that the rows ask for without a template.
    inclusion : how often it is in the winning law; None where that was not asked.
    """

    factor: str
    in_law: bool
    worth: Worth | None
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
            on_factor(self.factor, self.in_law, self.worth),
            on_inclusion(self.factor, self.in_law, self.inclusion),
            on_exponents(self.factor, self.exponents),
            on_plain_power(self.factor, self.plain),
        )
        return " ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """The record of `laws.json`."""
        single, shares, worth = self.exponent, self.inclusion, self.worth
        return {
            "factor": self.factor,
            "in_law": self.in_law,
            "delta_bic": worth and worth.delta_bic,
            "r2_with": worth and worth.r2_with,
            "r2_without": worth and worth.r2_without,
            "exponent": single and {"value": single.value, "ci95": _listed(single.ci95)},
            "exponents": [_exponent_json(exponent) for exponent in self.exponents],
            "root": on_root_in_law(self.exponents),
            "plain_exponent": self.plain
            and {**asdict(self.plain), "ci95": _listed(self.plain.ci95)},
            "inclusion": shares and shares.observed,
            "inclusion_permuted": shares and shares.permuted,
            "sentence": self.sentence,
        }


def evidence(
    selected: Law, pool: Sequence[Scored], data: Rows, seed: int, refit_pool: bool
) -> list[Finding]:
    """One finding for every factor of the table.

    Parameters
    ----------
    pool : the laws that were scored, on the rows of `data`.
    refit_pool : whether there is time to refit them for `inclusion`.
    """
    means = cell_means(data)
    fits = {law.fitted.expression: law.fitted.fit.theta for law in pool if law.fitted.valid}
    score = {law: bic(law, theta, means) for law, theta in fits.items()}
    ranked = [(law.text, fits[law]) for law in sorted(fits, key=lambda e: (score[e], e.text))]
    findings = []
    for factor in data.factors:
        laws = rivals(ranked, factor, means, seed)
        shares = inclusion(laws, factor, means, seed) if refit_pool else None
        powers = _exponents(selected, factor, data, seed)
        plain = plain_power(data, factor, seed)
        worth = _worth(selected, laws, factor, means, data)
        findings.append(Finding(factor, selected.uses(factor), worth, powers, plain, shares))
    return findings


def _exponents(selected: Law, factor: str, data: Rows, seed: int) -> tuple[Exponent, ...]:
    theta = _theta(selected)
    return tuple(exponents(selected.template, theta, factor, data, seed))


def _theta(law: Law) -> Floats:
    names = Expression.parse(law.template, law.factors).constants
    return np.array([law.constants[name].value for name in names])


def _worth(
    selected: Law, laws: Sequence[Rival], factor: str, means: Rows, data: Rows
) -> Worth | None:
    """The best laws with and without a factor; the law itself counts where it is one of them."""
    kinds: dict[bool, list[Rival]] = {True: [], False: []}
    for law in [*laws, (Expression.parse(selected.template, selected.factors), _theta(selected))]:
        kinds[factor in law[0].factors].append(law)
    if not kinds[True] or not kinds[False]:
        return None
    score = {has: min(bic(*law, means) for law in some) for has, some in kinds.items()}
    r2 = {has: max(_r2(*law, data) for law in some) for has, some in kinds.items()}
    own = _r2(Expression.parse(selected.template, selected.factors), _theta(selected), data)
    r2[selected.uses(factor)] = own
    return Worth(score[False] - score[True], r2[True], r2[False])


def _r2(expression: Expression, theta: Floats, data: Rows) -> float:
    """Share of the variance of the rows that a law explains; −inf at a pole."""
    sample = data.sample
    with np.errstate(all="ignore"):
        residual = sample.target - expression.evaluate(sample.columns, theta)
        error = float(np.sum(sample.weight * residual**2))
    mean = float(np.average(sample.target, weights=sample.weight))
    total = max(float(np.sum(sample.weight * (sample.target - mean) ** 2)), 1e-300)
    return 1.0 - error / total if np.isfinite(error) else -np.inf


def _exponent_json(exponent: Exponent) -> dict[str, Any]:
    return {
        "value": exponent.value,
        "ci95": _listed(exponent.ci95),
        "inside": exponent.inside,
        "varies_with": list(exponent.varies_with),
        "over": _listed(exponent.over),
        "logarithm": exponent.logarithm,
        "part": exponent.part,
        "under": exponent.under,
        "moves": exponent.moves,
    }


def _listed(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else list(pair)
