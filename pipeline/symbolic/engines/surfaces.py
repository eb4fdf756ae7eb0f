"""Response surfaces: quadratic forms in the logarithms of sizes, in which a factor may turn.

    c0 + c1*exp(S),  c0*exp(S)  or  c0 + S,    S = Σ constants · products of up to two variables

A variable is the logarithm of a size or the value of a fraction. With sizes alone exp(S) is a
product of powers whose exponents depend on logarithms (translog; Christensen, Jorgenson and Lau
1973), and a square gives a factor an optimum that is a power of the others (Box and Wilson 1951).
Terms enter one by one, those that explain most first, and leave a full surface one by one, those
that explain least first; every step is a candidate.

Notation
--------
N : rows.    K : terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, count

import numpy as np

from mtl_laws.pipeline.symbolic.engines.base import Readiness, Request
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.kinds import Kinds, classify
from mtl_laws.pipeline.symbolic.starts import left_of_floors
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class SurfaceRules:
    """How surfaces are grown.

    Attributes
    ----------
    rows : rows that are enough to rank terms.
    terms : most terms of a surface.
    factors : with more factors than this, there are no products of two of them.
    spare : rows that a full surface needs for every term.
    ridge : added to the normalised normal equations.
    """

    rows: int = 1_000
    terms: int = 14
    factors: int = 8
    spare: int = 3
    ridge: float = 1e-9


RULES = SurfaceRules()


@dataclass(frozen=True)
class Variable:
    """A factor as it enters a surface: by its logarithm or as it is."""

    name: str
    logarithm: bool

    @property
    def text(self) -> str:
        """The variable as a formula."""
        return f"log({self.name})" if self.logarithm else self.name


Term = tuple[Variable, ...]


class Surfaces:
    """Selection of terms, one by one; every surface on the way is an answer."""

    name = "surface"
    own_process = False
    knows_groups = True

    def readiness(self) -> Readiness:
        """Always ready: it is ours."""
        return Readiness(True, "part of mtl-laws")

    def search(self, request: Request) -> Sequence[str]:
        """Templates with constants ``c0, c1, …``."""
        return surfaces(request)


SURFACES = Surfaces()


def surfaces(request: Request) -> list[str]:
    """Templates of surfaces of growing size for every link that the target allows."""
    every = max(len(request.sample) // RULES.rows, 1)
    sample = request.sample.take(np.arange(0, len(request.sample), every))
    kinds = classify(request.sample.columns)
    terms = [term for term in _terms(kinds) if request.allows(_product(term))]
    if not terms:
        return []
    values = np.array([_values(term, sample) for term in terms])
    templates: dict[str, None] = {}
    for link, target, weight in _links(sample, values):
        moments = _moments(values, target, weight, sample)
        for subset in _paths(terms, moments, kinds, len(sample)):
            templates[_text(link, [terms[k] for k in subset])] = None
    return list(templates)


def _terms(kinds: Kinds) -> list[Term]:
    logs = [Variable(name, True) for name in kinds.sizes]
    plain = [Variable(name, False) for name in (*kinds.fractions, *kinds.amounts, *kinds.others)]
    variables = [*logs, *plain]
    pairs = combinations_with_replacement(variables, 2) if len(variables) <= RULES.factors else ()
    return [*((variable,) for variable in variables), *pairs]


def _values(term: Term, sample: Sample) -> Floats:
    product = np.ones(len(sample))
    for variable in term:
        column = sample.columns[variable.name]
        product = product * (np.log(column) if variable.logarithm else column)
    return product


def _links(sample: Sample, values: Floats) -> Iterator[tuple[str, Floats, Floats]]:
    """Every link as a template with a place for S, the target that S explains, and row weights."""
    yield "? + {s}", sample.target, sample.weight
    for link, floor in (("?*{e}", False), ("? + ?*{e}", True)):
        best = None
        for left in left_of_floors(sample, floor):
            target, weight = np.log(left), sample.weight * left**2
            moments = _moments(values, target, weight, sample)
            # errors of the logarithm in the target's own units
            error = _left(moments, tuple(range(len(values))))
            if best is None or error < best[0]:
                best = error, target, weight
        if best is not None:
            yield link, best[1], best[2]


def _moments(values: Floats, target: Floats, weight: Floats, sample: Sample) -> Floats:
    """Weighted products (K + 1, K + 1) of terms and target, each less its mean by group."""
    group = np.zeros(len(sample), np.int64) if sample.group is None else sample.group
    total = np.maximum(np.bincount(group, weight, sample.groups), 1e-300)
    rows = np.vstack([values, target])
    means = [np.bincount(group, weight * row, sample.groups) / total for row in rows]
    rows = rows - np.array([mean[group] for mean in means])
    return np.asarray((rows * weight) @ rows.T)


def _left(moments: Floats, subset: Sequence[int]) -> float:
    """Squared error that the chosen terms leave."""
    total = float(moments[-1, -1])
    if not subset:
        return total
    place = list(subset)
    size = np.sqrt(np.maximum(np.diag(moments)[place], 1e-300))
    unit = moments[np.ix_(place, place)] / np.outer(size, size) + RULES.ridge * np.eye(len(place))
    slope = moments[place, -1] / size
    return total - float(slope @ np.linalg.solve(unit, slope))


def _paths(
    terms: Sequence[Term], moments: Floats, kinds: Kinds, rows: int
) -> Iterator[tuple[int, ...]]:
    """Sets of terms on the way up from none and on the way down from all."""
    most = min(RULES.terms, max(rows // RULES.spare, 1))
    subset: tuple[int, ...] = ()
    while len(subset) < min(most, len(terms)):
        candidates = [
            _with_lower(subset, k, terms, kinds) for k in range(len(terms)) if k not in subset
        ]
        eligible = [each for each in candidates if len(each) <= most]
        if not eligible:
            break
        error, start = _left(moments, subset), len(subset)
        # most explained for each term that comes in
        subset = max(
            eligible, key=lambda each: (error - _left(moments, each)) / (len(each) - start)
        )
        yield subset
    subset = tuple(range(len(terms)))
    if len(terms) > rows // RULES.spare:
        return
    while len(subset) > 1:
        if len(subset) <= most:
            yield subset
        removable = [
            k for k in subset if not any(_is_below(terms[k], terms[j], kinds) for j in subset)
        ]
        subsets = [tuple(j for j in subset if j != k) for k in removable]
        subset = min(subsets, key=lambda each: _left(moments, each))


def _with_lower(
    subset: tuple[int, ...], k: int, terms: Sequence[Term], kinds: Kinds
) -> tuple[int, ...]:
    """The chosen terms with one more, and those that it cannot be without."""
    required = [j for j in range(len(terms)) if _is_below(terms[j], terms[k], kinds)]
    return tuple(sorted({*subset, k, *required}))


def _is_below(lower: Term, higher: Term, kinds: Kinds) -> bool:
    """Whether a change of a size's unit turns some of the higher term into the lower one."""
    if len(lower) != 1 or len(higher) != 2:
        return False
    rest = list(higher)
    if lower[0] not in rest:
        return False
    rest.remove(lower[0])
    return rest[0].logarithm and rest[0].name in kinds.measured


def _product(term: Term) -> str:
    if len(term) == 2 and term[0] == term[1]:
        return f"{term[0].text}**2"
    return "*".join(variable.text for variable in term)


def _text(link: str, terms: Sequence[Term]) -> str:
    """The template with constants ``c0, c1, …``."""
    total = " + ".join(f"?*{_product(term)}" for term in terms)
    text = link.format(s=total, e=_exponential(terms) if "{e}" in link else "")
    numbers = count()
    return "".join(f"c{next(numbers)}" if sign == "?" else sign for sign in text)


def _exponential(terms: Sequence[Term]) -> str:
    """exp(S) as powers of sizes, times the exponential of what holds no size."""
    parts, rest = [], list(terms)
    for name in dict.fromkeys(v.name for term in terms for v in term if v.logarithm):
        own = [term for term in rest if Variable(name, True) in term]
        rest = [term for term in rest if term not in own]
        inner = []
        for term in own:
            others = list(term)
            others.remove(Variable(name, True))
            inner.append("*".join(["?", *(variable.text for variable in others)]))
        if inner:
            parts.append(f"{name}**({' + '.join(inner)})")
    if rest:
        parts.append(f"exp({' + '.join(f'?*{_product(term)}' for term in rest)})")
    return "*".join(parts)
