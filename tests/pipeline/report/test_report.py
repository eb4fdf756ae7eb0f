"""The written report: complete, self-contained, escaped, repeatable, whatever it is given."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.figures.canvas import TONES
from mtl_laws.pipeline.report.figures.curves import slice_along
from mtl_laws.pipeline.report.figures.front import build_front
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.text import NO_LAW
from support.planted_report import NOISE, planted_curves, planted_laws, report_table

NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")
EVIL = "<img src=x onerror=alert(1)>|$`"


class Outline(HTMLParser):
    """Tags, ids, attributes and text of a page; raises on tags that do not close."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "path", "use", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    context = ReportContext(
        "A title", "mtl-laws run x.yaml", "Why?", ("Mind this.",), planted_curves()
    )
    write_report(out, LawSet.from_json(planted_laws()), report_table(), context)
    return out


@pytest.fixture(scope="module")
def html(written: Path) -> str:
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_every_section_is_there(outline: Outline) -> None:
    sections = {attributes["id"] for attributes in outline.all("section")}
    assert sections == {
        *("answer", "explore", "law", "appendix"),
        *("front", "curves", "gain", "fit", "constants", "evidence", "numbers", "theory"),
        *("residuals", "learning", "data", "reproduce"),
    }
    linked = {str(a["href"])[1:] for a in outline.all("a") if str(a["href"]).startswith("#")}
    further = {"constants", "numbers", "theory", "residuals", "learning", "data", "reproduce"}
    assert linked - {"main"} == sections - {"answer", "explore", "law", *further}


