"""Contracts of law engines and of export formats for tables of results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mtl_laws.pipeline.export.formats import TableFormat, export_format
from mtl_laws.pipeline.symbolic.engines import ENGINES, Engine, Request
from mtl_laws.pipeline.symbolic.fit import Sample, fit_constants
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.templates import to_template


def planted_sample(names: tuple[str, str, str] = ("n", "T", "ami")) -> Sample:
    """Rows of y = 0.9 − 0.5/√(n·(1 + (T − 1)·AMI)), with noise of a hundredth of SD(y)."""
    levels = ((50, 100, 200, 400, 800, 1600), (1, 2, 3, 4, 6), (0.0, 0.2, 0.4, 0.6, 0.8))
    n, T, ami = (axis.ravel().astype(float) for axis in np.meshgrid(*levels, indexing="ij"))
    y = 0.9 - 0.5 / np.sqrt(n * (1 + (T - 1) * ami))
    y += np.random.default_rng(0).normal(0, 0.01 * y.std(), len(y))
    return Sample(dict(zip(names, (n, T, ami), strict=True)), y, np.ones(len(y)))


class EngineContract:
    """Inherit, and give the `name` under which the engine is registered.

    Attributes
    ----------
    name : of the engine.
    least_r2 : what its best answer must explain of the planted table, constants fitted.
    evaluations : which the engine may use for that.
    """

    name: str
    least_r2 = 0.9
    evaluations = 60_000

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine; the test is skipped where it cannot run."""
        engine = ENGINES[self.name]
        readiness = engine.readiness()
        assert readiness.reason, "readiness has a reason in either case"
        if not readiness.ready:
            pytest.skip(readiness.reason)
        return engine

    def test_it_is_registered_by_its_own_name(self) -> None:
        assert ENGINES[self.name].name == self.name

    def test_a_planted_law_is_among_its_answers(self, engine: Engine) -> None:
        sample = planted_sample()
        answers = engine.search(Request(sample, self.evaluations, seed=1, max_complexity=18))
        errors = [np.inf]
        for tree in filter(None, (to_template(text, ("n", "T", "ami")) for text in answers)):
            expression = compiled(tree)
            fit = fit_constants(expression, sample, propose_starts(expression, sample, 6, 0))
            errors.append(fit.error if fit else np.inf)
        total = float(np.sum((sample.target - sample.target.mean()) ** 2))
        assert 1 - min(errors) / total > self.least_r2

    def test_the_same_request_gives_the_same_answer(self, engine: Engine) -> None:
        request = Request(planted_sample(), 10_000, seed=3, max_complexity=12)
        assert list(engine.search(request)) == list(engine.search(request))

    def test_a_time_limit_ends_it(self, engine: Engine) -> None:
        """Its evaluations would take hours."""
        request = Request(planted_sample(), 10**9, seed=2, max_complexity=12, time_limit=1.0)
        assert len(engine.search(request)) > 0

    def test_factors_may_have_any_name(self, engine: Engine) -> None:
        names = ("N", "beta", "S")
        request = Request(planted_sample(names), 10_000, seed=0, max_complexity=12)
        trees = [tree for text in engine.search(request) if (tree := to_template(text, names))]
        assert trees
        assert {factor for tree in trees for factor in tree.factors} <= set(names)


class ExportContract:
    """Inherit, and give the `name` under which the format is registered."""

    name: str

    @pytest.fixture
    def format(self) -> TableFormat:
        """The format."""
        return export_format(self.name)

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (
                ["word", "", None, "two words", "a,b;c\td", '"quoted"', "ümlaut", "NA", " "],
                "string",
            ),
            (["two\nlines", "null", "1", "true", None], "string"),
            ([0.1 + 0.2, -1e-300, 1.7e308, 5.0, None], "float64"),
            ([0, -(2**63), 2**63 - 1, None], "int64"),
            ([True, False, None], "bool"),
        ],
    )
    def test_values_and_nulls_come_back(
        self, format: TableFormat, values: list[object], kind: str, tmp_path: Path
    ) -> None:
        column = pa.array(values, type=pa.type_for_alias(kind))
        table = pa.table({"row": list(range(len(values))), "value": column})
        path = tmp_path / f"table.{format.ending}"
        format.write(table, path)
        found = format.read(path, table.schema)
        assert found.schema.equals(table.schema)
        assert found.to_pylist() == table.to_pylist()

    def test_it_writes_one_file(self, format: TableFormat, tmp_path: Path) -> None:
        folder = tmp_path / "empty"
        folder.mkdir()
        path = folder / f"table.{format.ending}"
        format.write(pa.table({"a": [1]}), path)
        assert list(folder.iterdir()) == [path]
