"""The interface of law engines: readiness, and candidate expressions for rows.

An engine gets rows and a number of evaluations, and returns candidate expressions. The search fits
constants, scores, checks and selects, in the same way for all engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.symbolic.fit import Indices, Sample
from mtl_laws.pipeline.symbolic.kinds import is_size
from mtl_laws.pipeline.symbolic.program import Columns, Expression
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class Readiness:
    """Whether an engine can run here, and in one line why or what to do."""

    ready: bool
    reason: str


@dataclass(frozen=True)
class Request:
    """One search by an engine.

    Attributes
    ----------
    sample : rows to explain; every factor is a column.
    evaluations : expressions to evaluate, the only measure of effort: the same request gives the
        same answer on a slow and on a fast machine.
    seed : of every random draw.
    max_complexity : largest expression that is of use.
    time_limit : seconds after which the engine must stop with what it has; None for no limit.
    undefined : factor -> distinct rows at which it is undefined, filled in `sample` by any value; a
        usable form does not depend on the factor there.
    bounds : lowest and highest value the target can take; −inf and inf where it has none.
    group : (N,) group of every row where the target of `sample` is standardised by group; None
        where it is not.
    options : the engine's own options, as its `check_options` accepted them.
    guesses : good expressions of the grammar on the same rows, with numbers.
    """

    sample: Sample
    evaluations: int
    seed: int
    max_complexity: int = 24
    time_limit: float | None = None
    undefined: Mapping[str, Columns] = field(default_factory=dict)
    bounds: tuple[float, float] = (-np.inf, np.inf)
    group: Indices | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    guesses: Sequence[str] = ()

    def allows(self, text: str) -> bool:
        """Whether a template is independent of every factor where that is undefined."""
        if not self.undefined:
            return True
        expression = Expression.parse(text, tuple(self.sample.columns))
        theta = np.sqrt(np.arange(2.0, 2.0 + len(expression.constants)))  # nothing cancels
        for name, rows in self.undefined.items():
            if name in expression.factors:
                low = expression.evaluate({**rows, name: np.full_like(rows[name], 0.3)}, theta)
                high = expression.evaluate({**rows, name: np.full_like(rows[name], 0.7)}, theta)
                if not np.allclose(low, high, rtol=1e-9, atol=0.0, equal_nan=True):
                    return False
        return True


@dataclass(frozen=True)
class Answer(Sequence[str]):
    """Expressions, and what an engine knows of its effort; a plain list is an answer, too.

    Attributes
    ----------
    texts : the expressions.
    evaluations : how many expressions the engine evaluated; None where it does not count.
    cut : whether the time limit ended a search, or left none for it.
    failures : parts of the search that failed while others were answered.
    """

    texts: tuple[str, ...]
    evaluations: int | None = None
    cut: bool = False
    failures: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: Any) -> Any:
        return self.texts[place]


class Engine(Protocol):
    """A source of candidate expressions.

    Attributes
    ----------
    name : its key in the registry, and the origin of its laws.
    own_process : whether it keeps processes of its own; its searches run in the parent, one by one
        unless it is `Prepared`.
    knows_groups : whether it fits constants per group; others get the target standardised by group.
    """

    name: str
    own_process: bool
    knows_groups: bool

    def readiness(self) -> Readiness:
        """Whether the engine can run on this machine; never downloads anything."""
        ...

    def search(self, request: Request) -> Sequence[str]:
        """Expressions in the factor names: with numbers, or with constants ``c0, c1, …``.

        Raises
        ------
        EngineError
            if the engine failed; the search goes on with the other engines.
        """
        ...


@runtime_checkable
class Prepared(Protocol):
    """An engine with processes that take time to start; several threads may search with it."""

    def prepare(self, workers: int) -> None:
        """Begin to start so many processes; returns at once."""
        ...

    def close(self) -> None:
        """End the processes, also in the middle of a search."""
        ...


@runtime_checkable
class Configurable(Protocol):
    """An engine with options of its own."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse an option that the installed version lacks.

        Raises
        ------
        UserError
            at ``engine_options.NAME``.
        """
        ...


def check_options(engine: Engine, options: Mapping[str, Any]) -> None:
    """Refuse options that the engine does not have.

    Raises
    ------
    UserError
        at ``engine_options`` or ``engine_options.NAME``.
    """
    if not options:
        return
    if not isinstance(engine, Configurable):
        expected = f"no options, since the engine is {engine.name}; pysr takes options"
        raise UserError("engine_options", expected, ", ".join(options))
    engine.check_options(options)


def pace(engine: Engine) -> float:
    """What a budget's evaluations are multiplied by for an engine; its attribute `pace`, else 1.

    So that a search on all rows takes about as long as the grammar's.
    """
    return float(getattr(engine, "pace", 1.0))


def wants_guesses(engine: Engine) -> bool:
    """Whether an engine reads `Request.guesses`; its attribute `wants_guesses`."""
    return bool(getattr(engine, "wants_guesses", False))


def design_matrix(sample: Sample) -> tuple[Floats, dict[str, float]]:
    """Factors as float32 columns near 1 (N rows, F factors), and the divisor of each.

    A size is divided by its geometric mean, anything else by 1.
    """
    scales = {
        name: float(np.exp(np.mean(np.log(column)))) if is_size(column) else 1.0
        for name, column in sample.columns.items()
    }
    columns = [column / scales[name] for name, column in sample.columns.items()]
    return np.column_stack(columns).astype(np.float32), scales
