"""`LawSet` is the record of ``laws.json``: it comes back equal, refuses errors, and predicts."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.bands import GroupUncertainty, Uncertainty
from mtl_laws.pipeline.laws.law import Constant, Interval, Law, LawDefect
from mtl_laws.pipeline.laws.lawset import LawSet, predict, schema
from mtl_laws.pipeline.laws.record import (
    Baseline,
    DataRecord,
    EngineRecord,
    ExponentEstimate,
    FactorEvidence,
    Groups,
    Harm,
    Outlier,
    PlaceExponent,
    Provenance,
)
from mtl_laws.pipeline.laws.rules import Rules

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared"))

TEMPLATE = "c0 + c1*n**(-c2)"
SHARED_POWER = 0.5
OWN = {"de | small": {"c0": 0.1, "c1": 3.0}, "fi | large": {"c0": 0.3, "c1": 5.0}}
DRAWS = 60


def numeric(level: str) -> str:
    values = {"c2": SHARED_POWER, **OWN[level]}
    return f"{values['c0']} + {values['c1']}*n**(-{values['c2']})"


def group_uncertainty(level: str) -> GroupUncertainty:
    random = np.random.default_rng(len(level))
    own = {name: random.normal(value, 0.02, DRAWS).tolist() for name, value in OWN[level].items()}
    power = random.normal(SHARED_POWER, 0.002, DRAWS).tolist()
    return GroupUncertainty(draws={**own, "c2": power}, replicate_sd=0.02, misfit_sd=0.01)


def grouped_law() -> Law:
    return Law(
        expression=numeric("de | small"),
        template=TEMPLATE,
        latex="c_0 + c_1 n^{-0.5}",
        factors=("n", "T"),
        complexity=8,
        constants={"c2": Constant(value=SHARED_POWER, se=0.002, ci95=(0.496, 0.504))},
        shared=("c2",),
        group_constants=OWN,
        group_intervals={
            level: {name: Interval(se=0.02, ci95=(value - 0.04, value + 0.04))}
            for level, values in OWN.items()
            for name, value in list(values.items())[:1]
        },
        scores={"r2_train": 0.9, "r2_hold_out": None},
        valid=True,
        defects=(LawDefect(kind="turns", factor="n", value=1e9),),
        origin="theory: power",
        uncertainty=Uncertainty(
            draws={"c2": group_uncertainty("de | small").draws["c2"]},
            replicate_sd=0.02,
            misfit_sd=0.01,
            ranges={"n": (10.0, 1000.0), "T": (1.0, 4.0)},
            domain={"n": (10.0, 2000.0), "T": (1.0, 8.0)},
            bounds=(0.0, None),
            groups={level: group_uncertainty(level) for level in OWN},
        ),
    )


def plain_law(expression: str = "0.5 + 0.001*n") -> Law:
    return Law(expression=expression, factors=("n", "T"), complexity=5, valid=True)


def law_set() -> LawSet:
    """A set with something in every field."""
    law = grouped_law()
    return LawSet(
        target="loss",
        factors=("n", "T"),
        groups=Groups(columns=("language", "size"), column="language | size", levels=tuple(OWN)),
        selected=law,
        front=(plain_law(), law.model_copy(update={"uncertainty": None})),
        theory=(plain_law("0.5"),),
        evidence=(
            FactorEvidence(
                factor="n",
                in_law=True,
                delta_bic=12.5,
                exponent=ExponentEstimate(value=-0.5, ci95=(-0.6, -0.4)),
                exponents=(PlaceExponent(value=-0.5, inside="n**(-c2)", varies_with=("T",)),),
                sentence="n matters.",
            ),
        ),
        reference=Baseline(name="gradient boosting", scores={"r2_cv": 0.5}),
        transfer=Harm(count="T", lowest=-0.1, highest=0.2, lowered=0.1, at={"n": 10.0}),
        verdicts=("It is a law.",),
        rules=Rules().to_json(),
        outliers=(
            Outlier(
                row=3,
                group="de | small",
                factors={"n": 10.0, "T": None},
                value=9.0,
                predicted=1.0,
                residual_sd=8.0,
            ),
        ),
        without_outliers=plain_law(),
        data=DataRecord(
            rows=40,
            ranges={"n": (10.0, 1000.0), "T": (1.0, 4.0)},
            columns={"n": "tokens"},
            loss="huber",
        ),
        provenance=Provenance(command="by hand", engine=EngineRecord(used="grammar"), seed=1),
    )


def table() -> pd.DataFrame:
    n = np.tile([10.0, 100.0, 1000.0], 2)
    rows = pd.DataFrame({"tokens": n, "T": 1.0, "language": ["de"] * 3 + ["fi"] * 3})
    return rows.assign(size=["small"] * 3 + ["large"] * 3)


@pytest.fixture
def laws() -> LawSet:
    return law_set()


def test_a_set_comes_back_equal(laws: LawSet, tmp_path: Path) -> None:
    laws.save(tmp_path / "one.json")
    again = LawSet.load(tmp_path / "one.json")
    assert again == laws
    again.save(tmp_path / "two.json")
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.json").read_bytes()
    other = laws.model_copy(update={"target": "other"})
    assert again != other


def test_rows_go_from_folder_to_folder(laws: LawSet, tmp_path: Path) -> None:
    rows = pd.DataFrame({"n": [1.0, 2.0], "T": [1.0, np.nan], "loss": [0.5, 0.4]})
    rows = rows.assign(role="fit", cell=[0, 1], group=list(OWN))
    laws.with_rows(rows).save(tmp_path / "first")
    LawSet.load(tmp_path / "first").save(tmp_path / "second")
    pd.testing.assert_frame_equal(LawSet.load(tmp_path / "second").rows, rows)
    plain = {"groups": None, "selected": plain_law(), "front": (plain_law(),)}
    ungrouped = laws.model_copy(update=plain).with_rows(rows.drop(columns="group"))
    ungrouped.save(tmp_path / "plain")
    assert "group" not in LawSet.load(tmp_path / "plain").rows
    laws.save(tmp_path / "bare")
    bare = LawSet.load(tmp_path / "bare")
    bare.save(tmp_path / "third")
    assert [path.name for path in (tmp_path / "third").iterdir()] == ["laws.json"]
    with pytest.raises(UserError, match=r"table\.parquet"):
        bare.rows  # noqa: B018
    with pytest.raises(UserError, match="rows"):
        laws.rows  # noqa: B018


def test_what_later_versions_add_is_kept(laws: LawSet, tmp_path: Path) -> None:
    record = laws.to_json()
    record["selected"]["colour"] = "blue"
    record["weather"] = {"today": [1, 2]}
    again = LawSet.from_json(record).to_json()
    assert again["selected"]["colour"] == "blue"
    assert again["weather"] == {"today": [1, 2]}


def test_a_set_is_immutable(laws: LawSet) -> None:
    with pytest.raises(ValueError, match="frozen"):
        laws.target = "other"
    with pytest.raises(ValueError, match="frozen"):
        laws.law.expression = "0"


def test_the_published_schema_is_fresh_and_names_the_keys_of_the_file(laws: LawSet) -> None:
    stale = "docs/laws.schema.json is stale: make docs"
    written = (ROOT / "docs" / "laws.schema.json").read_text(encoding="utf-8")
    assert json.loads(written) == json.loads(schema()), stale
    described = json.loads(written)
    assert set(described["properties"]) == set(laws.to_json())
    assert set(described["$defs"]["Law"]["properties"]) == set(laws.law.to_json())


def test_an_old_file_gets_one_clear_line(laws: LawSet, tmp_path: Path) -> None:
    path = tmp_path / "laws.json"
    path.write_text(json.dumps({**laws.to_json(), "schema": 1}), encoding="utf-8")
    with pytest.raises(UserError) as error:
        LawSet.load(tmp_path)
    wanted = "laws.json, schema: expected 2, got 1; run `mtl-laws fit` again"
    assert str(error.value).endswith(wanted)


def test_every_law_of_a_file_knows_the_factors_of_the_file(laws: LawSet) -> None:
    record = laws.to_json()
    for law in (record["selected"], *record["front"], *record["theory"]):
        del law["factors"]
    record["front"][0]["factors"] = ["n", "T", "__class__"]
    assert {law.factors for _, law in LawSet.from_json(record).laws()} == {("n", "T")}


WRONG: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "code": (("theory", 0, "expression"), "__import__('os').getcwd()", "theory[0]"),
    "code in a template": (("selected", "template"), "exec('1')", "selected"),
    "a constant of no group": (
        ("selected", "group_constants", "fi | large"),
        {"c0": 1.0},
        "selected",
    ),
    "a level of no group": (
        ("selected", "group_constants", "sv"),
        {"c0": 1.0, "c1": 1.0},
        "selected.group_constants",
    ),
    "an interval of no group": (
        ("selected", "group_intervals", "sv"),
        {"c0": {"se": 1.0}},
        "selected.group_intervals",
    ),
    "a shared constant that is none": (("selected", "shared"), ["c0"], "selected.shared"),
    "draws of a group": (
        ("selected", "uncertainty", "groups", "fi | large", "draws"),
        {"c0": [1.0], "c1": [1.0, 2.0]},
        "selected.uncertainty.groups.fi | large.draws",
    ),
    "draws of no constant": (
        ("selected", "uncertainty", "groups", "fi | large", "draws"),
        {"c9": [1.0]},
        "selected.uncertainty.draws",
    ),
    "a range reversed": (("data", "ranges", "n"), [2, 1], "data.ranges.n"),
    "a loss that is none": (("data", "loss"), "cubes", "data.loss"),
    "a name that is code": (("factors", 0), "exec()", "factors"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_by_its_place(name: str, laws: LawSet) -> None:
    path, value, place = WRONG[name]
    record = laws.to_json()
    block: Any = record
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    with pytest.raises(UserError) as error:
        LawSet.from_json(record, "laws.json")
    assert error.value.path == f"laws.json, {place}"


def test_a_number_that_overflows_is_no_number(laws: LawSet, tmp_path: Path) -> None:
    path = tmp_path / "laws.json"
    path.write_text(json.dumps(laws.to_json()).replace("12.5", "1e999"), encoding="utf-8")
    with pytest.raises(UserError, match="1e999"):
        LawSet.load(path)


def test_each_group_is_predicted_by_its_own_constants(laws: LawSet) -> None:
    rows = table()
    expected = [
        values["c0"] + values["c1"] * n**-SHARED_POWER
        for values in OWN.values()
        for n in (10.0, 100.0, 1000.0)
    ]
    assert laws.predict(rows).tolist() == pytest.approx(expected)
    shuffled = rows.iloc[[3, 0, 5, 1]]
    predicted = laws.predict(shuffled)
    assert predicted.index.tolist() == [3, 0, 5, 1]
    assert predicted.tolist() == pytest.approx([expected[k] for k in (3, 0, 5, 1)])
    joined = rows.assign(**{"language | size": rows["language"] + " | " + rows["size"]})
    joined = joined.drop(columns=["language", "size"])
    assert laws.predict(joined).tolist() == pytest.approx(expected)


def test_intervals_of_groups_are_those_of_their_laws(laws: LawSet) -> None:
    rows = table()
    found = laws.intervals(rows)
    for level, part in zip(OWN, (rows.index[:3], rows.index[3:]), strict=True):
        one = laws.law.for_group(level)
        bands = one.bands({"n": rows["tokens"][part].to_numpy(), "T": np.ones(3)})
        assert bands.law is not None
        assert bands.run is not None
        assert found["law_low"][part].tolist() == pytest.approx(bands.law[0].tolist())
        assert found["run_high"][part].tolist() == pytest.approx(bands.run[1].tolist())
        assert (found["run_high"] - found["run_low"])[part].min() > 2 * 1.96 * 0.02
    n = {"n": np.array([10.0, 10.0])}
    more = {"n": np.array([1000.0, 1000.0])}
    change = laws.law.change(more, n, list(OWN))
    assert change.mean.tolist() == pytest.approx(
        [values["c1"] * (1000**-0.5 - 10**-0.5) for values in OWN.values()]
    )
    assert laws.law.bands({"n": np.array([1e5, 10.0])}, list(OWN)).outside == (("n",), ())


def test_the_law_of_one_group_is_a_law_without_groups(laws: LawSet) -> None:
    one = laws.law.for_group("fi | large")
    assert one.levels == ()
    own = one.constants["c0"]
    assert (own.value, own.se) == (0.3, 0.02)
    assert own.ci95 == pytest.approx((0.26, 0.34))
    assert one.constants["c1"] == Constant(value=5.0)
    assert one.constants["c2"].value == SHARED_POWER
    point = {"n": np.array([100.0])}
    assert one.predict(point)[0] == pytest.approx(0.8)
    assert laws.law.for_group("de | small").predict(point)[0] == pytest.approx(0.4)
    assert one.for_group("anything") == one


def test_a_group_must_be_known(laws: LawSet) -> None:
    n = {"n": np.array([10.0, 20.0])}
    for group in (None, ["de | small"], ["de | small", "de | smal"]):
        with pytest.raises(UserError) as error:
            laws.law.predict(n, group)
        assert error.value.path == "group"
    assert "'de | small'" in str(error.value)
    assert "fi | large" in str(error.value)
    with pytest.raises(UserError, match="column size"):
        laws.predict(table().drop(columns="size"))
    with pytest.raises(UserError, match="nan"):
        laws.predict(table().replace({"size": {"small": np.nan}}))


def test_a_law_with_groups_as_python_and_sympy(laws: LawSet) -> None:
    scope: dict[str, Any] = {}
    exec(laws.law.python("f"), scope)
    assert scope["f"](100.0, "fi | large") == pytest.approx(0.8)
    assert scope["f"](100.0, group="de | small") == pytest.approx(0.4)
    with pytest.raises(KeyError):
        scope["f"](100.0, "sv")
    assert {s.name for s in laws.law.sympy().free_symbols} == {"n", "c0", "c1"}
    one = laws.law.sympy("fi | large")
    assert float(one.subs({"n": 100})) == pytest.approx(0.8)


def test_what_is_shown_of_a_law_with_groups_is_its_form(laws: LawSet) -> None:
    assert "0.1" not in laws.law.shown
    assert "0.5" in laws.law.shown
    assert repr(laws).startswith("loss = c₀ + c₁/√n\n")
    assert "c_{0}" in laws.law.latex(3)
    assert "<math" in laws._repr_html_()
    assert laws.table()["selected"].tolist() == [False, True]


def test_a_level_with_a_hostile_name_stays_a_name(laws: LawSet) -> None:
    evil = "'}; __import__('os').abort(); {'"
    law = Law(
        expression="1.0*n",
        template="c0*n",
        factors=("n",),
        complexity=3,
        group_constants={evil: {"c0": 1.0}},
        valid=True,
    )
    scope: dict[str, Any] = {}
    exec(law.python("f"), scope)
    assert scope["f"](2.0, evil) == 2.0


@pytest.mark.parametrize(
    ("asked", "lines"),
    [({}, 2), ({"x": "n", "by": "T"}, 3), ({"by": "language | size", "at": {"T": 2.0}}, 2)],
)
def test_a_plot_has_a_line_for_each_level(laws: LawSet, asked: Any, lines: int) -> None:
    figure = laws.plot(**asked)
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    assert len(axes.lines) == lines
    assert axes.get_xlabel() == "n"
    first = axes.lines[0]
    x, y = np.asarray(first.get_xdata(), float), np.asarray(first.get_ydata(), float)
    assert y == pytest.approx(laws.law.for_group("de | small").predict({"n": x}))


@pytest.mark.parametrize("asked", [{"x": "m"}, {"by": "m"}, {"at": {"m": 1.0}}])
def test_a_plot_of_no_factor_is_refused(laws: LawSet, asked: Any) -> None:
    with pytest.raises(UserError, match="'m'"):
        laws.plot(**asked)


@pytest.mark.parametrize(
    ("change", "path"), [({"nn": 5}, "points"), ({"n": -5}, "table, row 1, column n")]
)
def test_a_point_that_cannot_be_is_refused(
    change: dict[str, float], path: str, lawset: LawSet
) -> None:
    point = {"n": 500.0, "T": 2.0, "ami": 0.4}
    assert len(predict(lawset, point)) == 1
    with pytest.raises(UserError) as caught:
        predict(lawset, {**point, **change})
    assert caught.value.path == path


def test_a_law_is_shown_in_one_line(lawset: LawSet) -> None:
    text = repr(lawset.law)
    assert text.startswith("Law(")
    assert "R²" in text
    assert "\n" not in text


def test_the_models_load_nothing_heavy() -> None:
    code = """
