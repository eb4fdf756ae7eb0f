"""How far a size can grow: half-widths, spreads and corners that are known in advance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_laws import fit_laws
from mtl_laws.pipeline.laws.bands import WIDTH, GroupUncertainty, Rival, Uncertainty
from mtl_laws.pipeline.laws.evidence.extrapolation import UnseenRows
from mtl_laws.pipeline.laws.evidence.reach import Reach, reach
from mtl_laws.pipeline.laws.folds import Fold
from mtl_laws.pipeline.laws.law import Constant, Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Rows, number_cells
from mtl_laws.pipeline.laws.rules import EvidenceRules, Rules
from support.planted import planted_table

MULTIPLES = np.array(EvidenceRules().reach_multiples)
SIZES = (100.0, 200.0, 400.0, 800.0, 1600.0)
TASKS = (1.0, 2.0, 4.0)
SLOPE, NOISE, TARGET_SD = 0.1, 0.01, 0.1


def rows_of(pairs: list[tuple[float, float, float]]) -> Rows:
    """Rows whose target is 0.1·ln n."""
    columns = dict(zip(("n", "T", "ami"), np.array(pairs).T, strict=True))
    target = SLOPE * np.log(columns["n"])
    return Rows(columns=columns, target=target, cell=number_cells(columns), name="y")


@pytest.fixture
def data() -> Rows:
    return rows_of([(n, T, a) for n in SIZES for T in TASKS for a in (0.1, 0.5, 0.9)])


def law_of(data: Rows, *rivals: str, drift: float = 0.0, text: str = "c0*log(n)") -> Law:
    """0.1·ln n, whose constant is certain."""
    told = Uncertainty(
        draws={"c0": (SLOPE,) * 5},
        replicate_sd=NOISE,
        fit_sd=0.0,
        rivals=tuple(Rival(expression=rival, weight=1.0) for rival in rivals),
        drift=drift,
        target_sd=TARGET_SD,
        region=Region.of(data.columns),
        ranges={name: (float(c.min()), float(c.max())) for name, c in data.columns.items()},
    )
    return Law(
        expression=text.replace("c0", str(SLOPE)),
        template=text,
        factors=data.factors,
        complexity=4,
        constants={"c0": Constant(value=SLOPE)},
        valid=True,
        uncertainty=told,
    )


def far_fold() -> UnseenRows:
    """A fold that tests n and T at a million times what its rows were fitted to."""
    rows = rows_of([(1.0, 1.0, 0.5), (1e6, 1e6, 0.5), (1e6, 1e6, 0.9)])
    return UnseenRows(data=rows, folds=[Fold("n > 1", np.array([False, True, True]))])


def of_size(law: Law, data: Rows, factor: str = "n", tests: UnseenRows | None = None) -> Reach:
    """The reach of a size; without tests it is that of the interval's width."""
    reaches = reach(law, data, tests or far_fold())
    return next(each for each in reaches if each.factor == factor)


def test_the_reach_is_where_the_drift_outgrows_the_range(data: Rows) -> None:
    """The half-width is 1.96·drift·SD·√distance, the distance ln k / ln 16 widths."""
    drift = 0.25
    found = of_size(law_of(data, drift=drift), data)
    extent = SLOPE * np.log(16)
    half = WIDTH * drift * TARGET_SD * np.sqrt(np.log(MULTIPLES) / np.log(16))
    last = np.flatnonzero(half <= 0.1 * extent)[-1]
    assert 0 < last < len(MULTIPLES) - 1
    assert found.limit == pytest.approx(0.1 * extent)
    assert (found.fitted_to, found.asked_to) == (1600, 1600 * 128)
    assert found.trusted_to == 1600 * MULTIPLES[last]
    assert found.half_width == pytest.approx(half[last])
    assert found.parts_at is None


def test_good_laws_part_where_their_spread_exceeds_the_noise(data: Rows) -> None:
    """The rival leaves the law by 0.01·ln(n/1600) beyond 1600: by the noise at e times that."""
    rival = f"{SLOPE}*log(n) + 0.01*log(n/1600)"
    found = of_size(law_of(data, rival), data)
    assert found.parts_at == 1600 * 3  # the first multiple beyond e
    assert found.trusted_to == 1600 * 4  # 1.96·0.01·ln k stays within 0.0277 up to k = 4.1
    assert found.half_width == pytest.approx(WIDTH * 0.01 * np.log(4))


