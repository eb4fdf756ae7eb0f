"""A large table: its record is bounded, its conclusions are those of all rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.evidence.harm import harm
from mtl_laws.pipeline.laws.evidence.pooled import PooledGain, pooled_gain
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Problem, Question, pose
from mtl_laws.pipeline.laws.record import DataRecord
from mtl_laws.pipeline.laws.record import PooledGain as PooledRecord
from mtl_laws.pipeline.laws.rules import EvidenceRules, NoiseRules, Rules
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.report.evidence_text import measured_gain_text
from mtl_laws.pipeline.report.figure_text import headings
from mtl_laws.pipeline.report.figures.gain import draw_gain
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.text import outliers_text
from support.rows import posed

ROWS, LISTED = 5_000, 100
FACTORS = ("n", "T", "ami")
LAW = Law(
    expression="0.3 + 0.08*log(n) + 0.04*ami*(T - 1)/T", factors=FACTORS, complexity=13, valid=True
)


def random_design(rows: int = ROWS) -> pd.DataFrame:
    """Hardly two rows alike; unrelated tasks do harm, which the law does not say."""
    random = np.random.default_rng(0)
    n = random.choice([100.0, 200.0, 400.0, 800.0], rows)
    tasks = random.choice([1.0, 2.0, 4.0], rows)
    ami = np.where(tasks == 1.0, np.nan, random.uniform(0.0, 1.0, rows))
    gain = np.where(tasks == 1.0, 0.0, 0.1 * np.nan_to_num(ami) - 0.02)
    y = 0.3 + 0.08 * np.log(n) + gain + random.normal(0, 0.01, rows)
    return pd.DataFrame({"n": n, "T": tasks, "ami": ami, "y": y})


def problem_of(table: pd.DataFrame, listed: int) -> Problem:
    rules = Rules(evidence=EvidenceRules(pooled_listed=listed, pooled_draws=50))
    return pose(table, Question("y", {name: name for name in FACTORS}, rules=rules), "t")


def gains(problem: Problem) -> PooledGain:
    found = pooled_gain(LAW, problem.data, False, problem.seeds, 0)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def sampled() -> PooledGain:
    return gains(problem_of(random_design(), LISTED))


@pytest.fixture(scope="module")
def whole() -> PooledGain:
    return gains(problem_of(random_design(), ROWS))


def test_a_sample_of_the_cells_is_recorded(sampled: PooledGain, whole: PooledGain) -> None:
    assert len(whole.cells) == whole.measured > 3_000
    assert len(sampled.cells) == LISTED
    assert [cell for cell in whole.cells if cell in sampled.cells] == list(sampled.cells)
    again = gains(problem_of(random_design(), LISTED))
    assert again == sampled
    assert len(json.dumps(sampled.to_json())) < 25_000 < len(json.dumps(whole.to_json())) / 10


def test_conclusions_are_drawn_from_all_cells(sampled: PooledGain, whole: PooledGain) -> None:
    assert whole.harm
    assert replace(sampled, cells=()) == replace(whole, cells=())
    assert whole.below == sum(cell.gain < 0 for cell in whole.cells)
    assert whole.pooled_below == sum(cell.pooled < 0 for cell in whole.cells)
    problem = problem_of(random_design(), LISTED)
    assert harm(LAW, problem.data, gains=sampled) == harm(LAW, problem.data, gains=whole)
    records = [PooledRecord.model_validate(each.to_json()) for each in (sampled, whole)]
    assert len({measured_gain_text("y", record) for record in records}) == 1
    assert [record.sampled for record in records] == [True, False]


def test_counts_of_an_older_file_are_those_of_its_cells(whole: PooledGain) -> None:
    record = whole.to_json()
    older = {name: record[name] for name in record if name not in ("measured", "below")}
    read = PooledRecord.model_validate({**older, "pooled_below": None})
    assert read.counts == (whole.measured, whole.below, whole.pooled_below)
    assert not read.sampled


def test_maps_say_that_they_show_a_sample(sampled: PooledGain, whole: PooledGain) -> None:
    problem = problem_of(random_design(), LISTED)
    surface = Surface(LAW, "y", problem.rows, DataRecord())
    roles = surface.multitask
    assert roles is not None
    maps = draw_gain(surface, roles, PooledRecord.model_validate(sampled.to_json()))
    everything = draw_gain(surface, roles, PooledRecord.model_validate(whole.to_json()))
    for drawing, other in zip(maps, everything, strict=True):
        assert f"sample of {LISTED} of all {whole.measured:,} measured cells" in drawing.caption
        assert "everywhere" not in drawing.caption
        assert "sample" not in other.caption
        hatched, expected = drawing.figure.axes[0].patches, other.figure.axes[0].patches
        assert len(hatched) == len(expected) > 0
        for patch, reference in zip(hatched, expected, strict=True):
            assert patch.get_hatch() == "///"
            assert isinstance(patch, Rectangle)
            assert isinstance(reference, Rectangle)
            bounds = patch.get_bbox().bounds
            assert bounds == pytest.approx(reference.get_bbox().bounds, abs=0.02)


def test_harm_that_no_cell_of_the_sample_shows_is_hatched(sampled: PooledGain) -> None:
    """The map names no harm, and does not say that there is none."""
    problem = problem_of(random_design(), LISTED)
    surface = Surface(LAW, "y", problem.rows, DataRecord())
    roles = surface.multitask
    assert roles is not None
    fine = tuple(cell for cell in sampled.cells if cell.region >= 0 and cell.pooled >= 0)
    record = PooledRecord.model_validate(replace(sampled, cells=fine).to_json())
    for drawing in draw_gain(surface, roles, record):
        assert drawing.figure.axes[0].patches
        assert "0 of" in drawing.caption
        assert "everywhere" not in drawing.caption


def test_the_farthest_outliers_are_recorded_and_all_are_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    n = np.exp(random.uniform(np.log(30), np.log(3_000), 400))
    y = 0.9 - 2.0 * n**-0.5 + random.normal(0, 0.005, 400)
    far = np.arange(20, 35)
    y[far] -= np.linspace(0.2, 0.5, len(far))
    problem = posed(pd.DataFrame({"n": n, "y": y}), rules=Rules(noise=NoiseRules(listed=5)))
    search = find_laws(problem.data, None, SearchOptions(engine="grammar", budget="tiny", jobs=1))
    laws = laws_document(problem, search, seed=0)
    assert [each.row for each in laws.outliers] == [30, 31, 32, 33, 34]
    assert laws.outlier_total == len(far)
    assert outliers_text(laws).startswith("15 rows lie")
    assert "has the 5 that lie farthest" in headings(laws, [], held_out=False)["outliers"].intro
    read = LawSet.load(laws.save(tmp_path / "laws.json"))
    assert read == laws
    older = {name: part for name, part in laws.to_json().items() if name != "outlier_count"}
    assert LawSet.from_json(older).outlier_total == 5
