"""Law engines: sources of candidate expressions, in one registry."""

from mtl_laws.pipeline.symbolic.engines.base import (
    Answer,
    Engine,
    Prepared,
    Readiness,
    Request,
)
from mtl_laws.pipeline.symbolic.engines.registry import ENGINES, register_engine

__all__ = ["ENGINES", "Answer", "Engine", "Prepared", "Readiness", "Request", "register_engine"]
