"""An enumerated grammar of bounded, saturating and crossing forms, fitted in batch.

`forms` enumerates the forms. They are tried in a beam search: every effective size under one outer
function, the best with more factors, the best under every outer function, and the best with one
more ingredient, until the evaluations are spent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from mtl_laws.pipeline.symbolic.engines.base import Readiness, Request
from mtl_laws.pipeline.symbolic.engines.forms import (
    OUTERS,
    SCREENING,
    Form,
    extensions,
    larger_sizes,
    screening_forms,
)
from mtl_laws.pipeline.symbolic.fit import Sample, fit_constants
from mtl_laws.pipeline.symbolic.kinds import Kinds, classify
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts


@dataclass(frozen=True, kw_only=True)
class GrammarRules:
    """Effort per form before ranking.

    Attributes
    ----------
    rows, groups : rows and groups that are enough to rank forms; what is kept is fitted to all.
    starts, steps : starts and steps of a form's fit.
    beam : forms that grow further.
    keep : forms returned for each complexity and set of factors.
    min_forms : forms that are tried whatever the evaluations.
    cost : evaluations that one form's ranking costs, in `Request.evaluations`.
    """

    rows: int = 400
    groups: int = 8
    starts: int = 3
    steps: int = 10
    beam: int = 24
    keep: int = 3
    min_forms: int = 50
    cost: int = 100


RULES = GrammarRules()


@dataclass(frozen=True)
class Ranked:
    """A form with its error on the ranking rows, and the factors it uses."""

    form: Form
    error: float
    complexity: int
    factors: tuple[str, ...]


class Grammar:
    """Beam search over `Form`; the best forms of every complexity are the answer."""

    name = "grammar"
    own_process = False
    knows_groups = True

    def readiness(self) -> Readiness:
        """Always ready: it is ours."""
        return Readiness(True, "part of mtl-laws")

    def search(self, request: Request) -> Sequence[str]:
        """Templates with constants ``c0, c1, …``."""
        return [ranked.form.text for ranked in best_of_each_size(rank(request), RULES.keep)]


def rank(request: Request) -> list[Ranked]:
    """Every form tried, with its error: stage after stage, each grown from the best so far."""
    kinds, sample = classify(request.sample.columns), _subsample(request.sample, request.seed)
    limit = max(request.evaluations // RULES.cost, RULES.min_forms)
    results: dict[str, Ranked | None] = {}
    clock = time.monotonic()
    for grow, fraction in STAGES:
        candidates = [ranked for ranked in results.values() if ranked]
        new_forms = (form for form in grow(candidates, kinds) if form.text not in results)
        allowed_forms = (form for form in new_forms if request.allows(form.text))
        for form in islice(allowed_forms, max(int(fraction * limit) - len(results), 0)):
            if request.time_limit and time.monotonic() - clock > request.time_limit:
                return [ranked for ranked in results.values() if ranked]
            results[form.text] = _try(form, sample, request)
    return [ranked for ranked in results.values() if ranked]


def _subsample(sample: Sample, seed: int) -> Sample:
    """Some of the rows; of some groups, where there are many."""
    rng, sample = np.random.default_rng([seed, 5]), replace(sample, pooled=False)
    if sample.group is not None and sample.groups > RULES.groups:
        largest = np.argsort(-np.bincount(sample.group), kind="stable")[: RULES.groups]
        number = np.full(sample.groups, -1)
        number[largest] = np.arange(RULES.groups)
        subset = sample.take(np.isin(sample.group, largest))
        assert subset.group is not None
        sample = replace(subset, group=number[subset.group], groups=RULES.groups)
    if len(sample) <= RULES.rows:
        return sample
    return sample.take(np.sort(rng.choice(len(sample), RULES.rows, replace=False)))


def _try(form: Form, sample: Sample, request: Request) -> Ranked | None:
    expression = Expression.parse(form.text, tuple(sample.columns))
    if expression.complexity > request.max_complexity + 6:
        return None
    starts = propose_starts(expression, sample, RULES.starts, request.seed)
    fit = fit_constants(expression, sample, starts, RULES.steps, 1e-4)
    factors = tuple(sorted(expression.factors))
    return Ranked(form, fit.error, expression.complexity, factors) if fit else None


def best_of_each_size(candidates: Sequence[Ranked], keep: int) -> list[Ranked]:
    """The `keep` forms of lowest error of every complexity and set of factors.

    Each set of factors has its own places, since a decoy factor improves many forms by chance.
    """
    groups: dict[tuple[int, tuple[str, ...]], list[Ranked]] = {}
    for ranked in sorted(candidates, key=lambda r: (r.error, r.form.text)):
        groups.setdefault((ranked.complexity, ranked.factors), []).append(ranked)
    return [ranked for group in sorted(groups) for ranked in groups[group][:keep]]


def _best(candidates: Sequence[Ranked]) -> list[Ranked]:
    """Forms ordered by error times complexity."""
    return sorted(candidates, key=lambda r: (r.error * r.complexity, r.form.text))


def _screening(candidates: Sequence[Ranked], kinds: Kinds) -> Iterator[Form]:
    yield from screening_forms(kinds)


def _larger(candidates: Sequence[Ranked], kinds: Kinds) -> Iterator[Form]:
    """The best effective sizes with one more factor in them."""
    forms = [ranked.form for ranked in _best(candidates) if ranked.form.outer == SCREENING]
    for form in forms[: RULES.beam]:
        yield from larger_sizes(form, kinds)


def _every_outer(candidates: Sequence[Ranked], kinds: Kinds) -> Iterator[Form]:
    """The best effective sizes under every outer function."""
    for size in list(dict.fromkeys(ranked.form.size for ranked in _best(candidates)))[: RULES.beam]:
        for outer in OUTERS:
            yield Form(outer, size)


def _extended(candidates: Sequence[Ranked], kinds: Kinds) -> Iterator[Form]:
    """The best forms with one more ingredient."""
    for ranked in _best(candidates)[: RULES.beam]:
        yield from extensions(ranked.form, kinds)


#: stages of the search, and the fraction of all evaluations spent at the end of each; a stage that
#: runs out of forms leaves its evaluations to the next ones
STAGES: Sequence[tuple[Callable[[Sequence[Ranked], Kinds], Iterator[Form]], float]] = (
    (_screening, 0.3),
    (_larger, 0.45),
    (_larger, 0.6),
    (_every_outer, 0.75),
    (_extended, 0.88),
    (_extended, 1.0),
)