def test_a_law_that_is_uncertain_at_the_edge_has_no_reach(data: Rows) -> None:
    found = of_size(law_of(data, f"{SLOPE}*log(n) + 0.05"), data)
    assert found.trusted_to is None
    assert found.half_width == pytest.approx(WIDTH * 0.05)
    assert found.parts_at == found.fitted_to == 1600


def test_a_band_that_is_clipped_further_out_is_not_trusted_again(data: Rows) -> None:
    """At the bound the interval closes on one side; the other side still counts."""
    law = law_of(data, drift=0.4)
    assert law.uncertainty is not None
    bounded = law.uncertainty.model_copy(update={"bounds": (None, 0.75)})
    clipped = of_size(law.model_copy(update={"uncertainty": bounded}), data)
    free = of_size(law, data)
    assert clipped.trusted_to == free.trusted_to
    assert clipped.half_width == free.half_width


def test_the_least_certain_of_median_and_corner_counts() -> None:
    """The rival leaves the law with T; at the largest n only T = 2 was fitted, not 8."""
    stairs = [
        (n, T, 0.5) for n, most in zip(SIZES, (8, 8, 8, 4, 2), strict=True) for T in (1, most)
    ]
    data = rows_of([*stairs, *[(n, 1.0, 0.5) for n in SIZES]])
    found = of_size(law_of(data, f"{SLOPE}*log(n) + 0.005*(T - 1)"), data)
    assert found.half_width == pytest.approx(WIDTH * 0.005)
    everywhere = rows_of([(n, T, 0.5) for n in SIZES for T in (1.0, 1.0, 8.0)])
    corner = of_size(law_of(everywhere, f"{SLOPE}*log(n) + 0.002*(T - 1)"), everywhere)
    assert corner.half_width == pytest.approx(WIDTH * 0.014)
    median = of_size(law_of(everywhere, f"{SLOPE}*log(n) + 0.002*(8 - T)"), everywhere)
    assert median.half_width == pytest.approx(WIDTH * 0.014)


def test_sizes_of_the_law_grow_and_nothing_else_does(data: Rows) -> None:
    text = "c0*log(n) + 0.001*T*ami"
    found = reach(law_of(data, text=text), data, far_fold())
    assert [each.factor for each in found] == ["n", "T"]
    turned = replace(data, columns={name: data.columns[name] for name in ("ami", "T", "n")})
    assert [each.factor for each in reach(law_of(turned, text=text), turned, far_fold())] == [
        "n",
        "T",
    ]
    assert [each.factor for each in reach(law_of(data), data, far_fold())] == ["n"]


def test_a_count_stays_whole() -> None:
    data = rows_of([(n, T, 0.5) for n in SIZES for T in (1.0, 2.0, 3.0)])
    law = law_of(data, f"{SLOPE}*log(n) + 0.002*T", drift=0.0, text="c0*log(n) + 0.001*T")
    found = of_size(law, data, "T")
    assert found.fitted_to == 3
    assert found.parts_at == 12  # 0.001·T exceeds 0.01 first at T = 12; 1.5 times 3 counts as 4
    rules = Rules(evidence=EvidenceRules(reach_multiples=(1.0, 1.5)))
    assert of_size(law, replace(data, rules=rules), "T").asked_to == 4


def test_without_draws_there_is_no_reach(data: Rows) -> None:
    law = law_of(data)
    assert law.uncertainty is not None
    bare = law.uncertainty.model_copy(update={"draws": {}})
    tests = far_fold()
    assert reach(law.model_copy(update={"uncertainty": bare}), data, tests) == []
    assert reach(law.model_copy(update={"uncertainty": None}), data, tests) == []


def test_thresholds_are_rules(data: Rows) -> None:
    law = law_of(data, drift=0.25)
    wide = Rules(evidence=EvidenceRules(reach_range=10.0))
    assert of_size(law, replace(data, rules=wide)).trusted_to == 1600 * 128
    noisy = Rules(evidence=EvidenceRules(reach_noise=4.0, reach_range=0.0))
    found = of_size(law, replace(data, rules=noisy))
    assert found.limit == pytest.approx(4 * NOISE)


