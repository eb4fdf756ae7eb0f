"""Sentences around figures and tables: introductions of sections, captions, alternative texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtl_laws.pipeline.report.evidence_text import gain_map_text, listed, point_text
from mtl_laws.pipeline.report.surface import Surface, finite
from mtl_laws.pipeline.symbolic.typeset import formula_text
from mtl_laws.pipeline.symbolic.typeset.numbers import (
    duration,
    level,
    number,
    percent,
    score,
    settled,
    signed,
)

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.bands import Bands
    from mtl_laws.pipeline.laws.law import Law
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.levels import Floats
    from mtl_laws.pipeline.laws.record import GainCell, PooledGain, Roles


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The words at the head of a section: its title, its short name for links, what to see."""

    title: str
    link: str
    intro: str


CAPTIONS = {
    "leaders": "The leading laws, simplest first.",
    "others": "The other laws of the front.",
    "theory": "Theoretical forms, by extrapolated R².",
    "forms": "Your forms, in the order given, beside the selected law.",
    "constants": "Constants of the selected law.",
    "without": "Constants of the law without these rows.",
    "evidence": "Evidence for each factor, in numbers.",
    "outliers": (
        "Outliers. Rows are counted from 1 in the table that was given, without its header."
    ),
    "regions": "The law inside and outside.",
    "factors": (
        "Factors. Every law had to be valid over the whole domain. To set another domain, use "
        "--domain FACTOR=LOW:HIGH, or domain: in a study."
    ),
    "card": "The data.",
    "provenance": "Versions and settings.",
}
"""Captions of tables."""

FRONT = (
    "Lower is better, further left is simpler. The line joins the leading laws; the filled point "
    "is the selected law. Grey circles have an implausible limit, filled grey marks are not valid "
    "(they leave the bounds or have a pole), triangles are off the scale. Letters and numbers name "
    "the rows of the tables."
)
LEARNING = (
    "Solid: validation loss. Dotted: training loss. One trial per n. The dot marks the step whose "
    "weights were used."
)
ROUNDS = (
    "Line: half the width of the design interval after the round, root mean square over all trials "
    "that could be chosen. Dashes: error of the prediction for the trials of the round, before "
    "they were trained; it includes the noise of a trial."
)
ROUNDS_GREW = (
    "It grew in at least one round: more rows can show that forms or noise are less certain than "
    "they seemed."
)
EVIDENCE_COLUMNS = (
    "ΔBIC is the Bayesian information criterion of the best law without the factor minus that of "
    "the best law with it: the larger, the stronger the evidence for the factor. "
    "Inclusion is the fraction of random halves of the cells on which the best law with the factor "
    "clearly beats the best law without it; the next column is the same after the values of the "
    "factor were permuted among cells. A factor that matters is included far more often. The "
    "exponent is estimated with that power set free, in the form of the law above and at the place "
    "that the paragraph names: a negative exponent does not mean that {target} falls. The last "
    "column says whether ½ or −½ is in the interval."
)
SELECTION = (
    "The selected law is the simplest valid law whose cross-validated and extrapolated errors, "
    "taken together, are not clearly larger than the best. Where no law fits to within the noise "
    "of replicates, laws with a plausible limit come first."
)


LONGEST_WORDS = 26
"""Letters of a column's name that fit beside a factor's name on an axis."""


# --- sections ------------------------------------------------------------------------------------

TITLES = {
    "curves": ("One factor at a time", "Curves"),
    "gain": ("Where training together helps", "Gain"),
    "groups": ("Group by group", "Groups"),
    "fit": ("Inside and outside", "Fit"),
    "evidence": ("Evidence for each factor", "Evidence"),
    "outliers": ("Outliers", "Outliers"),
    "forms": ("Your forms", "Your forms"),
    "front": ("Simpler and longer rivals", "Rivals"),
    "rounds": ("Which trials were chosen", "Trials"),
    "constants": ("Constants", "Constants"),
    "numbers": ("Evidence in numbers", "Numbers"),
    "theory": ("What theory would have said", "Theory"),
    "residuals": ("What the law misses", "Residuals"),
    "learning": ("How the models were trained", "Training"),
    "data": ("Data", "Data"),
    "reproduce": ("How to reproduce this", "Reproduce"),
}
"""Title of every section and its short name for links, in the order of the page."""

