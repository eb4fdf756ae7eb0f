"""Colours that can be told apart and read, in either theme."""

from __future__ import annotations

import itertools
import re

import pytest

from mtl_laws.pipeline.report.figures import canvas as palette
from mtl_laws.pipeline.report.figures.canvas import Tone

#: Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
DEFICIENCIES = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> list[float]:
    channels = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    r, g, b = linear(colour)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(first: str, second: str) -> float:
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def lab(rgb: list[float]) -> tuple[float, float, float]:
    r, g, b = (min(max(c, 0.0), 1.0) for c in rgb)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(first: str, second: str, kind: str) -> float:
    """CIE76 distance as a reader with the deficiency sees it."""
    seen = [
        lab([sum(m * c for m, c in zip(row, linear(colour), strict=True)) for row in matrix])
        for matrix in (DEFICIENCIES[kind],)
        for colour in (first, second)
    ]
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


def shade(tone: Tone, theme: str) -> str:
    return tone.dark if theme == "dark" else tone.light


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_lines_stand_out_from_the_page(theme: str) -> None:
    paper = shade(palette.PAPER, theme)
    for tone in (palette.INK, palette.MUTED, palette.LAW, palette.HELD_OUT):
        assert contrast(shade(tone, theme), paper) >= 4.5, tone
        assert contrast(shade(tone, theme), shade(palette.OUTSIDE, theme)) >= 4.5, tone
    for tone in palette.RAMP:
        assert contrast(shade(tone, theme), paper) >= 4.5, tone


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", sorted(DEFICIENCIES))
def test_series_differ_for_every_reader(theme: str, kind: str) -> None:
    for first, second in itertools.pairwise(palette.RAMP):
        assert difference(shade(first, theme), shade(second, theme), kind) > 10
    lost, gained = palette.DIVERGING[3], palette.DIVERGING[4]
    assert difference(shade(lost, theme), shade(gained, theme), kind) > 10
    fitted, held = shade(palette.LAW, theme), shade(palette.HELD_OUT, theme)
    assert difference(fitted, held, kind) > 20


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_ramp_is_ordered_in_lightness(theme: str) -> None:
    steps = [luminance(shade(tone, theme)) for tone in palette.RAMP]
    assert steps == sorted(steps, reverse=theme == "light")


def test_every_drawn_colour_has_one_meaning() -> None:
    assert len({tone.light for tone in palette.TONES}) == len(palette.TONES)
    assert len({tone.variable for tone in palette.TONES}) == len(palette.TONES)
