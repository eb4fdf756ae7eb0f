"""Selection: the simplest valid law that extrapolates as well as the best one.

Notation
--------
C : cells.    K : folds.    M : laws.
d : (C,) paired difference of two laws' losses, cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import SelectionRules
from mtl_laws.pipeline.laws.score import Scored
from mtl_laws.pipeline.symbolic.tree import Floats


def select(scored: Sequence[Scored], data: Rows, seed: int) -> int | None:
    """Index of the selected law, None where no law is valid.

    The best law is the valid one of least error (inside and outside folds alike, `Scored.error`).
    The selected one is the simplest valid law that is `as_good`, within one standard error. Laws
    with plausible limits come first, unless the rows clearly speak against them. Fold errors are
    `bounded` before laws are compared.
    """
    rules = data.rules.selection
    scored = bounded(scored, rules)
    draws = cell_draws(len(np.unique(data.cell)), seed, rules)
    pool = eligible(scored, data, draws)
    if not pool:
        return None
    best = min(pool, key=lambda i: (scored[i].error, scored[i].fitted.complexity))
    losses = {i: scored[i].by_cell(data) for i in pool}
    rivals = [
        i
        for i in pool
        if as_good(
            losses[i] - losses[best],
            scored[best].error,
            draws,
            winners_curse(scored[i], scored[best], data),
            rules.standard_errors,
        )
    ]
    return min(rivals, key=lambda i: _claims(scored[i]))


def bounded(scored: Sequence[Scored], rules: SelectionRules) -> list[Scored]:
    """The laws with losses that do not exceed a bound on any fold.

    A fold refits a law to fewer rows. Where these leave a constant open, the size of the error
    depends on where the constant happens to end, and one such fold could outweigh all others. The
    bound of a fold lies between the lowest error of a valid law and 1, the error of the mean.
    """
    valid = [law.fitted.valid for law in scored]
    if not any(valid):
        return list(scored)
    random = _bounded([law.random for law in scored], valid, rules)
    extrapolation = _bounded([law.extrapolation for law in scored], valid, rules)
    return [
        replace(law, random=random[i], extrapolation=extrapolation[i])
        for i, law in enumerate(scored)
    ]


def _bounded(losses: Sequence[Floats], valid: Sequence[bool], rules: SelectionRules) -> Floats:
    """Losses (M, K, N) that do not exceed the bound of any fold."""
    loss = np.array(losses)
    error = loss.sum(axis=2)
    lowest = np.minimum(error[np.array(valid)].min(axis=0), 1.0)
    bound = lowest + rules.fold_bound * (1.0 - lowest)
    factor: Floats = np.minimum(bound / np.maximum(error, 1e-300), 1.0)
    return np.asarray(loss * factor[..., None])


def _claims(law: Scored) -> tuple[int, int, bool, float]:
    """Sort key: complexity, number of factors, known form before an engine's form, error."""
    fitted = law.fitted
    return fitted.complexity, len(fitted.used), not fitted.candidate.structured, law.error


def eligible(scored: Sequence[Scored], data: Rows, draws: Floats) -> list[int]:
    """Indices of the valid laws with plausible limits, or of all valid laws.

    All valid laws are eligible where the best plausible one explains much less than the best of
    all, or is clearly worse and either some law is adequate or the best has far less error.
    """
    rules = data.rules.selection
    valid = [i for i, law in enumerate(scored) if law.fitted.valid]
    plausible = [i for i in valid if not scored[i].fitted.limits]
    if not plausible:
        return valid
    best, best_plausible = (min(pool, key=lambda i: scored[i].error) for pool in (valid, plausible))
    difference = scored[best_plausible].by_cell(data) - scored[best].by_cell(data)
    curse = winners_curse(scored[best_plausible], scored[best], data)
    clearly_worse = not as_good(difference, scored[best].error, draws, curse, rules.clear)
    far_better = scored[best].error < rules.far_better * scored[best_plausible].error
    if clearly_worse and (far_better or any(adequate(scored[i], data) for i in valid)):
        return valid
    explains_less = 1.0 - scored[best_plausible].error < rules.plausible_share * (
        1.0 - scored[best].error
    )
    return valid if explains_less else plausible


def adequate(law: Scored, data: Rows) -> bool:
    """Whether the residual variance is near the replicate noise or 1 % of the variance."""
    rules = data.rules.selection
    noise = rules.adequate_noise * (data.replicate_variance or 0.0)
    residual = float(law.random.sum(axis=1).mean()) * data.variance
    return residual <= max(noise, rules.adequate_share * data.variance)


