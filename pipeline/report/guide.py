"""One plain sentence or two at the head of each section: what is to be seen there."""

from __future__ import annotations

from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.front import Front
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.symbolic.typeset.numbers import score

CHOICE = (
    "The selected law is the simplest valid one that is, on cells left out within the levels seen "
    "and beyond them, no further behind the best than chance may put it; where no law fits to "
    "within the noise of replicates, laws with a plausible limit go first."
)
FIXED = {
    "curves": (
        "Each picture moves one factor and holds the others: where points lie on the lines, the "
        "law tells them. Grey marks values on which nothing was fitted; a size is drawn to four "
        "times the largest value measured."
    ),
    "constants": (
        "The numbers that the fit put into the formula. The wider an interval, the less the rows "
        "tell of its constant."
    ),
    "evidence": (
        "Whether these data ask for each factor, which way it moves the law, and where it stands "
        "in it."
    ),
    "groups": (
        "One form for all groups, with the constants of each: a group whose points leave its line "
        "does not follow the form."
    ),
    "learning": (
        "Some of the trained models, from few tokens to many. The weights that were kept are those "
        "of the lowest validation loss; where it rises after its dot, the model was learning its "
        "few tokens by heart."
    ),
    "data": "What the law was found on. It holds for such rows, and for no others by itself.",
}


def guide(laws: LawSet, front: Front, surface: Surface | None) -> dict[str, str]:
    """Section -> what to see there."""
    told = {
        **FIXED,
        "front": _front(front),
        "theory": _theory(laws.selected),
        "forms": _forms(laws),
        "reproduce": _again(laws),
        "outliers": _outliers(laws),
    }
    if surface is None:
        return told
    of_law = {"gain": _gain(surface), "fit": _fit(surface), "residuals": _residuals(surface)}
    return {**told, **of_law}


def _front(front: Front) -> str:
    if len(front.entries) < 2:
        return "No other law was kept beside this one." if front.entries else "No law was kept."
    return (
        f"The front is {len(front.entries)} laws that no simpler one beats, on the fitted rows or "
        f"on those left out; {sum(entry.leads for entry in front.entries)} of them lead: outside, "
        "no simpler valid law does better. From left to right, see what each further piece of "
        f"formula gains. {CHOICE}"
    )


def _gain(surface: Surface) -> str:
    what = f"Predicted change in {surface.target}"
    if surface.data.lower_is_better:
        what = f"Predicted gain (how far {surface.target} falls)"
    return (
        f"{what} against training the main task alone on the same data: blue where training "
        "together is better, orange where it is worse. Triangles are measured cells, set against "
        "single-task runs and averaged over cells of the same relatedness and at most one level "
        "away in the rest: they point up for a gain and, filled, down for harm, and are large "
        "where the sign is clear beyond chance. Hatching marks clear harm."
    )


def _fit(surface: Surface) -> str:
    points = "Filled points were fitted"
    if surface.inside.all():
        return f"How far the law lies off. On the diagonal it is exact. {points}."
    return (
        "How far the law lies off where it was fitted, and beyond: an error that grows beyond a "
        "fitted factor says that the law drifts off there. On the diagonal the law is exact. "
        f"{points}, open diamonds held out."
    )


def _theory(law: Law | None) -> str:
    outside = None if law is None else law.scores.get("r2_extrapolation")
    beside = "" if outside is None else f", beside {score(outside)} of the selected law"
    return (
        "Forms from the literature, fitted to the same rows. What counts is R² outside, beyond "
        f"the levels that were fitted{beside}."
    )


def _forms(laws: LawSet) -> str:
    count = len(laws.forms)
    given = "The form that you gave was" if count == 1 else f"The {count} forms that you gave were"
    return (
        f"{given} fitted to the same rows and scored like every other law, and could be selected "
        "where valid. The selected law is in the table, too."
    )


def _residuals(surface: Surface) -> str:
    held = "" if surface.inside.all() else "; orange points were held out"
    return (
        "A law that misses nothing leaves a flat cloud around 0; a bend in the line is something "
        "that the law does not tell. The line is the mean of the fitted rows, at each level or in "
        f"windows{held}."
    )


def _outliers(laws: LawSet) -> str:
    if not laws.outliers:
        return ""
    rows = "1 row lies" if len(laws.outliers) == 1 else f"{len(laws.outliers)} rows lie"
    words = (
        f"{rows} far from every good law. They count less in the fit (Huber loss); check whether "
        "they were measured correctly."
    )
    return words if laws.without_outliers is None else f"{words} Without them the law is:"


def _again(laws: LawSet) -> str:
    if laws.provenance.cut:
        return (
            "The time limit cut this search short: the same command may find another law on "
            "another machine."
        )
    return "The same command finds the same law, with these versions on the same rows."
