"""The report in a real browser: at every width, in both themes, on paper, without script, and the
explorer as a reader uses it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mtl_laws import LawSet, advise
from mtl_laws.pipeline.advice.advice import write_advice
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.figures.front import build_front
from support.asked_laws import asked_laws, rows
from support.explorer_answers import assert_same_answers, grid
from support.planted_laws import HARBOUR
from support.planted_report import planted_curves, planted_laws, report_table

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
DESKTOP, TABLET, PHONE, SMALL_PHONE = 1280, 768, 390, 360
#: what A4 leaves between the margins, in the pixels of a page
PAPER = 695
PROBE = (Path(__file__).parents[2] / "support" / "page_probe.js").read_text(encoding="utf-8")
CLEAN = {
    "overflow": 0,
    "beyond": [],
    "unreachable": [],
    "unmarked": [],
    "overlaps": [],
    "faint": [],
}
ANSWER = ("predicted", "gained", "where", "interval")

pytestmark = pytest.mark.slow

#: opens a report: (width, media settings) -> a page of the browser
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with playwright.sync_playwright() as driver:
        try:
            chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no browser on this machine: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def planted() -> LawSet:
    laws = LawSet.from_json(planted_laws())
    roles = Roles(size="n", tasks="T", relatedness="ami")
    return laws.model_copy(update={"data": laws.data.model_copy(update={"roles": roles})})


@pytest.fixture(scope="module")
def report(planted: LawSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    context = ReportContext(
        title="How much do auxiliary tasks help?",
        command="mtl-laws run pipeline/studies/quick.yaml --out out/quick",
        question="With n tokens and T − 1 auxiliary tasks, what accuracy is to be expected?",
        notes=("The auxiliary labels come from teachers mixed towards the main one.",),
        curves=planted_curves(),
    )
    write_report(folder, planted, report_table(), context)
    return folder / "report.html"


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Open]:
    contexts = []

    def opened(width: int, path: Path = report, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on(
            "request",
            lambda request: faults.append(request.url) if request.url[:4] == "http" else None,
        )
        page.goto(path.as_uri())
        assert faults == []
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, TABLET, PHONE, SMALL_PHONE])
def test_nothing_overflows_overlaps_or_is_faint(opened: Open, width: int, theme: str) -> None:
    page = opened(width, color_scheme=theme)
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.evaluate(PROBE) == CLEAN
    # outside the fitted region, too
    page.fill("#explore-0", "50000")
    assert page.evaluate(PROBE) == CLEAN


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE, SMALL_PHONE])
def test_the_page_of_an_advice_is_as_clean(
    opened: Open, tmp_path: Path, width: int, theme: str
) -> None:
    write_advice(advise(HARBOUR, "pos", tokens=100), tmp_path)
    page = opened(width, tmp_path / "advice.html", color_scheme=theme)
    assert page.evaluate(PROBE) == CLEAN
    # the whole figure is seen, and so is that a table goes on
    figure = page.locator("svg.drawing")
    right = "(e) => Math.max(...[e, ...e.querySelectorAll('text')].map((one) => "
    right += "one.getBoundingClientRect().right))"
    assert figure.evaluate(right) <= width
    assert figure.evaluate("(e) => e.closest('.scroll')") is None
    shadows = "(all) => all.map((e) => getComputedStyle(e.closest('.scroll')).backgroundImage)"
    tables = page.locator("table").evaluate_all(shadows)
    assert len(tables) == 2
    assert all("gradient" in shadow for shadow in tables)


def test_the_probe_finds_what_is_wrong(browser: Any) -> None:
    page = browser.new_page(viewport={"width": SMALL_PHONE, "height": 400})
    page.set_content(
        "<style>main { width: 900px }</style><main><p style='color: #999; text-align: right'>faint"
        "</p><div class=scroll style='overflow-x: auto; width: 100px'><p style='width: 300px'>wide"
        "</p></div><svg><text y=20>one</text><text y=24>two</text></svg></main>"
    )
    found = page.evaluate(PROBE)
    page.close()
    assert found["overflow"] > 0
    assert all(len(found[name]) == 1 for name in CLEAN if name != "overflow"), found


def test_formulas_are_typeset_and_figures_are_legible(opened: Open) -> None:
    for width in (DESKTOP, SMALL_PHONE):
        page = opened(width)
        size = "(e) => [e.getBoundingClientRect().width, e.getBoundingClientRect().height]"
        formula = page.locator("#law .formula").first
        fraction = formula.locator("mfrac, msup").first.evaluate(size)[1]
        assert fraction > 1.2 * formula.locator("mn").first.evaluate(size)[1]
        assert formula.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 1
        drawings = page.locator("#answer svg.drawing, #curves svg.drawing")
        for place in range(drawings.count()):
            drawn = drawings.nth(place).evaluate(size)
            assert drawn[0] > 250
            assert drawn[1] > 120
        heights = page.locator("#answer svg text").evaluate_all(
            "(all) => all.map((e) => e.getBoundingClientRect().height)"
        )
        assert min(heights) >= 9


def test_a_mark_of_the_front_shows_its_formula(opened: Open) -> None:
    page = opened(DESKTOP)
    shown = (
        "[...document.querySelectorAll('.reading')].filter((e) => e.getClientRects().length)"
        ".map((e) => e.id)"
    )
    assert page.evaluate(shown) == ["readout-law6"]  # the selected law
    mark = page.locator(".mark").first
    mark.focus()
    assert page.evaluate(shown) == [mark.get_attribute("id").replace("front-", "readout-")]


def test_on_paper_everything_is_open_labelled_and_within_the_margins(
    opened: Open, planted: LawSet
) -> None:
    page = opened(PAPER)
    page.emulate_media(media="print")
    shown = "(all) => all.filter((e) => e.getClientRects().length)"
    labels = [entry.label for entry in build_front(planted.front, planted.selected).entries]
    rows = page.locator("#front tbody tr th").evaluate_all(
        f"{shown[:-1]}).map((e) => e.textContent.trim())"
    )
    assert sorted(rows) == sorted(labels), "laws that a reader of the page would open"
    texts = page.locator("#front svg text").all_text_contents()
    on_marks = [text.split()[-1] for text in texts if text.strip()]
    assert all(label in on_marks for label in labels)
    hidden = page.locator("nav, .readout, .copy, #explore")
    assert hidden.evaluate_all(f"{shown[:-1]}).length") == 0
    cut = page.locator(".scroll, .formula, pre").evaluate_all(
        f"{shown[:-1]} && e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"
    )
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_page_is_complete_without_script(opened: Open) -> None:
    page = opened(DESKTOP, java_script_enabled=False)
    assert not page.locator("#explore").is_visible()
    assert "mtl-laws predict" in page.locator("noscript").inner_text()
    for section in ("answer", "law", "curves", "evidence", "front", "appendix"):
        assert page.locator(f"#{section}").is_visible()


# --- the explorer --------------------------------------------------------------------------------


def evaluate_in(page: Any) -> Callable[[str, Sequence[object]], Any]:
    def evaluate(function: str, arguments: Sequence[object]) -> Any:
        return page.evaluate(
            f"(list) => JSON.parse(JSON.stringify(({function})(...list)))", arguments
        )

    return evaluate


def said(page: Any) -> Mapping[str, str]:
    return {name: page.locator(f"#explore .{name}").inner_text() for name in ANSWER}


def test_the_browser_answers_as_the_laws_do(opened: Open, planted: LawSet, tmp_path: Path) -> None:
    assert_same_answers(planted, grid(planted), evaluate_in(opened(DESKTOP)))
    laws = asked_laws()
    write_report(tmp_path, laws, rows(), ReportContext(title="t", command="c"))
    page = opened(DESKTOP, tmp_path / "report.html")
    assert_same_answers(laws, grid(laws), evaluate_in(page))
    page.fill("#explore-0", "500")
    page.fill("#explore-1", "4")
    page.fill("#explore-2", "0.6")
    answer = laws.intervals(grid(laws)[:1].assign(n=500.0, T=4.0, ami=0.6)).round(3).loc[0]
    expected = f"f1 = {answer['f1']:g} [{answer['law_low']:g}, {answer['law_high']:g}]"
    assert said(page)["predicted"] == expected


def test_fields_sliders_and_words_by_keyboard_alone(opened: Open) -> None:
    page = opened(DESKTOP)
    before, curve = said(page), page.locator("#explore svg").inner_html()
    page.locator("#explore-0").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("20000")
    after = said(page)
    assert after["predicted"] != before["predicted"]
    assert page.locator("#explore svg").inner_html() != curve
    assert before["where"] == "Inside the fitted region."
    assert (
        "Outside the fitted region: n = 20,000 is 15.6 times the largest fitted" in after["where"]
    )
    colour = "getComputedStyle(document.querySelector('#explore .where')).color"
    assert page.evaluate(colour) != page.evaluate("getComputedStyle(document.body).color")
    page.keyboard.press("Tab")
    values = []
    for _ in range(8):
        for key in ("PageDown", "ArrowLeft"):
            page.keyboard.press(key)
            values.append(float(page.input_value("#explore-0")))
    assert values == sorted(set(values), reverse=True)
    assert 40 <= values[-1] < 1280
    assert said(page)["where"] == "Inside the fitted region."
    page.wait_for_function(
        "document.querySelector('#explore [role=status]').textContent.includes('Inside the fitted')"
    )


def test_every_field_has_a_name_and_a_hint(opened: Open) -> None:
    page = opened(DESKTOP)
    for place, name in enumerate(("n (n_tokens)", "T (n_tasks)", "ami (relatedness)")):
        field = page.get_by_label(name, exact=True)
        assert field.get_attribute("id") == f"explore-{place}"
        assert (
            page.locator(f"#{field.get_attribute('aria-describedby')}").inner_text()[:6] == "fitted"
        )
        assert page.get_by_role("slider", name=f"{name.split()[0]}, slider").count() == 1
    assert page.locator("#explore svg").get_attribute("aria-label").startswith("accuracy along n")
    page.get_by_label("Curve along").select_option("T")
    assert page.locator("#explore svg").get_attribute("aria-label").startswith("accuracy along T")


def test_one_task_has_no_relatedness_and_no_gain(opened: Open) -> None:
    page = opened(DESKTOP)
    assert page.locator("#explore .gained").inner_text().startswith("A gain of")
    page.fill("#explore-1", "1")
    assert page.locator("#explore-2").is_disabled()
    assert said(page)["gained"] == ""
    assert page.locator("#explore-hint-2").inner_text() == "undefined for one task"


@pytest.mark.parametrize("text", ["-5", "many", "1,5", ""])
def test_what_is_no_number_has_no_answer(opened: Open, text: str) -> None:
    page = opened(DESKTOP)
    page.fill("#explore-0", text)
    assert said(page)["predicted"].startswith("No answer: n")
    assert said(page)["interval"] == ""
    assert page.locator("#explore-0").get_attribute("aria-invalid") == "true"
    assert page.locator("#explore-hint-0").inner_text() == "expected: a number above 0"
