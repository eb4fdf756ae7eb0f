"""An enumerated grammar of bounded, saturating and crossing forms, fitted in batch.

A form is an *outer* function of an *effective size* u, plus terms:

    outer(u) [+ term …],   u = size · other sizes' powers · shares' effects

Sizes, counts and shares are told apart by their values (`kinds`), so the grammar works for any
factor names and knows no table. It grows forms as a beam: every effective size under every outer
function first, then the best of them with one more ingredient, and so on until the evaluations are
spent. ``?`` stands for a constant until a form is complete.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, permutations

import numpy as np

from pipeline.laws.engines.base import Readiness, Request
from pipeline.laws.expression import Expression
from pipeline.laws.kinds import Kinds, classify
from pipeline.laws.refit import Sample, fit_constants, propose_starts

#: outer functions of an effective size u: power laws, logistic, exponential, logarithmic saturation
OUTERS = (
    "? + ?*log({u})",
    "? + ?*({u})**?",
    "? + ?/sqrt({u})",
    "? + ?*sqrt({u})",
    "? + ?/({u})",
    "?*({u})**?",
    "?/(1 + (?/({u}))**?)",
    "?/(1 + ?/({u}))",
    "? + ?/(1 + (?/({u}))**?)",
    "?*(1 - exp(-(({u})/?)**?))",
    "? - ?*exp(-(({u})/?)**?)",
)
#: the outer functions under which effective sizes are compared first
SCREENING = OUTERS[:2]
#: rows and starts that are enough to rank forms; the search refits what is kept on all rows
RANK_ROWS, RANK_STARTS, RANK_STEPS = 600, 5, 15
#: forms that grow further, and forms returned for each complexity
BEAM, KEEP = 24, 6
#: forms that are tried even where hardly any evaluations are allowed
MIN_FORMS = 50
#: evaluations of one row set that one form's ranking costs, in `Request.evaluations`
COST = 100


@dataclass(frozen=True)
class Form:
    """An outer function, an effective size and additional terms, in ``?`` notation."""

    outer: str
    size: str
    terms: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The form with constants numbered ``c0, c1, …``."""
        joined = " + ".join([self.outer.format(u=self.size), *self.terms])
        numbers = count()
        return re.sub(r"\?", lambda _: f"c{next(numbers)}", joined)


@dataclass(frozen=True)
class Ranked:
    """A form with its error on the ranking rows."""

    form: Form
    error: float
    complexity: int


class Grammar:
    """Beam search over `Form`; the best forms of every complexity are the answer."""

    name = "grammar"
    own_process = False

    def readiness(self) -> Readiness:
        """Always ready: it is ours."""
        return Readiness(True, "part of mtl-laws")

    def search(self, request: Request) -> Sequence[str]:
        """Templates with constants ``c0, c1, …``."""
        return [ranked.form.text for ranked in best_of_each_size(rank(request), KEEP)]