APPENDIX = ("constants", "numbers", "theory", "residuals", "learning", "data", "reproduce")
"""Sections that most readers do not need."""

INTROS = {
    "groups": (
        "All groups have one form of law, each with its own constants. A group whose points leave "
        "its line does not follow the form."
    ),
    "curves": (
        "Each picture varies one factor and holds the others. Where the points lie on the lines, "
        "the law describes them. Grey marks values outside the fitted rows. A size is drawn to "
        "four times the largest value measured."
    ),
    "constants": (
        "The numbers that were fitted. The wider an interval, the less the rows determine the "
        "constant."
    ),
    "evidence": (
        "Whether the data support each factor, which way it moves the law, and where it appears in "
        "it."
    ),
    "numbers": (
        "How much worse the best law without each factor is, how often laws with the factor win, "
        "and the power that the data ask for."
    ),
    "learning": (
        "Some of the trained models, from few tokens to many. The weights used are those of the "
        "lowest validation loss. Where it rises after its dot, the model overfits its few tokens."
    ),
    "rounds": (
        "Each round trains the trials that tell most about the law per cost. Once interval and "
        "error stop falling, more such trials add little."
    ),
    "data": (
        "The rows from which the law was found. It holds for rows like these; nothing shows that "
        "it holds for others."
    ),
}
"""What to see in the sections where that is the same in every report."""


def headings(laws: LawSet, leads: Sequence[bool], held_out: bool) -> dict[str, Heading]:
    """The heading of every section that a report can have, in the order of the page.

    Parameters
    ----------
    leads : whether each law of the front leads.
    held_out : whether rows were held out.
    """
    intros = {
        **INTROS,
        "front": _front_intro(leads),
        "forms": _forms_intro(len(laws.forms)),
        "gain": _gain_intro(laws.target, laws.data.lower_is_better),
        "fit": _fit_intro(held_out),
        "outliers": _outliers_intro(laws),
        "theory": _theory_intro(laws.selected),
        "residuals": _residuals_intro(held_out),
        "reproduce": _reproduce_intro(laws.provenance.cut),
    }
    return {
        key: Heading(title=title, link=link, intro=intros[key])
        for key, (title, link) in TITLES.items()
    }


def _front_intro(leads: Sequence[bool]) -> str:
    if len(leads) < 2:
        return "There is no other law beside this one." if leads else "There is no law."
    return (
        f"The front is {len(leads)} laws that no simpler law beats, fitted or extrapolated. "
        f"{sum(leads)} of them lead: no simpler valid law extrapolates better. From "
        f"left to right the figure shows what each longer formula gains. {SELECTION}"
    )


def _forms_intro(count: int) -> str:
    subject = "Your form was" if count == 1 else f"Your {count} forms were"
    return (
        f"{subject} fitted to the same rows and scored like every other law, and could be selected "
        "if valid. The table also has the selected law."
    )


def _gain_intro(target: str, lower: bool) -> str:
    what = f"Predicted change in {target}"
    if lower:
        what = f"Predicted gain (how far {target} falls)"
    return (
        f"{what} against training the main task alone on the same data: blue where training "
        "together is better, orange where it is worse. Triangles are measured cells, compared with "
        "single-task trials and averaged over cells of the same relatedness and at most one level "
        "away in the other factors. They point up for a gain and down, filled, for harm, and are "
        "large where the sign is statistically clear. Hatching marks clear harm."
    )


def _fit_intro(held_out: bool) -> str:
    points = "Filled points were fitted"
    if not held_out:
        return f"How far measurements lie from the law. On the diagonal the law is exact. {points}."
    return (
        "How far measurements lie from the law, on fitted rows and beyond them. An error that "
        "grows beyond a fitted factor shows that the law drifts there. On the diagonal the law is "
        f"exact. {points}, open diamonds were held out."
    )


def _outliers_intro(laws: LawSet) -> str:
    total, listed_rows = laws.outlier_total, len(laws.outliers)
    rows = "1 row lies" if total == 1 else f"{total:,} rows lie"
    some = f" The table has the {listed_rows:,} that lie farthest." if listed_rows < total else ""
    text = (
        f"{rows} far from every good law. They count less in the fit (Huber loss). Check whether "
        f"they were measured correctly.{some}"
    )
    return text if laws.without_outliers is None else f"{text} Without them the law is:"


