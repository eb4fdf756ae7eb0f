"""Named forms from the literature, in the names of a table's own factors.

Which forms a table is asked about depends on the kinds of its factors: {n}, {m}, … are sizes in any
order, {k} is a count, {s} a fraction (of `TASKS`: the relatedness of tasks) and {T} the number of
tasks. Where factors can stand in a form in several ways, the search keeps the way that fits best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, permutations, product
from typing import TypeAlias

import numpy as np

from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.kinds import Kinds, classify
from mtl_laws.pipeline.symbolic.tree import Tree


@dataclass(frozen=True)
class Form:
    """A form from the literature.

    Attributes
    ----------
    text : in {n}, {m}, {l}, {k}, {T}, {s}, {mix} and constants.
    reference : where it comes from.
    meaning : what its constants mean.
    tree : the form in a table's own names.
    symmetric : whether it stays the same where {n} and {m} change places.
    """

    name: str
    text: str
    reference: str
    meaning: str
    tree: Tree = field(default_factory=lambda: Tree.constant("c0"))
    symmetric: bool = False


Assignment: TypeAlias = tuple[Form, Mapping[str, str]]
"""A form, and the factor that stands at each of its places."""

ONE_SIZE: Sequence[Form] = (
    Form(
        "power law",
        "c0 + c1*{n}**(-c2)",
        "Hestness et al. 2017, arXiv 1712.00409",
        "c0: irreducible level; c2: learning-curve exponent",
    ),
    Form(
        "shifted power law",
        "c0 + c1*({n} + c2)**(-c3)",
        "M3 of Alabdulmohsin et al. 2022, arXiv 2209.06640; offset of Rosenfeld et al. 2020",
        "c2: data that the start was worth; c3: exponent",
    ),
    Form(
        "rectified law",
        "c0 + c1/(c2 + {n}**c3)",
        "Lin et al. 2024, arXiv 2402.02314",
        "c2: data that pre-training was worth; c3: exponent",
    ),
    Form(
        "saturating curve",
        "c0 + c1/(1 + ({n}/c2)**c3)",
        "M4 of Alabdulmohsin et al. 2022, arXiv 2209.06640, with its second exponent at 1",
        "c0 + c1: level without data; c2: data at half the way; c3: exponent",
    ),
    Form(
        "broken power law",
        "c0 + c1*{n}**(-c2)*(1 + ({n}/c3)**c4)**(-c5)",
        "BNSL with one break, Caballero et al. 2022, arXiv 2210.14891",
        "c2, c2 + c4·c5: exponents before and after the break at c3",
    ),
    Form(
        "two power laws",
        "c0 + c1*{n}**(-c2) + c3*{n}**(-c4)",
        "sum of two powers over a floor",
        "c2, c4: exponents of what fades fast and slowly",
    ),
)

TWO_SIZES: Sequence[Form] = (
    Form(
        "sum of power laws",
        "c0 + c1*{n}**(-c2) + c3*{m}**(-c4)",
        "Hoffmann et al. 2022 (Chinchilla), arXiv 2203.15556",
        "c0: irreducible level; c2, c4: exponents",
        symmetric=True,
    ),
    Form(
        "bottleneck",
        "c0 + c1*({n}**(-c2) + c3*{m}**(-c4))**c5",
        "Kaplan et al. 2020, arXiv 2001.08361, with a floor: a soft maximum of two bottlenecks",
        "c5: how softly one bottleneck takes over from the other",
        symmetric=True,
    ),
    Form(
        "two limits",
        "c0 + c1/(1 + (c2/{n})**c3 + (c4/{m})**c5)",
        "two limiting substrates, Dalziel 1957: a soft minimum that saturates",
        "c2, c4: sizes at which each limit halves what is left",
        symmetric=True,
    ),
    Form(
        "power law with interaction",
        "c0 + c1*{n}**(c2 + c3*log({m}))*{m}**c4",
        "Clark et al. 2022 (experts), arXiv 2202.01169",
        "c3: how the exponent of one size changes with the other",
    ),
    Form(
        "amplitude by size",
        "c0 + c1*{n}**(-c2) + c3*{n}**(-c4)*{m}**(-c5)",
        "Farseer (Li et al. 2025), arXiv 2506.10972, with powers for its exponentials",
        "c4: how the cost of little of one size changes with the other",
    ),
    Form(
        "saturation by size",
        "c0 + c1*{n}**(-c2)/(1 + c3*{m}**c4)",
        "product over a sum",
        "c3, c4: how one size dampens the other",
    ),
)

THREE_SIZES: Sequence[Form] = (
    Form(
        "sum of three power laws",
        "c0 + c1*{n}**(-c2) + c3*{m}**(-c4) + c5*{l}**(-c6)",
        "vocabulary, Tao et al. 2024, arXiv 2407.13623",
        "c0: irreducible level; c2, c4, c6: exponents",
    ),
)
"""In one order: the form is the same in every other."""

SIZE_AND_COUNT: Sequence[Form] = (
    Form(
        "parallel scaling",
        "c0 + (c1/({n}*(1 + c2*log({k}))))**c3",
        "ParScale (Chen et al. 2025), arXiv 2505.10475",
        "c2: what a further stream is worth in the size",
    ),
    Form(
        "saturating experts",
        "c0 + c1*{n}**(-c2)*(1/({k} + c3) + c4)**(c5 + c6*log({n}))",
        "Clark et al. 2022, arXiv 2202.01169, with its saturating number of experts and a floor",
        "1/c4: number of experts beyond which more do not help",
    ),
)

COUNT_AND_SIZE: Sequence[Form] = (
    Form(
        "saturating count",
        "c0 + c1*({n}*(1 + c2*({k} - 1)/({k} + c3)))**(-c4)",
        "effective size with Michaelis and Menten's saturation (1913)",
        "1 + c2: what any number can be worth in the size; c3: the number at half the way",
    ),
)
"""Also where the count is that of tasks, as in those with a fraction."""

COUNT_SIZE_FRACTION: Sequence[Form] = (
    Form(
        "saturating help",
        "c0 + c1*({n}*(1 + c2*{s}**c3*({k} - 1)/({k} + c4)))**(-c5)",
        "effective sample size with Michaelis and Menten's saturation (1913)",
        "c3: how the fraction turns others' data into useful ones; c4: the number at half the way",
    ),
)

MIXTURES: Sequence[Form] = (
    Form(
        "mixing law",
        "c0 + c1*exp({mix})",
        "Ye et al. 2024 (data mixing laws), arXiv 2403.16952",
        "constants in the exponent: what a domain's fraction does",
    ),
)
"""{mix}: a linear form in fractions that sum to one, the last of them left out."""

MIXTURES_OF_SIZE: Sequence[Form] = (
    Form(
        "mixing law with size",
        "c0 + (c1 + c2*{n}**(-c3))*exp({mix})",
        "Ye et al. 2024, arXiv 2403.16952, nested with a power law of the size",
        "c3: exponent of the size; constants in the exponent: what a domain's fraction does",
    ),
    Form(
        "mixing law plus size",
        "c0 + c1*{n}**(-c2) + c3*exp({mix})",
        "Ye et al. 2024, arXiv 2403.16952, beside a power law of the size",
        "c2: exponent of the size; constants in the exponent: what a domain's fraction does",
    ),
)

REPEATED: Sequence[Form] = (
    Form(
        "repeated data",
        "c0 + c1*({u}*(1 + c2*(1 - exp(-({n}/{u} - 1)/c2))))**(-c3)",
        "Muennighoff et al. 2023, arXiv 2305.16264",
        "c2: repetitions after which repeated data are worth little",
    ),
    Form(
        "repeated data and size",
        "c0 + c1*({u}*(1 + c2*(1 - exp(-({n}/{u} - 1)/c2))))**(-c3) + c4*{m}**(-c5)",
        "Muennighoff et al. 2023, arXiv 2305.16264, without excess parameters",
        "c2: repetitions after which repeated data are worth little",
    ),
)
"""{u}: what is distinct of {n}, so never more than it."""

TASKS: Sequence[Form] = (
    Form(
        "additive roots",
        "c0 + c1*sqrt({n}) + c2*sqrt({T}) + c3*sqrt({s})",
        "Bettgenhäuser et al. 2020, arXiv 2006.05561",
        "c1, c2, c3: gain per root of tokens, tasks and relatedness",
    ),
    Form(
        "Maurer multi-task bound",
        "c0 + c1/sqrt({n}*{T}) + c2/sqrt({n})",
        "Maurer, Pontil, Romera-Paredes 2016, JMLR 17",
        "c1: cost of the shared representation; c2: cost of each task's head",
    ),
    Form(
        "Maurer multi-task bound + relatedness",
        "c0 + c1/sqrt({n}*{T}) + c2/sqrt({n}) + c3*sqrt({s})",
        "Maurer et al. 2016 with the study's √AMI",
        "as Maurer's; c3: gain per root of relatedness",
    ),
    Form(
        "learning to learn",
        "c0 + c1/sqrt({n}) + c2/sqrt({T})",
        "Maurer, Pontil, Romera-Paredes 2016, JMLR 17",
        "c1: cost of few tokens; c2: cost of few tasks",
    ),
    Form(
        "few-shot representation",
        "c0 + c1/({n}*{T}) + c2/{n}",
        "Du et al. 2020, arXiv 2002.09434",
        "c1: representation, learned from all tasks; c2: head, from one",
    ),
    Form(
        "free-rate multi-task",
        "c0 + c1*({n}*{T})**(-c2) + c3*{n}**(-c4)",
        "Watkins et al. 2023: rates between 1/2 and 1",
        "c2, c4: rates of representation and head",
    ),
    Form(
        "two-term power law",
        "c0 + c1/{n}**c2 + c3/{T}**c4",
        "Hoffmann et al. 2022 (Chinchilla), arXiv 2203.15556, with tasks for parameters",
        "c0: irreducible level; c2, c4: exponents of tokens and tasks",
    ),
    Form(
        "optimal number of tasks",
        "c0 + c1*{n}**(-c2) + c3*log({T}) + c4*log({T})**2",
        "quadratic in the logarithm: help that turns into harm with too many tasks",
        "exp(−c3/(2·c4)): the best or worst number of tasks",
    ),
    Form(
        "effective data transferred",
        "c0 + c1*({n} + c2*(({T} - 1)*{n})**c3*{n}**c4*{s})**(-c5)",
        "Hernandez et al. 2021, arXiv 2102.01293, auxiliary tokens weighted by relatedness",
        "c2…c4: how auxiliary tokens turn into tokens of the main task",
    ),
    Form(
        "bias-variance with task shift",
        "c0 + c1/({n}*(1 + c2*({T} - 1))) + c3*(1 - {s})*(1 - 1/{T})",
        "σ²/(n + w·m) + w²·shift² (Ben-David et al. 2010 in spirit)",
        "c2: weight of auxiliary tokens; c3: harm of unrelated ones",
    ),
    Form(
        "effective sample size",
        "c0 + c1*({n}*(1 + ({T} - 1)*{s}**c2))**(-c3)",
        "teacher–student: related tasks count as further samples",
        "c2: how fast relatedness turns tokens into useful ones; c3: exponent",
    ),
    Form(
        "effective sample size with harm",
        "c0 + c1*({n}*(1 + ({T} - 1)*({s}**c2 - c3)))**(-c4)",
        "as effective sample size, less what an unrelated task costs",
        "c3: relatedness, to the power c2, below which a task harms",
    ),
)

CATALOGUE: Sequence[Form] = (
    *TASKS,
    *ONE_SIZE,
    *TWO_SIZES,
    *THREE_SIZES,
    *SIZE_AND_COUNT,
    *COUNT_AND_SIZE,
    *COUNT_SIZE_FRACTION,
    *MIXTURES,
    *MIXTURES_OF_SIZE,
    *REPEATED,
)
"""Forms of a score or a loss."""


GAINS: Sequence[Form] = (
    Form(
        "gain by effective size",
        "c0*{n}**(-c1)*(1 - (1 + ({k} - 1)*({s}**c2 - c3))**(-c4))",
        "difference of two learning curves, with and without the effective sample size with harm",
        "c3: the fraction, to the power c2, below which the gain is negative",
    ),
    Form(
        "gain by a power of the count",
        "c0*{n}**(-c1)*(1 - {k}**(c2 - c3*{s}**c4))",
        "difference of two learning curves, the size times a power of the count",
        "c2/c3: the fraction, to the power c4, below which the gain is negative",
    ),
    Form(
        "saturating gain",
        "c0*{n}**(-c1)*({s}**c2 - c3)*({k} - 1)/({k} + c4)",
        "Michaelis and Menten's saturation (1913)",
        "c3: the fraction, to the power c2, below which the gain is negative",
    ),
)
"""Forms for a target of both signs; 0 at a count of 1, so without a constant term."""


def theory(data: Rows) -> list[Form]:
    """The forms that this table's factors can express, in the table's own names."""
    roles, kinds = task_roles(data.columns), classify(data.columns)
    tasks = {"n": roles.size, "T": roles.tasks, "s": roles.relatedness}
    of_tasks = (
        (form, tasks)
        for form in TASKS
        if all(name for letter, name in tasks.items() if f"{{{letter}}}" in form.text)
    )
    sizes = [name for name in kinds.sizes if name != roles.tasks]
    of_sizes = _of_sizes(data, sizes, kinds.counts)
    ways = chain(of_tasks, of_sizes, _of_counts(data, kinds, roles), _of_mixtures(kinds))
    forms = {}
    for form, names in ways:
        tree = Tree.parse(form.text.format(**names), data.factors).renumber()
        forms[form.name, tree] = replace(form, text=tree.text, tree=tree)
    return list(forms.values())


def _of_sizes(data: Rows, sizes: Sequence[str], counts: Sequence[str]) -> Iterator[Assignment]:
    """Forms in sizes with every way in which the factors can stand in them."""
    for n in sizes:
        for form in ONE_SIZE:
            yield form, {"n": n}
    for n, m in permutations(sizes, 2):
        for form in TWO_SIZES:
            if not form.symmetric or sizes.index(n) < sizes.index(m):
                yield form, {"n": n, "m": m}
        if m in counts:
            for form in SIZE_AND_COUNT:
                yield form, {"n": n, "k": m}
        if bool(np.all(data.filled[m] <= data.filled[n] * (1 + 1e-9))):
            others = [name for name in sizes if name not in (n, m)]
            yield REPEATED[0], {"n": n, "u": m}
            for other in others:
                yield REPEATED[1], {"n": n, "u": m, "m": other}
    for three in combinations(sizes, 3):
        for form in THREE_SIZES:
            yield form, dict(zip("nml", three, strict=True))


def _of_counts(data: Rows, kinds: Kinds, roles: Roles) -> Iterator[Assignment]:
    """Forms in a size and a count, also with a fraction: with T tasks, that of relatedness."""
    signed = bool(data.target.min() < 0.0 < data.target.max())
    with_fraction = GAINS if signed else COUNT_SIZE_FRACTION
    for n, k in product(kinds.measured, kinds.counts):
        for form in () if signed else COUNT_AND_SIZE:
            yield form, {"n": n, "k": k}
        related = [roles.relatedness] if k == roles.tasks and roles.relatedness else kinds.fractions
        for form, s in product(with_fraction, related):
            yield form, {"n": n, "k": k, "s": s}


def _of_mixtures(kinds: Kinds) -> Iterator[Assignment]:
    """Forms in fractions that sum to one, also with a size."""
    if not kinds.mixture:
        return
    mix = " + ".join(f"c{100 + k}*{name}" for k, name in enumerate(kinds.mixture[:-1]))
    for form in MIXTURES:
        yield form, {"mix": mix}
    for form, n in product(MIXTURES_OF_SIZE, kinds.sizes):
        yield form, {"mix": mix, "n": n}
