"""The explorer's answers, in a JavaScript engine without a browser, are those of the laws."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws import LawSet
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.laws.bands import GroupUncertainty, Rival, Uncertainty
from mtl_laws.pipeline.report.explorer import MOST_TEXT, Explorer, explorer
from mtl_laws.pipeline.report.html import script
from mtl_laws.pipeline.report.surface import Surface, grouped
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Tree
from mtl_laws.pipeline.symbolic.typeset.javascript import javascript
from mtl_laws.pipeline.symbolic.typeset.numbers import number
from support.asked_laws import asked_law, asked_laws, grouped_laws, rows
from support.explorer_answers import assert_same_answers, grid

engines = pytest.importorskip("py_mini_racer", reason="mini-racer, a JavaScript engine, is absent")


class Engine:
    """A page's script, without the page."""

    def __init__(self, code: str = "") -> None:
        self.context = engines.MiniRacer()
        self.context.eval(f"const document = {{ getElementById: () => null }};\n{code}")

    def __call__(self, function: str, arguments: Sequence[object]) -> Any:
        call = f"JSON.stringify(({function})(...{json.dumps(list(arguments))}))"
        return json.loads(self.context.eval(call))


def built(laws: LawSet, table: pd.DataFrame | None = None) -> Explorer:
    rows_of_laws = rows() if table is None else table
    groups = grouped(laws, rows_of_laws)
    surface = groups.surface if groups else Surface(laws.law, laws.target, rows_of_laws, laws.data)
    built = explorer(laws, surface)
    assert built is not None
    return built


def with_rivals(**changed: Any) -> LawSet:
    law = asked_law()
    assert law.uncertainty is not None
    rivals = (
        Rival(expression="0.93/(1 + 350/(n*T**0.4))", weight=1.0),
        Rival(expression="0.2 + 0.1*log(n) - 0.001*ami", weight=0.5),
        Rival(expression="1/(T - 2)", weight=0.2),
    )
    stored = law.uncertainty.model_copy(
        update={"rivals": rivals, "drift": 0.3, "target_sd": 0.2, **changed}
    )
    return asked_laws(law.model_copy(update={"uncertainty": stored}))


def groups_with_draws() -> LawSet:
    """Two groups with draws, rivals, ranges and noise of their own."""
    laws, random = grouped_laws(), np.random.default_rng(1)
    own = {}
    for name, ceiling in (("small", 0.8), ("large", 0.95)):
        draws = {"c0": random.normal(ceiling, 0.01, 60), "c1": random.normal(376, 9, 60)}
        own[name] = GroupUncertainty(
            draws={key: tuple(values.tolist()) for key, values in draws.items()},
            replicate_sd=0.01 if name == "small" else 0.03,
            target_sd=0.2,
            ranges={"n": (40.0, 1000.0 if name == "small" else 4000.0)},
        )
    constants = {"small": {"c1": 0.1, "c0": 0.2}, "large": {"c0": 0.25, "c1": 0.11}}
    stored = Uncertainty(
        draws={"c1": tuple(random.normal(376, 9, 60).tolist())},
        fit_sd=0.01,
        drift=0.2,
        target_sd=0.2,
        rivals=(Rival(expression="c0 + c1*log(n)", weight=1.0, constants=constants),),
        domain=laws.data.domain,
        ranges=laws.data.ranges,
        groups=own,
    )
    law = laws.law.model_copy(update={"uncertainty": stored})
    return laws.model_copy(update={"selected": law})


def lower_is_better() -> LawSet:
    laws = with_rivals()
    return laws.model_copy(
        update={"data": laws.data.model_copy(update={"lower_is_better": True, "bounds": None})}
    )


def without_draws() -> LawSet:
    return asked_laws(asked_law(uncertainty=None))


@pytest.mark.parametrize(
    "laws",
    [asked_laws(), with_rivals(), lower_is_better(), without_draws()],
    ids=["draws", "rivals", "lower", "no draws"],
)
def test_answers_are_those_of_the_laws(laws: LawSet) -> None:
    engine = Engine(script(built(laws)))
    points = grid(laws)
    # also where the law depends on a value that is missing
    points = pd.concat([points, points[:3].assign(n=np.nan)], ignore_index=True)
    assert_same_answers(laws, points, engine)


