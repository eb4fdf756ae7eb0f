"""The report in a real browser: formulas visible, nothing overflowing, marks that answer; on
paper, too, where nothing can be opened or pointed at.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report import write_report
from mtl_laws.pipeline.report.figures.front import build_front

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
DESKTOP, PHONE = 1280, 390
#: what A4 leaves between the margins, in the pixels of a page
PAPER = 710  # a scroll bar among them, which paper has not
#: run inside the page; what it finds is written into the page and read back from the dumped DOM
PROBE = """
<script>
window.faults = [];
window.addEventListener("error", event => window.faults.push(String(event.message)));
window.addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const view = page.defaultView;
  const box = element => element.getBoundingClientRect();
  const shown = element => element.getClientRects().length > 0;
  const marks = [...page.querySelectorAll(".mark")];
  const readings = () => [...page.querySelectorAll(".reading")].filter(shown).map(e => e.id);
  const before = readings();
  marks[0].focus();
  const after = readings();
  const formula = page.querySelector("#law .formula");
  const found = {
    faults: window.faults,
    overflow: page.documentElement.scrollWidth - view.innerWidth,
    formulaOverflow: formula.scrollWidth - formula.clientWidth,
    fraction: box(page.querySelector("#law .formula mfrac")).height,
    line: box(page.querySelector("#law .formula mn")).height,
    maths: [...page.querySelectorAll("section > .formula math, table.laws math")]
      .filter(shown).map(e => box(e).width * box(e).height),
    drawings: [...page.querySelectorAll("svg.drawing")].filter(shown)
      .map(e => [box(e).width, box(e).height]),
    text: Math.min(...[...page.querySelectorAll("#answer svg text")].map(e => box(e).height)),
    ink: view.getComputedStyle(page.body).color,
    paper: view.getComputedStyle(page.body).backgroundColor,
    axis: view.getComputedStyle(page.querySelector("#answer svg text")).fill,
    mark: marks[0].id, before, after,
    labels: [...page.querySelectorAll("#front svg text")].map(e => e.textContent.trim()),
    rows: [...page.querySelectorAll("#front tbody tr")].filter(shown)
      .map(e => e.querySelector("th").textContent.trim()),
    screenOnly: [...page.querySelectorAll("nav, .readout, .copy")].filter(shown).length,
    cut: [...page.querySelectorAll(".scroll, .formula, pre")].filter(shown)
      .filter(e => e.scrollWidth > e.clientWidth + 1)
      .map(e => [e.getAttribute("aria-label"), e.scrollWidth, e.clientWidth]),
  };
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)}")
    return found


def look(browser: str, folder: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
    """Open the report in a frame `width` pixels wide and return what `PROBE` finds."""
    frame = f'<iframe src="report.html" style="border:0;width:{width}px;height:900px"></iframe>'
    (folder / "frame.html").write_text(f"<!doctype html><body>{PROBE}{frame}", encoding="utf-8")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={max(width, 600)},1000",
        "--enable-logging=stderr",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        "--dump-dom",
        (folder / "frame.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert not re.findall(r"CONSOLE.*", done.stderr)
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(unescape(match[1]))
    return found


@pytest.fixture
def folder(tmp_path: Path, laws: Any, table: Any, context: Any) -> Path:
    write_report(tmp_path, LawSet.from_json(laws), table, context)
    return tmp_path


def test_the_page_at_both_widths_and_in_both_themes(browser: str, folder: Path) -> None:
    seen = {width: look(browser, folder, width) for width in (DESKTOP, PHONE)}
    for found in seen.values():
        assert found["faults"] == []
        assert found["overflow"] <= 0
        assert found["formulaOverflow"] <= 1
        assert found["fraction"] > 1.6 * found["line"]  # typeset, not a run of characters
        assert min(found["maths"]) > 100
        assert all(width > 250 and height > 120 for width, height in found["drawings"])
        assert found["text"] >= 9
        assert found["before"] == ["readout-law6"]  # the selected law
        assert found["after"] == [found["mark"].replace("front-", "readout-")]
        assert found["screenOnly"] > 0
    dark = look(browser, folder, DESKTOP, dark=True)
    light = seen[DESKTOP]
    for colour in ("ink", "paper", "axis"):
        assert dark[colour] != light[colour]
    assert contrast(light["ink"], light["paper"]) > 7
    assert contrast(dark["ink"], dark["paper"]) > 7


def test_on_paper_everything_is_open_labelled_and_within_the_margins(
    browser: str, folder: Path, laws: Mapping[str, Any]
) -> None:
    page = folder / "report.html"
    printed = page.read_text("utf-8").replace("@media screen", "@media speech")
    page.write_text(printed.replace("@media print", "@media all"), "utf-8")
    found = look(browser, folder, PAPER)
    read = LawSet.from_json(laws)
    labels = [entry.label for entry in build_front(read.front, read.selected).entries]
    assert sorted(found["rows"]) == sorted(labels), "laws that a reader of the page would open"
    on_marks = [text.split()[-1] for text in found["labels"] if text]
    assert all(label in on_marks for label in labels)
    assert found["screenOnly"] == 0
    assert found["cut"] == []
    assert found["overflow"] <= 0


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two CSS ``rgb(…)`` colours."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
