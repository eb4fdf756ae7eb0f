"""Which law is reported: the simplest valid one that extrapolates as well as the best.

Notation
--------
C : cells.    d : (C,) paired difference of two laws' extrapolation losses, cell by cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.expression import Floats
from pipeline.laws.scoring import Scored

RESAMPLES = 400
#: share of the best law's error that makes no practical difference, and that a further factor has
#: to gain at least: of several factors some decoy always gains a little by luck
PRACTICAL, FACTOR = 0.05, 0.10
#: a law is adequate if it leaves no more than so many replicate variances or this share of variance
EXCESS, LITTLE = 2.0, 0.01
#: standard errors by which a law is clearly worse than another
CLEAR = 3.0
#: laws with plausible limits go first as long as they explain this share of what the best explains
LAG = 0.85


def select(scored: Sequence[Scored], data: LawData, seed: int) -> int | None:
    """Index of the selected law, None where no law is valid.

    The best law is the valid one of least error (inside and outside folds alike, `Scored.error`).
    The selected one is the simplest valid law whose error is within one standard error of the best:
    of the *paired* difference, by a bootstrap over cells, since both laws stumble over the same
    cells. A law that does without some of the best one's factors may be behind it by `FACTOR` of
    its error. Laws with plausible limits go first, unless the rows clearly speak against them.
    """
    draws = cell_draws(len(np.unique(data.cell)), seed)
    pool = contenders(scored, data, draws)
    if not pool:
        return None
    best = min(pool, key=lambda i: (scored[i].error, scored[i].fitted.complexity))
    losses = {i: scored[i].by_cell(data) for i in pool}
    near = [
        i
        for i in pool
        if as_good(losses[i] - losses[best], scored[best].error, draws, _nothing(i, best, scored))
    ]
    return min(near, key=lambda i: _claims(scored[i]))


def _nothing(law: int, best: int, scored: Sequence[Scored]) -> float:
    """Share of the best law's error by which a law may be behind it all the same."""
    return FACTOR if scored[law].fitted.used < scored[best].fitted.used else PRACTICAL


def _claims(law: Scored) -> tuple[int, int, float]:
    """How much a law claims: its length, then its factors; of equals the better one comes first."""
    return law.fitted.complexity, len(law.fitted.used), law.error


def contenders(scored: Sequence[Scored], data: LawData, draws: Floats) -> list[int]:
    """Valid laws; only those with plausible limits, unless the rows clearly speak against them.

    They do where some law is adequate and the best plausible one is clearly worse than the best
    of all, or where the plausible ones explain much less.
    """
    valid = [i for i, law in enumerate(scored) if law.fitted.valid]
    plausible = [i for i in valid if not scored[i].fitted.limits]
    if not plausible:
        return valid
    best, kept = (min(pool, key=lambda i: scored[i].error) for pool in (valid, plausible))
    difference = scored[kept].by_cell(data) - scored[best].by_cell(data)
    clear = not as_good(difference / CLEAR, scored[best].error, draws)
    if clear and any(adequate(scored[i], data) for i in valid):
        return valid
    lags = 1.0 - scored[kept].error < LAG * (1.0 - scored[best].error)
    return valid if lags else plausible


def adequate(law: Scored, data: LawData) -> bool:
    """Whether a law leaves little: the noise of replicates, or a hundredth of the variance."""
    residual = float(law.grouped.sum(axis=1).mean()) * data.variance
    return residual <= max(EXCESS * (data.replicate_variance or 0.0), LITTLE * data.variance)


def cell_draws(cells: int, seed: int) -> Floats:
    """How often each cell is drawn in each bootstrap resample: (RESAMPLES, C)."""
    rng = np.random.default_rng([seed, 17])
    return rng.multinomial(cells, np.full(cells, 1.0 / cells), size=RESAMPLES).astype(float)


def as_good(difference: Floats, best: float, draws: Floats, share: float = PRACTICAL) -> bool:
    """Whether a paired difference (C,) to the best law's error is within its standard error.

    A difference of a `share` of the best law's own error counts as none.
    """
    error = float((draws @ difference).std())
    return bool(difference.sum() <= max(error, share * best) + 1e-12)


def front(scored: Sequence[Scored]) -> list[int]:
    """Laws that no simpler law beats: on the folds among the valid and among those with plausible
    limits, in sample among the valid and among all."""
    kept: set[int] = set()
    valid = [i for i, law in enumerate(scored) if law.fitted.valid]
    kept |= _undominated({i: scored[i].error for i in valid}, scored)
    plausible = [i for i in valid if not scored[i].fitted.limits]
    kept |= _undominated({i: scored[i].error for i in plausible}, scored)
    kept |= _undominated({i: scored[i].fitted.fit.error for i in valid}, scored)
    kept |= _undominated({i: law.fitted.fit.error for i, law in enumerate(scored)}, scored)
    return sorted(kept, key=lambda i: (scored[i].fitted.complexity, scored[i].error))


def _undominated(error: dict[int, float], scored: Sequence[Scored]) -> set[int]:
    kept, least = set(), np.inf
    for i in sorted(error, key=lambda i: (scored[i].fitted.complexity, error[i])):
        if error[i] < least * (1 - 1e-6):
            kept.add(i)
            least = error[i]
    return kept
