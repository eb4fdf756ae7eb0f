"""Colours by meaning, once for light and once for dark pages.

Figures are drawn in the light colours. In the page every one of them is replaced by a CSS variable
(`svg.inline`), so the same drawing follows the reader's theme. Series run along a ramp that is
ordered in lightness as well as hue, and gains along a blue–orange scale, both legible to readers
with any common colour-vision deficiency; no meaning rests on red against green.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tone:
    """One meaning: its CSS variable and its colour in either theme."""

    variable: str
    light: str
    dark: str


INK = Tone("ink", "#1c2128", "#e4e8ec")
MUTED = Tone("muted", "#59636e", "#9ba6b1")
LINE = Tone("line", "#c9d1d9", "#3b434c")
FAINT = Tone("faint", "#e6e9ec", "#272e36")
PAPER = Tone("paper", "#fefefe", "#161b21")
OUTSIDE = Tone("outside", "#f1f2f4", "#20262d")
LAW = Tone("law", "#0a5c9e", "#6db3f2")
HELD_OUT = Tone("held", "#b4500f", "#f2a060")

RAMP = (
    Tone("s0", "#5e8018", "#3d8f9e"),
    Tone("s1", "#0b757b", "#3fb08a"),
    Tone("s2", "#2a5291", "#86cc5a"),
    Tone("s3", "#521a68", "#f0e04a"),
)
DIVERGING = (
    Tone("d0", "#a84f06", "#f09a55"),
    Tone("d1", "#d97a12", "#c26c2a"),
    Tone("d2", "#f5ad5c", "#8a4b1c"),
    Tone("d3", "#fcdcae", "#523519"),
    Tone("d4", "#d3e4f1", "#1e3b52"),
    Tone("d5", "#94c4df", "#255f8a"),
    Tone("d6", "#4592c4", "#3c88c0"),
    Tone("d7", "#2065ab", "#78b8ea"),
)
TONES = (INK, MUTED, LINE, FAINT, PAPER, OUTSIDE, LAW, HELD_OUT, *RAMP, *DIVERGING)


def ramp(count: int) -> list[str]:
    """`count` series colours, lowest level first."""
    if count <= 1:
        return [LAW.light] * count
    steps = [round(k * (len(RAMP) - 1) / (count - 1)) for k in range(count)]
    return [RAMP[step].light for step in steps]


def variables(theme: str) -> str:
    """CSS declarations of all tones for ``light`` or ``dark``."""
    chosen = [(tone.variable, tone.dark if theme == "dark" else tone.light) for tone in TONES]
    return " ".join(f"--{name}: {colour};" for name, colour in chosen)
