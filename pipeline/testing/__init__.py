"""Contracts: test classes for plug-in writers to inherit, one for each registry (needs pytest)."""

from mtl_laws.pipeline.testing.results import EngineContract, ExportContract
from mtl_laws.pipeline.testing.tasks import FamilyContract, FormatContract
from mtl_laws.pipeline.testing.training import EncoderContract, WeightingContract

__all__ = [
    "EncoderContract",
    "EngineContract",
    "ExportContract",
    "FamilyContract",
    "FormatContract",
    "WeightingContract",
]
