"""Trials: the single training runs that a study asks for, and how they are put into groups.

Notation
--------
T : tasks trained together, main included (`TaskSpec.tasks`).
n : training tokens of the main task (`TaskSpec.tokens`).
B : trials of one group, trained as one stack.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, cast

from mtl_laws.pipeline.columns import GLOSSARY, MARK
from mtl_laws.pipeline.errors import UserError, from_simulator, nearest, renamed
from mtl_laws.pipeline.study.controls import CONTROLS, marked
from mtl_laws.pipeline.study.digest import Json, canonical, digest
from mtl_laws.pipeline.study.study import SHORT_NAMES, FamilyBlock, Scalar, Study, unknown_factor
from mtl_laws.pipeline.training import TrainingSettings, max_group
from mtl_laws.simulator import SpecError, TaskSpec, check_spec

MAX_TRIALS = 1_000_000
"""More than this is refused: `docs/scaling.md` says what a million trials need."""

STEPS_PER_UNIT = 40
"""Steps of a model that stops early, as a multiple of the cube root of its tokens."""

TASK_KEYS = tuple(f.name for f in fields(TaskSpec) if f.name not in ("family", "options"))
TRAINING_KEYS = tuple(f.name for f in fields(TrainingSettings))


@dataclass(frozen=True)
class Trial:
    """One training run, fully described.

    Parameters
    ----------
    task : the tasks and their relatedness.
    settings : architecture and training.
    seed : of the tasks and of the training.
    control : the control that the run is (`pipeline.study.controls`); None for an ordinary run.
    """

    task: TaskSpec
    settings: TrainingSettings
    seed: int
    control: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The whole description; `from_json` is its inverse."""
        record: dict[str, Json] = {
            "task": cast(Json, self.task.to_json()),
            "training": self.settings.to_json(),
            "seed": self.seed,
        }
        return record if self.control is None else marked(self.control, record)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trial:
        """The trial that `to_json` described."""
        settings = TrainingSettings.from_json(record["training"])
        spec = TaskSpec.from_json(record["task"])
        return cls(spec, settings, int(record["seed"]), record.get(MARK))

    @cached_property
    def digest(self) -> str:
        """The name of the trial in the store: the digest of its canonical description."""
        return digest(self.to_json())

    @property
    def cost(self) -> float:
        """Expected training time in units of its own: for the order of groups and time left.

        One step costs as much as its T tasks; early stopping lets the steps grow about as n^(1/3),
        as measured from n = 40 to 4,000; without it, all allowed steps are made.
        """
        early = math.cbrt(self.task.tokens)
        steps = early if self.settings.patience else self.settings.max_steps / STEPS_PER_UNIT
        return self.task.tasks * steps


def single_task(spec: TaskSpec) -> TaskSpec:
    """The same main task alone: what belongs to the auxiliaries is set to its neutral value."""
    return replace(spec, tasks=1, ami=None, aux_tokens=None, shared=False)


def expand(study: Study) -> list[Trial]:
    """Every trial of `study`, each once: the full factorial of its factors times its seeds.

    A combination with T = 1 has no auxiliary task: all its levels of AMI and of auxiliary sizes are
    one trial, whose AMI is null. With `stl`, that trial is added at every level of the others. With
    `controls`, those of every multi-task trial are added, where they are not trials already.

    Raises
    ------
    UserError : a factor, option or setting that simulator or trainer do not know or accept; the
        field is the path in the study file.
    """
    _check_count(study)
    _check_names(study)
    _check_laws(study)
    ordinary = list(_ordinary(study))
    planned = [*ordinary, *_controls(study, ordinary)]
    return [replace(trial, seed=seed) for trial, seed in product(planned, study.seeds)]


def _ordinary(study: Study) -> Iterator[Trial]:
    """The combinations of levels, with a first seed."""
    settings = list(_settings(study))
    alone = list(dict.fromkeys(replace(one, random_labels=False) for one in settings))
    for spec in _specs(study):
        for one in settings if spec.tasks > 1 else alone:
            yield Trial(spec, one, 0)


def _controls(study: Study, ordinary: Sequence[Trial]) -> Iterator[Trial]:
    """The controls of multi-task trials, each once and none that is an ordinary trial, too."""
    if not study.controls:
        return
    known = {trial.digest for trial in ordinary}
    for trial, name in product(ordinary, study.controls):
        plain = CONTROLS[name](trial.to_json())
        named = marked(name, plain)
        if trial.task.tasks > 1 and known.isdisjoint((digest(plain), digest(named))):
            known.add(digest(named))
            yield _control(named)


