"""Laws that are asked in tests and in the examples of docstrings: their constants are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtl_laws import Law, LawSet
from mtl_laws.pipeline.laws.bands import Uncertainty
from mtl_laws.pipeline.laws.law import Constant
from mtl_laws.pipeline.laws.record import DataRecord, Groups, Roles
from mtl_laws.pipeline.laws.region import Region

VALUES = {"c0": 0.945, "c1": 376.0, "c2": 0.613, "c3": 0.426}
SD = {"c0": 0.004, "c1": 5.0, "c2": 0.01, "c3": 0.01}
TEMPLATE = "c0 / (1 + c1 / (n * T ** (c2 * ami ** c3)))"
RANGES = {"n": (40.0, 4000.0), "T": (1.0, 4.0), "ami": (0.1, 0.9)}
DOMAIN = {"n": (40.0, 8000.0), "T": (1.0, 8.0), "ami": (0.0, 1.0)}
DRAWS = 400


def rows() -> pd.DataFrame:
    """Where the law was fitted: every n with every T and AMI; AMI is undefined at T = 1."""
    grid = [
        (n, T, np.nan if T == 1 else ami)
        for n in (40.0, 200.0, 1000.0, 4000.0)
        for T in (1.0, 2.0, 4.0)
        for ami in (0.1, 0.5, 0.9)
    ]
    table = pd.DataFrame(grid, columns=["n", "T", "ami"]).drop_duplicates(ignore_index=True)
    columns = {name: table[name].fillna(0.5).to_numpy() for name in ("n", "T", "ami")}
    mean = asked_law().predict(columns)
    return table.assign(f1=mean, role="fit", cell=range(len(table)))


def asked_law(template: str = TEMPLATE, **changed: Any) -> Law:
    """The law f1 = 0.945/(1 + 376/n_eff), with draws of its constants."""
    random = np.random.default_rng(0)
    names = [name for name in VALUES if name in template]
    draws = {name: random.normal(VALUES[name], SD[name], DRAWS) for name in VALUES}
    expression = template
    for name in names:
        expression = expression.replace(name, repr(VALUES[name]))
    constants = {
        name: Constant(
            value=VALUES[name],
            se=SD[name],
            ci95=(VALUES[name] - 1.96 * SD[name], VALUES[name] + 1.96 * SD[name]),
        )
        for name in names
    }
    content: dict[str, Any] = {
        "expression": expression,
        "template": template,
        "factors": ("n", "T", "ami"),
        "complexity": 15,
        "constants": constants,
        "scores": {"r2_train": 0.958, "r2_extrapolation": 0.947},
        "valid": True,
        "uncertainty": Uncertainty(
            draws={name: draws[name].tolist() for name in names},
            replicate_sd=0.02,
            fit_sd=0.01,
            ranges=RANGES,
            domain=DOMAIN,
            bounds=(0.0, 1.0),
        ),
    }
    return Law(**{**content, **changed})


def asked_laws(law: Law | None = None, **changed: Any) -> LawSet:
    """A set whose selected law is `asked_law`, with its rows and its region."""
    selected = law or asked_law()
    table = rows()
    if selected.uncertainty is not None:
        columns = {name: table[name].to_numpy() for name in ("n", "T", "ami")}
        known = selected.uncertainty.model_copy(update={"region": Region.of(columns)})
        selected = selected.model_copy(update={"uncertainty": known})
    content: dict[str, Any] = {
        "target": "f1",
        "factors": ("n", "T", "ami"),
        "selected": selected,
        "front": (selected.model_copy(update={"uncertainty": None}),),
        "data": DataRecord(
            ranges=RANGES,
            domain=DOMAIN,
            bounds=(0.0, 1.0),
            columns={"n": "tokens", "T": "tasks", "ami": "ami"},
            roles=Roles(size="n", tasks="T", relatedness="ami"),
        ),
    }
    return LawSet(**{**content, **changed}).with_rows(table)


def grouped_laws() -> LawSet:
    """A set whose law has a ceiling of its own in each of two groups."""
    own = {"small": {"c0": 0.8}, "large": {"c0": 0.95}}
    law = asked_law(
        expression="0.8 / (1 + 376.0 / n)",
        template="c0 / (1 + c1 / n)",
        constants={"c1": Constant(value=376.0, se=5.0, ci95=(366.2, 385.8))},
        shared=("c1",),
        group_constants=own,
        uncertainty=None,
    )
    groups = Groups(columns=("encoder",), column="encoder", levels=tuple(own))
    return asked_laws(law, groups=groups)
