"""Beside the published table: the forms that describe it, fitted to ours.

The authors' table of 1,002 runs (Bettgenhäuser, Hedderich and Klakow 2020, arXiv 2006.05561) does
not ship. What stands here of it are figures, measured by `measure` on that file; a reference test
measures them again where the file is there.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reference_study.forms import Subset, fit_form
from reference_study.searches import FAMILIES, TITLES, family_rows

FORMS: dict[str, str] = {
    "additive roots": "c0 + c1*sqrt(n) + c2*sqrt(T) + c3*sqrt(ami)",
    "Maurer's form and √AMI": "c0 + c1/sqrt(n*T) + c2/sqrt(n) + c3*sqrt(ami)",
    "logarithm of n·T^AMI": "c0 + c1*log(n*T**ami)",
    "Hill curve of n(1 + (T − 1)·AMI^g)": "c0 + c1/(1 + (c2/(n*(1 + (T - 1)*ami**c3)))**c4)",
    "Hill curve of n·T^(AMI^g)": "c0 + c1/(1 + (c2/(n*T**(ami**c3)))**c4)",
}
POWER = "Hill curve of n·T^(AMI^g)"
SAMPLE = "Hill curve of n(1 + (T − 1)·AMI^g)"
OUTSIDE = "n > 5000 or T > 5"
COLUMNS = {"n_tasks": "T", "n_tokens_per_task": "n", "mutual_info": "ami", "fscore": "fscore"}

FIGURES: dict[str, dict[str, Any]] = {
    "additive roots": {"r2_all": 0.874, "r2_outside": 0.230, "g": None},
    "Maurer's form and √AMI": {"r2_all": 0.926, "r2_outside": 0.733, "g": None},
    "logarithm of n·T^AMI": {"r2_all": 0.939, "r2_outside": 0.882, "g": None},
    SAMPLE: {
        "r2_all": 0.950,
        "r2_outside": 0.919,
        "g": {"value": 1.953, "low": 1.757, "high": 2.121},
    },
    POWER: {
        "r2_all": 0.949,
        "r2_outside": 0.905,
        "g": {"value": 1.069, "low": 0.963, "high": 1.179},
    },
}
"""What `measure` gives on the published table."""

HARM = {"tasks": 2, "low": 0.1, "high": 0.3, "gain": -0.035, "sign_low": 0.3, "sign_high": 0.5}
HARM |= {"gain_at_one": 0.13}
"""Mean F1 over the single task's at the same n in the published table, by AMI."""


def published() -> dict[str, Any]:
    """Every form on every family, beside its figures on the published table."""
    fitted = {
        name: {family: fit_form(text, family_rows(family)) for family in FAMILIES}
        for name, text in FORMS.items()
    }
    return {
        "titles": TITLES,
        "forms": [
            {"name": name, "published": FIGURES[name], "families": fitted[name]} for name in FORMS
        ],
        "power": _exponents(POWER, fitted),
        "sample": _exponents(SAMPLE, fitted),
        "harm": HARM,
    }


def _exponents(form: str, fitted: dict[str, Any]) -> dict[str, Any]:
    """The exponent g of a form, in the published table and in our families."""
    ours = {family: fitted[form][family]["constants"]["c3"] for family in FAMILIES}
    return {"published": FIGURES[form]["g"], "families": ours}


def measure(table: pd.DataFrame) -> dict[str, Any]:
    """The forms on the authors' table: R² on all rows, inside and outside, and g on all rows."""
    rows = table.rename(columns=COLUMNS)
    found = {}
    for name, text in FORMS.items():
        everywhere = fit_form(text, Subset("published", rows, "fscore"))
        inside = fit_form(text, Subset("published", rows, "fscore", OUTSIDE))
        found[name] = {
            "r2_all": everywhere["r2_inside"],
            "r2_outside": inside["r2_outside"],
            "g": everywhere["constants"]["c3"] if name in (POWER, SAMPLE) else None,
        }
    return found
