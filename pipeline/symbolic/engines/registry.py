"""The registry of law engines, and the choice among them.

A new engine is one file and one line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtl_laws.pipeline.errors import EngineNotReadyError, UserError, one_of
from mtl_laws.pipeline.symbolic.engines.base import Engine, check_options
from mtl_laws.pipeline.symbolic.engines.gplearn import GPLearn
from mtl_laws.pipeline.symbolic.engines.grammar import Grammar
from mtl_laws.pipeline.symbolic.engines.operon import Operon
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.simulator.registry import enter

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (PySR(), Operon(), GPLearn(), Grammar())
}
#: engines that ``auto`` tries, in this order
PREFERENCE = ("pysr", "operon", "grammar")


def register_engine(engine: Engine) -> None:
    """Make an engine known by its name; `SpecError` where the name is taken."""
    enter(ENGINES, engine.name, engine, reserved=("auto",))


@dataclass(frozen=True)
class Choice:
    """The requested engine, the one that runs, and the reason.

    Attributes
    ----------
    fallback : engine that takes over if the chosen one fails; empty where it was asked for by name.
    """

    requested: str
    used: str
    reason: str
    fallback: str = ""


def choose(requested: str) -> Choice:
    """The engine for a request.

    Raises
    ------
    UserError
        if there is no such engine.
    EngineNotReadyError
        if it cannot run here; the message says what to do.
    """
    if requested == "auto":
        return _first_ready()
    if requested not in ENGINES:
        raise UserError("engine", one_of(requested, ("auto", *ENGINES)), requested)
    readiness = ENGINES[requested].readiness()
    if not readiness.ready:
        raise EngineNotReadyError(
            "engine", f"an engine that is ready here; {readiness.reason}", requested
        )
    return Choice(requested, requested, readiness.reason)


def choose_with(requested: str, options: Mapping[str, Any]) -> Choice:
    """The engine for a request, which has all the options.

    Raises
    ------
    UserError
        at ``engine``, as `choose` does, or at ``engine_options``.
    """
    choice = choose(requested)
    check_options(ENGINES[choice.used], options)
    return choice


def _first_ready() -> Choice:
    skipped: list[str] = []
    for name in PREFERENCE:
        readiness = ENGINES[name].readiness()
        if readiness.ready:
            rest = PREFERENCE[PREFERENCE.index(name) + 1 :]
            fallback = next((other for other in rest if ENGINES[other].readiness().ready), "")
            reason = "; ".join([*skipped, f"{name}: {readiness.reason}"])
            return Choice("auto", name, reason, fallback)
        skipped.append(f"{name}: {readiness.reason}")
    raise EngineNotReadyError(
        "engine", f"an engine that is ready here; {'; '.join(skipped)}", "auto"
    )
