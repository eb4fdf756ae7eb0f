"""Advice for a corpus, in a notebook: the question of `mtl-laws advise` as one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from typing_extensions import Unpack

from pipeline.notebook.arguments import check_settings

if TYPE_CHECKING:
    from pipeline.advice.record import Advice
    from pipeline.laws.search import Progress


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
    from pipeline.advice.advising import advise as answer
    from pipeline.advice.check import Plan
    from pipeline.advice.question import Question

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
    return answer(question, Plan() if check else None, progress)
