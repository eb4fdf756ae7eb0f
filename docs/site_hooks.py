"""What `mkdocs` does beside its plug-ins: the home page, the list of decisions, the formulas.

The home page is the README. Formulas become MathML, which browsers draw without a script.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^):\s]+)\)")
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
COMMENT = re.compile(r"^<!-- .*? -->\n", re.MULTILINE)
LIST_AFTER_TEXT = re.compile(r"^(?P<text>(?![-*|] |\d+\. |[ #>]).+)\n(?=- |1\. )", re.MULTILINE)


def on_config(config: Any) -> Any:
    """The configuration with every decision in the navigation."""
    decisions = sorted(DOCS.glob("decisions/[0-9]*.md"))
    section = next(entry for entry in config["nav"] if "Decisions" in entry)
    section["Decisions"] = [
        "decisions/README.md",
        *(f"decisions/{page.name}" for page in decisions),
    ]
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """The files with the README as the home page."""
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=LINK.sub(_link_of_home, readme)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page without comments for the tests, and with an empty line before each list."""
    return LIST_AFTER_TEXT.sub(r"\g<text>\n\n", COMMENT.sub("", markdown))


def on_page_content(content: str, **_: Any) -> str:
    """The page with its formulas as MathML."""
    return FORMULA.sub(_mathml, content)


def _link_of_home(match: re.Match[str]) -> str:
    text, target = match["text"], match["target"]
    if target.startswith("docs/"):
        return f"[{text}]({target.removeprefix('docs/')})"
    return match[0] if target.startswith("#") else text


def _mathml(match: re.Match[str]) -> str:
    display = "block" if match["tag"] == "div" else "inline"
    return convert(html.unescape(match["latex"]).strip(), display=display)
