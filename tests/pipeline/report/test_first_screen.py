"""The first screen is true of the table shown: numbers, signs, intervals, whatever the law is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.explorer import explorer
from mtl_laws.pipeline.report.figure_text import axis_text
from mtl_laws.pipeline.report.first_screen import (
    _certainty_text,
    answer,
    predictions_grid,
    title_text,
    trust,
)
from mtl_laws.pipeline.report.page import build_page
from mtl_laws.pipeline.report.single_task import equivalent_interval
from mtl_laws.pipeline.report.surface import Surface
from support.planted_report import PAIRED, REGION, planted_laws, report_table

DRAWS = 200


def planted(expression: str, template: str = "", draws: Any = None, **more: Any) -> LawSet:
    """The planted table's laws with another selected law; intervals only where draws are given."""
    laws = planted_laws()
    law = {**laws["selected"], "expression": expression, "template": template or expression}
    law |= {"constants": {}, "uncertainty": None}
    if draws is not None:
        law["constants"] = {name: {"value": float(np.mean(each))} for name, each in draws.items()}
        known = laws["selected"]["uncertainty"]
        law["uncertainty"] = {**known, "draws": {k: list(v) for k, v in draws.items()}}
    return LawSet.from_json({**laws, "selected": law, "front": [law], **more})


def words(laws: LawSet, table: pd.DataFrame | None = None) -> str:
    surface = Surface(laws.law, laws.target, report_table() if table is None else table, laws.data)
    return " ".join(answer(laws, surface))


def test_the_numbers_of_a_law_in_n_t_and_ami() -> None:
    text = words(planted("0.9 - 5/sqrt(n*(1 + (T - 1)*ami))"))
    alone, both = 0.9 - 5 / 320**0.5, 0.9 - 5 / (320 * 1.6) ** 0.5
    assert "With n = 320 and ami = 0.6, the law predicts" in text
    assert f"{both:.3f} for 2 tasks trained together (the main task and 1 auxiliary task)" in text
    assert re.search(rf"and {alone:.3g}\d* for the main task alone", text)
    assert f"a gain of {both - alone:.2g}." in text
    assert "2 tasks act like 1.6 times the data of the main task alone." in text
    assert "predicts a gain everywhere from n = 40 to 1,280." in text
    assert "harm" not in text
    assert "[" not in text  # no interval is known


def test_intervals_are_those_of_the_draws() -> None:
    exponent = np.random.default_rng(0).normal(0.5, 0.05, DRAWS)
    laws = planted("0.9 - 5/sqrt(n*T**0.5)", "0.9 - 5/sqrt(n*T**c0)", {"c0": exponent})
    surface = Surface(laws.law, laws.target, report_table(), laws.data)
    roles = surface.multitask
    assert roles is not None
    low, high = equivalent_interval(surface, roles, 2.0)
    ends = np.quantile(2.0**exponent, [0.025, 0.975])
    assert (low, high) == pytest.approx(ends, rel=0.03)
    text = words(laws)
    assert re.search(r"2 tasks act like 1\.4 \[1\.3, 1\.5\d?\] times the data", text)
    assert re.search(r"a gain of 0\.0\d+ \[0\.0\d+, 0\.0\d+\]\.", text)


def test_a_gain_whose_interval_holds_0_is_not_certain() -> None:
    exponent = np.random.default_rng(0).normal(0.02, 0.1, DRAWS)
    text = words(planted("0.9 - 5/sqrt(n*T**0.02)", "0.9 - 5/sqrt(n*T**c0)", {"c0": exponent}))
    assert re.search(r"a gain of 0\.0\d+ \[−0\.\d+, 0\.\d+\], so its sign is not certain\.", text)


def test_harm_is_called_harm() -> None:
    text = words(planted("0.9 - 5/sqrt(n/T**0.5)"))
    assert re.search(r": harm of 0\.0\d+\.", text)
    assert "2 tasks act like 0.71 times the data" in text
    assert "predicts harm everywhere from n = 40 to 1,280" in text
    assert "gain" not in text


@pytest.mark.parametrize(
    ("certain", "said"),
    [
        ([True] * 4, ""),
        ([False] * 4, "Its sign is certain nowhere there."),
        ([False, True, True, False], "Its sign is certain only from n = 100 to 1,000."),
        ([True, False, True, True], "Its sign is not certain everywhere there."),
    ],
)
def test_where_the_sign_of_a_gain_is_certain(certain: list[bool], said: str) -> None:
    sizes = np.array([10.0, 100.0, 1_000.0, 10_000.0])
    assert _certainty_text(np.array(certain), sizes, "n") == said


def test_harm_below_a_size() -> None:
    """At ami = 0.6 and two tasks, the gain is 0.01*ln(n/100)."""
    text = words(planted("0.1*log(n) + 0.01*(T - 1)*log(n/100)"))
    match = re.search(r"predicts harm below n = (\d+) and a gain on the other side", text)
    assert match
    assert float(match[1]) == pytest.approx(100, rel=0.05)
    assert "With T = 2, the law" in text