def _theory_intro(law: Law | None) -> str:
    r2 = None if law is None else law.scores.get("r2_extrapolation")
    beside = "" if r2 is None else f"; the selected law has {score(r2)}"
    return (
        "Forms from the literature, fitted to the same rows. The score that counts is the "
        f"extrapolated R², beyond the levels that were fitted{beside}."
    )


def _residuals_intro(held_out: bool) -> str:
    points = " Orange points were held out." if held_out else ""
    return (
        "A law that misses nothing leaves a flat cloud around 0. A bend in the line is an effect "
        "that the law does not describe. The line is the mean over fitted rows, at each level or "
        f"in windows.{points}"
    )


def _reproduce_intro(cut: bool) -> str:
    if cut:
        return (
            "The time limit ended this search early. On another machine the same command may find "
            "another law."
        )
    return "With these versions and the same rows, the same command finds the same law."


# --- the standing of a law -----------------------------------------------------------------------


def standing_text(
    law: Law, selected: bool = False, *, leads: bool = True, most: int | None = None
) -> str:
    """What a table says of a law: selected, not valid, implausible, too long or beaten.

    Parameters
    ----------
    leads : whether no simpler law extrapolates better.
    most : complexity up to which a law can be selected; None for a law of the search.
    """
    if not law.fitted:
        return law.reason or "could not be fitted"
    too_long = most is not None and law.complexity > most
    parts = [
        "selected" if selected else "",
        "" if law.valid else f"not valid: {law.reason or 'breaks the bounds or has a pole'}",
        f"implausible: {law.limits}" if law.valid and law.limits else "",
        f"longer than {most} nodes: cannot be selected" if too_long else "",
    ]
    return "; ".join(part for part in parts if part) or ("" if leads else "a simpler law leads")


def constants_caption(template: str) -> str:
    """The caption of a table of constants of one of the user's own forms."""
    return f"Constants of {formula_text(template)}."


def front_tip(label: str, law: Law, selected: bool) -> str:
    """The tooltip of a law of the front: its formula in one line, scores and standing."""
    standing = standing_text(law, selected)
    return (
        f"{label}: {formula_text(law.shown)} · complexity {law.complexity} · extrapolated R² "
        f"{score(law.scores.get('r2_extrapolation'))}{f' · {standing}' if standing else ''}"
    )


def front_alt(
    errors: Mapping[str, float],
    leaders: Sequence[str],
    measure: str,
    selected: tuple[str, Law] | None,
) -> str:
    """The front for readers who cannot see it.

    Parameters
    ----------
    errors : the errors of its laws by their labels; leaders : the labels of those that lead.
    measure : what the errors are.
    selected : label and law of the selected one; None where it is not in the figure.
    """
    text = (
        f"The front: {len(errors)} laws by complexity and {measure}, of which {len(leaders)} lead: "
        f"{', '.join(leaders)}."
    )
    if selected is None:
        return text
    label, law = selected
    return (
        f"{text} The selected law, {label}, has {law.complexity} nodes, {measure} "
        f"{number(errors[label])} and extrapolated R² "
        f"{score(law.scores.get('r2_extrapolation'))}."
    )


# --- figures -------------------------------------------------------------------------------------


def axis_text(surface: Surface, factor: str) -> str:
    """The name of a factor on an axis, with its column or its part: ``n (amount of data)``."""
    column, roles = surface.data.columns.get(factor, factor), surface.multitask
    parts: dict[str, str] = {}
    if roles is not None:
        parts = {
            roles.size: "training tokens" if surface.study and column == "n" else "amount of data",
            roles.tasks: "tasks trained together",
            roles.relatedness: "relatedness",
        }
    words = parts.get(factor, "") if column.lower() == factor.lower() else column
    return f"{factor} ({words})" if 0 < len(words) <= LONGEST_WORDS else factor


