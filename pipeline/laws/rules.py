"""Every threshold of the method, with its default; written into ``laws.json``.

A `Rules` object travels with the rows (`Rows.rules`), so that every step of a search follows the
same ones. Change one with ``dataclasses.replace`` or `Rules.from_json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class DataRules:
    """What a table must offer.

    Attributes
    ----------
    min_rows : fewest rows to fit.
    max_value : largest magnitude of a number; squares of larger ones overflow.
    rounding : a target that varies by less than this fraction of its size does not vary.
    max_groups : most levels of the group columns together.
    min_group_rows : a group with fewer rows than this has no constants of its own.
    min_rows_of_group : a group with fewer rows than this is refused.
    max_cells : cells a search looks at; constants are refitted on all of them afterwards.
    clear_slope : standard errors from which a target of unknown name clearly falls as a size grows.
    odd_rows : most rows of a factor that can be odd: they do not fit a kind that all others fit.
    odd_negative : so far below 0 an adjusted measure such as AMI may be between unrelated tasks.
    odd_share : fraction of the rows of a factor that fit its kind, at least, where others are odd.
    """

    min_rows: int = 8
    max_value: float = 1e100
    rounding: float = 1e-12
    max_groups: int = 500
    min_group_rows: int = 4
    min_rows_of_group: int = 2
    max_cells: int = 1_500
    clear_slope: float = 3.0
    odd_rows: int = 3
    odd_negative: float = 0.1
    odd_share: float = 0.95


@dataclass(frozen=True, kw_only=True)
class FactorRules:
    """How undefined values and placeholders are recognised.

    Attributes
    ----------
    min_rows, min_levels : rows where the count is 1, and levels of the fraction elsewhere, below
        which nothing is concluded.
    min_freedom : degrees of freedom within groups of equal other factors that a test needs.
    significant : F ratio from which the target depends on the fraction.
    present : fraction of the effect elsewhere below which it is absent at a count of 1.
    """

    min_rows: int = 3
    min_levels: int = 3
    min_freedom: int = 4
    significant: float = 10.0
    present: float = 0.5


@dataclass(frozen=True, kw_only=True)
class NoiseRules:
    """How errors are weighted.

    Attributes
    ----------
    huber : residuals beyond this many robust standard deviations count linearly, not squared;
        ordinary rows keep their weight.
    outlier : a row this many robust standard deviations off every good law is an outlier.
    reweightings, steps : rounds of iterated weights, steps of the fit in each.
    good, good_laws : laws within this factor of the best law's error are good, so many at most.
    max_share : largest fraction of outliers; more rows are another population.
    listed : most outliers in ``laws.json``; of more, those that lie farthest.
    """

    huber: float = 1.345
    outlier: float = 5.0
    reweightings: int = 10
    steps: int = 10
    good: float = 1.5
    good_laws: int = 8
    max_share: float = 0.1
    listed: int = 500


@dataclass(frozen=True, kw_only=True)
class CheckRules:
    """When a law is invalid over its domain, and when its limits are implausible.

    Attributes
    ----------
    max_grid : most points of the domain grid; with more, corners and a Sobol sample replace it.
    axis : most points along one factor of the grid, and fewest with many factors.
    geometric : a positive factor whose domain spans more than this has points at equal ratios.
    corners, sample : factors whose corners are combined, and points between, where the grid is too
        large.
    undefined_values : values of its domain that an undefined factor is set to; the law must stay.
    undefined_rows : most distinct rows with an undefined factor that are checked.
    reach : ranges by which an unbounded target may leave its observed range.
    steep : powers beyond this are steps.
    flat : powers below this, of what may be 0, are steps.
    rounding : tolerance of a bound, and of a change with an undefined factor, as a fraction of the
        target's range: rounding error only.
    far : multiple of the largest size that stands for unlimited data.
    near : octaves of multiples of the largest size on the way there, the first and one past the
        last.
    far_steps : multiples between `far_from` and `far`, at equal ratios.
    far_from : the first of them.
    grow_steps : values of each factor from which sizes grow.
    grow_factors, grow_sample : with more factors, so many random points stand for their product.
    noise_sds : replicate standard deviations by which a limit may pass a bound or turn back.
    noise_range : the same as a fraction of the target's range, where there are no replicates.
    """

    max_grid: int = 8_000
    axis: tuple[int, int] = (40, 3)
    geometric: float = 5.0
    corners: int = 10
    sample: int = 4_096
    undefined_values: int = 5
    undefined_rows: int = 500
    reach: float = 3.0
    steep: float = 20.0
    flat: float = 0.01
    rounding: float = 1e-9
    far: float = 1e60
    near: tuple[int, int] = (-1, 9)
    far_from: float = 1e3
    far_steps: int = 8
    grow_steps: int = 4
    grow_factors: int = 6
    grow_sample: int = 4_000
    noise_sds: float = 2.0
    noise_range: float = 0.02


@dataclass(frozen=True, kw_only=True)
class FoldRules:
    """Which rows are kept out for scoring.

    Attributes
    ----------
    random : number of folds over random cells.
    shallow, deep : fraction of a factor's levels that its extrapolation folds keep out.
    min_levels : levels of a factor below which it has no extrapolation fold.
    min_test_cells : cells a fold needs for testing.
    min_train_cells, min_train_share : cells a fold needs for training, and their fraction of all.
    min_nested : folds from which on the optimism of the choice is estimated.
    min_group_test : rows in every group that a fold needs for R² about each group's own mean.
    """

    random: int = 5
    shallow: float = 0.25
    deep: float = 0.5
    min_levels: int = 4
    min_test_cells: int = 2
    min_train_cells: int = 4
    min_train_share: float = 0.25
    min_nested: int = 3
    min_group_test: int = 3


@dataclass(frozen=True, kw_only=True)
class SelectionRules:
    """When a simpler law is as good as the best one.

    Attributes
    ----------
    resamples : bootstrap resamples of cells for the standard error of a difference.
    winners_curse : lead of the best candidate by chance, in cells' worth of error per constant
        chosen: 2 ln M for M = 1,000 candidates (Foster and George 1994).
    min_difference : fraction of the best law's error below which a difference is none.
    standard_errors : standard errors within which a simpler law is as good.
    clear : standard errors by which a law is clearly worse.
    adequate_noise : a law is adequate if it leaves at most so many replicate variances …
    adequate_share : … or this fraction of the target's variance.
    plausible_share : laws with plausible limits come first as long as they explain this fraction of
        what the best law explains.
    far_better : implausible limits do not exclude a law that is clearly better than the best
        plausible one and has less than this fraction of its error.
    fold_bound : error of a fold that counts at most, as a fraction of the way from the lowest error
        of a valid law on it to the error of the mean.
    no_worse : fraction by which the error of a fold may grow where a constant is shared by groups.
    worst : squared error, in variances, of a value that is not finite.
    same : two laws whose predictions differ by no more, in SDs of the target, are one on the front.
    """

    resamples: int = 400
    winners_curse: float = float(2.0 * np.log(1000.0))
    min_difference: float = 0.05
    standard_errors: float = 1.0
    clear: float = 3.0
    adequate_noise: float = 2.0
    adequate_share: float = 0.01
    plausible_share: float = 0.85
    far_better: float = 0.5
    fold_bound: float = 0.5
    worst: float = 1e6
    no_worse: float = 0.2
    same: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class SearchRules:
    """How candidates are fitted and which are kept.

    Attributes
    ----------
    max_complexity : largest law of an engine or of the grammar that is selected or shown.
    longest : the same for response surfaces and known forms, which are read term by term.
    starts : starts of a fit on all rows.
    fold_starts : starts of an extrapolation fold's fit, beside the constants on all rows; random
        folds have no others.
    iterations, fold_iterations : steps of such a fit at most.
    own_starts, own_iterations : starts and steps of the fit of an own form on all rows: a candidate
        of an engine has near relatives, an own form has one chance.
    pruned : laws of each complexity of which shorter variants are tried, …
    pruned_excess : … up to so many nodes more than `max_complexity`.
    shared : laws, the best on folds, for which sharing of constants by groups is tried.
    seats : laws that are scored for their error on extrapolation folds alone, beside the best of
        every complexity.
    seats_tried, seat_iterations : laws of each complexity that compete for them, steps of each fit.
    prune_loss : factor by which a shorter variant may raise the error.
    prune_starts, prune_iterations : starts and steps of a shorter variant's fit.
    grammar_fold_share : fraction of a fold's evaluations that the grammar spends.
    first_engine_time : fraction of a time limit by which grammar and surfaces end if an engine with
        processes of its own follows them.
    engine_time, pruning_time, screening_time, fitting_time : fraction of a time limit by which a
        stage ends.
    """

    max_complexity: int = 25
    longest: int = 70
    starts: int = 5
    fold_starts: int = 1
    iterations: int = 30
    fold_iterations: int = 15
    own_starts: int = 20
    own_iterations: int = 60
    pruned: int = 1
    pruned_excess: int = 12
    shared: int = 16
    seats: int = 16
    seats_tried: int = 20
    seat_iterations: int = 6
    prune_loss: float = 1.35
    prune_starts: int = 0
    prune_iterations: int = 8
    grammar_fold_share: float = 0.25
    first_engine_time: float = 0.25
    engine_time: float = 0.55
    pruning_time: float = 0.75
    screening_time: float = 0.8
    fitting_time: float = 0.8


@dataclass(frozen=True, kw_only=True)
class IntervalRules:
    """Intervals of constants and of predictions.

    Attributes
    ----------
    level : coverage of every interval.
    resamples : bootstrap resamples of cells.
    iterations : steps of a resample's fit.
    max_rows : with more rows, draws come from the sandwich covariance instead.
    min_resamples : fraction of the resamples that must have been fitted.
    stored_digits : significant digits of a stored draw.
    rivals, rival_error, rival_distance : laws that stand for the uncertainty of the form: so many
        at most, with at most so many times the selected law's error, and apart from each other by
        so many standard deviations of the target somewhere.
    least_distance : smallest distance of a fold's row, in widths of the region.
    unknown_drift : drift where there is no extrapolation fold, in standard deviations.
    most_drift : drift of a prediction that is not finite, in standard deviations.
    """

    level: float = 0.95
    resamples: int = 200
    iterations: int = 25
    max_rows: int = 5_000
    min_resamples: float = 0.5
    stored_digits: int = 9
    rivals: int = 10
    rival_error: float = 3.0
    rival_distance: float = 1e-3
    least_distance: float = 0.05
    unknown_drift: float = 1.0
    most_drift: float = 100.0


@dataclass(frozen=True, kw_only=True)
class EvidenceRules:
    """What counts as evidence for a factor, an exponent or harm.

    Attributes
    ----------
    strong : difference in BIC that is strong evidence (Kass and Raftery 1995).
    clear : difference in BIC by which a law clearly wins on half of the cells.
    halves, permutations : random halves of the cells, permutations of a factor's values.
    laws_with, laws_without : laws with a factor, and without it, that compete.
    starts, first_iterations, iterations : starts and steps of a competitor's fit on permuted rows,
        where its constants are elsewhere; steps on a half.
    reduced_starts : starts of a competitor that is another law without the factor.
    tolerance : relative gain in error below which a competitor's fit has converged.
    same_law : decimals, in standard deviations of the target, to which equal laws agree.
    chance : an inclusion is weak if it exceeds that of permuted values by no more than this.
    max_rows : with more rows than this, inclusion is not computed.
    same_power : two powers closer than this are one.
    drift : fraction of an exponent's size that it may move where predictions do not.
    same_fit : χ² by which a law fits no worse than the same law with one constant more.
    minor_place : a place of a factor that moves the law less than this fraction of what its main
        place does is a minor one.
    widest_power : the interval of a power is not reported if it reaches further.
    power_iterations : steps of the fit with a power set free.
    power_resamples : bootstrap resamples of a model-free exponent.
    power_range, power_range_zero : exponents tried for positive factors, and for others.
    power_step : distance between exponents that are tried.
    power_levels, power_freedom : levels and spare cells that a model-free exponent needs.
    power_cells : most cells of a model-free exponent.
    fractions, values, counts : points of each factor where harm is judged.
    no_change : fraction of the target's range below which a change is none.
    clear_harm : standard errors by which a measured cell lies clearly below single-task training.
    pooled_levels : most levels of a factor whose ranges are pooled; a continuum is cut into fewer.
    pooled_cells : cells of a range, at least, unless there are fewer in all.
    pooled_ranges : most ranges of factor levels over which gains are pooled.
    pooled_numbers : most products of ranges and cells; with more cells fewer ranges are tried.
    pooled_draws : tables without any gain that are drawn to see how far chance goes.
    pooled_regions : most separate regions of harm, and of gain, that are recorded.
    pooled_listed : most paired cells in ``laws.json``; of more, a random sample. All are judged.
    prior_freedom : degrees of freedom with which the noise of all cells counts in that of a few.
    seed_freedom : spare pairs of runs below which pairs by seed say nothing about noise.
    reach_multiples : multiples of a size's largest fitted value at which the law is asked how sure
        it is, from 1.
    reach_noise, reach_range : a law is trusted while the half-width of its interval is at most so
        many standard deviations of a run, or this fraction of the target's fitted range.
    reach_tested : a law is trusted at most so many times as far beyond its fitted rows, by
        logarithms, as its extrapolation folds and held-out rows lie beyond their training rows.
    reach_cells : cells that must lie so far.
    reach_held, reach_held_rows : held-out rows contradict a law if fewer than this fraction of at
        least so many lie in the interval of one more trial.
    reach_edge : fraction of a size's range, from the largest value, in which the highest fitted
        corner is looked for.
    baseline_trees, baseline_rate : trees and learning rate of the gradient boosting baseline.
    baseline_leaf_share, baseline_leaf : rows in a leaf, as a fraction of all; fewest and most.
    """

    strong: float = 10.0
    clear: float = 6.0
    halves: int = 50
    permutations: int = 6
    laws_with: int = 10
    laws_without: int = 10
    starts: int = 2
    first_iterations: int = 10
    iterations: int = 5
    reduced_starts: int = 8
    tolerance: float = 1e-4
    same_law: int = 4
    chance: float = 0.3
    max_rows: int = 5_000
    same_power: float = 1e-6
    drift: float = 1e-3
    same_fit: float = 1.0
    minor_place: float = 0.8
    widest_power: float = 20.0
    power_iterations: int = 200
    power_resamples: int = 200
    power_range: tuple[float, float] = (-3.0, 3.0)
    power_range_zero: tuple[float, float] = (0.02, 4.0)
    power_step: float = 0.02
    power_levels: int = 3
    power_freedom: int = 6
    power_cells: int = 2_000
    fractions: int = 41
    values: int = 6
    counts: int = 8
    no_change: float = 1e-3
    clear_harm: float = 2.0
    pooled_levels: int = 8
    pooled_cells: int = 3
    pooled_ranges: int = 6_000
    pooled_numbers: int = 6_000_000
    pooled_draws: int = 400
    pooled_regions: int = 4
    pooled_listed: int = 4_000
    prior_freedom: float = 4.0
    seed_freedom: int = 6
    reach_multiples: tuple[float, ...] = (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)
    reach_noise: float = 2.0
    reach_range: float = 0.1
    reach_tested: float = 1.0
    reach_cells: int = 2
    reach_held: float = 0.75
    reach_held_rows: int = 4
    reach_edge: float = 0.1
    baseline_trees: int = 80
    baseline_rate: float = 0.1
    baseline_leaf_share: float = 0.02
    baseline_leaf: tuple[int, int] = (3, 20)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All rules of the method."""

    data: DataRules = field(default_factory=DataRules)
    factors: FactorRules = field(default_factory=FactorRules)
    noise: NoiseRules = field(default_factory=NoiseRules)
    checks: CheckRules = field(default_factory=CheckRules)
    folds: FoldRules = field(default_factory=FoldRules)
    selection: SelectionRules = field(default_factory=SelectionRules)
    search: SearchRules = field(default_factory=SearchRules)
    intervals: IntervalRules = field(default_factory=IntervalRules)
    evidence: EvidenceRules = field(default_factory=EvidenceRules)

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``: section -> rule -> value."""
        return asdict(self)

    @staticmethod
    def from_json(record: Mapping[str, Mapping[str, Any]]) -> Rules:
        """The rules of a record; missing rules have their defaults, unknown ones are ignored."""
        sections = {}
        for section in fields(Rules):
            kind = type(getattr(Rules(), section.name))
            names = {rule.name for rule in fields(kind)}
            section_record = record.get(section.name, {})
            values = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in section_record.items()
                if name in names
            }
            sections[section.name] = kind(**values)
        return Rules(**sections)


@dataclass(frozen=True, kw_only=True)
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


BUDGETS: Mapping[str, Budget] = {
    "tiny": Budget(engine=1_000, grammar=1_000, fold_share=0.0, keep=1),
    "quick": Budget(engine=80_000, grammar=150_000, fold_share=0.3, keep=5),
    "standard": Budget(engine=200_000, grammar=500_000, seeds=2),
    "thorough": Budget(engine=1_000_000, grammar=1_500_000, seeds=4, fold_share=0.5, keep=12),
}
"""``tiny`` is for tests and first looks: few forms, and no engine runs on a fold."""
