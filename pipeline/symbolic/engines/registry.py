"""The registry of law engines: adding one is one file and one line here."""

from __future__ import annotations

from mtl_laws.pipeline.symbolic.engines.base import Engine
from mtl_laws.pipeline.symbolic.engines.gplearn import GPLearn
from mtl_laws.pipeline.symbolic.engines.grammar import Grammar
from mtl_laws.pipeline.symbolic.engines.operon import Operon
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.simulator.registry import enter

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (PySR(), Operon(), GPLearn(), Grammar())
}


def register_engine(engine: Engine) -> None:
    """Make an engine known by its name; `SpecError` where the name is taken."""
    enter(ENGINES, engine.name, engine, reserved=("auto",))