def _control(named: Mapping[str, Any]) -> Trial:
    try:
        trial = Trial.from_json(named)
        check_spec(trial.task)
    except SpecError as error:
        raise UserError(
            "controls", f"a control with {error.field} {error.accepted}", named[MARK]
        ) from error
    return trial


def _check_count(study: Study) -> None:
    levels = study.factors.levels()
    count = math.prod(len(level) for level in levels.values()) * len(study.seeds)
    count *= 1 + len(study.controls)
    if count > MAX_TRIALS:
        raise UserError("factors", f"at most {MAX_TRIALS:,} trials", f"{count:,} trials")


def _check_names(study: Study) -> None:
    for name in study.factors.extra():
        kind, _, bare = name.rpartition(".")
        if kind not in ("", "training", "options"):
            raise UserError(f"factors.{name}", "a name, training.NAME or options.NAME", name)
        if kind == "training" and bare not in TRAINING_KEYS:
            raise unknown_factor(name, (f"training.{key}" for key in TRAINING_KEYS))
        if name in SHORT_NAMES:
            raise unknown_factor(name, ())
    for name in study.training:
        if name not in TRAINING_KEYS:
            raise UserError(f"training.{name}", nearest(name, TRAINING_KEYS), name)


def _check_laws(study: Study) -> None:
    """A law search needs columns of numbers; a typo is told before the training, not after."""
    columns = [column.name for column in GLOSSARY if column.dtype != "str"]
    options = (*map(_bare, study.factors.extra()), *study.family.options)
    known = {*columns, *TRAINING_KEYS, *options, *(f"option_{name}" for name in options)}
    if study.laws.target not in {*known, "span_f1"}:
        raise UserError("laws.target", nearest(study.laws.target, columns), study.laws.target)
    control = study.laws.target.removeprefix("gain_")
    if control in CONTROLS and control not in study.controls:
        raise UserError(
            "laws.target",
            f"a column of the table; this one needs `controls: [{control}]`",
            study.laws.target,
        )
    for factor, column in study.laws.factors.items():
        if column not in known:
            raise UserError(f"laws.factors.{factor}", nearest(column, columns), column)
    for key, name in (("sd", study.laws.sd), ("weights", study.laws.weights)):
        if name is not None and name not in known:
            expected = nearest(name, columns, "a column of numbers in the results")
            raise UserError(f"laws.{key}", expected, name)
    texts = [column.name for column in GLOSSARY if column.dtype == "str"]
    for name in study.laws.groups:
        if name not in {*known, *texts}:
            expected = nearest(name, (*texts, *columns), "a column of results")
            raise UserError("laws.groups", expected, name)


def _is_training(factor: str) -> bool:
    """A bare name that the trainer and a family both know means the trainer's setting."""
    return factor.removeprefix("training.") in TRAINING_KEYS


def _bare(factor: str) -> str:
    return factor.rpartition(".")[2]


def level_of(trial: Trial, factor: str) -> Scalar:
    """The level of a factor, by its name in the study, at which a trial is trained."""
    if _is_training(factor):
        return cast(Scalar, getattr(trial.settings, _bare(factor)))
    if factor in TASK_KEYS:
        return cast(Scalar, getattr(trial.task, factor))
    return cast(Scalar, trial.task.options.get(_bare(factor)))


def _combinations(factors: Mapping[str, Sequence[Scalar]]) -> Iterator[dict[str, Scalar]]:
    for levels in product(*factors.values()):
        yield dict(zip(factors, levels, strict=True))


def _settings(study: Study) -> Iterator[TrainingSettings]:
    levels = study.factors.levels()
    for chosen in _combinations({name: levels[name] for name in levels if _is_training(name)}):
        varied = {_bare(name): level for name, level in chosen.items()}
        try:
            yield TrainingSettings.from_json({**study.training, **varied})
        except UserError as error:
            raise _located(study, error, chosen) from error


def _specs(study: Study) -> Iterator[TaskSpec]:
    levels = study.factors.levels()
    varied = {name: levels[name] for name in levels if not _is_training(name)}
    if study.stl and 1 not in levels["tasks"]:
        varied["tasks"] = (1, *levels["tasks"])
    seen: set[TaskSpec] = set()
    for chosen in _combinations(varied):
        spec = _spec(study, chosen)
        if spec not in seen:
            seen.add(spec)
            yield spec