def test_less_of_a_loss_is_a_gain() -> None:
    data = {**planted_laws()["data"], "lower_is_better": True}
    better = planted("0.1 + 5/sqrt(n*T**0.5)", data=data)
    assert ": a gain of 0.0" in words(better)
    assert "a gain everywhere" in words(better)
    assert "act like 1.4 times" in words(better)
    assert ": harm of 0.0" in words(planted("0.1 + 5/sqrt(n/T**0.5)", data=data))


def test_no_difference_is_no_gain() -> None:
    text = words(planted("0.9 - 5/sqrt(n) + 0*T"))
    assert ": a change of 0." in text
    assert "predicts no change everywhere" in text


def test_measured_harm_is_said_whatever_the_law_says() -> None:
    text = words(planted("0.9 - 5/sqrt(n*T**0.5)", paired=PAIRED.to_json()))
    assert (
        "training together lowers accuracy at n ≤ 100 and ami = 0.05 by 0.008 [0.004, 0.012]"
        in text
    )
    assert text.endswith("The law does not predict this.")


HELP = PAIRED.model_copy(
    update={
        "harm": (),
        "help": (REGION.model_copy(update={"where": {}, "gain": 0.12, "ci95": (0.025, 0.21)}),),
    }
)


def help_predicted_as(law: float | None) -> Any:
    region = HELP.help[0].model_copy(update={"law": law})
    return HELP.model_copy(update={"help": (region,)}).to_json()


def test_a_measured_gain_follows_a_law_without_tasks() -> None:
    for law, first in (
        ("0.9 - 5/sqrt(n)", "The law does not use T: in it, training together changes nothing."),
        ("0.5", "The law does not use n, T or ami: it predicts accuracy 0.5 everywhere."),
    ):
        assert words(planted(law, paired=help_predicted_as(0.0))).startswith(
            f"{first} In the measurements, training together raises accuracy over all measured "
            "cells by 0.12 [0.025, 0.21] on average. The law does not predict this."
        )
    lower = {**planted_laws()["data"], "lower_is_better": True}
    text = words(planted("0.1 + 5/sqrt(n)", paired=help_predicted_as(0.0), data=lower))
    assert "training together lowers accuracy over all measured cells by 0.12" in text


def test_a_measured_gain_is_said_only_where_the_law_predicts_none() -> None:
    law = "0.9 - 5/sqrt(n*T**0.5)"
    assert "In the measurements" not in words(planted(law, paired=help_predicted_as(0.01)))
    assert words(planted(law, paired=help_predicted_as(-0.01))).endswith("not predict this.")
    unknown = words(planted(law, paired=help_predicted_as(None)))
    assert unknown.endswith("by 0.12 [0.025, 0.21] on average.")


def test_a_law_without_tasks_says_so() -> None:
    text = words(planted("0.9 - 5/sqrt(n)"))
    assert text.startswith("The law does not use T: in it, training together changes nothing.")
    assert "With n = 320, the law predicts accuracy 0.62, in the middle" in text
    assert "with n = 1,280, the largest fitted, it predicts 0.76." in text
    assert "Only n is in the law: from n = 40 to 1,280, accuracy rises by 0.65, from" in text
    assert "times the data" not in text


def test_a_constant_law() -> None:
    text = words(planted("0.5"))
    assert text == "The law does not use n, T or ami: it predicts accuracy 0.5 everywhere."
    assert not predictions_grid(_surface(planted("0.5")))


def test_the_law_is_asked_at_the_values_that_are_shown() -> None:
    """The measured AMI scatters around 0.6; sentence, table and first fields are at 0.6 itself."""
    laws = planted("1000*ami")
    surface = _surface(laws)
    assert 0.6 not in surface.levels["ami"].values
    assert "With ami = 0.6, the law predicts accuracy 600, in the middle" in words(laws)
    shown = [row.cells for row in predictions_grid(surface).rows]
    assert shown == [("0.05", "50"), ("0.3", "300"), ("0.6", "600"), ("0.9", "900")]
    made = explorer(laws, surface)
    assert made is not None
    assert [field.value for field in made.fields] == ["320", "2", "0.6"]


def test_a_shown_value_does_not_leave_the_fitted_range() -> None:
    data = {**planted_laws()["data"], "ranges": {"ami": (0.042, 0.5994)}}
    surface = _surface(planted("1000*ami", data=data))
    assert surface.as_shown("ami", 0.5994) == 0.5994
    assert surface.as_shown("ami", 0.3004) == 0.3


def test_a_law_without_a_value_has_no_number() -> None:
    for expression in ("1/(n - 320)", "log(0 - n)", "T/(n - 320)"):
        assert "has no value" in words(planted(expression))


def _surface(laws: LawSet) -> Surface:
    return Surface(laws.law, laws.target, report_table(), laws.data)


