"""How much will training my sequence-labelling tasks together help? The public names.

>>> from mtl_laws import fit_laws
>>> laws = fit_laws(table, "f1", {"n": "tokens", "T": "tasks"}, bounds=(0, 1))

A name is imported when it is first used, so ``import mtl_laws`` is fast. The code is in two
packages: `mtl_laws.simulator` makes tasks, `mtl_laws.pipeline` trains taggers and finds laws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtl_laws.pipeline.advice.advice import advise
    from mtl_laws.pipeline.errors import UserError
    from mtl_laws.pipeline.fit import fit_laws
    from mtl_laws.pipeline.laws.law import Law
    from mtl_laws.pipeline.laws.lawset import LawSet, predict
    from mtl_laws.pipeline.laws.regressor import LawRegressor
    from mtl_laws.pipeline.plugins import plug_in
    from mtl_laws.pipeline.reference_data import load_reference
    from mtl_laws.pipeline.study.run import run_study
    from mtl_laws.pipeline.study.study import Study

__version__ = "0.1.0"

__all__ = [
    "Law",
    "LawRegressor",
    "LawSet",
    "Study",
    "UserError",
    "advise",
    "fit_laws",
    "load_reference",
    "plug_in",
    "predict",
    "run_study",
]

_HOMES = {
    "Law": "laws.law",
    "LawRegressor": "laws.regressor",
    "LawSet": "laws.lawset",
    "Study": "study.study",
    "UserError": "errors",
    "advise": "advice.advice",
    "fit_laws": "fit",
    "load_reference": "reference_data",
    "plug_in": "plugins",
    "predict": "laws.lawset",
    "run_study": "study.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mtl_laws' has no {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(f"mtl_laws.pipeline.{_HOMES[name]}"), name)
