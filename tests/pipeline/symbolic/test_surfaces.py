"""Response surfaces find optima that move, and keep off what is undefined."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from mtl_laws.pipeline.symbolic.engines.base import Request
from mtl_laws.pipeline.symbolic.engines.surfaces import RULES, surfaces
from mtl_laws.pipeline.symbolic.fit import RULES as FIT
from mtl_laws.pipeline.symbolic.fit import Sample, fit_constants
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.scaling import is_unit_free
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.templates import to_template
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

NOISE, OPTIMUM, BEST_AT = 0.01, -0.35, 0.5
Table = dict[str, Floats]


def rows() -> Table:
    """Sizes, and for each of them learning rates from far below the best one to far above."""
    n, away = np.meshgrid(np.geomspace(1e4, 1e7, 8), np.linspace(-2.5, 2.5, 9))
    return {"N": n.ravel(), "lr": (BEST_AT * n**OPTIMUM * np.exp(away)).ravel()}


def distance(table: Table) -> Floats:
    """Logarithmic distance of the learning rate from 0.5·N^−0.35."""
    return np.log(table["lr"] / (BEST_AT * table["N"] ** OPTIMUM))


VALLEYS: dict[str, Callable[[Table], Floats]] = {
    "cost in proportion": lambda t: 0.5 + 30 * t["N"] ** -0.3 * np.exp(0.06 * distance(t) ** 2),
    "cost that is added": lambda t: 1.5 + 30 * t["N"] ** -0.3 + 0.05 * distance(t) ** 2,
}
"""Losses that are U-shaped in log lr; a surface holds the first exactly, the second nearly."""


def noisy(clean: Floats, seed: int) -> Floats:
    return clean + np.random.default_rng(seed).normal(0, NOISE * clean.std(), len(clean))


def request(table: Table, y: Floats, undefined: Table | None = None) -> Request:
    sample = Sample(table, y, np.ones(len(y)))
    names = {} if undefined is None else {"ami": undefined}
    return Request(sample, 1_000, 0, 22, None, names)


def fitted(text: str, table: Table, y: Floats) -> tuple[Expression, Floats, float]:
    """A template with its constants and its mean squared error over the target's variance."""
    expression = Expression.parse(text, tuple(table))
    sample = Sample(table, y, np.ones(len(y)))
    starts = propose_starts(expression, sample, 4, seed=0)
    fit = fit_constants(expression, sample, starts, 100, FIT.exact)
    assert fit is not None, text
    return expression, fit.theta, fit.error / len(y) / y.var()


def best_rate(expression: Expression, theta: Floats, n: Floats) -> Floats:
    """The lr of least loss at each N; nan at an end of the rates that are looked at."""
    rates = np.geomspace(1e-4, 1.0, 8_001)
    table = {"N": np.repeat(n, len(rates)), "lr": np.tile(rates, len(n))}
    place = np.argmin(expression.evaluate(table, theta).reshape(len(n), -1), axis=1)
    inside = (place > 0) & (place < len(rates) - 1)
    return np.asarray(np.where(inside, rates[place], np.nan))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", VALLEYS)
def test_an_optimum_that_is_a_power_of_n_is_recovered(kind: str, seed: int) -> None:
    table = rows()
    clean = VALLEYS[kind](table)
    y = noisy(clean, seed)
    fits = [fitted(text, table, y) for text in surfaces(request(table, y))]
    expression, theta, _ = min(fits, key=lambda each: each[2])
    n = np.geomspace(2e4, 5e6, 12)
    slope = np.polyfit(np.log(n), np.log(best_rate(expression, theta, n)), 1)[0]
    assert slope == pytest.approx(OPTIMUM, rel=0.05)
    assert np.abs(expression.evaluate(table, theta) - clean).max() < 0.05 * np.ptp(clean)


def test_a_surface_without_the_cross_term_has_an_optimum_that_stays() -> None:
    """The recovery is not empty: log lr and its square alone put the optimum in one place."""
    table = rows()
    y = noisy(VALLEYS["cost in proportion"](table), 0)
    n = np.geomspace(2e4, 5e6, 12)
    expression, theta, error = fitted("c0 + c1*N**c2*lr**(c3 + c4*log(lr))", table, y)
    assert np.ptp(best_rate(expression, theta, n)) == 0
    assert error > 100 * NOISE**2


