"""Active design: a study that trains its trials in rounds, the most telling ones first.

Every round chooses trials by the rows so far, and records them in `DESIGN_NAME` before it trains
them. The choice depends only on the rows of the rounds before and on the study. A run that was
killed therefore resumes with the same trials, in the same groups, as an undisturbed run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_laws.pipeline.columns import RESULTS_NAME, ordinary_rows
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.tablefile import read_table
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.study.controls import CONTROLS, marked, single_task_twin
from mtl_laws.pipeline.study.digest import digest
from mtl_laws.pipeline.study.preflight import asked_table, question_of

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.design.knowledge import Knowledge
    from mtl_laws.pipeline.laws.design.proposal import Proposal
    from mtl_laws.pipeline.study.study import Study
    from mtl_laws.pipeline.study.trials import Trial

DESIGN_NAME = "design.json"
"""File in the folder of a run: the trials of every round of an active design."""

FULL_SHARE = 0.25
"""Fraction of all trials that an active design trains where the study gives no budget."""

BATCHES = 5
"""Rounds in which that budget is spent where the study gives no batch."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of an active design.

    Attributes
    ----------
    trials : digests of what it trains; empty in the record of the end.
    width : half the width of the design interval when it began; None in a first design.
    share : cost of all rounds up to this one, as a fraction of that of all trials.
    predicted : target of the first trials as the rounds before predict it; empty in a first design.
    """

    trials: tuple[str, ...]
    width: float | None
    share: float
    predicted: tuple[float, ...] = ()


@dataclass(frozen=True)
class Runner:
    """What the rounds need of the run.

    Attributes
    ----------
    train : trains those of the trials that have no row yet, under the title of their round.
    table : the results of all rows, with controls.
    folder : of the run.
    """

    train: Callable[[Sequence[Trial], str], None]
    table: Callable[[], pd.DataFrame]
    folder: Path


def train_rounds(study: Study, trials: Sequence[Trial], run: Runner) -> list[Round]:
    """Choose and train, round by round, until the budget is spent or the law is certain enough."""
    by_digest = {trial.digest: trial for trial in trials}
    rounds = [one for one in read_rounds(run.folder) if one.trials]
    most = most_trials(study, trials)
    for k, one in enumerate(rounds, 1):  # one by one: the groups are those of an undisturbed run
        present = [by_digest[name] for name in one.trials if name in by_digest]
        run.train(present, _title(study, trials, rounds, k))
    while True:
        following = _next_round(study, trials, rounds, run)
        rounds.append(following)
        write_whole(run.folder / DESIGN_NAME, _text(rounds, most))
        if not following.trials:
            return rounds
        title = _title(study, trials, rounds, len(rounds))
        run.train([by_digest[name] for name in following.trials], title)


def most_trials(study: Study, trials: Sequence[Trial]) -> int:
    """How many of the trials an active design trains at most; all where its budget is of seconds.

    What the gains of the last round are measured against comes on top of the budget.
    """
    if study.design.seconds is not None:
        return len(trials)
    limit = int(np.ceil(_limit(study, trials)))
    ordinary = sum(trial.control is None for trial in trials)
    companions = max(len(_companions(trial, study)) for trial in trials)
    if not companions:
        return min(limit, ordinary)
    return min(limit + companions * min(_batch_size(study, trials), limit), len(trials))


def _limit(study: Study, trials: Sequence[Trial]) -> float:
    """Trials that the budget allows."""
    return study.design.budget or max(FULL_SHARE * len(trials), 1.0)


def _batch_size(study: Study, trials: Sequence[Trial]) -> int:
    """Trials of a round, without what their gains are measured against."""
    share = (study.design.budget or FULL_SHARE * len(trials)) / BATCHES
    return study.design.batch or max(round(share), 1)


def _title(study: Study, trials: Sequence[Trial], rounds: Sequence[Round], place: int) -> str:
    """``round 2 of 5``; without the last number where the budget is of seconds.

    Parameters
    ----------
    rounds : all that are chosen so far.
    place : of the round among them, from 1.
    """
    if study.design.seconds is not None:
        return f"round {place}"
    spent = sum(len(one.trials) for one in rounds)
    limit = min(_limit(study, trials), sum(trial.control is None for trial in trials))
    total = len(rounds) + int(np.ceil(max(limit - spent, 0) / _batch_size(study, trials)))
    early = study.design.until is not None or study.laws.target.startswith("gain")
    return f"round {place} of {'at most ' if early else ''}{total}"


def models_to_train(folder: Path, done: int, trials: int) -> tuple[int, bool]:
    """How many models a run trains, and whether that is only the most it may train.

    Parameters
    ----------
    folder : of the run, with an active design or without.
    done : trials that have a row.
    trials : all trials of the study, which count where there are rows that no round chose.
    """
    rounds, most = _read(folder)
    chosen = sum(len(one.trials) for one in rounds)
    if not rounds or done > chosen:
        return trials, False
    if not rounds[-1].trials:
        return chosen, False
    return max(chosen, trials if most is None else most), True


def read_rounds(folder: Path) -> list[Round]:
    """The rounds that a folder records; none without a file.

    Raises
    ------
    UserError
        if the file is not one that a run wrote.
    """
    return _read(folder)[0]


def _read(folder: Path) -> tuple[list[Round], int | None]:
    """The rounds, and the most trials of all rounds; None in the file of an older version."""
    path = folder / DESIGN_NAME
    if not path.exists():
        return [], None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rounds = [
            Round(
                trials=tuple(map(str, one["trials"])),
                width=None if one["width"] is None else float(one["width"]),
                share=float(one["share"]),
                predicted=tuple(map(float, one.get("predicted", ()))),
            )
            for one in content["rounds"]
        ]
        most = content.get("most")
        return rounds, None if most is None else int(most)
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise UserError(str(path), "the rounds that a run recorded", "another content") from error


def _text(rounds: Sequence[Round], most: int) -> str:
    return json.dumps({"most": most, "rounds": [asdict(one) for one in rounds]}, indent=1) + "\n"


def rounds_of(folder: Path, target: str) -> pd.DataFrame | None:
    """The rounds of a run, one row each, for its report; None where it has no active design.

    Returns
    -------
    Columns: trials so far, their ``seconds``, ``share`` of the cost of all trials, ``width`` after
    the round, and ``error``: root mean square of outcome − prediction, over the trials of the round
    that the rounds before predicted; nan where nothing is known, as is the width after the last
    round of a run that did not end.

    Raises
    ------
    UserError
        if a file of the folder is not one that a run wrote.
    """
    rounds = read_rounds(folder)
    if not any(one.trials for one in rounds):
        return None
    rows = read_table(folder / RESULTS_NAME).set_index("trial")
    records: list[dict[str, float]] = []
    spent: list[str] = []
    for one, following in zip_longest(rounds, rounds[1:]):
        if not one.trials:
            continue
        spent += [name for name in one.trials if name in rows.index]
        known = dict(zip(one.trials, one.predicted, strict=False))
        errors = [rows[target].get(name, np.nan) - value for name, value in known.items()]
        squares = np.square(errors)[np.isfinite(errors)]
        records.append(
            {
                "trials": len(spent),
                "seconds": float(rows.loc[spent, "seconds"].sum()),
                "share": one.share,
                "width": np.nan
                if following is None or following.width is None
                else following.width,
                "error": float(np.sqrt(squares.mean())) if len(squares) else np.nan,
            }
        )
    return pd.DataFrame(records)


def _next_round(
    study: Study, trials: Sequence[Trial], rounds: Sequence[Round], run: Runner
) -> Round:
    """The next round; without trials where there is nothing left to do."""
    chosen = {name for one in rounds for name in one.trials}
    ordinary = [trial for trial in trials if trial.control is None]
    free = [trial for trial in ordinary if trial.digest not in chosen]
    table = run.table()
    spent = float(table["seconds"].sum()) if study.design.seconds else float(len(chosen))
    limit = study.design.seconds or _limit(study, trials)
    knowledge = _knowledge(study, table)
    proposal = None
    if free and spent < limit:
        budget, count = _batch(study, limit, spent, table, chosen, trials)
        proposal = _proposal(study, knowledge, ordinary, free, count, budget)
    last = proposal is None
    if proposal is None:
        proposal = _proposal(study, knowledge, ordinary, ordinary, 1, None)
    assert proposal is not None, "without a budget some trial can be chosen"
    width = float(proposal.before) if np.isfinite(proposal.before) else None
    if width is not None and study.design.until is not None and width <= study.design.until:
        last = True
    if last:
        return Round(trials=(), width=width, share=rounds[-1].share if rounds else 0.0)
    names = [free[k].digest for k in proposal.trials.index]
    wanted = {name for k in proposal.trials.index for name in _companions(free[k], study)}
    available = {trial.digest for trial in trials} - chosen - set(names)
    names += sorted(wanted & available)
    total = sum(trial.cost for trial in trials)
    done = sum(trial.cost for trial in trials if trial.digest in chosen | set(names))
    predicted = () if width is None else tuple(map(float, proposal.predicted))
    return Round(trials=tuple(names), width=width, share=done / total, predicted=predicted)


def _batch(
    study: Study,
    limit: float,
    spent: float,
    table: pd.DataFrame,
    chosen: set[str],
    trials: Sequence[Trial],
) -> tuple[float | None, int]:
    """Cost and trials of the next round."""
    count = _batch_size(study, trials)
    if study.design.seconds is None:
        return None, int(min(count, np.ceil(limit - spent)))
    cost = sum(trial.cost for trial in trials if trial.digest in chosen)
    per_unit = float(table["seconds"].sum()) / cost if cost else 0.0
    return ((limit - spent) / per_unit if per_unit else None), count


def _knowledge(study: Study, table: pd.DataFrame) -> Knowledge:
    """What the rows so far say, by the user's own forms and the published ones."""
    from dataclasses import replace

    from mtl_laws.pipeline.laws.design.knowledge import Knowledge

    question = replace(question_of(study, 1, None), forms=())
    rows = ordinary_rows(table) if len(table) else table
    knowledge = Knowledge.of_table(rows, question, "results")
    own = question_of(study, 1, None).own_forms()
    forms = tuple(dict.fromkeys([*own, *knowledge.forms])) if knowledge.forms else ()
    return replace(knowledge, forms=forms, open_rows=None)


