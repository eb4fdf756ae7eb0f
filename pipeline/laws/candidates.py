"""Candidates that need no engine: named forms from theory, and shorter variants of what was found.

The named forms speak of n (tokens of the main task), T (tasks) and s (relatedness); forms whose
columns a table lacks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.laws.factors import find_roles
from pipeline.laws.rows import Rows
from pipeline.symbolic.fit import Fit, fit_constants
from pipeline.symbolic.kinds import classify
from pipeline.symbolic.program import compiled
from pipeline.symbolic.scaling import is_unit_free
from pipeline.symbolic.starts import propose_starts
from pipeline.symbolic.templates import MAX_NODES, shorter
from pipeline.symbolic.tree import Floats, Tree


@dataclass(frozen=True)
class Form:
    """A form from the literature.

    Attributes
    ----------
    text : in n, T, s and constants.
    reference : where it comes from.
    meaning : what its constants mean.
    tree : the form in a table's own names.
    """

    name: str
    text: str
    reference: str
    meaning: str
    tree: Tree = field(default_factory=lambda: Tree.constant("c0"))


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
    roles = find_roles(data.columns)
    names = {"n": roles.size, "T": roles.tasks, "s": roles.relatedness}
    return [_named(form, names) for form in CATALOGUE if all(names[r] for r in _needed(form))]


def _needed(form: Form) -> list[str]:
    return [role for role in ("n", "T", "s") if "{" + role + "}" in form.text]


def _named(form: Form, names: dict[str, str]) -> Form:
    text = form.text.format(**names)
    tree = Tree.parse(text, [name for name in names.values() if name])
    tree = tree.renumber()
    return replace(form, text=tree.text, tree=tree)


def prune(tree: Tree, theta: Floats, data: Rows, seed: int) -> list[Tree]:
    """Ever shorter variants of a template, from its constants on.

    Each round drops the constant that costs least; the path ends where the error has grown by more
    than `prune_loss` over the first.

    Parameters
    ----------
    theta : (P,) or (G, P) constants on the rows.
    """
    pruned: list[Tree] = []
    fit = _fit(tree, theta, data, seed)
    first = fit.error if fit else 0.0
    while fit is not None:
        found = _best_shorter(tree, fit.theta, data, seed)
        if found is None or found[1].error > data.rules.search.prune_loss * first:
            break
        tree, fit = found
        pruned.append(tree)
    return pruned


def _best_shorter(tree: Tree, theta: Floats, data: Rows, seed: int) -> tuple[Tree, Fit] | None:
    place = {name: p for p, name in enumerate(tree.constants)}
    fits = []
    measured = classify(data.columns).measured
    for variant, names in shorter(tree).items():
        smaller = variant.complexity < tree.complexity and variant.factors
        if smaller and is_unit_free(variant, measured):
            start = theta[..., [place[name] for name in names]]
            fit = _fit(variant, start, data, seed)
            fits += [(variant, fit)] if fit else []
    return min(fits, key=lambda pair: pair[1].error, default=None)


def _fit(tree: Tree, theta: Floats, data: Rows, seed: int) -> Fit | None:
    rules, expression = data.rules.search, compiled(tree)
    sample = replace(data.sample, pooled=False)
    if tree.complexity > MAX_NODES:
        return None
    starts = theta[None, ...]
    if rules.prune_starts:
        fresh = propose_starts(expression, sample, rules.prune_starts, seed)
        if theta.ndim > 1:
            fresh = np.broadcast_to(fresh[:, None, :], (len(fresh), *theta.shape))
        starts = np.concatenate([starts, fresh])
    return fit_constants(expression, sample, starts, rules.prune_iterations)
