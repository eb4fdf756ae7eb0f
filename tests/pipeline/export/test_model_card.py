"""The model card carries every warning that the report has."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_laws import LawSet
from mtl_laws.pipeline.export import export_results
from mtl_laws.pipeline.export.model_card import model_card, warnings
from mtl_laws.pipeline.laws.record import Groups, Outlier, Provenance
from mtl_laws.pipeline.report.data_tables import few_levels, min_levels
from mtl_laws.pipeline.report.text import law_notes
from support.asked_laws import asked_law, asked_laws


def troubled() -> LawSet:
    """Laws with as much against them as a record can hold."""
    law = asked_law(
        limits="is not finite as n grows",
        scores={"r2_train": 0.9, "r2_hold_out": -0.5, "rmse_hold_out": 0.3},
    )
    laws = asked_laws(
        law,
        groups=Groups(columns=("who",), column="who", levels=("a",), small={"a": 3}),
        outliers=(Outlier(row=3, value=9.0, predicted=0.5, residual_sd=8.0),),
        verdicts=("No form from the literature is as good.",),
        provenance=Provenance(cut=True, engine_failures=("operon: killed",)),
    )
    data = laws.data.model_copy(update={"notes": ("3 rows are left out",), "replicate_sd": 0.02})
    return laws.model_copy(update={"data": data}).with_rows(laws.rows.assign(group="a"))


EXPECTED = (
    "T and ami have fewer than 4 levels",
    "The law is not finite as n grows, which is implausible.",
    "predicts the held-out rows worse than their own mean",
    "1 row lies far from every good law",
    "1 group has too few rows",
    "the time limit ended the search early",
    "Engine failure: operon: killed",
    "3 rows are left out",
    "No form from the literature is as good.",
)


@pytest.mark.parametrize("sentence", EXPECTED)
def test_what_speaks_against_a_law_is_on_its_card(sentence: str) -> None:
    assert sentence in model_card(troubled())


def test_the_notes_of_the_report_are_all_there() -> None:
    laws = troubled()
    notes = law_notes(laws, few_levels(laws, laws.rows), min_levels(laws))
    assert len(notes) >= 3
    assert set(notes) <= set(warnings(laws))


def test_a_law_that_is_not_valid_says_so() -> None:
    laws = asked_laws(asked_law(valid=False, reason="has a pole near n = 300"))
    assert "The law shown is not valid: has a pole near n = 300." in model_card(laws)


def test_the_card_has_the_law_its_region_and_its_constants(tmp_path: Path) -> None:
    out = export_results(asked_laws().save(tmp_path / "laws"), tmp_path / "out", "csv")
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    for line in (
        "`f1 = 0.945/(1 + 376/n_eff), n_eff = n·T^(0.613·ami^0.426)`",
        "| fitted | 0.958 | – |",
        "| `n` | `tokens` | 40 | 4,000 | 40 | 8,000 |",
        "| `c1` |  | 376 | 366 to 386 |",
    ):
        assert line in card
    assert "[MODEL_CARD.md](MODEL_CARD.md)" in (out / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in out.iterdir()}
    assert names >= {"laws.py", "laws_sympy.py", "law.tex", "laws.json"}


def test_without_a_law_there_is_no_card(tmp_path: Path) -> None:
    laws = asked_laws().model_copy(update={"selected": None})
    out = export_results(laws.save(tmp_path / "laws"), tmp_path / "out", "csv")
    assert not (out / "MODEL_CARD.md").exists()
    assert not (out / "laws.py").exists()