def test_a_law_that_does_not_turn_gets_no_optimum() -> None:
    """The smallest surface that explains all but the noise of a product of powers is just that."""
    table = rows()
    y = noisy(0.3 + 40.0 * table["N"] ** -0.25 * table["lr"] ** -0.1, 5)
    fits = [fitted(text, table, y) for text in surfaces(request(table, y))]
    enough = [each for each in fits if each[2] < 1.3 * NOISE**2]
    expression, theta, _ = min(enough, key=lambda each: len(each[1]))
    assert expression.text == "c0 + c1 * N ** c2 * lr ** c3"
    np.testing.assert_allclose(theta[2:], [-0.25, -0.1], rtol=0.1)


def test_terms_enter_with_the_lower_ones_that_a_unit_needs() -> None:
    """Every surface in sizes is unit free, and none is longer than the rules allow."""
    rng = np.random.default_rng(7)
    table = {
        name: np.exp(rng.uniform(np.log(low), np.log(high), 200))
        for name, low, high in (("N", 1e4, 1e7), ("D", 1e6, 1e9), ("lr", 1e-4, 1e-2))
    }
    y = table["N"] ** -0.2 + np.log(table["lr"] * table["D"] ** 0.3) ** 2 / 100
    found = surfaces(request(table, y))
    measured = classify(table).measured
    assert measured == ("N", "D", "lr")
    trees = [Tree.parse(text, tuple(table)) for text in found]
    assert len(trees) == len(set(trees)) > 15
    assert [tree.text for tree in trees if not is_unit_free(tree, measured)] == []
    assert max(len(tree.constants) for tree in trees) <= RULES.terms + 2
    assert all(to_template(text, tuple(table)) is not None for text in found)


def grid_with_tasks() -> tuple[Table, Floats, Table]:
    """n × T × AMI; AMI is undefined where T is 1 and stands at 0.5 there."""
    cells = [
        (n, T, ami)
        for n in (50.0, 100.0, 200.0, 400.0, 800.0)
        for T in (1.0, 2.0, 4.0, 8.0)
        for ami in ((0.5,) if T == 1 else (0.1, 0.4, 0.7, 0.9))
    ]
    n, T, ami = np.array(cells).T
    y = 0.9 - 2.0 * (n * T**ami) ** -0.4
    alone = T == 1.0
    undefined = {"n": n[alone], "T": T[alone], "ami": ami[alone]}
    return {"n": n, "T": T, "ami": ami}, y, undefined


def test_an_undefined_factor_is_only_used_multiplied_by_log_t() -> None:
    table, y, undefined = grid_with_tasks()
    free, bound = surfaces(request(table, y)), surfaces(request(table, y, undefined))
    # where AMI is defined everywhere it enters by itself
    assert any(re.search(r"(?<!\*)\*ami(?!\*)", text) for text in free)
    using = [text for text in bound if "ami" in text]
    assert len(using) > 5
    rng = np.random.default_rng(8)
    for text in using:
        expression = Expression.parse(text, tuple(table))
        for _ in range(3):
            theta = rng.uniform(-1.0, 1.0, len(expression.constants))
            ends = ({**undefined, "ami": np.full(len(undefined["n"]), x)} for x in (0.0, 1.0))
            low, high = (expression.evaluate(end, theta) for end in ends)
            np.testing.assert_allclose(low, high, rtol=1e-9, err_msg=text)
            elsewhere = {"n": np.full(2, 1.5), "T": np.full(2, 4.0), "ami": np.array([0.1, 0.9])}
            first, last = expression.evaluate(elsewhere, theta)
            assert abs(last / first - 1.0) > 1e-6, text


def test_surfaces_with_an_undefined_factor_explain_the_rows() -> None:
    table, y, undefined = grid_with_tasks()
    errors = [fitted(text, table, y)[2] for text in surfaces(request(table, y, undefined))]
    assert min(errors) < 1e-3
