"""The findings: what is written down is what the script gives, and what the words claim holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reference_study.claims import CLAIMS
from reference_study.document import render
from reference_study.estimates import crossing, explained, mean_of, ratio_of
from reference_study.facts import FACTS_NAME, compute, read_facts, rounded, tables
from reference_study.figures import FIGURES, apart
from reference_study.sections import DIRECT, SEARCHED

DOCS = Path(__file__).parents[2] / "docs"
FACTS = read_facts(DOCS / "findings" / FACTS_NAME)
TEMPLATE = Path(__file__).parents[2] / "benchmarks" / "reference_study" / "findings.md.j2"
#: numbers that name a thing and measure nothing: years, arXiv, intervals of 95 %, layers
PLAIN = re.compile(r"F1|\d{4}\.\d{5}|20\d\d(/\d\d)?|95 %|\b[0-3]\b")


def test_the_document_is_made_of_the_facts() -> None:
    assert render(FACTS) == (DOCS / "findings.md").read_text(encoding="utf-8")


def test_the_facts_are_of_these_tables() -> None:
    assert FACTS["tables"] == rounded(tables())


@pytest.mark.parametrize("name", DIRECT)
def test_means_are_what_the_tables_give(name: str) -> None:
    compare(compute({name: DIRECT[name]})[name], FACTS[name], rel=1e-4, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHED)
def test_fits_and_searches_give_the_same(name: str) -> None:
    compare(compute({name: SEARCHED[name]})[name], FACTS[name], rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_the_words_claim_holds(claim: str) -> None:
    assert CLAIMS[claim](FACTS)


def test_no_number_is_typed_by_hand() -> None:
    words = re.sub(
        r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|`[^`]*`|\([^)]*\.(png|md)[^)]*\)",
        "",
        TEMPLATE.read_text("utf-8"),
    )
    assert re.findall(r"[^\n]*\d[^\n]*", PLAIN.sub("", words)) == []


def test_every_figure_is_there_and_shown() -> None:
    document = (DOCS / "findings.md").read_text(encoding="utf-8")
    for name in FIGURES:
        assert (DOCS / "images" / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert f"](images/{name}.png)" in document


def compare(found: Any, kept: Any, **tolerance: float) -> None:
    """The same places, the same words, and numbers within the tolerance."""
    one, other = flat(found), flat(kept)
    assert one.keys() == other.keys()
    numbers = {place for place, value in other.items() if isinstance(value, float)}
    assert {k: one[k] for k in other if k not in numbers} == {
        k: other[k] for k in other if k not in numbers
    }
    expected = pytest.approx({k: other[k] for k in numbers}, **tolerance)
    assert {k: one[k] for k in numbers} == expected


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Numbers and words by their place."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return {path: value}
    return {k: v for key, item in items for k, v in flat(item, f"{path}/{key}").items()}


def sampled(mean: float, rng: np.random.Generator) -> pd.DataFrame:
    """Five seeds of eight rows; half of the variance is the seed's."""
    seed = np.repeat(np.arange(5), 8)
    luck = rng.normal(0.0, 1.0, 5)[seed]
    return pd.DataFrame({"seed": seed, "x": mean + luck + rng.normal(0.0, 1.0, 40)})


def test_intervals_of_means_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    found = [mean_of(sampled(0.3, rng), "x") for _ in range(400)]
    covered = np.mean([one["low"] <= 0.3 <= one["high"] for one in found])
    assert 0.92 <= covered <= 0.98


def test_a_ratio_is_that_of_the_means() -> None:
    rows = pd.DataFrame({"n": 1, "seed": range(6), "a": 2.0, "b": 4.0})
    assert ratio_of(rows, "a", "b") == {"value": 0.5, "low": 0.5, "high": 0.5, "rows": 6}


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no row has x"):
        mean_of(pd.DataFrame({"n": [1], "seed": [0], "x": [np.nan]}), "x")


def test_a_line_is_found_to_cross_zero_where_it_does() -> None:
    rows = pd.DataFrame(
        [(n, s, a, a - 0.4) for n in (1, 2) for s in range(4) for a in (0, 0.2, 0.6, 1)]
    )
    rows.columns = pd.Index(["n", "seed", "ami", "gain"])
    found = crossing(rows, "ami", "gain")
    assert found is not None
    assert found["value"] == pytest.approx(0.4)
    assert crossing(rows.assign(gain=1.0), "ami", "gain") is None


def test_a_crossing_that_a_seed_carries_has_no_interval() -> None:
    rows = pd.DataFrame([(s, a, a - 0.5 + (s == 0)) for s in range(3) for a in (0.0, 1.0)])
    rows.columns = pd.Index(["seed", "ami", "gain"])
    found = crossing(rows.assign(gain=rows["gain"].where(rows["seed"] > 0, 9.0)), "ami", "gain")
    assert found is None
    found = crossing(rows.assign(gain=[-9.0, 9.0, 1.0, 1.0, 1.0, 1.0]), "ami", "gain")
    assert found is not None
    assert (found["low"], found["high"]) == (None, None)


def test_names_of_series_stand_apart_and_in_order() -> None:
    moved = apart([1.0, 1.01, 1.02, 5.0], 0.5)
    assert np.diff(moved).min() >= 0.5 - 1e-6
    assert moved[3] == 5.0
    assert np.mean(moved[:3]) == pytest.approx(1.01, abs=1e-3)


def test_explained_is_the_r_squared_within_groups() -> None:
    x = np.tile(np.arange(5.0), 2)
    rows = pd.DataFrame({"g": np.repeat([0, 1], 5), "x": x, "y": 3 * x + np.repeat([0, 9], 5)})
    assert explained(rows, "y", "x", ["g"]) == pytest.approx(1.0)
    noise = rows.assign(y=[1.0, -1, 0, -1, 1] * 2)
    assert explained(noise, "y", "x", ["g"]) == pytest.approx(0.0)
