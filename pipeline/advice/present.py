"""Advice as it is handed out: record, ``advice.json``, text for the terminal, page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mtl_laws.pipeline.advice.corpus import LayerProfile, Profile
from mtl_laws.pipeline.advice.factors import FACTORS
from mtl_laws.pipeline.advice.predict import AdviceLaw, GainErrors, Suggestion
from mtl_laws.pipeline.advice.sizes import TokenCounts, same_sentences, too_many_tokens
from mtl_laws.pipeline.io.templates import templates_in
from mtl_laws.pipeline.io.textgrid import aligned
from mtl_laws.pipeline.laws.law import Law

if TYPE_CHECKING:
    from mtl_laws.pipeline.advice.check import Check

#: version of ``advice.json``
SCHEMA = 1
TEMPLATES = Path(__file__).parent / "templates"
#: characters of a line in the terminal
WIDTH = 100
#: probability of a gain from which training together is advised
LIKELY = 0.8
SCORES = {"span_f1": "span F1"}

LAYERS_NOTE = (
    "AMI (adjusted mutual information): how much the labels of two layers say about each other, "
    "from 0 (no more than chance) to 1 (one determines the other). Brackets: 95 % interval. "
    "H: entropy of a layer's labels, in nats. H(main|layer): the entropy of the main labels that "
    "remains when the layer's labels are known."
)
GAINS_NOTE = (
    "Gain: score together minus score alone, with the 95 % interval of its mean{condition}. Helps: "
    "the probability that the mean gain is above zero. AMI: relatedness to the main layer, from 0 "
    "to 1, by all labels of the corpus; the law uses an estimate from n labels. Alone: the main "
    "layer is trained by itself. Together: it is trained with the auxiliaries. One training: 95 % "
    "of single pairs of trainings, which also differ by chance, are expected in this interval."
)
OUTSIDE_NOTE = " Outside: factors that lie beyond the region the law was fitted on."
CHECK_NOTE = (
    "Gains. Measured: mean over seeds, with its 95 % interval. Both: predicted and measured gain, "
    "each weighted by the inverse of its variance."
)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The predictions of a law for a corpus. A notebook shows it as its tables.

    Attributes
    ----------
    profile, sizes : the corpus, and the training tokens the advice is for.
    target, law, laws : what is predicted, by which law, of which file.
    metric : the score that a gain is measured in.
    suggestions : one for each auxiliary, greatest predicted gain first.
    best : the best set, of one or more; None if none is predicted to help.
    warnings : limits of the predictions, in sentences.
    left_out : layers that were not considered, with the reason.
    vectors : file of the frozen vectors that taggers start from; None without them.
    errors : of the law on corpora that it has not seen, which are part of the intervals.
    check : predicted against measured; None if nothing was trained.
    """

    profile: Profile
    sizes: TokenCounts
    target: str
    metric: str
    law: Law
    laws: str
    suggestions: tuple[Suggestion, ...]
    best: Suggestion | None
    warnings: tuple[str, ...]
    left_out: Mapping[str, str]
    vectors: str | None = None
    errors: GainErrors | None = None
    check: Check | None = None

    def to_json(self) -> dict[str, Any]:
        """The record of ``advice.json``; a number that is not finite becomes null."""
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "corpus": asdict(self.profile),
            "sizes": asdict(self.sizes),
            "vectors": self.vectors,
            "metric": self.metric,
            "law": {
                "file": self.laws,
                "target": self.target,
                "expression": self.law.expression,
                "scores": dict(self.law.scores),
                "errors": self.errors and asdict(self.errors),
            },
            "suggestions": [asdict(suggestion) for suggestion in self.suggestions],
            "best": self.best and asdict(self.best),
            "warnings": list(self.warnings),
            "left_out": dict(self.left_out),
            "check": self.check and asdict(self.check),
        }
        finite: dict[str, Any] = _finite(record)
        return finite

    @property
    def sets(self) -> list[Suggestion]:
        """The suggestions, and the best set if it is not among them."""
        extra = [] if self.best is None or self.best in self.suggestions else [self.best]
        return [*self.suggestions, *extra]

    @property
    def score(self) -> str:
        """What is scored, in words."""
        return SCORES.get(self.metric, self.metric)

    def _repr_html_(self) -> str:
        return tables_html(self)