def test_every_group_answers_with_its_own_constants() -> None:
    laws = groups_with_draws()
    assert laws.groups is not None
    table = pd.concat([rows().assign(encoder=name) for name in laws.groups.levels])
    made = built(laws, table.reset_index(drop=True))
    assert made.groups == ("small", "large")
    assert_same_answers(laws, grid(laws), Engine(script(made)))


def test_groups_are_left_out_where_their_draws_would_make_the_page_large() -> None:
    laws = groups_with_draws()
    stored = laws.law.uncertainty
    assert stored is not None
    assert laws.groups is not None
    many = 2 * MOST_TEXT // 3_000
    names = [f"g{k}" for k in range(many)]
    one = (stored.groups or {})["small"]
    law = laws.law.model_copy(
        update={
            "group_constants": {name: {"c0": 0.8} for name in names},
            "uncertainty": stored.model_copy(
                update={"rivals": (), "groups": dict.fromkeys(names, one)}
            ),
        }
    )
    groups = laws.groups.model_copy(update={"levels": tuple(names)})
    laws = laws.model_copy(update={"selected": law, "groups": groups})
    made = built(laws, rows().assign(encoder="g0"))
    assert 0 < len(made.groups) < many
    assert len(made.groups) + made.groups_left_out == many
    assert len(made.data) < 1.1 * MOST_TEXT


@pytest.mark.parametrize(
    ("middle", "text"),
    [
        (40.0, "40"),
        (12_345.0, "12345"),
        (123_456_789.0, "123000000"),
        (0.000012, "0.000012"),
        (0.5, "0.5"),
        (12_345.678, "12300"),
        (1.5e9 + 0.5, "1500000000"),
    ],
)
def test_a_field_begins_at_the_middle_of_its_factor_without_an_exponent(
    middle: float, text: str
) -> None:
    low, high = middle // 2 or middle / 2, 2 * middle
    table = rows().query("n < 4000").reset_index(drop=True)
    table["n"] = table["n"].map({40.0: low, 200.0: middle, 1000.0: high})
    laws = asked_laws()
    data = laws.data.model_copy(update={"ranges": {**laws.data.ranges, "n": (low, high)}})
    made = built(laws.model_copy(update={"data": data}), table)
    assert made.fields[0].value == text


NUMBERS = st.floats(-4, 4).map(lambda value: round(value, 2) + 0.0)  # no -0.0
LEAVES = st.one_of(
    NUMBERS.map(Tree.number),
    st.sampled_from([Tree("factor", name="n"), Tree("factor", name="T"), Tree.constant("c0")]),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "**"]), st.tuples(below, below)),
        st.tuples(st.sampled_from(["sqrt", "log", "exp", "tanh", "neg"]), st.tuples(below)),
    ).map(lambda pair: Tree(pair[0], pair[1])),
    max_leaves=8,
)
PLACES = [-np.inf, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 700.0]


@pytest.fixture(scope="module")
def bare() -> Engine:
    return Engine(script(built(asked_laws())))


def nearby(tree: Tree, random: np.random.Generator) -> Tree:
    """The tree with each result that engines may round differently moved by a part of 1e-9."""
    moved = Tree(tree.op, tuple(nearby(child, random) for child in tree.args))
    if tree.op not in ("**", "log", "exp", "tanh"):
        return moved if tree.args else tree
    return Tree("*", (moved, Tree.number(1.0 + random.choice([-1e-9, 1e-9]))))


