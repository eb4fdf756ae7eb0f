"""Tables of a report: constants as the formula has them, regions, and what factors are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.record import DataRecord
from mtl_laws.pipeline.laws.rows import infer_domains
from mtl_laws.pipeline.report.data_tables import card_grid, factors_grid, region_grid
from mtl_laws.pipeline.report.figure_text import DOMAIN_BASIS
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.tables import Formula, constants_grid
from mtl_laws.pipeline.symbolic.typeset import formula_text
from mtl_laws.pipeline.symbolic.typeset.numbers import number


def law_of(expression: str, factors: tuple[str, ...] = ("n", "T", "ami"), **more: Any) -> Law:
    record = {"expression": expression, "factors": factors, "complexity": 9, "valid": True}
    return Law.from_json({**record, **more})


def test_a_negative_constant_that_is_subtracted_is_given_with_its_minus() -> None:
    told = {"value": -0.77, "se": 0.04, "ci95": [-0.87, -0.69]}
    plain = {"value": 0.22, "se": 0.01, "ci95": [0.2, 0.24]}
    constants = {"c0": plain, "c1": told, "c2": told, "c3": told}
    law = law_of("n", template="c0 - c1*exp(-n/c2) - c3*n + c3", constants=constants)
    first, *rest = (row.cells[:4] for row in constants_grid(law).rows)
    assert first == (Formula("c0"), "0.22", "0.01", "0.2 to 0.24")
    assert rest[0] == (Formula("-c1"), "0.77", "0.04", "0.69 to 0.87")
    # below a line, and where the sign is not always the same, they are as the record has them
    assert [row[0] for row in rest[1:]] == [Formula("c2"), Formula("c3")]
    assert all(row[1] == "−0.77" for row in rest[1:])
    assert formula_text("-c1") == "−c₁"


def test_where_rows_hardly_vary_the_report_says_to_go_by_the_errors() -> None:
    n = np.repeat([10.0, 20.0, 40.0, 80.0, 1e6, 2e6], 6)
    random = np.random.default_rng(0)
    table = pd.DataFrame({"n": n, "y": 0.9 - 1 / np.sqrt(n) + random.normal(0, 0.01, len(n))})
    table["role"] = np.where(n > 100, "hold-out", "fit")
    table["cell"] = n
    law = law_of("0.92 - 1/sqrt(n)", ("n",))
    for data, expected in (({}, "all rows 0.1"), ({"replicate_sd": 0.01}, "replicates 0.01")):
        grid = region_grid(Surface(law, "y", table, DataRecord.from_json(data)))
        rows = {
            str(row.cells[0]): dict(zip(grid.headers, row.cells, strict=True)) for row in grid.rows
        }
        assert rows["fitted rows"]["note"] == ""
        beyond = rows["beyond the fitted n"]
        assert str(beyond["R² there"]).startswith(("−", "below −"))
        assert expected in str(beyond["note"])
        assert "compare the errors" in str(beyond["note"])
        off = table["y"] - (0.92 - 1 / np.sqrt(n))
        absolute = off[table["role"] == "hold-out"].abs().mean()
        assert beyond["mean absolute error"] == number(float(absolute))


def test_an_r2_that_is_not_the_laws_own_says_why(
    laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    """The search counts a row without AMI at five values; here its mean is set against it."""
    law = law_of("0.9 - 5/sqrt(n*(T + 0.1)**ami)", scores={"r2_train": 0.5})
    surface = Surface(law, "accuracy", table, LawSet.from_json(laws).data)
    assert region_grid(surface).rows[0].cells[-1] == (
        "0.500 where rows without ami count at five values each"
    )
    told = str(region_grid(surface).rows[0].cells[2]).replace("−", "-")
    same = replace(surface, law=law.model_copy(update={"scores": {"r2_train": float(told)}}))
    assert "five values" not in str(region_grid(same).rows[0].cells)


def test_the_domain_of_each_factor_and_where_it_comes_from_are_said(
    laws: Mapping[str, Any],
) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "n": random.choice([50.0, 100, 200, 400], 60),
            "rate": random.choice([0.01, 0.02, 0.03], 60),
            "noise": random.choice([0.0, 0.02, 0.05], 60),
            "shift": random.uniform(-1, 1, 60),
            "ami": random.uniform(0.1, 0.9, 60),
            "role": "fit",
            "cell": range(60),
        }
    )
    table["y"] = table["n"] * table["rate"]
    factors = ["n", "rate", "noise", "shift", "ami"]
    columns = {name: table[name].to_numpy() for name in factors}
    domain = {name: list(ends) for name, ends in infer_domains(columns).items()}
    domain["ami"] = [0.1, 0.9]
    data = {"domain": domain}
    law = {**laws["selected"], "expression": "0.5*n", "template": "0.5*n"}
    bare = {"selected": law, "front": [law], "theory": [], "evidence": []}
    told = LawSet.from_json({**laws, **bare, "target": "y", "factors": factors, "data": data})
    grid = factors_grid(told, table)
    why = {str(row.cells[0]): row.cells[-1] for row in grid.rows}
    assert "--domain FACTOR=LOW:HIGH" in grid.caption
    assert why["n"] == DOMAIN_BASIS["size"]
    assert why["noise"] == DOMAIN_BASIS["fraction"]
    assert why["shift"] == DOMAIN_BASIS["range"]
    assert why["ami"] == DOMAIN_BASIS["given"]
    assert why["rate"] == DOMAIN_BASIS["size"]


def test_the_card_of_the_data_counts_its_rows(laws: Mapping[str, Any]) -> None:
    big = {**laws, "data": {**laws["data"], "rows": 12_345}}
    facts = {row.cells[0]: row.cells[1] for row in card_grid(LawSet.from_json(big)).rows}
    assert facts["rows"] == "12,345"
    assert (facts["rows fitted"], facts["rows held out"]) == ("126", "186")
    assert facts["distinct cells"] == "104"
    assert facts["bounds of the target"] == "0 to 1"
    assert facts["held out by"] == "n>1280 or T>4"