@dataclass(frozen=True)
class AdviceTable:
    """A table of text with a note on how to read it; the first column names the row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    @staticmethod
    def of(
        title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], note: str
    ) -> AdviceTable:
        """The table without the columns that are empty in every row."""
        full = [k for k in range(len(heads)) if k == 0 or any(row[k] for row in rows)]
        filled = tuple(tuple(row[k] for k in full) for row in rows)
        return AdviceTable(title, tuple(heads[k] for k in full), filled, note)


def headline(advice: Advice) -> str:
    """The advice in one or two sentences."""
    best, main = advice.best, advice.profile.main.name
    n = f"{advice.sizes.n:,} tokens"
    if best is None:
        return f"Train {main} alone: with {n}, no auxiliary layer is predicted to help."
    gain = f"{signed(best.gain.value)}{_interval(best.gain.law)} in {advice.score}"
    names = " and ".join(best.auxiliaries)
    if best.helps is not None and best.helps < LIKELY:
        return (
            f"There is not enough evidence that any layer helps {main} with {n}. The best guess is "
            f"{names}: {gain}, above zero with a probability of {_percent(best.helps)}."
        )
    sure = "" if best.helps is None else f" It helps with a probability of {_percent(best.helps)}."
    return f"Train {main} with {names}: predicted gain {gain}.{sure}"


def cautions(
    law: AdviceLaw,
    profile: Profile,
    sizes: TokenCounts,
    ranked: Sequence[Suggestion],
    frozen: bool = False,
) -> Iterator[str]:
    """Limits of the predictions that the reader should know, in sentences.

    Parameters
    ----------
    frozen : whether taggers start from frozen vectors.
    """
    main = profile.main
    if law.family != "layers":
        origin = (
            f"was found on simulated tasks ({law.family})"
            if law.family
            else "does not record which tasks it was found on"
        )
        yield (
            f"The law {origin}. Your corpus may behave differently: "
            "a check measures the gain on it."
        )
    if frozen and law.errors is None:
        yield (
            "The law does not record whether its taggers started from frozen vectors. Here only "
            "the probe reads them."
        )
    if sizes.n > main.tokens:
        yield (
            f"{main.name} labels {main.tokens:,} tokens in this corpus. The prediction is for a "
            f"corpus in which it labels {sizes.n:,}."
        )
    outside = sorted({name for one in ranked for name in one.outside})
    if outside:
        yield f"The prediction extrapolates beyond the fitted region in {', '.join(outside)}."
    excess = too_many_tokens(profile, sizes)
    if excess:
        yield (
            f"{', '.join(excess)}: fewer tokens are labelled in this corpus than are asked for; "
            "the statistics come from those that there are."
        )
    same = same_sentences(profile, sizes)
    if same:
        yield (
            f"Almost all sentences with {' or '.join(same)} labels have {main.name} labels too. "
            "The law is for auxiliary labels on other sentences: ask for fewer main tokens."
        )
    if all(key == "n" for key in law.sources.values()):
        yield "The law has no factor that depends on the auxiliaries, so it predicts no gain."
    elif set(law.sources.values()) <= {"n", "T", "n_aux"}:
        yield "The law has no measure of relatedness, so it cannot rank the layers."


def layers_table(advice: Advice) -> AdviceTable:
    """What the corpus holds, and how its layers relate to the main one."""
    profile = advice.profile
    heads = ("layer", "labels", "tokens", "H", "AMI with main", "H(main|layer)", "H(layer|main)")

    def sizes(layer: LayerProfile) -> tuple[str, ...]:
        return f"{layer.labels}", f"{layer.tokens:,}", f"{layer.entropy:.2f}"

    rows = [(f"{profile.main.name} (main)", *sizes(profile.main), "", "", "")]
    for layer in profile.auxiliaries:
        pair = profile.pairs[layer.name]
        low, high = pair.ami_ci95
        ami = f"{pair.ami:.2f} [{low:.2f}, {high:.2f}]"
        entropies = (f"{pair.h_main_given_aux:.2f}", f"{pair.h_aux_given_main:.2f}")
        rows.append((layer.name, *sizes(layer), ami, *entropies))
    return AdviceTable.of("Layers", heads, rows, LAYERS_NOTE)


def gains_table(advice: Advice) -> AdviceTable:
    """What the law predicts."""
    alone = f"{advice.score} alone"
    heads = ("auxiliaries", "gain", "helps", "AMI", alone, "together", "one training", "outside")
    rows = []
    for one in advice.sets:
        amis = [advice.profile.pairs[name].ami for name in one.auxiliaries]
        rows.append(
            (
                _name(one) + (" (best)" if one == advice.best else ""),
                f"{signed(one.gain.value)}{_interval(one.gain.law)}",
                "" if one.helps is None else _percent(one.helps),
                f"{sum(amis) / len(amis):.2f}",
                "" if one.alone is None else f"{one.alone.value:.3f}",
                "" if one.together is None else f"{one.together.value:.3f}",
                _interval(one.gain.run).strip(),
                ", ".join(one.outside),
            )
        )
    uncertainty = advice.law.uncertainty
    # laws of older files have no intervals that include other forms of the law
    older = uncertainty is None or not (uncertainty.rivals or uncertainty.drift)
    condition = ", if the form of the law is right" if older and not advice.errors else ""
    note = GAINS_NOTE.format(condition=condition)
    if any(one.outside for one in advice.sets):
        note += OUTSIDE_NOTE
    title = f"Predictions for n = {advice.sizes.n:,} training tokens of {advice.profile.main.name}"
    title += "" if advice.vectors is None else ", on frozen vectors"
    return AdviceTable.of(title, heads, rows, note)


def check_table(check: Check) -> AdviceTable:
    """Predicted against measured gains."""
    heads = ("auxiliaries", "predicted", "measured", "both", "alone", "together", "seeds")
    rows = [
        (
            _name(one.predicted),
            f"{signed(one.predicted.gain.value)}{_interval(one.predicted.gain.law)}",
            f"{signed(one.gain)}{_interval(one.gain_ci95)}",
            f"{signed(one.updated.value)}{_interval(one.updated.law)}",
            f"{one.alone:.3f}",
            f"{one.together:.3f}",
            str(one.seeds),
        )
        for one in check.results
    ]
    title = (
        f"Check with n = {check.n:,} training tokens, {check.n_aux:,} of each auxiliary and "
        f"{check.test_tokens:,} test tokens"
    )
    return AdviceTable.of(title, heads, rows, CHECK_NOTE)


def tables(advice: Advice) -> list[AdviceTable]:
    """All tables, the answer first."""
    checked = [] if advice.check is None else [check_table(advice.check)]
    return [gains_table(advice), *checked, layers_table(advice)]


def as_text(advice: Advice) -> str:
    """The advice for a terminal."""
    shown = tables(advice)
    limits = [*advice.warnings, *(f"Left out: {line}" for line in left_out_lines(advice.left_out))]
    parts = [
        headline(advice),
        *(f"{table.title}:\n{aligned((table.heads, *table.rows))}" for table in shown),
        "\n".join(f"- {limit}" for limit in limits),
        "\n".join(["How to read it:", *(textwrap.fill(table.note, WIDTH) for table in shown)]),
    ]
    return "\n\n".join(part for part in parts if part)


def left_out_lines(left_out: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each reason, with the layers that were left out for it."""
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, why in left_out.items() if why == reason]
        yield f"{', '.join(names)}{'; each' if len(names) > 1 else ''} {reason}."


