"""The registry of law engines: adding one is one file and one line here."""

from __future__ import annotations

from pipeline.laws.engines.base import Engine, Readiness, Request
from pipeline.laws.engines.gplearn import GPLearn
from pipeline.laws.engines.grammar import Grammar
from pipeline.laws.engines.operon import Operon
from pipeline.laws.engines.pysr import PySR

__all__ = ["ENGINES", "Engine", "Readiness", "Request"]

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (PySR(), Operon(), GPLearn(), Grammar())
}
