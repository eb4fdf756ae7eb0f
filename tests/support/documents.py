"""The parts of a Markdown page that the tests check: fenced blocks, links and headings.

A comment line right before a block says what is done with it:

    <!-- run: slow -->           run it in the slow tests only
    <!-- run: slow, as CMD -->   run this command in its place there
    <!-- run: no, REASON -->     never run it
    <!-- run: fails with 2 -->   run it and expect this exit code
    <!-- file: study.yaml -->    it is the content of a file that later blocks use
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HARBOUR = str(ROOT / "data" / "example" / "harbour.conll")
FENCE = re.compile(
    r"^(?:<!-- (?P<key>run|file): (?P<value>.+?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)(?: \"[^\"]*\")?\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
INSTEAD = re.compile(r"slow, as (.+)")
EXPECTED = re.compile(r"fails with (\d+)")


@dataclass(frozen=True)
class Block:
    """A fenced block with what the comment before it says."""

    language: str
    text: str
    run: str = ""
    file: str = ""
    adjacent: bool = False
    """Whether only blank lines stand between the block before and this one."""

    @property
    def slow(self) -> bool:
        """Whether only the slow suite runs it."""
        return self.run == "slow" or bool(self.instead)

    @property
    def instead(self) -> str:
        """The command that is run in its place; empty for the block itself."""
        command = INSTEAD.fullmatch(self.run)
        return command[1] if command else ""

    @property
    def runnable(self) -> bool:
        """Whether it is ever run."""
        code = self.language in ("sh", "python") and not self.file
        return code and not self.run.startswith("no,")

    @property
    def understood(self) -> bool:
        """Whether the comment before it is one of those above."""
        fixed = self.slow or self.run == "" or self.run.startswith("no, ")
        return fixed or EXPECTED.fullmatch(self.run) is not None

    @property
    def exit_code(self) -> int:
        """The exit code it must end with."""
        expected = EXPECTED.fullmatch(self.run)
        return int(expected[1]) if expected else 0


def pages() -> list[Path]:
    """Every page of the repository: those at the root, in `docs/` and `data/`."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md")])


def name(page: Path) -> str:
    """The page by its path from the root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    parts, end = [], 0
    for m in FENCE.finditer(text):
        comment = {m["key"]: m["value"]} if m["key"] else {}
        adjacent = end > 0 and not text[end : m.start()].strip()
        parts.append(Block(m["language"], m["text"], adjacent=adjacent, **comment))
        end = m.end()
    return parts


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Targets of the page's links and images that point into the repository."""
    targets = [m["target"] for m in LINK.finditer(prose(page))]
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors of the page: its headings, in lower case, with dashes."""
    titles = [m["text"].lower() for m in HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


def commands(page: Path) -> list[list[str]]:
    """The arguments of every `mtl-laws` command in the page's shell blocks, plug-ins left out."""
    import shlex

    lines = "".join(b.text.replace("\\\n", " ") for b in blocks(page) if b.language == "sh")
    words = [shlex.split(line, comments=True) for line in lines.splitlines()]
    calls = [line[1:] for line in words if line and line[0].endswith("mtl-laws")]
    return [_without_plugins(call) for call in calls]


def _without_plugins(words: list[str]) -> list[str]:
    return _without_plugins(words[2:]) if words[:1] == ["--plugin"] else words
