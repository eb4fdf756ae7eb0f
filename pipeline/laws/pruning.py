"""Pruning: shorter variants of a form, by dropping constants one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.fit import Fit, fit_constants
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.scaling import is_unit_free
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.templates import MAX_NODES, shorter
from mtl_laws.pipeline.symbolic.tree import Floats, Tree


def prune(tree: Tree, theta: Floats, data: Rows, seed: int) -> list[Tree]:
    """Shorter variants of a template, each one constant shorter than the one before.

    Each round drops the constant whose loss raises the error least. The path ends where the error
    exceeds `prune_loss` times the first one.

    Parameters
    ----------
    theta : (P,) or (G, P) constants on the rows.
    """
    path: list[Tree] = []
    fit = _fit(tree, theta, data, seed)
    first = fit.error if fit else 0.0
    while fit is not None:
        step = _best_shorter(tree, fit.theta, data, seed)
        if step is None or step[1].error > data.rules.search.prune_loss * first:
            break
        tree, fit = step
        path.append(tree)
    return path


def _best_shorter(tree: Tree, theta: Floats, data: Rows, seed: int) -> tuple[Tree, Fit] | None:
    place = {name: p for p, name in enumerate(tree.constants)}
    fits = []
    sizes = classify(data.columns).measured
    for variant, names in shorter(tree).items():
        usable = variant.complexity < tree.complexity and variant.factors
        if usable and is_unit_free(variant, sizes):
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