def curve_caption(
    x: str, held: Mapping[str, float], bands: Bands, *, adjusted: bool, held_out: bool, flat: bool
) -> str:
    """What lines, points and bands of a panel of curves are.

    Parameters
    ----------
    held : values of the factors that are neither on the axis nor a line.
    adjusted : whether the law moved the rows to these values.
    held_out : whether held-out rows are drawn.
    flat : whether rows without `x` are drawn as a line.
    """
    at = f" at {point_text(held)}" if held else ""
    points = "Points: measured at these values, mean and spread of replicates."
    if adjusted:
        points = (
            "Points: measured rows moved to these values by the law, each with its own residual."
        )
    parts = [f"Lines: the law{at}.", points]
    parts += ["Open diamonds were held out."] if held_out else []
    parts += [f"Dotted: measured where {x} is undefined."] if flat else []
    if bands.law is not None and not np.isfinite(bands.distance).any():
        parts.append("Narrow band: the 95 % interval of the mean, given the form of the law.")
    elif bands.law is not None:
        parts.append(
            "Narrow band: the 95 % interval of the mean. It includes the uncertainty of the form "
            "and grows outside the fitted region."
        )
    if bands.run is not None:
        parts.append("Wide band: 95 % of further trials are expected there.")
    return " ".join(parts)


def curve_alt(
    surface: Surface,
    x: str,
    span: tuple[float, float],
    hue: str | None,
    curves: Mapping[float, Floats],
) -> str:
    """A panel of curves for readers who cannot see it; `curves` by the level of factor `hue`."""
    texts = []
    for line, law in curves.items():
        values = finite(law)
        if len(values):
            name = "" if hue is None else f" for {hue} = {level(line)}"
            start, end = (number(settled(values[k], surface.scale)) for k in (0, -1))
            texts.append(f"from {start} to {end}{name}")
    return (
        f"{surface.target} predicted by the law as {x} goes from {number(span[0])} to "
        f"{number(span[1])}: {'; '.join(texts)}. Measured points are drawn on the lines."
    )


def gain_caption(
    roles: Roles,
    held: Mapping[str, float],
    gain: Floats,
    cells: Sequence[GainCell],
    sample: PooledGain | None,
) -> str:
    """What a map of gains shows: its other factors, the law's gains, the measured cells.

    Parameters
    ----------
    sample : as in `gain_map_text`.
    """
    values = finite(gain)
    ends = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    text = gain_map_text(roles.tasks, ends, cells, sample)
    return f"At {point_text(held)}. {text}" if held else text


def gain_alt(surface: Surface, roles: Roles, tasks: float, gain: Floats) -> str:
    """A map of gains for readers who cannot see it."""
    values = finite(gain)
    ends = (values.min(), values.max()) if len(values) else (0.0, 0.0)
    low, high = (signed(settled(float(end), surface.scale)) for end in ends)
    return (
        f"Map of the predicted gain in {surface.target} at {roles.tasks} = {number(tasks)} over "
        f"{roles.size} and {roles.relatedness}: from {low} to {high}; "
        f"{percent(float(np.nanmean(gain < 0)))} of the map is below zero."
    )


def rows_drawn_text(drawn: int, rows: int, name: str = "rows") -> str:
    """How many rows, or points of another name, a figure shows; empty where it shows all."""
    return f"{drawn:,} of {rows:,} {name} drawn." if drawn < rows else ""


def fit_alt(surface: Surface, factor: str) -> str:
    """Measured against predicted values for readers who cannot see them."""
    errors = finite(np.abs(surface.residuals[surface.inside]))
    middle = number(float(np.median(errors))) if len(errors) else "unknown"
    return (
        f"Scatter of measured against predicted {surface.target}, coloured by {factor}; the median "
        f"distance from the diagonal is {middle} on the fitted rows."
    )


def residual_caption(factor: str | None, undefined: bool, drawn: str) -> str:
    """Which rows a panel of residuals leaves out."""
    return f"Rows where {factor} is undefined are left out. {drawn}" if undefined else drawn


def residual_alt(means: Floats, name: str, scale: float) -> str:
    """Residuals for readers who cannot see them."""
    if not len(means):
        return f"No residuals along {name}."
    low, high = (number(settled(float(end), scale)) for end in (means.min(), means.max()))
    return f"Residuals along {name}; their mean in windows runs from {low} to {high}."


