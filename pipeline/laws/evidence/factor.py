"""Evidence for each factor: whether it is in the law, its power, and how often it wins by chance.

The best law of the search with the factor is compared with the best without it (`ablation`). The
powers of the selected template are set free (`exponents`), and estimated without a template
(`model_free_exponent`). Laws with the factor compete on halves of the cells, with its values as
they are and permuted (`inclusion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtl_laws.pipeline.laws.evidence.ablation import (
    Competitor,
    ablation,
    bic,
    cell_means,
    competitors_of,
)
from mtl_laws.pipeline.laws.evidence.exponents import Exponent, Root, exponents, root_in_law
from mtl_laws.pipeline.laws.evidence.inclusion import inclusion
from mtl_laws.pipeline.laws.evidence.model_free_exponent import (
    ModelFreeExponent,
    model_free_exponent,
)
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import Scored
from mtl_laws.pipeline.symbolic.program import Expression


@dataclass(frozen=True, kw_only=True)
class FactorEvidence:
    """Evidence on one factor; the attributes are the fields of ``laws.json``.

    Attributes
    ----------
    in_law : whether the selected law uses it.
    delta_bic, r2_with, r2_without : see `Ablation`; None where all laws, or none, use it.
    exponent : its power, where the law has it in one place and with one power.
    exponents : its effective exponent at every place of the selected template, the place that
        moves the law most first.
    root : whether the square root of it is in the law's main place.
    plain_exponent : the power of the rows without a template.
    inclusion, inclusion_permuted : see `Inclusion`; None where it was not asked.
    """

    factor: str
    in_law: bool
    delta_bic: float | None
    r2_with: float | None
    r2_without: float | None
    exponent: Exponent | None
    exponents: tuple[Exponent, ...]
    root: Root | None
    plain_exponent: ModelFreeExponent | None
    inclusion: float | None
    inclusion_permuted: float | None

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``."""
        record = asdict(self)
        if self.exponent is not None:
            record["exponent"] = {"value": self.exponent.value, "ci95": self.exponent.ci95}
        plain: dict[str, Any] = _lists(record)
        return plain


def factor_evidence(
    selected: Law, laws: Sequence[Scored], data: Rows, seed: int, refit: bool
) -> list[FactorEvidence]:
    """Evidence for every factor of the table.

    Parameters
    ----------
    laws : the laws that were scored, on the rows of `data`.
    refit : whether there is time to refit them for `inclusion`.
    """
    means = cell_means(data)
    theta = {law.fitted.expression: law.fitted.fit.theta for law in laws if law.fitted.valid}
    score = {expression: bic(expression, theta[expression], means) for expression in theta}
    order = sorted(theta, key=lambda expression: (score[expression], expression.text))
    ranked = [(expression.text, theta[expression]) for expression in order]
    template = Expression.parse(selected.template, selected.factors)
    selected_law = Competitor(
        template, np.array([selected.constants[name].value for name in template.constants])
    )
    evidence = []
    for factor in data.factors:
        competitors = competitors_of(factor, ranked, means, seed)
        effect = ablation(selected_law, competitors, factor, means, data)
        places = tuple(exponents(selected.template, selected_law.theta, factor, data, seed))
        inclusion_scores = inclusion(competitors, factor, means, seed) if refit else None
        evidence.append(
            FactorEvidence(
                factor=factor,
                in_law=selected_law.uses(factor),
                delta_bic=effect.delta_bic if effect else None,
                r2_with=effect.r2_with if effect else None,
                r2_without=effect.r2_without if effect else None,
                exponent=places[0] if len(places) == 1 and places[0].value is not None else None,
                exponents=places,
                root=root_in_law(places),
                plain_exponent=model_free_exponent(data, factor, seed),
                inclusion=inclusion_scores.observed if inclusion_scores else None,
                inclusion_permuted=inclusion_scores.permuted if inclusion_scores else None,
            )
        )
    return evidence


def _lists(value: Any) -> Any:
    """The record with lists for tuples, below it too."""
    if isinstance(value, dict):
        return {key: _lists(part) for key, part in value.items()}
    return [_lists(part) for part in value] if isinstance(value, tuple) else value