def rank(request: Request) -> list[Ranked]:
    """Every form tried, with its error: layer after layer, each grown from the best so far."""
    kinds, sample = classify(request.sample.columns), _thinned(request.sample, request.seed)
    left = max(request.evaluations // COST, MIN_FORMS)
    seen: dict[str, Ranked | None] = {}
    layer: Iterator[Form] = screening_forms(kinds)
    grow, clock = _every_outer, time.monotonic()
    while left > 0:
        fresh = list(islice((form for form in layer if form.text not in seen), left))
        left -= len(fresh)
        for form in fresh:
            if request.time_limit and time.monotonic() - clock > request.time_limit:
                return [ranked for ranked in seen.values() if ranked]
            seen[form.text] = _try(form, sample, request)
        if not fresh:
            break
        layer, grow = grow([r for r in seen.values() if r], kinds), _grown
    return [ranked for ranked in seen.values() if ranked]


def _thinned(sample: Sample, seed: int) -> Sample:
    if len(sample) <= RANK_ROWS:
        return sample
    rows = np.random.default_rng([seed, 5]).choice(len(sample), RANK_ROWS, replace=False)
    return sample.take(np.sort(rows))


def _try(form: Form, sample: Sample, request: Request) -> Ranked | None:
    expression = Expression.parse(form.text, tuple(sample.columns))
    if expression.complexity > request.max_complexity + 6:
        return None
    starts = propose_starts(expression, sample, RANK_STARTS, request.seed)
    fit = fit_constants(expression, sample, starts, RANK_STEPS)
    return Ranked(form, fit.error, expression.complexity) if fit else None


def best_of_each_size(tried: Sequence[Ranked], keep: int) -> list[Ranked]:
    """The `keep` forms of lowest error of every complexity."""
    by_size: dict[int, list[Ranked]] = {}
    for ranked in sorted(tried, key=lambda r: (r.error, r.form.text)):
        by_size.setdefault(ranked.complexity, []).append(ranked)
    return [ranked for size in sorted(by_size) for ranked in by_size[size][:keep]]


def _best(tried: Sequence[Ranked]) -> list[Ranked]:
    """Forms by error, a longer one paying for its length."""
    return sorted(tried, key=lambda r: (r.error * r.complexity, r.form.text))


def _every_outer(tried: Sequence[Ranked], kinds: Kinds) -> Iterator[Form]:
    """The best effective sizes under every outer function."""
    for size in list(dict.fromkeys(ranked.form.size for ranked in _best(tried)))[:BEAM]:
        for outer in OUTERS:
            yield Form(outer, size)


def _grown(tried: Sequence[Ranked], kinds: Kinds) -> Iterator[Form]:
    """The best forms with one more ingredient."""
    for ranked in _best(tried)[:BEAM]:
        yield from extensions(ranked.form, kinds)


def screening_forms(kinds: Kinds) -> Iterator[Form]:
    """Every effective size under a few outer functions; products for targets that change sign."""
    sizes = list(dict.fromkeys(effective_sizes(kinds)))
    for outer in SCREENING:
        for size in sizes:
            yield Form(outer, size)
    yield from product_forms(kinds)
    for name in (*kinds.shares, *kinds.others):
        yield Form("? + ?*{u}", name)
        yield Form("? + ?*({u})**?" if name in kinds.shares else "? + ?*exp(?*{u})", name)


def product_forms(kinds: Kinds) -> Iterator[Form]:
    """Products for targets that may change sign, such as a gain: a share's effect times sizes'."""
    for share in kinds.shares:
        for effect in (f"(?*{share} - ?)", f"(?*{share}**? - ?)", f"?*{share}", f"?*{share}**?"):
            for size in kinds.sizes:
                yield Form(f"{effect}*{{u}}**?", size)
                yield Form(f"{effect}*log({{u}})", size)
            for size, other in permutations(kinds.sizes, 2):
                yield Form(f"{effect}*log({{u}})*{other}**?", size)
                yield Form(f"{effect}*log({{u}})/sqrt({other})", size)
                if size in kinds.counts:
                    yield Form(f"{effect}*({{u}} - 1)*{other}**?", size)
                    yield Form(f"{effect}*(1 - 1/{{u}})*{other}**?", size)
                if size < other:
                    yield Form(f"{effect}*{{u}}**?*{other}**?", size)


def effective_sizes(kinds: Kinds) -> Iterator[str]:
    """Sizes, products of sizes, and sizes multiplied by related tasks."""
    yield from kinds.sizes
    for a, b in permutations(kinds.sizes, 2):
        yield f"{a}*{b}**?"
        if a < b:
            yield f"{a}*{b}"
        yield f"{a} + ?*{b}"
    for share in kinds.shares:
        for size in kinds.sizes:
            yield f"{size}*{share}**?"
            yield f"{size}*exp(?*{share})"
        for size, other in permutations(kinds.sizes, 2):
            yield from related(size, other, share, other in kinds.counts)
    for share in kinds.shares:
        for count_ in kinds.counts:
            for size, other in permutations([s for s in kinds.sizes if s != count_], 2):
                yield f"{size} + ?*({count_} - 1)*{other}*{share}**?"
                yield f"{size} + ?*({count_} - 1)*{other}*{share}"


def related(size: str, other: str, share: str, counted: bool) -> Iterator[str]:
    """Effective sizes in which a share says how much of another size adds to the first."""
    yield f"{size}*{other}**{share}"
    yield f"{size}*(?*{other})**{share}"
    yield f"{size}*{other}**(?*{share})"
    yield f"{size}*{other}**(?*{share} - ?)"
    yield f"{size}*{other}**(?*{share}**?)"
    yield f"{size}*{other}**(?*{share}**? - ?)"
    if counted:
        yield f"{size}*(1 + ({other} - 1)*{share})"
        yield f"{size}*(1 + ({other} - 1)*{share}**?)"
        yield f"{size}*(1 + ?*({other} - 1)*{share})"
        yield f"{size}*(1 + ?*({other} - 1)*{share}**?)"
        yield f"{size}*(1 + ?*({other} - 1)**?*{share})"
        yield f"{size}*(1 + ?*({other} - 1)**?*{share}**?)"
        yield f"{size}*(1 + ({other} - 1)*(?*{share} - ?))"
    else:
        yield f"{size} + ?*{other}*{share}"
        yield f"{size} + ?*{other}*{share}**?"


def extensions(form: Form, kinds: Kinds) -> Iterator[Form]:
    """The form with one more ingredient, inside its effective size or beside it."""
    for piece in size_factors(kinds):
        yield Form(form.outer, f"({form.size})*{piece}", form.terms)
    for term in terms(kinds):
        if term not in form.terms:
            yield Form(form.outer, form.size, (*form.terms, term))


def size_factors(kinds: Kinds) -> Iterator[str]:
    """What an effective size may be multiplied by."""
    for name in kinds.sizes:
        yield f"{name}**?"
    for name in kinds.shares:
        yield f"(1 - ?*{name})"
        yield f"exp(?*{name})"
        yield f"(1 + ?*{name}**?)"
    for name in kinds.others:
        yield f"exp(?*{name})"


def terms(kinds: Kinds) -> Iterator[str]:
    """What may be added: each factor alone, and tasks that help or harm by relatedness."""
    for name in (*kinds.shares, *kinds.others):
        yield f"?*{name}"
    for name in kinds.shares:
        yield f"?*sqrt({name})"
        yield f"?*{name}**?"
    for name in kinds.sizes:
        yield f"?*log({name})"
        yield f"?/sqrt({name})"
        yield f"?/{name}"
        yield f"?*sqrt({name})"
        yield f"?*{name}**?"
    for share in kinds.shares:
        for name in kinds.sizes:
            yield f"?*{share}*log({name})"
            yield f"(?*{share} - ?)*log({name})"
            yield f"?*{share}*{name}**?"
            yield f"?*{share}/{name}"
            yield f"?*{share}/sqrt({name})"
            yield f"(?*{share} - ?)/{name}"
            yield f"(?*{share} - ?)/sqrt({name})"