def test_groups_count_by_their_median(data: Rows) -> None:
    """Three groups whose rivals are 0.001, 0.005 and 0.09 off: the median is 0.005."""
    off = {"a": 0.001, "b": 0.005, "c": 0.09}
    size = len(data)
    whole = replace(
        data,
        columns={name: np.tile(column, 3) for name, column in data.columns.items()},
        target=np.tile(data.target, 3),
        cell=np.arange(3 * size),
        group=np.repeat(np.arange(3), size),
        levels=tuple(off),
    )
    law = law_of(data)
    assert law.uncertainty is not None
    rival = Rival(
        expression="c0*log(n) + c1",
        weight=1.0,
        constants={level: {"c0": SLOPE, "c1": value} for level, value in off.items()},
    )
    own = GroupUncertainty(draws={"c0": (SLOPE,) * 5})
    told = law.uncertainty.model_copy(
        update={"rivals": (rival,), "draws": {}, "groups": dict.fromkeys(off, own)}
    )
    values = {level: {"c0": SLOPE} for level in off}
    update = {"uncertainty": told, "group_constants": values, "constants": {}}
    found = of_size(law.model_copy(update=update), whole)
    assert found.half_width == pytest.approx(WIDTH * 0.005)
    assert found.parts_at is None
    grouped = law.model_copy(update=update)
    column = {"n": np.array([100.0, 100.0, 100.0])}
    assert grouped.rival_spread(column, list(off)) == pytest.approx(list(off.values()))


def test_a_corner_of_two_factors_is_outside_though_neither_is() -> None:
    data = rows_of([(n, T, 0.5) for n in SIZES for T in TASKS if n * T <= 1600])
    law = law_of(data, drift=0.5)
    bands = law.bands({"n": np.array([1600.0, 400.0, 6400.0]), "T": np.array([4.0, 4.0, 1.0])})
    assert bands.outside == ((), (), ("n",))
    # both at their largest: a sum of places of 2, and rows reach 1.5 (n = 400 at T = 4)
    assert bands.distance == pytest.approx([0.5, 0.0, 0.5])
    assert bands.law is not None
    assert bands.law[1] - bands.mean == pytest.approx(
        WIDTH * 0.5 * TARGET_SD * np.sqrt([0.5, 0.0, 0.5])
    )
    change = law.change(
        {"n": np.array([1600.0]), "T": np.array([4.0])},
        {"n": np.array([400.0]), "T": np.array([1.0])},
    )
    assert change.distance == pytest.approx([0.5])


def test_a_factor_that_only_a_rival_uses_may_be_missing(data: Rows) -> None:
    """It is at the middle of its range: T = 2.5 of 1 to 4."""
    law = law_of(data, f"{SLOPE}*log(n) + 0.01*T")
    n = np.array([100.0, 800.0])
    assert law.rival_spread({"n": n}) == pytest.approx([0.025, 0.025])
    assert law.rival_spread({"n": n, "T": np.full(2, 4.0)}) == pytest.approx([0.04, 0.04])


@pytest.fixture(scope="module")
def laws() -> LawSet:
    table = planted_table(noise=0.1)
    return fit_laws(table, "y", ["n", "T", "ami"], (0, 1), engine="grammar", budget="tiny", jobs=1)


def test_the_record_holds_what_the_intervals_say(laws: LawSet) -> None:
    """The medians are T = 3 and ami = 0.4, the corner T = 6 and ami = 0.8."""
    assert LawSet.from_json(laws.to_json()) == laws
    first = laws.reach[0]
    assert (first.factor, first.fitted_to) == ("n", 1600)
    widths = []
    for size in 1600 * MULTIPLES:
        found = laws.intervals(pd.DataFrame({"n": size, "T": [3.0, 6.0], "ami": [0.4, 0.8]}))
        sides = (found["y"] - found["law_low"], found["law_high"] - found["y"])
        widths.append(max(side.max() for side in sides))
    assert first.trusted_to is not None
    last = int(np.flatnonzero(first.trusted_to == 1600 * MULTIPLES)[0])
    assert first.half_width == pytest.approx(max(widths[: last + 1]))
    assert max(widths[: last + 1]) <= first.limit
    assert last + 1 == len(widths) or widths[last + 1] > first.limit


def test_intervals_tell_how_far_a_row_lies_outside(laws: LawSet) -> None:
    rows = pd.DataFrame({"n": [100.0, 1600.0, 51200.0], "T": 2.0, "ami": 0.4})
    found = laws.intervals(rows)
    assert found["distance"].tolist() == pytest.approx([0.0, 0.0, 1.0])
    assert found["outside"].tolist() == ["", "", "n"]
