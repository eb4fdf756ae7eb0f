"""Which law is reported: the simplest valid one that extrapolates as well as the best.

Notation
--------
C : cells.    d : (C,) paired difference of two laws' extrapolation losses, cell by cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.laws.score import Scored
from pipeline.symbolic.tree import Floats

RESAMPLES = 400
#: the best of thousands of candidates is ahead by luck: for every constant that it chose among them
#: by about so many cells' share of its error; and by this share in any case
LUCK, LEAST = 2.0 * np.log(1000.0), 0.05
#: a law is adequate if it leaves no more than so many replicate variances or this share of variance
EXCESS, LITTLE = 2.0, 0.01
#: standard errors by which a law is clearly worse than another
CLEAR = 3.0
#: laws with plausible limits go first as long as they explain this share of what the best explains
LAG = 0.85


def select(scored: Sequence[Scored], data: Rows, seed: int) -> int | None:
    """Index of the selected law, None where no law is valid.

    The best law is the valid one of least error (inside and outside folds alike, `Scored.error`).
    The selected one is the simplest valid law that is `as_good`, within one standard error. Laws
    with plausible limits go first, unless the rows clearly speak against them.
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
        if as_good(
            losses[i] - losses[best],
            scored[best].error,
            draws,
            share=owed_to_luck(scored[i], scored[best], data),
        )
    ]
    return min(near, key=lambda i: _claims(scored[i]))


def _claims(law: Scored) -> tuple[int, int, float]:
    """How much a law claims: its length, then its factors; of equals the better one comes first."""
    return law.fitted.complexity, len(law.fitted.used), law.error


def contenders(scored: Sequence[Scored], data: Rows, draws: Floats) -> list[int]:
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
    luck = owed_to_luck(scored[kept], scored[best], data)
    clear = not as_good(difference, scored[best].error, draws, luck, CLEAR)
    if clear and any(adequate(scored[i], data) for i in valid):
        return valid
    lags = 1.0 - scored[kept].error < LAG * (1.0 - scored[best].error)
    return valid if lags else plausible


def adequate(law: Scored, data: Rows) -> bool:
    """Whether a law leaves little: the noise of replicates, or a hundredth of the variance."""
    residual = float(law.grouped.sum(axis=1).mean()) * data.variance
    return residual <= max(EXCESS * (data.replicate_variance or 0.0), LITTLE * data.variance)


def cell_draws(cells: int, seed: int) -> Floats:
    """How often each cell is drawn in each bootstrap resample: (RESAMPLES, C)."""
    rng = np.random.default_rng([seed, 17])
    return rng.multinomial(cells, np.full(cells, 1.0 / cells), size=RESAMPLES).astype(float)


def owed_to_luck(law: Scored, best: Scored, data: Rows) -> float:
    """Share of its own error by which the best law may be ahead of another by luck.

    The winner among M candidates owes 2 ln M cells' worth of its error to each constant that it
    picked (Foster and George 1994). Without a factor of the best law's, two were picked: the factor
    and its constant. Luck is in the extrapolation, which rests on few cells: a law that is clearly
    worse on grouped folds, which test every cell, misses something.
    """
    choices = 2 if law.fitted.used < best.fitted.used else 1
    luck = LUCK / len(np.unique(data.cell))
    inside, least = (float(each.grouped.sum(axis=1).mean()) for each in (law, best))
    share = max(luck, LEAST) if inside <= (1.0 + luck) * least else LEAST
    return float(min(choices * share, 1.0))


def as_good(
    difference: Floats, best: float, draws: Floats, share: float = LEAST, times: float = 1.0
) -> bool:
    """Whether a law is no further behind the best one than chance may put it.

    Parameters
    ----------
    difference : (C,) the law's losses less those of the best, cell by cell. *Paired*, since both
        laws stumble over the same cells; its standard error is by a bootstrap over cells.
    best : the error of the best law. A standard error larger than that is no excuse: it belongs to
        a law that breaks in a cell or two.
    draws : (M, C) of `cell_draws`.
    share : of the best law's error, a difference that counts as none.
    times : standard errors that count as chance.
    """
    chance = times * min(float((draws @ difference).std()), best)
    return bool(difference.sum() <= max(chance, share * best) + 1e-12)


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
