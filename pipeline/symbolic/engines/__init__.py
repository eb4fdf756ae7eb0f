"""Law engines: sources of candidate expressions, in one registry."""

from mtl_laws.pipeline.symbolic.engines.base import Engine, Readiness, Request
from mtl_laws.pipeline.symbolic.engines.registry import ENGINES, register_engine

__all__ = ["ENGINES", "Engine", "Readiness", "Request", "register_engine"]