def tables_html(advice: Advice) -> str:
    """The tables of an advice, for a page or a notebook."""
    return templates_in(TEMPLATES).get_template("tables.html.j2").render(tables=tables(advice))


def advice_html(advice: Advice) -> str:
    """The whole page: one file without script or network, for light and dark screens."""
    from mtl_laws.pipeline.report.figures.canvas import theme_variables
    from mtl_laws.pipeline.symbolic.typeset import formula_markup
    from mtl_laws.pipeline.symbolic.typeset.mathml import left_side

    used = [name for name in advice.law.factors if advice.law.uses(name)]
    meanings = [f"{name}: {FACTORS[name]}" for name in used if name in FACTORS]
    page = templates_in(TEMPLATES).get_template("advice.html.j2")
    formula = left_side(advice.target) + formula_markup(advice.law.expression, digits=3)
    return page.render(
        light=theme_variables("light"),
        dark=theme_variables("dark"),
        style=Markup((TEMPLATES / "advice.css").read_text(encoding="utf-8")),
        advice=advice,
        headline=headline(advice),
        chart=gain_chart(advice),
        tables=Markup(tables_html(advice)),
        formula=Markup(formula),
        meanings="; ".join(meanings),
        left_out=tuple(left_out_lines(advice.left_out)),
    )


def gain_chart(advice: Advice) -> Markup:
    """The predicted gains with their intervals as an SVG; empty if no gain is defined."""
    from mtl_laws.pipeline.report.figures.intervals import IntervalRow, draw_intervals
    from mtl_laws.pipeline.report.figures.svg import inline_svg

    shown = [one for one in advice.sets if math.isfinite(one.gain.value)]
    if not shown:
        return Markup("")
    texts = [f"{_name(one)} {signed(one.gain.value)}{_interval(one.gain.law)}" for one in shown]
    rows = [
        IntervalRow(
            label=_name(one), value=one.gain.value, narrow=one.gain.law, wide=one.gain.run, tip=text
        )
        for one, text in zip(shown, texts, strict=True)
    ]
    drawing = draw_intervals(
        rows,
        name="gains",
        title="Predicted gains",
        axis=f"gain in {advice.score}",
        alt=f"{headline(advice)} Predicted gains: {'; '.join(texts)}.",
    )
    return Markup(inline_svg(drawing))


def signed(value: float) -> str:
    """A gain with its sign, without one if it rounds to 0; `undefined` for nan."""
    if not math.isfinite(value):
        return "undefined"
    text = f"{value:+.3f}"
    return text if float(text) else text[1:]


def _percent(probability: float) -> str:
    """A probability as whole percent, never 0 or 100."""
    return f"{min(max(round(100 * probability), 1), 99)} %"


def _name(one: Suggestion) -> str:
    return " + ".join(one.auxiliaries)


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" [{signed(ends[0])}, {signed(ends[1])}]"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
