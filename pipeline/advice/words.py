"""Advice as rows of text, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtl_laws.pipeline.advice.factors import MEANINGS
from mtl_laws.pipeline.advice.prediction import Estimate, Suggestion
from mtl_laws.pipeline.advice.record import Advice

if TYPE_CHECKING:
    from mtl_laws.pipeline.advice.check import Checked

Pair = tuple[float, float]

LAYERS_NOTE = (
    "AMI: what a layer's labels tell of the main one's beyond chance, from 0, nothing, to 1, all; "
    "in brackets its 95 % interval. H(main|layer): how much of the main labels' entropy H stays "
    "open once the layer's labels are known."
)
GAINS_NOTE = (
    "Alone: the main layer trained by itself. In brackets: the 95 % interval of the mean{given}. "
    "One training: where 95 % of single pairs of trainings are expected, luck included."
)
OUTSIDE_NOTE = " Outside: what lies beyond the law's fitted region."
CHECK_NOTE = "Measured: the mean over seeds, with its 95 % interval."


def score_name(advice: Advice) -> str:
    """What is scored; a law of gains is one of gains in accuracy."""
    return "accuracy" if advice.target == "gain" else advice.target


def chart_note(advice: Advice) -> str:
    """How to read the picture of the gains."""
    return (
        f"Predicted gain in {score_name(advice)} over training {advice.profile.main.name} alone; "
        "thick: 95 % interval of the law, thin: of one training. A line that crosses 0 may be a "
        "loss."
    )


def law_notes(advice: Advice) -> list[str]:
    """Where the law is from, and what its factors are."""
    used = [name for name in advice.law.factors if advice.law.uses(name)]
    meant = [f"{name}: {MEANINGS[name]}" for name in used if name in MEANINGS]
    source = f"Predicts {advice.target}: {advice.laws}."
    return [source, f"{'; '.join(meant)}."] if meant else [source]


@dataclass(frozen=True)
class Grid:
    """A table of text: its title, its heads, its rows; the first column names the row.

    A page says `note` below it, which tells how to read it.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def filled(self) -> Grid:
        """The table without columns that are empty in every row."""
        kept = [k for k, _ in enumerate(self.heads) if k == 0 or any(row[k] for row in self.rows)]
        rows = tuple(tuple(row[k] for k in kept) for row in self.rows)
        return Grid(self.title, tuple(self.heads[k] for k in kept), rows, self.note)


def headline(advice: Advice) -> str:
    """The advice in one sentence."""
    best, main = advice.best, advice.profile.main.name
    if best is None:
        return f"Train {main} alone: no auxiliary layer is predicted to help."
    names = " and ".join(best.auxiliaries)
    gain = f"{signed(best.gain.value)}{_between(best.gain.law)}"
    sure = "" if best.gain.law is None or best.gain.law[0] > 0 else ", which may be nothing"
    return f"Train {main} with {names}: predicted gain {gain}{sure}."


def layers_grid(advice: Advice) -> Grid:
    """What the corpus holds, and how its layers relate to the main one."""
    known = advice.profile
    heads = ("layer", "labels", "tokens", "H", "AMI with main", "H(main|layer)", "H(layer|main)")
    rows = [(f"{known.main.name} (main)", *_sizes(known.main.name, advice), "", "", "")]
    for layer in known.auxiliaries:
        pair = known.pairs[layer.name]
        ami = f"{pair.ami:.2f}{_between(pair.ami_ci95, plain)}"
        entropies = (f"{pair.h_main_given_aux:.2f}", f"{pair.h_aux_given_main:.2f}")
        rows.append((layer.name, *_sizes(layer.name, advice), ami, *entropies))
    return Grid("Layers (H in nats)", heads, tuple(rows), LAYERS_NOTE)


def _sizes(name: str, advice: Advice) -> tuple[str, str, str]:
    main = advice.profile.main
    layer = main if name == main.name else advice.profile.layer(name)
    return f"{layer.labels}", f"{layer.tokens:,}", f"{layer.entropy:.2f}"


