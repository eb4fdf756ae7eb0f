"""Law engines: sources of candidate expressions, in one registry."""

from pipeline.laws.engines.base import Engine, Readiness, Request
from pipeline.laws.engines.registry import ENGINES, register_engine

__all__ = ["ENGINES", "Engine", "Readiness", "Request", "register_engine"]
