"""Plug-ins: the page's examples are registered, do their work, and workers know them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mtl_laws import plug_in
from mtl_laws.pipeline import plugins
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.export.formats import EXPORTS, export_format
from mtl_laws.pipeline.plugins import loaded, with_plugins
from mtl_laws.pipeline.symbolic.engines import ENGINES, Request
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.templates import to_template
from mtl_laws.pipeline.testing import (
    EncoderContract,
    EngineContract,
    ExportContract,
    FamilyContract,
    WeightingContract,
)
from mtl_laws.pipeline.training import Job, Status, TrainingSettings, train_group
from mtl_laws.pipeline.training.encoders import ENCODERS
from mtl_laws.pipeline.training.weighting import WEIGHTINGS
from mtl_laws.simulator import SpecError, TaskSpec, make_taskset
from mtl_laws.simulator.families.base import FAMILIES, family, register_family
from mtl_laws.simulator.formats.base import FORMATS, format_names
from mtl_laws.simulator.registry import enter
from support.documents import ROOT, blocks

REGISTRIES: tuple[dict[str, Any], ...] = (EXPORTS, ENGINES, ENCODERS, WEIGHTINGS, FAMILIES, FORMATS)
EXAMPLES = {b.file: b.text for b in blocks(ROOT / "docs" / "extend.md") if b.file.endswith(".py")}
TINY = {"hidden": 2, "embedding": 3, "max_steps": 6, "evaluate_every": 3}
OWN = {"encoder": "bag", "weighting": "main_first"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the page's files; what they register is forgotten afterwards."""
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(plugins, "_loaded", [])
    before = [dict(registry) for registry in REGISTRIES]
    yield tmp_path
    for registry, entries in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(entries)
    family.cache_clear()
    for name in (*EXAMPLES, "mine.py"):
        sys.modules.pop(Path(name).stem, None)


def test_the_page_has_one_of_each(page: Path) -> None:
    before = [set(registry) for registry in REGISTRIES[:5]]
    for name in EXAMPLES:
        plug_in(page / name)
    new = [set(registry) - known for registry, known in zip(REGISTRIES, before, strict=False)]
    assert new == [{"tsv"}, {"logs"}, {"bag"}, {"main_first"}, {"one_distant"}]


def test_a_family_makes_what_it_says(page: Path) -> None:
    plug_in(page / "one_distant.py")
    spec = TaskSpec("one_distant", tasks=3, ami=0.6, tokens=100, test_tokens=50)
    ami = make_taskset(spec, 1).relatedness.ami[0]
    assert ami[1] == pytest.approx(0.6, abs=0.01)
    assert ami[2] == pytest.approx(0.0, abs=0.01)
    with pytest.raises(SpecError):
        make_taskset(TaskSpec("one_distant", tasks=3, tokens=100), 1)


def test_an_encoder_and_a_weighting_train(page: Path) -> None:
    with pytest.raises(UserError, match="'bag'"):
        TrainingSettings.from_json(OWN)
    plug_in(page / "bag.py")
    plug_in(page / "main_first.py")
    settings = TrainingSettings.from_json({**TINY, **OWN})
    taskset = make_taskset(TaskSpec(tasks=2, ami=0.5, tokens=40, test_tokens=40), 0)
    alone, both = (
        train_group([Job(taskset, settings, seed) for seed in seeds]) for seeds in ((1,), (0, 1))
    )
    assert {outcome.status for outcome in both} <= {Status.CONVERGED, Status.EXHAUSTED}
    assert alone[0].scores["accuracy"] == pytest.approx(both[1].scores["accuracy"])


def test_an_engine_gives_templates(page: Path) -> None:
    plug_in(page / "logs.py")
    rows = np.arange(1.0, 9.0)
    sample = Sample({"n": rows, "T": rows[::-1]}, np.log(rows), np.ones(8))
    found = ENGINES["logs"].search(Request(sample, 100, 0))
    templates = [to_template(text, ("n", "T")) for text in found]
    assert all(templates)
    assert "c0 + c1*log(n)" in found


def test_a_format_keeps_what_it_is_given(page: Path) -> None:
    import pyarrow as pa

    plug_in(page / "tsv.py")
    table = pa.table({"a": ["x\ty", "", None], "b": pa.array([1.5, None, 0.1 + 0.2])})
    export_format("tsv").write(table, page / "t.tsv")
    assert export_format("tsv").read(page / "t.tsv", table.schema).equals(table)


FORMAT = """
from mtl_laws.simulator.formats.base import register_format
from mtl_laws.simulator.formats.jsonl import JsonlFormat
register_format("mine", JsonlFormat)
"""


def test_worker_processes_know_it(page: Path) -> None:
    path = page / "mine.py"
    path.write_text(FORMAT, encoding="utf-8")
    plug_in(path)
    plug_in(path)
    assert loaded() == (str(path),)
    call = joblib.delayed(with_plugins)(loaded(), format_names)
    for names in joblib.Parallel(n_jobs=2)([call, call]):
        assert "mine" in names


def test_a_name_is_taken_once(page: Path) -> None:
    plug_in(page / "one_distant.py")
    with pytest.raises(SpecError, match="not taken"):
        register_family("one_distant", FAMILIES["teacher"])
    with pytest.raises(SpecError, match="letters, digits"):
        enter({}, "../x", 1)
    with pytest.raises(SpecError, match="auto"):
        enter({}, "auto", 1, reserved=("auto",))


def test_a_plug_in_that_fails_leaves_no_module(page: Path) -> None:
    (page / "broken.py").write_text("import json\nraise KeyError('mine')\n")
    with pytest.raises(UserError, match="mine") as caught:
        plug_in(page / "broken.py")
    assert caught.value.path == f"{page / 'broken.py'}, line 2"
    assert isinstance(caught.value.__cause__, KeyError)
    assert "broken" not in sys.modules
    assert loaded() == ()


@pytest.fixture
def plugged(page: Path) -> None:
    """Every example of the page is loaded."""
    for name in EXAMPLES:
        plug_in(page / name)


@pytest.mark.usefixtures("plugged")
class TestOneDistant(FamilyContract):
    """The page's family."""

    spec = TaskSpec("one_distant", tasks=3, ami=0.5, tokens=400, test_tokens=100)


@pytest.mark.usefixtures("plugged")
class TestBag(EncoderContract):
    """The page's encoder."""

    name = "bag"


@pytest.mark.usefixtures("plugged")
class TestMainFirst(WeightingContract):
    """The page's weighting."""

    name = "main_first"


@pytest.mark.usefixtures("plugged")
class TestLogs(EngineContract):
    """The page's engine, which knows too few forms for most tables."""

    name = "logs"
    least_r2 = 0.5


@pytest.mark.usefixtures("plugged")
class TestTsv(ExportContract):
    """The page's export format."""

    name = "tsv"