def groups_caption(others: Sequence[str], drawn: Mapping[str, bool], rest: Sequence[str]) -> str:
    """What lines, points and bands of the panels of groups are.

    Parameters
    ----------
    others : factors that are held.
    drawn : whether there are ``held_out`` rows, a ``band``, and one axis ``alike`` for all.
    rest : groups without a panel.
    """
    parts = ["Lines: the law with the constants of each group."]
    if others:
        parts.append(
            f"{listed(others)} {'is' if len(others) == 1 else 'are'} held at the middle of each "
            "group. Points: measured rows moved to these values by the law, each with its own "
            "residual."
        )
    else:
        parts.append("Points: measured rows.")
    parts += ["Open diamonds were held out."] if drawn["held_out"] else []
    parts += ["Band: the 95 % interval of the mean."] if drawn["band"] else []
    parts += [] if drawn["alike"] else ["Each panel has its own vertical axis."]
    parts += [f"Not drawn: {listed(rest)}."] if rest else []
    return " ".join(parts)


def groups_alt(surface: Surface, column: str, x: str, curves: Mapping[str, Floats]) -> str:
    """The panels of groups for readers who cannot see them; `curves` is the law of each group."""
    low, high = surface.extent(x)
    ends = {name: finite(curve) for name, curve in curves.items()}
    texts = [
        f"{name}: from {number(values[0])} to {number(values[-1])}"
        for name, values in ends.items()
        if len(values)
    ]
    return (
        f"{len(curves)} small panels by {column}: {surface.target} measured and predicted as {x} "
        f"goes from {number(low)} to {number(high)}. {'; '.join(texts)}."
    )


def learning_alt(names: Sequence[str]) -> str:
    """Learning curves for readers who cannot see them."""
    return f"Validation and training loss over optimiser steps for trials with {listed(names)}."


def rounds_caption(trials: int, share: float, seconds: float, grew: bool) -> str:
    """What the trials of an active design cost, what all would have, and whether certainty fell."""
    whole = duration(seconds / share)
    growth = f" {ROUNDS_GREW}" if grew else ""
    return (
        f"Round by round: {trials:,} trials were trained in {duration(seconds)}, for "
        f"{percent(share)} of what all trials of the study cost: about {whole}. "
        "The design interval holds 95 % of what all compared forms predict, refitted, with an "
        f"allowance for other forms: trials are chosen to narrow it.{growth} It is not the "
        "interval of the selected law, which the rest of this report shows."
    )


def rounds_alt(trials: Sequence[float], widths: Sequence[float]) -> str:
    """The interval over the trials spent for readers who cannot see it."""
    points = [f"± {number(w)} after {number(t)}" for t, w in zip(trials, widths, strict=True)]
    return f"Half the width of the design interval over the trials spent: {listed(points)}."


def of_group(group: str, title: str, caption: str, alt: str) -> tuple[str, str, str]:
    """Title, caption and alternative text of a figure that shows one group."""
    return (
        f"{title}, group {group}",
        f"Group {group} only. {caption}".strip(),
        f"Group {group}: {alt}",
    )


# --- rows of a table -----------------------------------------------------------------------------


def region_name(beyond: Sequence[str]) -> str:
    """Held-out rows by the factors whose fitted range they leave."""
    return f"beyond the fitted {listed(beyond)}" if beyond else "inside the fitted ranges"


def little_spread_text(spread: float, whole: float, noise: float | None) -> str:
    """Why an R² on rows of this standard deviation says little."""
    replicates = "" if noise is None else f", replicates {number(noise, 2)}"
    return (
        f"these rows hardly vary (SD {number(spread, 2)}; all rows {number(whole, 2)}{replicates})"
        ": compare the errors, not R²"
    )


def undefined_rows_text(r2: float, factors: Sequence[str]) -> str:
    """Why the law's own score is another number than that of its fitted rows."""
    return f"{score(r2)} where rows without {listed(factors)} count at five values each"


def without_value_text(missing: int) -> str:
    """On how many rows a law has no value."""
    return f"the law has no value on {missing:,} of these rows"


DOMAIN_BASIS = {
    "given": "given",
    "fraction": "assumed: a fraction, 0 to 1",
    "size": "assumed: a size, up to twice the largest",
    "range": "assumed: the range of the rows",
    "": "",
}
"""Where the domain of a factor comes from."""

REGION_NAMES = {"fit": "fitted rows", "held_out": "all held-out rows"}
FEW_ROWS = "too few rows for an R²"
"""Why there is no R² for a region."""