def general(expression: str, factors: tuple[str, ...] = ("N", "lr")) -> tuple[LawSet, pd.DataFrame]:
    """A table that has nothing to do with tasks."""
    sizes, rates = (1e6, 4e6, 1.6e7, 6.4e7), (0.1, 0.2, 0.3, 0.4, 0.5)
    rows = [(size, rate) for size in sizes for rate in rates]
    table = pd.DataFrame(rows, columns=["N", "lr"])[list(factors)].drop_duplicates()
    law = {"expression": expression, "complexity": 9, "valid": True, "scores": {"r2_train": 0.9}}
    laws = {"schema": 2, "target": "loss", "factors": list(factors), "selected": law}
    read = LawSet.from_json({**laws, "front": [law]})
    table["loss"] = read.law.predict({name: table[name].to_numpy() for name in factors})
    return read, table.assign(role="fit", cell=range(len(table)))


def test_a_general_table() -> None:
    text = words(*general("2 + 30/N**0.2 + 0.01*lr"))
    assert "With N = 1.6 × 10⁷ and lr = 0.3, the law predicts loss 3.09, in the middle" in text
    assert "with N = 6.4 × 10⁷, the largest fitted, it predicts 2.83." in text
    assert "N matters most: from N = 1 × 10⁶ to 6.4 × 10⁷ with lr = 0.3, loss falls by" in text
    assert "loss falls by 1.1, from 3.9 to 2.83." in text
    for word in ("task", "gain", "harm", "[", "nan", "–"):
        assert word not in text


def test_a_factor_with_its_best_value_between_the_ends() -> None:
    text = words(*general("1 + (lr - 0.3)**2", ("lr",)))
    assert re.search(r"lowest, 1, near lr = 0\.3", text)
    assert "rises" not in text
    assert "falls" not in text


def test_the_title_is_the_question_or_the_columns() -> None:
    laws = LawSet.from_json(planted_laws())
    assert title_text("Why?", laws) == "Why?"
    assert title_text("", laws) == "accuracy from n, T and ami"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"r2_extrapolation": 0.8, "r2_hold_out": 0.9}, "0.800 (extrapolated), and on 186 held"),
        ({"r2_extrapolation": -0.3}, "−0.300, worse than predicting their mean"),
        ({"r2_train": 0.9}, "it was not tested on levels left out"),
    ],
)
def test_trust(scores: Mapping[str, float], said: str) -> None:
    selected = {**planted_laws()["selected"], "scores": scores}
    laws = LawSet.from_json({**planted_laws(), "selected": selected})
    assert said in trust(laws, ["T"])
    assert trust(laws, ["T"]).endswith("chosen without a test beyond the fitted levels of T.")
    assert "beyond" not in trust(laws, [])


def test_a_law_that_is_not_valid_is_not_to_be_trusted() -> None:
    selected = {**planted_laws()["selected"], "valid": False, "reason": "pole at n = 9"}
    laws = LawSet.from_json({**planted_laws(), "selected": selected})
    assert trust(laws, []) == "Do not trust it: the law is not valid (pole at n = 9)."
    assert trust(LawSet.from_json({**planted_laws(), "selected": None}), []) == ""


def test_the_table_of_predictions() -> None:
    laws = planted("0.9 - 5/sqrt(n*T**0.5)")
    grid = predictions_grid(_surface(laws))
    assert grid.headers == ("n", "main task alone", "2 tasks together", "gain")
    row = next(row.cells for row in grid.rows if row.cells[0] == "320")
    alone, both = 0.9 - 5 / 320**0.5, 0.9 - 5 / (320 * 2**0.5) ** 0.5
    assert [float(str(cell)) for cell in row[1:]] == pytest.approx(
        [alone, both, both - alone], rel=0.02
    )
    general_grid = predictions_grid(_general_surface("2 + 30/N**0.2 + 0.01*lr"))
    assert general_grid.headers == ("N", "loss")
    assert len(general_grid.rows) == 4


def _general_surface(expression: str) -> Surface:
    laws, table = general(expression)
    return Surface(laws.law, laws.target, table, laws.data)


def test_the_law_is_shown_with_its_effective_quantity(tmp_path: Path) -> None:
    laws = LawSet.from_json(planted_laws())
    page = build_page(laws, report_table(), ReportContext("t", "c"))
    assert page.form is not None
    assert page.form.name == "n_eff"
    assert list(page.appendix)[-1] == "reproduce"
    assert not set(page.appendix) & set(page.sections)
    write_report(tmp_path, laws, report_table(), ReportContext("t", "c"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert r"n_{\mathrm{eff}} = n" in text
    assert "# accuracy from n, T and ami\n\nt\n\nami is the adjusted mutual information" in text
    assert text.index("adjusted mutual information") < text.index("## The answer")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for sentence in (*page.answer, page.trust):
        plain = html.replace("\u00a0", " ").replace("\u2060", "")
        assert sentence in plain
        assert sentence in text.replace("\\", "")


def test_axes_have_words() -> None:
    surface = _surface(LawSet.from_json(planted_laws()))
    assert axis_text(surface, "n") == "n (n_tokens)"
    assert axis_text(surface, "ami") == "ami (relatedness)"
    assert axis_text(_general_surface("2 + 30/N**0.2"), "N") == "N"
    # of a study it is known what n counts
    columns = surface.data.model_copy(update={"columns": {}})
    assert axis_text(replace(surface, data=columns), "n") == "n (amount of data)"
    assert axis_text(replace(surface, data=columns, study=True), "n") == "n (training tokens)"