import sys
HEAVY = ("torch", "sympy", "pysr", "pyoperon", "sklearn", "matplotlib")
for name in (*HEAVY, "mtl_laws.pipeline.report"):
    sys.modules[name] = None
from mtl_laws.pipeline.laws.lawset import LawSet
law = LawSet.load("pipeline/advice/shipped/accuracy.json").law
assert law.latex(3)
assert law.python()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def outside_reader() -> ModuleType:
    """The script by which others score a ``laws.json``."""
    spec = importlib.util.spec_from_file_location("score", SHARED / "tables" / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.reference
@pytest.mark.skipif(not (SHARED / "tables").is_dir(), reason="needs the tables in ../shared")
def test_an_outside_reader_scores_a_law_with_groups(laws: LawSet, tmp_path: Path) -> None:
    score = outside_reader()
    rows = table()
    rows["language | size"] = rows["language"] + " | " + rows["size"]
    noise = np.random.default_rng(0).normal(0, 0.02, len(rows))
    rows["loss"] = laws.predict(rows) + noise
    laws.save(tmp_path)
    document = json.loads((tmp_path / "laws.json").read_text(encoding="utf-8"))
    law = document["selected"]
    assert score.predict(document, law, rows) == pytest.approx(laws.predict(rows).to_numpy())
    low, high, run_low, run_high = score.bands(document, law, rows)
    found = laws.intervals(rows)
    assert low == pytest.approx(found["law_low"].to_numpy(), abs=0.01)
    assert high == pytest.approx(found["law_high"].to_numpy(), abs=0.01)
    assert run_low == pytest.approx(found["run_low"].to_numpy(), abs=0.01)
    assert run_high == pytest.approx(found["run_high"].to_numpy(), abs=0.01)
    scores = score.score_law(document, law, rows, target="loss")
    assert scores["r2_all"] > 0.9
    assert scores["missing"] == 0
    assert scores["run"] == 1.0