def test_figures_are_left_as_svg_and_png(written: Path) -> None:
    names = {path.stem for path in (written / "figures").glob("*.svg")}
    assert names == {path.stem for path in (written / "figures").glob("*.png")}
    assert {"front", "curve-n", "curve-T", "curve-ami", "fit-n", "residuals-predicted"} <= names
    for path in (written / "figures").glob("*.svg"):
        ElementTree.parse(path)
    for path in (written / "figures").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_nothing_is_fetched_and_one_script_runs(html: str, outline: Outline) -> None:
    urls = set(re.findall(r"https?://[^\s\"'<>)]+", html))
    assert urls <= set(NAMESPACES)
    assert list(outline.all("script")) == [{}]  # inline: it has no source
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_ids_are_unique_and_references_resolve(html: str, outline: Outline) -> None:
    ids = [a["id"] for _, a in outline.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    page, _, _ = html.partition("<script>")
    referred = re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', page)
    assert referred
    assert set(referred) <= set(ids)


def test_figures_follow_the_theme(outline: Outline) -> None:
    fixed = {tone.light for tone in TONES}
    for tag, attributes in outline.tags:
        if tag in {"path", "use", "g", "text"}:
            assert not fixed & set(re.findall(r"#[0-9a-f]{6}\b", attributes.get("style") or ""))


def test_it_can_be_read_aloud(outline: Outline) -> None:
    for drawing in (a for a in outline.all("svg")):
        assert len(drawing["aria-label"] or "") > 30
    assert all(a.get("scope") in {"col", "row"} for a in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table"))
    headings = [tag for tag, _ in outline.tags if tag in {"h1", "h2", "h3"}]
    assert headings.count("h1") == 1


def test_every_law_of_the_front_can_be_read_on_its_mark(
    outline: Outline, laws: Mapping[str, Any]
) -> None:
    marks = [a for a in outline.all("g") if a.get("class") == "mark"]
    assert len(marks) == len(laws["front"])
    assert all(a["tabindex"] == "0" for a in marks)
    labels = " ".join(str(a["aria-label"]) for a in marks)
    assert "0.899 − 4.97/(n·(ami·(T − 1) + 1.01))^0.498" in labels
    assert "not valid: pole at ami = 0.9" in labels


def test_markdown_says_the_same(written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert linked
    assert all((written / path).is_file() for path in linked)
    assert r"\mathrm{accuracy} = 0.899 - \frac{4.97}" in text
    assert "mtl-laws run x.yaml" in text
    assert "below −10" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    assert "0.971" in text


def test_both_bands_are_drawn_and_explained(
    written: Path, html: str, laws: Mapping[str, Any]
) -> None:
    figure = (written / "figures" / "curve-n.svg").read_text(encoding="utf-8")
    assert "mean, 95 %" in figure
    assert "one more trial, 95 %" in figure
    assert "Wide band: 95 % of further trials" in html
    region = next(line for line in html.splitlines() if "all held-out rows" in line)
    shares = [float(share) for share in re.findall(r">(\d+)\s%<", region)]
    assert 85 <= shares[0] <= 100


def test_the_band_of_a_run_is_wider_than_the_laws(
    table: pd.DataFrame, laws: Mapping[str, Any]
) -> None:
    read = LawSet.from_json(laws)
    surface = Surface(read.law, "accuracy", table, read.data)
    for line in slice_along(surface, "n").lines:
        assert line.bands.law is not None
        assert line.bands.run is not None
        assert (line.bands.run[1] - line.bands.law[1] > 0.5 * NOISE).all()
        assert (line.bands.law[1] - line.bands.law[0] < 0.06).all()
    assert surface.within is not None
    assert 0.9 < surface.within[surface.inside].mean() <= 1.0


def test_a_law_without_bands_is_drawn_without(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    bare = variant(laws, "0.9 - 5/sqrt(n)")
    bare["selected"].pop("uncertainty")
    write_report(tmp_path, LawSet.from_json(bare), table, ReportContext("t", "c"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "further trials" not in text
    assert "in the band of one trial" not in text


def test_what_was_found_on_each_factor_is_said_in_both_reports(written: Path, html: str) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    for sentence in ("√n is supported", "T is part of every law that wins."):
        assert sentence in html
        assert sentence in text
    assert "its square root" in html


def test_every_section_says_what_to_see_in_both_reports(written: Path, html: str) -> None:
    text = (written / "report.md").read_text(encoding="utf-8").replace("\\", "")
    sections = re.findall(
        r'<section id="(\w+)"[^>]*>\s*<h[23][^>]*>[^<]*</h[23]>\s*<p>(.*?)</p>', html
    )
    assert {name for name, _ in sections} == {
        *("front", "curves", "gain", "fit", "constants", "evidence", "numbers", "theory"),
        *("residuals", "learning", "data", "reproduce"),
    }
    for _, sentence in sections:
        assert len(sentence) > 60
        assert unescape(sentence).replace("\u00a0", " ") in text


def test_the_whole_front_is_counted_and_listed_in_both_reports(
    written: Path, html: str, laws: Mapping[str, Any]
) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    read = LawSet.from_json(laws)
    front = build_front(read.front, read.selected)
    for page in (html, text):
        assert f"The front is {len(laws['front'])} laws" in page
    rows = re.findall(r"^\| (\w+) \| \$.*\| (\d+) \|", text, re.MULTILINE)
    labels = [label for label, _ in rows if label.isalpha() or label.isdigit()]
    assert sorted(labels) == sorted(entry.label for entry in front.entries)


def test_a_factor_is_headed_by_the_way_it_moves_the_law(written: Path, html: str) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    assert "- **accuracy rises with n.** The data ask for n" in text
    assert "<dt>accuracy rises with n</dt>" in html


def test_every_law_can_be_pasted(outline: Outline, laws: Mapping[str, Any]) -> None:
    code = "".join(outline.text)
    for law in (*laws["front"], *laws["theory"]):
        assert law["expression"] in code


def test_constants_that_the_rows_do_not_tell_say_why(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    told = copy.deepcopy(dict(laws))
    reason = "not identified by these data: other constants can take its place"
    told["selected"]["constants"]["c2"] |= {"se": None, "ci95": None, "reason": reason}
    write_report(tmp_path, LawSet.from_json(told), table, ReportContext("t", "c"))
    for name in ("report.html", "report.md"):
        assert reason in (tmp_path / name).read_text(encoding="utf-8")


def test_writing_twice_gives_the_same_bytes_and_no_litter(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    def contents() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}

    told = {**variant(laws, "0.1*log(n)"), "front": laws["front"]}
    write_report(tmp_path, LawSet.from_json(told), table, ReportContext("t", "c"))
    first = contents()
    write_report(tmp_path, LawSet.from_json(told), table, ReportContext("t", "c"))
    assert contents() == first
    assert not [name for name in first if "/." in name]


def variant(laws: Mapping[str, Any], expression: str, **changes: Any) -> dict[str, Any]:
    """`laws` with one law only."""
    selected = {**laws["selected"], "expression": expression, "template": expression}
    bare = {"front": [selected], "evidence": [], "theory": [], "selected": selected}
    return {**copy.deepcopy(dict(laws)), **bare, **changes}


def without_selected(laws: Mapping[str, Any]) -> LawSet:
    return LawSet.from_json({**laws, "selected": None})


def test_hostile_names_stay_text(tmp_path: Path, laws: Mapping[str, Any]) -> None:
    random = np.random.default_rng(0)
    names = ["N", "S", "E", "beta", "lambda_", "I"]
    table = pd.DataFrame({name: random.uniform(1, 9, 80) for name in names})
    table[EVIL] = table["N"] * table["beta"] + random.normal(0, 1, 80)
    table["role"], table["cell"] = "fit", range(80)
    told = variant(laws, "N*beta", target=EVIL, factors=names, data={})
    told["selected"]["origin"] = EVIL
    told["evidence"] = [{"factor": EVIL, "sentence": EVIL}]
    write_report(tmp_path, LawSet.from_json(told), table, ReportContext(EVIL, EVIL, EVIL, (EVIL,)))
    outline = Outline((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not outline.all("img")
    assert list(outline.all("script")) == [{}]
    assert EVIL in outline.text
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    outside_code = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    outside_math = re.sub(r"\$\$.*?\$\$", "", outside_code, flags=re.DOTALL)
    assert "<img" not in outside_math.replace(r"\<img", "")


def test_names_that_differ_in_case_only_get_files_of_their_own(
    tmp_path: Path, laws: Mapping[str, Any]
) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"n": random.uniform(0, 1, 40), "N": random.uniform(0, 1, 40)})
    table["y"], table["role"], table["cell"] = table["n"] + table["N"], "fit", range(40)
    told = variant(laws, "n + N", target="y", factors=["n", "N"], data={})
    write_report(tmp_path, LawSet.from_json(told), table, ReportContext("t", "c"))
    names = [path.name.lower() for path in (tmp_path / "figures").iterdir()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("expression", "rows", "said", "unsaid"),
    [
        (
            "0.5",
            312,
            ["The law does not use n, T or ami.", "R² says", "rows hardly vary"],
            ["rises"],
        ),
        (
            "1/(ami - 0.5) + log(T - 3)",
            312,
            ["accuracy rises with T.", "the law has no value on", "rises or falls with ami"],
            ["T grows"],
        ),
        (
            "0.1*log(n)",
            2,
            ["There is no other law", "The law does not use T or ami."],
            ["From n ="],
        ),
        ("exp(n)", 312, ["accuracy rises with n.", "below −10", "× 10"], ["grows without bound"]),
    ],
)
def test_odd_laws_and_tiny_tables_are_reported(
    tmp_path: Path,
    laws: Mapping[str, Any],
    table: pd.DataFrame,
    expression: str,
    rows: int,
    said: list[str],
    unsaid: list[str],
) -> None:
    """What can be said of them is, nothing is said that is not so, and no page has a gap."""
    few = table.iloc[:rows:2] if rows > 2 else table.iloc[:2]
    evidence = [{"factor": name, "sentence": "R² says so."} for name in ("n", "T", "ami")]
    odd = variant(laws, expression, data={}, evidence=evidence)
    write_report(tmp_path, LawSet.from_json(odd), few, ReportContext("t", "c"))
    page = "".join(Outline((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    told = (tmp_path / "report.md").read_text(encoding="utf-8")
    for text in (page.replace("\u00a0", " "), told):
        assert all(words in text for words in said)
        assert not any(words in text for words in unsaid)
        assert not re.search(r"\b(nan|inf|None)\b", text)
        assert expression in text
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    assert ("curve-n" in drawn) == (rows > 2)
    assert all(f"figures/{name}.png" in told for name in drawn)


def test_missing_scores_are_dashes_not_errors(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    told = variant(laws, "0.1*log(n)", front=copy.deepcopy(laws["front"]))
    for law in (told["selected"], *told["front"], *told["theory"]):
        law["scores"] = dict.fromkeys(law["scores"])
    told["data"] |= {"replicate_sd": None, "bounds": [None, None], "hold_out": None}
    write_report(tmp_path, LawSet.from_json(told), table, ReportContext("t", "c"))
    text = "".join(Outline((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "None" not in text
    assert "nan" not in text.replace("name", "")


def test_a_law_with_groups_is_shown_for_its_first_group(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    law = variant(laws, "0.9 - 5.0/sqrt(n)")["selected"]
    levels = {"bilstm": {"c1": 5.0}, "cnn": {"c1": 6.0}}
    law |= {"template": "c0 - c1/sqrt(n)", "constants": {"c0": {"value": 0.9}}, "shared": ["c0"]}
    law |= {"group_constants": levels, "uncertainty": None}
    groups = {"columns": ["encoder"], "column": "encoder", "levels": [*levels]}
    told = {**laws, "selected": law, "front": [law], "groups": groups}
    rows = table.assign(encoder=np.where(table["cell"] % 2, "bilstm", "cnn"))
    write_report(tmp_path, LawSet.from_json(told), rows, ReportContext("t", "c"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert r"\mathrm{accuracy} = 0.9 - \frac{c_{1}}{\sqrt{n}}" in text
    assert "show group bilstm, the first of 2" in text


def test_no_valid_law_is_said_so(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    write_report(tmp_path, without_selected(laws), table, ReportContext("t", "c"))
    assert NO_LAW in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert NO_LAW in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_missing_column_and_an_unwritable_folder_are_the_users_to_mend(
    tmp_path: Path, laws: Mapping[str, Any], table: pd.DataFrame
) -> None:
    with pytest.raises(UserError, match="ami"):
        write_report(
            tmp_path, LawSet.from_json(laws), table.drop(columns="ami"), ReportContext("t", "c")
        )
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError, match=r"^out"):
        write_report(blocked, without_selected(laws), table, ReportContext("t", "c"))


def test_the_example_in_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[3] / "docs" / "report.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/report.md", "exec"), {})
    assert "By hand" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