@settings(max_examples=150, deadline=None)
@given(tree=TREES)
def test_every_operator_gives_what_numpy_gives(bare: Engine, tree: Tree) -> None:
    points = np.array([(n, T) for n in PLACES for T in PLACES])
    expression = Expression(tree)
    columns = {"n": points[:, 0], "T": points[:, 1]}
    theta = np.array([-1.5])[: len(expression.constants)]
    truth = np.asarray(expression.evaluate(columns, theta))
    code = javascript(tree, ["n", "T"], ["c0"])
    texts = bare(
        f"(points) => points.map((p) => ((x, c) => String({code}))(p.map(Number), [-1.5]))",
        [[[str(v).replace("inf", "Infinity") for v in row] for row in points.tolist()]],
    )
    said = np.array([float(text.replace("Infinity", "inf")) for text in texts])
    finite = np.isfinite(truth)
    random = np.random.default_rng(0)
    around = [Expression(nearby(tree, random)).evaluate(columns, theta) for _ in range(8)]
    at_pole = (np.isfinite(around) != finite).any(axis=0)
    np.testing.assert_array_equal((np.isfinite(said) != finite) & ~at_pole, False)
    both = finite & np.isfinite(said)
    np.testing.assert_allclose(said[both], truth[both], rtol=1e-6, atol=1e-9)


def test_numbers_read_as_in_python(bare: Engine) -> None:
    values = [0.0, 1.0, -3.0, 0.9996, 0.12345, 1234.6, 4000.0, 123456.7, 1e6, 2.5e7, 0.00012, 3e-7]
    values += [-value for value in values[3:]]
    for digits in (2, 3, 4):
        said = bare("(values, digits) => values.map((v) => number(v, digits))", [values, digits])
        assert said == [number(value, digits) for value in values]


@settings(max_examples=300, deadline=None)
@given(whole=st.integers(-99_999, 99_999), power=st.integers(0, 12), digits=st.integers(1, 4))
def test_halves_are_rounded_as_in_python(bare: Engine, whole: int, power: int, digits: int) -> None:
    """Dyadic fractions: 0.3125 has three digits 0.312, as it lies between two of them."""
    for value in (whole / 2**power, 1000.0 * whole + 500.0, whole * 1e5):
        assert bare("(value, digits) => number(value, digits)", [value, digits]) == number(
            value, digits
        )


PRINTED = """
(points) => points.map((values) => {
  const point = values.map((value) => value ?? NaN), level = data.levels[0];
  const answer = bands(point, level);
  return [withInterval(answer.mean, answer.law), trialText(answer.run)];
})
"""
HALVES = {"n": [320.0, 448.0, 160.0, 321.0], "T": 2.0, "ami": 0.5}


def of_halves(**changed: Any) -> LawSet:
    """A law whose predictions and their intervals are exact halves of a digit."""
    ends = {"draws": {"c0": (2.0**-11, 2.0**-10, 2.0**-10, 3 * 2.0**-11)}, "fit_sd": None}
    law = asked_law(template="c0*n", constants={"c0": {"value": 2.0**-10}})
    assert law.uncertainty is not None
    stored = law.uncertainty.model_copy(update={**ends, **changed})
    return asked_laws(
        law.model_copy(update={"expression": "0.0009765625*n", "uncertainty": stored})
    )


def narrow() -> LawSet:
    """A law that is so certain that three digits do not tell the ends of an interval apart."""
    return of_halves(draws={"c0": (0.0009764, 0.0009766, 0.0009768)}, replicate_sd=1e-5)


@pytest.mark.parametrize(
    "laws", [of_halves(), narrow(), asked_laws()], ids=["halves", "narrow", "wide"]
)
def test_every_number_is_the_one_that_the_command_prints(
    laws: LawSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = pd.DataFrame(HALVES)
    points.to_csv(tmp_path / "points.csv", index=False)
    folder = laws.save(tmp_path / "laws")
    with pytest.raises(SystemExit):
        main(["predict", str(folder), "--table", str(tmp_path / "points.csv")])
    lines = capsys.readouterr().out.splitlines()[3 : 3 + len(points)]
    printed = [re.split(r" {2,}", line.strip())[4:] for line in lines]
    said = Engine(script(built(laws)))(PRINTED, [points.to_numpy().tolist()])
    assert [
        [f"{mean} [{', '.join(interval.split(' to '))}]", trial]
        for mean, interval, trial in printed
    ] == said


def test_names_and_text_cannot_leave_the_script() -> None:
    laws = asked_laws().model_copy(update={"target": "</script><b>"})
    made = built(laws, rows().rename(columns={"f1": "</script><b>"}))
    assert "<" not in made.data
    assert Engine(script(made))("() => data.target", []) == "</script><b>"