def _spec(study: Study, chosen: Mapping[str, Scalar]) -> TaskSpec:
    """The tasks of one combination of levels; the simulator's refusal as the study's."""
    block = study.family.model_dump(exclude_none=True, exclude={"name", "options"})
    direct = {name: level for name, level in chosen.items() if name in TASK_KEYS}
    options = {_bare(name): level for name, level in chosen.items() if name not in TASK_KEYS}
    record: dict[str, Any] = {"family": study.family.name, **block, **direct}
    record["options"] = {**study.family.options, **options}
    if study.test_tokens is not None:
        record["test_tokens"] = study.test_tokens
    try:
        spec = TaskSpec.from_json(record)
        spec = single_task(spec) if spec.tasks == 1 else spec
        check_spec(spec)
    except SpecError as error:
        raise _located(study, from_simulator(error), chosen) from error
    return spec


def _located(study: Study, error: UserError, chosen: Mapping[str, Scalar]) -> UserError:
    """The simulator's or the trainer's refusal, at its place in the study file."""
    for name in (error.path, _bare(error.path)):
        levels = study.factors.levels().get(name, ())
        if name in chosen and chosen[name] in levels:
            place = f"factors.{name}[{levels.index(chosen[name])}]"
            hint = _hint(name) if error.path.startswith("options.") else ""
            return UserError(place, error.expected + hint, error.got)
    return renamed(error, _fixed_place(error.path))


def at_study_key(study: Study, error: SpecError, trial: Trial) -> UserError:
    """The simulator's refusal of the tasks of a trial, at its place in the study file."""
    spec, name = trial.task, error.field
    if trial.control is not None:
        return UserError("controls", f"a control with {name} {error.accepted}", trial.control)
    if name not in TASK_KEYS and not name.startswith("options."):
        return from_simulator(error)
    levels: dict[str, Any] = {key: getattr(spec, key) for key in TASK_KEYS}
    levels |= dict(spec.options) | {f"options.{key}": one for key, one in spec.options.items()}
    return _located(study, from_simulator(error), levels)


def _hint(factor: str) -> str:
    """A factor that is taken for an option of the family may be another key, mistyped."""
    close = difflib.get_close_matches(factor, (*TASK_KEYS, *TRAINING_KEYS), n=1, cutoff=0.8)
    return f"; did you mean {close[0]!r}? It was read as an option of the family" if close else ""


def _fixed_place(field: str) -> str:
    """The path in the study file of a value that is not a factor."""
    if field.startswith("training."):
        return field
    if field == "family":
        return "family.name"
    if field in FamilyBlock.model_fields or field.startswith("options."):
        return f"family.{field}"
    return field if field in Study.model_fields else f"factors.{field}"


def group(
    trials: Iterable[Trial], limit: int | None = None, device: str = "cpu"
) -> list[tuple[Trial, ...]]:
    """Trials that one stack can train together, the groups that take longest first.

    Trials of a group share everything that gives a model its shape: settings, T, family with its
    options, vocabulary and label counts. What a trial gives does not depend on its group.

    Parameters
    ----------
    trials : any trials, each once.
    limit : most trials of a group; by default as many as the trainer stacks best.
    device : on which they are stacked.
    """
    shapes: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        shapes.setdefault(_shape(trial), []).append(trial)
    groups = [part for alike in shapes.values() for part in _chunks(alike, limit, device)]
    return sorted(groups, key=lambda part: -sum(trial.cost for trial in part))


def _shape(trial: Trial) -> tuple[str, int]:
    task = trial.task
    parts = (
        task.family,
        dict(task.options),
        task.vocabulary,
        task.labels,
        trial.settings.to_json(),
    )
    return canonical(cast(Json, parts)), task.tasks


def _chunks(alike: Sequence[Trial], limit: int | None, device: str) -> Iterator[tuple[Trial, ...]]:
    """Even parts of at most the limit; trials of one seed stand together.

    They have the same text and auxiliaries at every n, worked out once per worker; parts then also
    take about equally long. Within a part the trainer lets those of many tokens go first.
    """
    first = alike[0]
    most = max_group(first.settings, first.task.tasks, device)
    most = most if limit is None else max(1, min(most, limit))
    ordered = sorted(alike, key=lambda trial: (trial.seed, -trial.cost, trial.digest))
    parts = math.ceil(len(ordered) / most)
    for part in range(parts):
        yield tuple(ordered[len(ordered) * part // parts : len(ordered) * (part + 1) // parts])
