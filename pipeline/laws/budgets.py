"""Budgets: how hard a search tries, in evaluations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Effort of a search, in evaluations: never in seconds, so that a seed gives one law.

    Attributes
    ----------
    engine, grammar : evaluations of one run on all rows; a fold's own run gets `fold_share`, and
        there is none where that is 0.
    seeds : runs of the engine on all rows.
    keep : laws of each complexity that are scored on folds.
    """

    engine: int
    grammar: int
    seeds: int = 1
    fold_share: float = 0.4
    keep: int = 8


#: "tiny" is for tests and first looks: no engine sees a fold, hardly any form is tried
BUDGETS = {
    "tiny": Budget(engine=1_000, grammar=1_000, fold_share=0.0, keep=1),
    "quick": Budget(engine=80_000, grammar=240_000, fold_share=0.3, keep=5),
    "standard": Budget(engine=200_000, grammar=500_000, seeds=2),
    "thorough": Budget(engine=1_000_000, grammar=1_500_000, seeds=4, fold_share=0.5, keep=12),
}
