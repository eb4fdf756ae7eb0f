"""Tests of what a plug-in promises, for those who write one (pytest is needed)."""

from mtl_laws.pipeline.testing.families import FamilyContract

__all__ = ["FamilyContract"]