def gains_grid(advice: Advice) -> Grid:
    """What the law predicts."""
    heads = (
        "auxiliaries",
        "AMI",
        f"{score_name(advice)} alone",
        "together",
        "gain",
        "one training",
        "outside",
    )
    shown = list(advice.suggestions)
    if advice.best is not None and advice.best not in shown:
        shown.append(advice.best)
    title = f"Predicted for n = {advice.sizes.n:,} tokens of {advice.profile.main.name}"
    note = _gains_note(advice) + (OUTSIDE_NOTE if any(one.outside for one in shown) else "")
    return Grid(title, heads, tuple(_gain_row(advice, one) for one in shown), note)


def _gains_note(advice: Advice) -> str:
    """How to read the gains; the intervals of a law of an older file leave out other forms."""
    told = advice.law.uncertainty
    older = told is None or not (told.rivals or told.drift)
    return GAINS_NOTE.format(given=", given the form of the law" if older else "")


def _gain_row(advice: Advice, one: Suggestion) -> tuple[str, ...]:
    pairs = [advice.profile.pairs[name] for name in one.auxiliaries]
    return (
        " + ".join(one.auxiliaries) + (" (best)" if one == advice.best else ""),
        f"{np.mean([pair.ami for pair in pairs]):.2f}",
        _score(one.alone),
        _score(one.together),
        f"{signed(one.gain.value)}{_between(one.gain.law)}",
        _between(one.gain.run).strip(),
        ", ".join(one.outside),
    )


def check_grid(advice: Advice) -> Grid | None:
    """Predicted against measured; None where nothing was trained."""
    if advice.check is None:
        return None
    made = advice.check
    heads = ("auxiliaries", "predicted gain", "measured gain", "alone", "together", "seeds")
    title = (
        f"Checked with n = {made.n:,}, {made.n_aux:,} tokens of each auxiliary and "
        f"{made.test_tokens:,} test tokens"
    )
    return Grid(title, heads, tuple(_check_row(one) for one in made.results), CHECK_NOTE)


def _check_row(one: Checked) -> tuple[str, ...]:
    return (
        " + ".join(one.predicted.auxiliaries),
        f"{signed(one.predicted.gain.value)}{_between(one.predicted.gain.law)}",
        f"{signed(one.gain)}{_between(one.gain_ci95)}",
        f"{one.alone:.3f}",
        f"{one.together:.3f}",
        str(one.seeds),
    )


def grids(advice: Advice) -> list[Grid]:
    """All tables, in order."""
    check = check_grid(advice)
    found = [layers_grid(advice), gains_grid(advice), *([check] if check else [])]
    return [grid.filled for grid in found]


def as_text(advice: Advice) -> str:
    """The advice for a terminal."""
    parts = [headline(advice), *(_aligned(grid) for grid in grids(advice))]
    notes = [f"- {warning}" for warning in advice.warnings]
    notes += [f"- Left out: {name} {why}." for name, why in advice.left_out.items()]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def _aligned(grid: Grid) -> str:
    table = (grid.heads, *grid.rows)
    widths = [max(len(row[k]) for row in table) for k in range(len(grid.heads))]
    return "\n".join([f"{grid.title}:", *(_line(row, widths) for row in table)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([first, *rest]).rstrip()


def signed(value: float) -> str:
    """A gain with its sign, none where it rounds to 0; a word where a law has no value."""
    if not np.isfinite(value):
        return "undefined"
    text = f"{value:+.3f}"
    return text if float(text) else text[1:]


def plain(value: float) -> str:
    """A share with two digits."""
    return f"{value:.2f}"


def _score(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.3f}"


def _between(pair: Pair | None, show: Callable[[float], str] = signed) -> str:
    if pair is None:
        return ""
    low, high = map(show, pair)
    return f" [{low}, {high}]"