def _proposal(
    study: Study,
    knowledge: Knowledge,
    ordinary: Sequence[Trial],
    free: Sequence[Trial],
    count: int,
    budget: float | None,
) -> Proposal | None:
    from mtl_laws.pipeline.laws.design.proposal import Request, propose

    names = [*knowledge.factors.values(), *knowledge.groups]
    candidates = asked_table(free, names)
    candidates["cost"] = [trial.cost for trial in free]
    cheapest = float(candidates["cost"].min())
    if budget is not None and budget < cheapest:
        return None
    goal = asked_table(ordinary, names).drop_duplicates(ignore_index=True)
    request = Request(
        candidates=candidates,
        cost="cost",
        count=count,
        budget=budget,
        goal=None if study.laws.domain else goal,
        domain=dict(study.laws.domain),
        repeats=True,
        replicates=False,
        seed=study.laws.seed,
    )
    return propose(knowledge, request)


def _companions(trial: Trial, study: Study) -> list[str]:
    """Digests of the trials that a gain of this one is measured against."""
    target = study.laws.target
    if not target.startswith("gain") or trial.task.tasks == 1:
        return []
    description = trial.to_json()
    if target == "gain":
        return [digest(single_task_twin(description))]
    name = target.removeprefix("gain_")
    plain = CONTROLS[name](description)
    return [digest(marked(name, plain)), digest(plain)]
