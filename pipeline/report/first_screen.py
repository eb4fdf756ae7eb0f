"""The first screen of a report: its title, the answer in numbers, and how far to trust it.

Every sentence is computed from the law. An interval in brackets is the 95 % interval of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.report.evidence_text import listed, point_text, region_place
from mtl_laws.pipeline.report.single_task import (
    equivalent_data,
    equivalent_interval,
    gains,
    middle_and_most_tasks,
    sides,
)
from mtl_laws.pipeline.report.surface import SENSIBLE, Surface
from mtl_laws.pipeline.report.tables import Grid, Row, grid
from mtl_laws.pipeline.symbolic.typeset.numbers import (
    digits_apart,
    is_number,
    level,
    number,
    percent,
    score,
    settled,
)

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.bands import Bands
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.levels import Floats
    from mtl_laws.pipeline.laws.record import GainRegion, PooledGain, Roles

#: rows of the table of predictions
MOST_ROWS = 6


def title_text(question: str, laws: LawSet) -> str:
    """The question of the study; for a table, what is predicted from what."""
    return question or f"{laws.target} from {listed(laws.factors)}"


def answer(laws: LawSet, surface: Surface | None) -> tuple[str, ...]:
    """What the law says, in a few sentences with numbers and intervals; empty without a law.

    Parameters
    ----------
    surface : the law over its rows; where groups have constants of their own, that of the first.
    """
    if surface is None:
        return ()
    roles = compared_roles(surface)
    missed = _missed_gain_text(laws.target, laws.measured_gain, laws.data.lower_is_better)
    if not surface.used:
        sentences = [_constant_text(surface), missed]
    elif roles is not None:
        sentences = [
            *_together_texts(surface, roles),
            _harm_text(laws, surface, roles),
            missed,
        ]
    else:
        no_tasks, points = _no_tasks_text(surface), [*_point_texts(surface), _most_text(surface)]
        sentences = [no_tasks, missed, *points] if no_tasks else [*points, missed]
    measured = _measured_harm_text(laws.target, laws.measured_gain, laws.data.lower_is_better)
    sentences += [_groups_text(laws, surface), measured]
    return tuple(sentence for sentence in sentences if sentence)


def compared_roles(surface: Surface) -> Roles | None:
    """The roles of a law that says what training together changes; None for any other."""
    roles = surface.multitask
    if roles is None or roles.tasks not in surface.used:
        return None
    fitted = surface.fitted_range(roles.tasks)[1]
    return roles if middle_and_most_tasks(surface, roles)[0] <= fitted else None


# --- training together ---------------------------------------------------------------------------


def _together_texts(surface: Surface, roles: Roles) -> list[str]:
    """What several tasks give beside the main task alone, and how much data that is worth."""
    tasks, size = middle_and_most_tasks(surface, roles)[0], surface.reference[roles.size]
    several, single = (surface.law.bands(p) for p in sides(surface, roles, tasks, np.array([size])))
    place = _place(surface, roles.tasks)
    if not _has_value(several) or not _has_value(single):
        lead = _lead(surface, place)
        return [f"{lead} has no value for {_tasks_text(tasks)} or for the main task alone."]
    gain = gains(surface, roles, tasks, np.array([size]))
    change = settled(float(gain.mean[0]), surface.scale)
    words = {1.0: "a gain of ", 0.0: "a change of ", -1.0: "harm of "}[float(np.sign(change))]
    texts = [
        f"{_lead(surface, place)} predicts {surface.target} {_value_text(several)} for "
        f"{_tasks_text(tasks)}, and {_value_text(single)} for the main task alone: "
        f"{words}{_change_text(gain, surface.scale)}{_doubt(gain)}."
    ]
    times = equivalent_data(surface, roles, tasks)
    if isinstance(times, float) and roles.size in surface.used:
        multiple = _number_text(times, *equivalent_interval(surface, roles, tasks))
        texts.append(
            f"There, {number(tasks)} tasks act like {multiple} times the data of the main task "
            "alone."
        )
    return texts


def _tasks_text(tasks: float) -> str:
    if tasks != int(tasks):
        return f"{number(tasks)} tasks trained together"
    others = f"{int(tasks) - 1} auxiliary {'task' if tasks == 2 else 'tasks'}"
    return f"{number(tasks)} tasks trained together (the main task and {others})"


def _doubt(gain: Bands) -> str:
    """That the sign of a gain is not certain; empty where it is, or where nothing is known."""
    if gain.law is None or not gain.law[0][0] <= 0.0 <= gain.law[1][0]:
        return ""
    return ", so its sign is not certain"


def _harm_text(laws: LawSet, surface: Surface, roles: Roles) -> str:
    """Where along the size training together gains or harms, by the law."""
    tasks = middle_and_most_tasks(surface, roles)[0]
    low, high = surface.fitted_range(roles.size)
    texts = []
    if roles.size in surface.used and low < high:
        sizes = surface.grid(roles.size, low, high)
        bands = gains(surface, roles, tasks, sizes)
        values = bands.mean
        values = np.where(np.abs(values) < 1e-9 * surface.scale, 0.0, values)
        place = _place(surface, roles.size, **{roles.tasks: tasks})
        texts.append(_signs_text(values, sizes, roles.size, _lead(surface, place)))
        one_sign = values[0] != 0.0 and (np.sign(values) == np.sign(values[0])).all()
        if one_sign and bands.law is not None:
            certain = np.asarray((bands.law[0] > 0.0) | (bands.law[1] < 0.0))
            texts.append(_certainty_text(certain, sizes, roles.size))
    harm = laws.harm
    if harm is not None and 0.0 < harm.lowered < 1.0 and not laws.law.levels:
        texts.append(
            f"The law predicts harm on {percent(harm.lowered)} of the fitted ranges, most at "
            f"{point_text(harm.at)}."
        )
    return " ".join(text for text in texts if text)


def _signs_text(gain: Floats, sizes: Floats, size: str, lead: str) -> str:
    """Where a gain (S,) is above and below 0; empty where it has no value somewhere.

    Parameters
    ----------
    lead : the start of the sentence.
    """
    if not np.isfinite(gain).all():
        return ""
    span = f"from {size} = {level(sizes[0])} to {level(sizes[-1])}"
    turns = np.flatnonzero(np.diff(np.sign(gain)))
    if not len(turns):
        word = {1.0: "a gain", 0.0: "no change", -1.0: "harm"}[float(np.sign(gain[0]))]
        return f"{lead} predicts {word} everywhere {span}."
    if len(turns) > 1 or (gain == 0.0).any():
        some = " and harm" if (gain < 0).any() else ""
        some = f"{'gains' if (gain > 0).any() else 'no gain'}{some}"
        return f"{lead} predicts {some}, depending on {size}, {span}."
    edge = level(float(np.sqrt(sizes[turns[0]] * sizes[turns[0] + 1])))
    side = "below" if gain[0] < 0 else "above"
    return f"{lead} predicts harm {side} {size} = {edge} and a gain on the other side, {span}."


def _certainty_text(certain: NDArray[np.bool_], sizes: Floats, size: str) -> str:
    """Where along the size (S,) the sign of a gain is certain; empty where it is everywhere."""
    places = np.flatnonzero(certain)
    if len(places) == len(sizes):
        return ""
    if not len(places):
        return "Its sign is certain nowhere there."
    if len(places) <= places[-1] - places[0]:
        return "Its sign is not certain everywhere there."
    first, last = level(sizes[places[0]]), level(sizes[places[-1]])
    return f"Its sign is certain only from {size} = {first} to {last}."


def _measured_harm_text(target: str, paired: PooledGain | None, lower: bool) -> str:
    """Where training together was measured to harm; empty where it clearly does nowhere."""
    if paired is None or not paired.harm:
        return ""
    law = paired.harm[0].law
    verb = "raises" if lower else "lowers"
    return _measured_text(f"{verb} {target}", paired, paired.harm, law is not None and law >= 0.0)


def _missed_gain_text(target: str, paired: PooledGain | None, lower: bool) -> str:
    """Where training together was measured to help and the law predicts no gain; empty if none."""
    if paired is None:
        return ""
    missed = [r for r in paired.help if r.law is None or settled(r.law, r.gain) <= 0.0]
    if not missed:
        return ""
    verb = "lowers" if lower else "raises"
    return _measured_text(f"{verb} {target}", paired, missed, missed[0].law is not None)


def _measured_text(
    effect: str, paired: PooledGain, regions: Sequence[GainRegion], missed: bool
) -> str:
    """The mean gain of the first region, how many more there are, and whether the law misses it."""
    region, more = regions[0], len(regions) - 1
    ends = sorted(abs(end) for end in region.ci95)
    others = "" if not more else f", and in {more} other {'range' if more == 1 else 'ranges'}"
    return (
        f"In the measurements, training together {effect} {region_place(region, paired)} by "
        f"{number(abs(region.gain), 2)} [{number(ends[0], 2)}, {number(ends[1], 2)}] on average"
        f"{others}.{' The law does not predict this.' if missed else ''}"
    )


# --- any table -----------------------------------------------------------------------------------


def _constant_text(surface: Surface) -> str:
    point = {name: np.array([value]) for name, value in surface.reference.items()}
    return (
        f"The law does not use {listed(surface.factors, 'or')}: it predicts {surface.target} "
        f"{_value_text(surface.law.bands(point))} everywhere"
        f"{f' in group {surface.level}' if surface.level else ''}."
    )


def _no_tasks_text(surface: Surface) -> str:
    """That the law does not say what training together changes; empty elsewhere."""
    roles = surface.multitask
    if roles is None or roles.tasks in surface.used:
        return ""
    return f"The law does not use {roles.tasks}: in it, training together changes nothing."


def _point_texts(surface: Surface) -> list[str]:
    """The law at the middle of the fitted values, and where all its sizes are largest."""
    middle = surface.law.bands(_point(surface, {}))
    lead = _lead(surface, _place(surface))
    if not _has_value(middle):
        return [f"{lead} has no value, though these are in the middle of what was fitted."]
    text = (
        f"{lead} predicts {surface.target} {_value_text(middle)}, in the middle of what was fitted"
    )
    sizes = [name for name in surface.used if surface.logarithmic(name)] or [_first(surface)]
    ends = {name: surface.fitted_range(name)[1] for name in sizes}
    largest = {name: surface.as_shown(name, end) for name, end in ends.items()}
    far = surface.law.bands(_point(surface, largest))
    if all(surface.reference[name] == largest[name] for name in sizes) or not _has_value(far):
        return [f"{text}."]
    names = [point_text({name: value}) for name, value in largest.items()]
    return [f"{text}; with {listed(names)}, the largest fitted, it predicts {_value_text(far)}."]


def _most_text(surface: Surface) -> str:
    """Which factor moves the law most, and by how much."""
    factor = _first(surface)
    low, high = surface.fitted_range(factor)
    if not low < high:
        return ""
    points = surface.grid(factor, low, high)
    values = surface.along(factor, points, {})
    if not np.isfinite(values).all():
        return ""
    ends = [_point(surface, {factor: end}) for end in (low, high)]
    change = surface.law.change(ends[1], ends[0])
    start, end = (settled(float(values[k]), surface.scale) for k in (0, -1))
    moved = settled(float(change.mean[0]), surface.scale)
    alone = len(surface.used) == 1
    subject = f"Only {factor} is in the law" if alone else f"{factor} matters most"
    place = _place(surface, factor)
    at = f" with {place}" if place else ""
    way = "rises" if moved > 0 else "falls"
    verb = f"{way} by {_change_text(change, surface.scale)}, from" if moved else "goes from"
    text = (
        f"{subject}: from {factor} = {level(low)} to {level(high)}{at}, {surface.target} {verb} "
        f"{number(start)} to {number(end)}"
    )
    return f"{text}{_between_text(points, values, factor, surface.scale)}."


def _between_text(points: Floats, values: Floats, factor: str, scale: float) -> str:
    """The highest and the lowest value between the ends, where they lie there."""
    texts = []
    for word, place in (("highest", values.argmax()), ("lowest", values.argmin())):
        beyond = min(abs(values[place] - values[0]), abs(values[place] - values[-1]))
        if 0 < place < len(values) - 1 and beyond > 1e-3 * scale:
            texts.append(f"{word}, {number(values[place])}, near {factor} = {level(points[place])}")
    return f"; it is {listed(texts)}" if texts else ""


def _groups_text(laws: LawSet, surface: Surface) -> str:
    """Which group the numbers are of, and what the others give at the same point."""
    law = laws.law
    if not law.levels:
        return ""
    point = _point(surface, {})
    values = {name: float(law.for_group(name).predict(point)[0]) for name in law.levels}
    known = {name: value for name, value in values.items() if abs(value) < SENSIBLE}
    first = f"These numbers are of group {surface.level}, one of {len(law.levels)}."
    if len(known) < 2:
        return first
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    return (
        f"{first} At the middle of its values, {_place(surface)}, the groups go from "
        f"{number(known[low])} ({low}) to {number(known[high])} ({high})."
    )


# --- how far to trust it -------------------------------------------------------------------------


def trust(laws: LawSet, few_levels: Sequence[str]) -> str:
    """How far the law can be trusted, in one sentence; empty without a law.

    Parameters
    ----------
    few_levels : factors with too few levels to test a law beyond them.
    """
    law = laws.selected
    if law is None:
        return ""
    if not law.valid:
        return f"Do not trust it: the law is not valid ({law.reason or 'see the front'})."
    far, held = law.scores.get("r2_extrapolation"), law.scores.get("r2_hold_out")
    parts = [
        f"on levels left out in turn its R² is {_r2_text(far)} (extrapolated)"
        if is_number(far)
        else "it was not tested on levels left out"
    ]
    if is_number(held):
        rows = laws.data.rows_hold_out
        count = "the held-out rows" if not rows else f"{rows:,} held-out rows"
        parts.append(f"on {count}, which the search never saw, {_r2_text(held)}")
    text = ", and ".join(parts)
    if few_levels:
        text += f"; it was chosen without a test beyond the fitted levels of {listed(few_levels)}"
    return f"How far to trust it: {text}."


def _r2_text(value: float) -> str:
    return score(value) if value >= 0.0 else f"{score(value)}, worse than predicting their mean"


# --- the table of predictions --------------------------------------------------------------------


def predictions_grid(surface: Surface | None) -> Grid:
    """The law at a few values of its main factor; with tasks, together and alone."""
    if surface is None or not surface.used:
        return grid("", (), ())
    roles = compared_roles(surface)
    compared = roles is not None and roles.size in surface.used
    factor = roles.size if roles is not None and compared else _first(surface)
    points = _rows_of(surface, factor)
    if len(points) < 2:
        return grid("", (), ())
    place = _place(surface, factor)
    columns: dict[str, tuple[Bands, int]] = {}
    if roles is not None and compared:
        tasks = middle_and_most_tasks(surface, roles)[0]
        place = _place(surface, factor, roles.tasks)
        together, alone = sides(surface, roles, tasks, points)
        columns = {
            "main task alone": (surface.law.bands(alone), 3),
            f"{number(tasks)} tasks together": (surface.law.bands(together), 3),
            "gain": (gains(surface, roles, tasks, points), 2),
        }
    else:
        columns = {surface.target: (surface.bands_along(factor, points, {}), 3)}
    rows = [
        Row((level(x), *(_value_text(band, k, digits) for band, digits in columns.values())))
        for k, x in enumerate(points)
    ]
    at = f" with {place}" if place else ""
    caption = f"What the law predicts{at}: {surface.target}, and the 95 % interval of its mean."
    headers = (factor, *columns)
    return grid(caption, headers, rows, numeric=tuple(range(1, len(headers))))


def _rows_of(surface: Surface, factor: str) -> Floats:
    """A few fitted values of a factor: its levels, or round numbers within its range."""
    low, high = surface.fitted_range(factor)
    levels = surface.levels[factor]
    if levels.binned:
        spaced = surface.grid(factor, low, high, MOST_ROWS)
        values = np.unique([float(f"{value:.2g}") for value in spaced])
    else:
        values = levels.values
    values = values[(values >= low) & (values <= high)]
    if not len(values):
        return values
    picks = np.unique(np.linspace(0, len(values) - 1, MOST_ROWS).round().astype(int))
    return np.array([surface.as_shown(factor, float(value)) for value in values[picks]])


# --- pieces --------------------------------------------------------------------------------------


def _first(surface: Surface) -> str:
    """The factor of the law that moves it most."""
    return next(factor for factor in surface.by_effect if factor in surface.used)


def _point(surface: Surface, others: Mapping[str, float]) -> dict[str, Floats]:
    """One point (1,): the middle of every factor but `others`."""
    return {name: np.array([value]) for name, value in {**surface.reference, **others}.items()}


def _place(surface: Surface, *left_out: str, **others: float) -> str:
    """``n = 500 and ami = 0.6``: `others`, and the middle of the further factors of the law."""
    middle = {name: surface.reference[name] for name in surface.used if name not in left_out}
    return listed([point_text({name: value}) for name, value in {**middle, **others}.items()])


def _lead(surface: Surface, place: str) -> str:
    """The start of a sentence: "With n = 500, the law", "With n = 500, the law of group cnn"."""
    law = f"the law of group {surface.level}" if surface.level else "the law"
    return f"With {place}, {law}" if place else f"{law[:1].upper()}{law[1:]}"


def _has_value(bands: Bands) -> bool:
    return bool(np.abs(bands.mean[0]) < SENSIBLE)


def _value_text(bands: Bands, row: int = 0, digits: int = 3) -> str:
    """``0.784 [0.776, 0.792]``; without the interval where none is known."""
    return _number_text(float(bands.mean[row]), *_ends(bands, row), digits=digits)


def _change_text(bands: Bands, scale: float) -> str:
    """The size of a change with its interval; its sign is that of the change's direction."""
    change = settled(float(bands.mean[0]), scale)
    low, high = _ends(bands, 0)
    if change < 0:
        low, high = (None if end is None else -end for end in (high, low))
    return _number_text(abs(change), low, high)


def _ends(bands: Bands, row: int) -> tuple[float | None, float | None]:
    """The interval of the mean in one row; None where it is not known."""
    if bands.law is None or not np.isfinite([end[row] for end in bands.law]).all():
        return None, None
    return float(bands.law[0][row]), float(bands.law[1][row])


def _number_text(value: float, low: float | None, high: float | None, digits: int = 2) -> str:
    """A value and its interval, with as many digits as tell the ends apart, and no more than 4."""
    digits = digits_apart(low, high, digits)
    shown = number(value, digits)
    if low is None and high is None:
        return shown
    if low is None:
        return f"{shown} [at most {number(high, digits)}]"
    if high is None:
        return f"{shown} [at least {number(low, digits)}]"
    return f"{shown} [{number(low, digits)}, {number(high, digits)}]"
