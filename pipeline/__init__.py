"""mtl-laws in a notebook: nothing heavy is loaded before a name is used.

>>> from pipeline import fit_laws
>>> laws = fit_laws(table, "f1", {"n": "tokens", "T": "tasks"}, bounds=(0, 1))

docs/notebook.md shows what can be done with `laws`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.lazy import deferred

if TYPE_CHECKING:
    from pipeline.laws.law import Law
    from pipeline.laws.lawset import LawSet
    from pipeline.notebook import advise, fit_laws, run
    from pipeline.plugins import plug_in
    from pipeline.reference_data import load_reference
    from pipeline.study import Study

__all__ = ["Law", "LawSet", "Study", "advise", "fit_laws", "load_reference", "plug_in", "run"]

__getattr__ = deferred(
    {
        "Law": "pipeline.laws.law",
        "LawSet": "pipeline.laws.lawset",
        "Study": "pipeline.study",
        "advise": "pipeline.notebook",
        "fit_laws": "pipeline.notebook",
        "load_reference": "pipeline.reference_data",
        "plug_in": "pipeline.plugins",
        "run": "pipeline.notebook",
    }
)
