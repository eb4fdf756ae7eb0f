"""PySR (Cranmer 2023) in separate, long-lived processes."""

from mtl_laws.pipeline.symbolic.engines.pysr.engine import PySR, install
from mtl_laws.pipeline.symbolic.engines.pysr.julia import HINT

__all__ = ["HINT", "PySR", "install"]
