"""Advice: a user's corpus and a law give the gain to expect from each auxiliary layer.

>>> from mtl_laws import advise
>>> advise("corpus.conllu", "upos")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from typing_extensions import Unpack

from mtl_laws.pipeline.advice.factors import Sizes, sources
from mtl_laws.pipeline.advice.page import ShownAdvice, advice_html
from mtl_laws.pipeline.advice.prediction import Oracle, Suggestion
from mtl_laws.pipeline.advice.profile import profile
from mtl_laws.pipeline.advice.question import (
    Question,
    choose_layers,
    open_corpus,
    same_sentences,
    sizes_of,
)
from mtl_laws.pipeline.advice.record import Advice
from mtl_laws.pipeline.advice.word_table import Lookup
from mtl_laws.pipeline.columns import RESULTS_NAME
from mtl_laws.pipeline.errors import UserError, check_settings
from mtl_laws.pipeline.fit import make_folder
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet

if TYPE_CHECKING:
    from mtl_laws.pipeline.advice.check import Plan, Progress

#: the laws of gains and of the score alone that ship (`benchmarks/advice_law.py`)
SHIPPED = Path(str(resources.files("mtl_laws.pipeline") / "advice"))
DEFAULT_LAWS, DEFAULT_ALONE = SHIPPED / "laws.json", SHIPPED / "alone.json"


class AdviceSettings(TypedDict, total=False):
    """What may be left out; each means what the option of `mtl-laws advise` of its name means."""

    aux: Sequence[str]
    laws: Path | str | None
    tokens: int | None
    aux_tokens: int | None
    columns: Sequence[str] | None


def advise(
    corpus: Path | str | Sequence[Path | str],
    main: str,
    check: bool = False,
    progress: Progress | None = None,
    **settings: Unpack[AdviceSettings],
) -> Advice:
    """Predict what each auxiliary layer of a corpus would do for the main one.

    Parameters
    ----------
    corpus : one file or several, read one after another: CoNLL columns, CoNLL-U or JSONL.
    main : layer of the main task.
    check : whether to train the top suggestions on the corpus, too.
    progress : called with stage, done and total.
    settings : aux, laws, tokens, aux_tokens, columns; see `AdviceSettings`.

    Raises
    ------
    UserError
        if corpus, law and settings do not go together; the path is the argument.
    """
    check_settings("advise", settings, AdviceSettings.__annotations__)
    files = [corpus] if isinstance(corpus, str | Path) else corpus
    laws, columns = settings.get("laws"), settings.get("columns")
    question = Question(
        tuple(map(Path, files)),
        main,
        tuple(settings.get("aux", ())),
        None if laws is None else Path(laws),
        settings.get("tokens"),
        settings.get("aux_tokens"),
        None if columns is None else tuple(columns),
    )
    plan = None
    if check:
        from mtl_laws.pipeline.advice.check import Plan

        plan = Plan()
    return answer_question(question, plan, progress)


def answer_question(
    question: Question, plan: Plan | None = None, progress: Progress | None = None
) -> ShownAdvice:
    """Predict what each auxiliary layer of a corpus would do for the main one.

    Parameters
    ----------
    plan : what to train to check the advice; None trains nothing.
    progress : called with a stage, how much of it is done, and its total.

    Raises
    ------
    UserError
        if the corpus, the law and the options do not go together; the field is the option.
    """
    law, target, used, family, lower = law_of(question.laws or DEFAULT_LAWS)
    corpus = open_corpus(question)
    choice = choose_layers(question, corpus)
    known = profile(corpus, choice.main, choice.auxiliaries)
    sizes = sizes_of(question, corpus, known)
    alone = law_of(DEFAULT_ALONE)[0] if question.laws is None else None
    oracle = Oracle(law, target, used, known, Lookup(corpus, choice.main), alone, lower)
    singles = oracle.predict(sizes, [(name,) for name in choice.auxiliaries])
    if not any(np.isfinite(one.gain.value) for one in singles):
        expected = f"a law that has a value at n = {sizes.n} with and without auxiliaries"
        raise UserError("laws", expected, str(question.laws or DEFAULT_LAWS))
    best = oracle.best_set(sizes, singles)
    ranked = tuple(sorted(singles, key=_order))
    checked = None
    if plan is not None:
        sets = [one.auxiliaries for one in ranked[: plan.top]]
        if best is not None and best.auxiliaries not in sets:
            sets.append(best.auxiliaries)
        from mtl_laws.pipeline.advice.check import check

        report = progress or (lambda stage, done, total: None)
        checked = check(oracle, question.reading, sizes, sets, plan, report)
    name = "the law that comes with mtl-laws" if question.laws is None else str(question.laws)
    warnings = tuple(_warnings(oracle, sizes, ranked, family))
    return ShownAdvice(
        known, sizes, target, law, name, ranked, best, warnings, choice.left_out, checked
    )


def law_of(path: Path) -> tuple[Law, str, dict[str, str], str, bool]:
    """The selected law of a file, its target, its factors' sources, and the family it is of.

    Last, whether a lower target is better.

    Raises
    ------
    UserError
        if it is no ``laws.json``, has no selected law, or one with factors that a corpus does not
        determine.
    """
    laws = LawSet.load(path)
    if laws.selected is None:
        raise UserError("laws", "a laws.json that has a selected law", str(path))
    if laws.selected.levels:
        raise UserError("laws", "a law that has the same constants in all groups", str(path))
    law = laws.with_region(laws.selected)
    used = sources([name for name in laws.factors if law.uses(name)], laws.data.columns, str(path))
    return law, laws.target, used, _family(path, laws), laws.data.lower_is_better


def _family(path: Path, laws: LawSet) -> str:
    """The task family that the laws were found on; empty where nothing says it."""
    if laws.provenance.family:
        return laws.provenance.family
    table = path.parent / RESULTS_NAME
    if not table.is_file():
        return ""
    from mtl_laws.pipeline.io.tablefile import read_table

    rows = read_table(table)
    return ", ".join(sorted(set(rows["family"]))) if "family" in rows else ""


def _order(suggestion: Suggestion) -> tuple[bool, float]:
    gain = suggestion.gain.value
    return not np.isfinite(gain), -gain


def _warnings(
    oracle: Oracle, sizes: Sizes, ranked: tuple[Suggestion, ...], family: str
) -> list[str]:
    said = []
    if family != "layers":
        found = (
            f"The law was found on tasks of the family {family}"
            if family
            else "Nothing says on which family of tasks the law was found"
        )
        said.append(f"{found}; layers of a corpus may behave otherwise: see --check.")
    main = oracle.profile.main
    if sizes.n > main.tokens:
        said.append(
            f"--tokens {sizes.n:,} is more than the {main.tokens:,} that {main.name} labels here: "
            "the prediction is for a corpus that has as many."
        )
    outside = sorted({name for one in ranked for name in one.outside})
    if outside:
        said.append(f"Outside the fitted region in {', '.join(outside)}: an extrapolation.")
    same = same_sentences(oracle.profile, sizes)
    if same:
        said.append(
            f"No sentences beyond the main layer's for {', '.join(same)}: the law is about "
            "auxiliary labels on sentences of their own; --tokens asks about fewer main labels."
        )
    if not any(source != "n" for source in oracle.sources.values()):
        said.append("The law uses no factor that an auxiliary changes: it sees no gain anywhere.")
    return said


def check_out(out: Path) -> None:
    """Refuse a folder that cannot be one, before any work is done for it.

    Raises
    ------
    UserError
        if there is a file in its place.
    """
    if any(path.exists() and not path.is_dir() for path in (out, *out.parents)):
        raise UserError("out", "a folder, or a name that no file has", str(out))


def write_advice(advice: Advice, out: Path) -> None:
    """Write ``advice.json`` and ``advice.html`` into a folder, made where it does not exist.

    Raises
    ------
    UserError
        if the folder cannot be made.
    """
    make_folder(out)
    record = json.dumps(advice.to_json(), indent=1, allow_nan=False)
    write_whole(out / "advice.json", record + "\n")
    write_whole(out / "advice.html", advice_html(advice))
