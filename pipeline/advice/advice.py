"""Advice: the gain to expect from each auxiliary layer of a user's corpus.

>>> from mtl_laws import advise
>>> advise("corpus.conllu", "upos")  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from typing_extensions import Unpack

from mtl_laws.pipeline.advice.corpus import (
    CorpusFiles,
    choose_layers,
    frozen_vectors,
    open_corpus,
    profile,
)
from mtl_laws.pipeline.advice.evidence import Evidence
from mtl_laws.pipeline.advice.factors import sources
from mtl_laws.pipeline.advice.predict import AdviceLaw, GainErrors, GainPredictor
from mtl_laws.pipeline.advice.present import Advice, advice_html, cautions
from mtl_laws.pipeline.advice.sizes import token_counts
from mtl_laws.pipeline.columns import RESULTS_NAME
from mtl_laws.pipeline.errors import UserError, check_settings, nearest
from mtl_laws.pipeline.io.wholefile import make_folder, write_whole
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.simulator.span_marks import has_spans

if TYPE_CHECKING:
    from mtl_laws.pipeline.advice.check import CheckPlan, StageProgress

#: what ships for every metric, without and with frozen vectors: laws of the gain and of the score
#: alone, and the errors of the former on corpora that were left out (`benchmarks/advice_law.py`)
SHIPPED = Path(str(resources.files("mtl_laws.pipeline") / "advice" / "shipped"))
METRICS = ("accuracy", "span_f1")


@dataclass(frozen=True, kw_only=True)
class AdviceRequest:
    """A request for advice.

    Attributes
    ----------
    corpus : files, and how they are read.
    main : the main layer.
    auxiliaries : layers to consider; every usable one if empty.
    laws : a ``laws.json``; None for the law that ships.
    n, n_aux : training tokens; None for what the corpus has.
    metric : what a gain is measured in, of `METRICS`; None for span F1 where the labels of the main
        layer mark spans, and accuracy elsewhere.
    """

    corpus: CorpusFiles
    main: str
    auxiliaries: tuple[str, ...] = ()
    laws: Path | None = None
    n: int | None = None
    n_aux: int | None = None
    metric: str | None = None


class AdviceSettings(TypedDict, total=False):
    """Optional settings of `advise`, named like the options of `mtl-laws advise`."""

    aux: Sequence[str]
    laws: Path | str | None
    tokens: int | None
    aux_tokens: int | None
    columns: Sequence[str] | None
    word_column: str | int | None
    skip: Sequence[str]
    format: str | None
    metric: str | None
    vectors: Path | str | None


def advise(
    corpus: Path | str | Sequence[Path | str],
    main: str,
    check: bool = False,
    progress: StageProgress | None = None,
    **settings: Unpack[AdviceSettings],
) -> Advice:
    """The predicted gain from each auxiliary layer of a corpus for the main one.

    Parameters
    ----------
    corpus : one file or several, read one after another: CoNLL columns, CoNLL-U or JSONL.
    main : layer of the main task.
    check : whether to train the top suggestions on the corpus as well.
    progress : called with stage, done and total.
    settings : aux, laws, tokens, aux_tokens, columns, word_column, skip, format, metric,
        vectors; see `AdviceSettings`.

    Raises
    ------
    UserError
        if corpus, law and settings do not fit together; the path is the argument.
    """
    check_settings("advise", settings, AdviceSettings.__annotations__)
    laws, columns = settings.get("laws"), settings.get("columns")
    words, vectors = settings.get("word_column"), settings.get("vectors")
    files = CorpusFiles(
        paths=tuple(map(Path, [corpus] if isinstance(corpus, str | Path) else corpus)),
        columns=None if columns is None else tuple(columns),
        words=None if words is None else str(words),
        skip=tuple(settings.get("skip", ())),
        format=settings.get("format"),
        vectors=None if vectors is None else Path(vectors),
    )
    request = AdviceRequest(
        corpus=files,
        main=main,
        auxiliaries=tuple(settings.get("aux", ())),
        laws=None if laws is None else Path(laws),
        n=settings.get("tokens"),
        n_aux=settings.get("aux_tokens"),
        metric=settings.get("metric"),
    )
    plan = None
    if check:
        from mtl_laws.pipeline.advice.check import CheckPlan

        plan = CheckPlan()
    return answer_request(request, plan, progress)


def answer_request(
    request: AdviceRequest, plan: CheckPlan | None = None, progress: StageProgress | None = None
) -> Advice:
    """The advice for a request.

    Parameters
    ----------
    plan : what to train to check the advice; None trains nothing.
    progress : called with a stage, how much of it is done, and its total.

    Raises
    ------
    UserError
        if the corpus, the law and the request do not fit together; the path is the argument.
    """
    if request.metric not in (None, *METRICS):
        raise UserError("metric", nearest(request.metric, METRICS), request.metric)
    given = None if request.laws is None else load_law(request.laws)
    corpus = open_corpus(request.corpus)
    layers = choose_layers(corpus, request.main, request.auxiliaries)
    spans = has_spans(corpus.layers[layers.main].names)
    if request.metric == "span_f1" and not spans:
        expected = f"accuracy: the labels of {layers.main} mark no spans (B-, I-, …)"
        raise UserError("metric", expected, request.metric)
    usual = "span_f1" if spans and given is None else "accuracy"
    metric = request.metric or usual
    vectors = frozen_vectors(request.corpus, corpus)
    shipped = metric if vectors is None else f"{metric}-vectors"
    law, alone = (given, None) if given else (shipped_law(shipped), shipped_alone(shipped))
    corpus_profile = profile(corpus, layers.main, layers.auxiliaries)
    sizes = token_counts(corpus_profile, request.n, request.n_aux)
    evidence = Evidence(corpus, layers.main, sizes, vectors=vectors)
    predictor = GainPredictor(law=law, evidence=evidence, alone=alone)
    singles = predictor.predict([(name,) for name in layers.auxiliaries])
    if not any(np.isfinite(one.gain.value) for one in singles):
        expected = f"a law that has a value at n = {sizes.n} with and without auxiliaries"
        raise UserError("laws", expected, str(request.laws or SHIPPED))
    best = predictor.best_set(singles)
    order = sorted(singles, key=lambda one: (not np.isfinite(one.gain.value), -one.gain.value))
    advice = Advice(
        profile=corpus_profile,
        sizes=sizes,
        target=law.target,
        metric=metric if given is None else law.target,
        law=law.law,
        laws="the law that comes with mtl-laws" if given is None else str(request.laws),
        suggestions=tuple(order),
        best=best,
        warnings=tuple(cautions(law, corpus_profile, sizes, singles, vectors is not None)),
        vectors=None if vectors is None else vectors.source,
        left_out=layers.left_out,
        errors=law.errors,
    )
    if plan is None:
        return advice
    from mtl_laws.pipeline.advice.check import check

    sets = [one.auxiliaries for one in advice.sets if one == best or one in order[: plan.top]]
    options = request.corpus.options
    report = progress or (lambda stage, done, total: None)
    encoder = "bilstm" if vectors is None else "vectors_bilstm"
    plan = replace(plan, metric=metric, encoder=encoder)
    return replace(advice, check=check(predictor, corpus_profile, options, sets, plan, report))


def shipped_law(name: str) -> AdviceLaw:
    """The law of gains that ships under a name, with its errors on corpora that were left out."""
    errors = json.loads((SHIPPED / f"{name}-errors.json").read_text(encoding="utf-8"))
    return replace(load_law(SHIPPED / f"{name}.json"), errors=GainErrors(**errors))


def shipped_alone(name: str) -> Law | None:
    """The law of the score alone that ships under a name, if there is one."""
    path = SHIPPED / f"{name}-alone.json"
    return load_law(path).law if path.exists() else None


def load_law(path: Path) -> AdviceLaw:
    """The selected law of a file.

    Raises
    ------
    UserError
        if the file is no ``laws.json``, has no selected law, or one with factors that a corpus
        does not determine.
    """
    laws = LawSet.load(path)
    if laws.selected is None:
        raise UserError("laws", "a laws.json that has a selected law", str(path))
    if laws.selected.levels:
        raise UserError("laws", "a law that has the same constants in all groups", str(path))
    law = laws.with_region(laws.selected)
    used = [name for name in laws.factors if law.uses(name)]
    return AdviceLaw(
        law=law,
        target=laws.target,
        sources=sources(used, laws.data.columns, str(path)),
        family=_family(path, laws),
        lower_is_better=laws.data.lower_is_better,
    )


def check_out(out: Path) -> None:
    """Refuse an output folder that cannot be made, before any work is done.

    Raises
    ------
    UserError
        if a file has its name or the name of a folder above it.
    """
    if any(path.exists() and not path.is_dir() for path in (out, *out.parents)):
        raise UserError("out", "a folder, or a name that no file has", str(out))


def write_advice(advice: Advice, out: Path) -> None:
    """Write ``advice.json`` and ``advice.html`` into a folder, created if missing.

    Raises
    ------
    UserError
        if the folder cannot be made.
    """
    make_folder(out)
    record = json.dumps(advice.to_json(), indent=1, allow_nan=False)
    write_whole(out / "advice.json", record + "\n")
    write_whole(out / "advice.html", advice_html(advice))


def _family(path: Path, laws: LawSet) -> str:
    """The task family that the laws were found on; empty if it is not recorded."""
    if laws.provenance.family:
        return laws.provenance.family
    table = path.parent / RESULTS_NAME
    if not table.is_file():
        return ""
    from mtl_laws.pipeline.io.tablefile import read_table

    rows = read_table(table)
    return ", ".join(sorted(set(rows["family"]))) if "family" in rows else ""