def cell_draws(cells: int, seed: int, rules: SelectionRules) -> Floats:
    """How often each cell is drawn in each bootstrap resample: (resamples, C)."""
    rng = np.random.default_rng([seed, 17])
    return rng.multinomial(cells, np.full(cells, 1.0 / cells), size=rules.resamples).astype(float)


def winners_curse(law: Scored, best: Scored, data: Rows) -> float:
    """Correction for the winner's curse, as a fraction of the best law's error.

    The best of M candidates is ahead by chance by 2 ln M cells' worth of noise error for every
    choice it made (Foster and George 1994). A factor that the other law lacks is one more choice,
    and so is an engine's form beside a known form. Noise error is the error on random folds. There
    is no correction for a law that is clearly worse on random folds, which test every cell.
    """
    rules = data.rules.selection
    choices = 1 + (law.fitted.used < best.fitted.used)
    choices += law.fitted.candidate.structured and not best.fitted.candidate.structured
    curse = rules.winners_curse / len(np.unique(data.cell))
    errors_of_law, least = (float(each.random.sum(axis=1).mean()) for each in (law, best))
    comparable = errors_of_law <= (1.0 + curse) * least
    noise = min(least / max(best.error, 1e-300), 1.0)
    fraction = max(curse * noise, rules.min_difference) if comparable else rules.min_difference
    return float(min(choices * fraction, 1.0))


def as_good(
    difference: Floats, best: float, draws: Floats, fraction: float, standard_errors: float = 1.0
) -> bool:
    """Whether a law differs from the best one by no more than chance.

    Parameters
    ----------
    difference : (C,) the law's losses less those of the best, cell by cell. *Paired*, since both
        laws err in the same cells; its standard error is by a bootstrap over cells.
    best : the error of the best law, an upper limit of the standard error: a larger one belongs
        to a law that breaks in a cell or two.
    draws : (M, C) of `cell_draws`.
    fraction : fraction of the best law's error below which a difference is none.
    standard_errors : standard errors that count as chance.
    """
    chance = standard_errors * min(float((draws @ difference).std()), best)
    return bool(difference.sum() <= max(chance, fraction * best) + 1e-12)


def front(scored: Sequence[Scored], rules: SelectionRules) -> list[int]:
    """Indices of the laws that no simpler law beats, by complexity.

    Judged on the folds among valid and among plausible laws, with errors as in `select`, and in
    sample among valid and all.
    """
    scored = bounded(scored, rules)
    indices: set[int] = set()
    valid = [i for i, law in enumerate(scored) if law.fitted.valid]
    indices |= _undominated({i: scored[i].error for i in valid}, scored)
    plausible = [i for i in valid if not scored[i].fitted.limits]
    indices |= _undominated({i: scored[i].error for i in plausible}, scored)
    indices |= _undominated({i: scored[i].fitted.fit.error for i in valid}, scored)
    indices |= _undominated({i: law.fitted.fit.error for i, law in enumerate(scored)}, scored)
    return sorted(indices, key=lambda i: (scored[i].fitted.complexity, scored[i].error))


def distinct(
    order: Sequence[int],
    scored: Sequence[Scored],
    predicted: Mapping[int, Floats],
    tolerance: float,
) -> list[int]:
    """Laws whose predictions differ from those of every earlier one, in the given order.

    Laws that differ in validity, or in the plausibility of their limits, are always distinct.

    Parameters
    ----------
    order : indices of laws in `scored`, the preferred one of equal laws first.
    predicted : index -> (N,) values on the rows; nan equals nan.
    tolerance : difference of two values up to which they are the same.
    """
    indices: list[int] = []
    for i in order:
        if not any(
            _same_verdict(scored[i], scored[k])
            and np.allclose(predicted[i], predicted[k], rtol=0, atol=tolerance, equal_nan=True)
            for k in indices
        ):
            indices.append(i)
    return indices


def _same_verdict(one: Scored, other: Scored) -> bool:
    first, second = one.fitted, other.fitted
    return first.valid == second.valid and (first.limits is None) == (second.limits is None)


def _undominated(error: dict[int, float], scored: Sequence[Scored]) -> set[int]:
    indices, lowest = set(), np.inf
    for i in sorted(error, key=lambda i: (scored[i].fitted.complexity, error[i])):
        if error[i] < lowest * (1 - 1e-6):
            indices.add(i)
            lowest = error[i]
    return indices
