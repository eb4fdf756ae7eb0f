"""Named theoretical forms, fitted and ranked beside every discovered law.

The forms speak of n (tokens of the main task), T (tasks) and s (relatedness). Which columns those
are is told from their values and, where several would do, from their names; forms whose columns a
table lacks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.symbolic.kinds import classify
from pipeline.symbolic.simplify import simplify
from pipeline.symbolic.templates import renumber

TASK_NAMES = ("t", "tasks", "n_tasks", "num_tasks")
RELATEDNESS_NAMES = ("ami", "mi", "nmi", "mutual_info", "relatedness", "similarity", "rho")


@dataclass(frozen=True)
class Form:
    """A form from the literature.

    Attributes
    ----------
    text : in n, T, s and constants.
    reference : where it comes from.
    meaning : what its constants mean.
    """

    name: str
    text: str
    reference: str
    meaning: str


CATALOGUE: Sequence[Form] = (
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
        "power law",
        "c0 + c1*{n}**(-c2)",
        "Hestness et al. 2017, arXiv 1712.00409",
        "c0: irreducible level; c2: learning-curve exponent",
    ),
    Form(
        "two-term power law",
        "c0 + c1/{n}**c2 + c3/{T}**c4",
        "Hoffmann et al. 2022 (Chinchilla), arXiv 2203.15556, with tasks for parameters",
        "c0: irreducible level; c2, c4: exponents of tokens and tasks",
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
)


def theory(data: Rows) -> list[Form]:
    """The forms that this table's factors can express, in the table's own names."""
    roles = find_roles(data)
    fitting = [form for form in CATALOGUE if all(roles.get(r) for r in _needed(form))]
    return [_named(form, roles) for form in fitting]


def find_roles(data: Rows) -> dict[str, str]:
    """Which factors are n, T and s; a role that no factor can play is missing."""
    kinds = classify(data.columns)
    few_first = sorted(kinds.counts, key=lambda name: float(np.nanmax(data.columns[name])))
    tasks = _preferred(few_first, TASK_NAMES)
    sizes = [name for name in kinds.sizes if name != tasks]
    shares = _preferred(kinds.fractions, RELATEDNESS_NAMES)
    largest = max(sizes, key=lambda name: float(np.nanmax(data.columns[name])), default="")
    named = [name for name in sizes if name.lower() in ("n", "tokens", "n_main")]
    return {"n": named[0] if named else largest, "T": tasks, "s": shares}


def _preferred(names: Sequence[str], known: Sequence[str]) -> str:
    by_name = [name for name in names if name.lower() in known]
    return (by_name or [*names, ""])[0]


def _needed(form: Form) -> list[str]:
    return [role for role in ("n", "T", "s") if "{" + role + "}" in form.text]


def _named(form: Form, roles: dict[str, str]) -> Form:
    text = renumber(simplify(form.text.format(**roles)))
    return Form(form.name, text, form.reference, form.meaning)
