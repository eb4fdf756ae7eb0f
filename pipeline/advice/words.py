"""Advice as rows of text, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.advice.check import Checked
from pipeline.advice.prediction import Estimate, Suggestion
from pipeline.advice.record import Advice

Pair = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """A table of text: its title, its heads, its rows; the first column names the row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
    return Grid("Layers (H in nats)", heads, tuple(rows))


def _sizes(name: str, advice: Advice) -> tuple[str, str, str]:
    main = advice.profile.main
    layer = main if name == main.name else advice.profile.layer(name)
    return f"{layer.labels}", f"{layer.tokens:,}", f"{layer.entropy:.2f}"


def gains_grid(advice: Advice) -> Grid:
    """What the law predicts."""
    score = "accuracy" if advice.target == "gain" else advice.target
    heads = ("auxiliaries", "AMI", f"{score} alone", "together", "gain", "one training", "outside")
    shown = list(advice.suggestions)
    if advice.best is not None and advice.best not in shown:
        shown.append(advice.best)
    title = f"Predicted for n = {advice.sizes.n:,} tokens of {advice.profile.main.name}"
    return Grid(title, heads, tuple(_gain_row(advice, one) for one in shown))


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
    return Grid(title, heads, tuple(_check_row(one) for one in made.results))


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
    return [layers_grid(advice), gains_grid(advice), *([check] if check else [])]


def as_text(advice: Advice) -> str:
    """The advice for a terminal."""
    parts = [headline(advice), *(_aligned(grid) for grid in grids(advice))]
    notes = [f"- {warning}" for warning in advice.warnings]
    notes += [f"- Left out: {name} {why}." for name, why in advice.left_out.items()]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def _aligned(grid: Grid) -> str:
    kept = [k for k, _ in enumerate(grid.heads) if k == 0 or any(row[k] for row in grid.rows)]
    table = [[row[k] for k in kept] for row in (grid.heads, *grid.rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(kept))]
    return "\n".join([f"{grid.title}:", *(_line(row, widths) for row in table)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([first, *rest]).rstrip()


def signed(value: float) -> str:
    """A gain with its sign; a word where a law has no value."""
    return f"{value:+.3f}" if np.isfinite(value) else "undefined"


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
