"""Trials: the training runs of a study, and the groups in which they are trained.

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

from pydantic import JsonValue

from mtl_laws.pipeline.columns import GLOSSARY, MARK
from mtl_laws.pipeline.errors import UserError, from_simulator, nearest
from mtl_laws.pipeline.study.controls import CONTROLS, marked
from mtl_laws.pipeline.study.digest import Json, canonical, digest
from mtl_laws.pipeline.study.study import SHORT_NAMES, FamilyBlock, Scalar, Study, unknown_factor
from mtl_laws.pipeline.training import TrainingSettings, max_group
from mtl_laws.pipeline.training.encoders import vector_encoders
from mtl_laws.simulator import SpecError, TaskSpec, check_spec

MAX_TRIALS = 1_000_000
"""The most trials of a study; `docs/scaling.md` says what a million trials need."""

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
    control : name of the control (`pipeline.study.controls`); None for an ordinary trial.
    """

    task: TaskSpec
    settings: TrainingSettings
    seed: int
    control: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The complete description; `from_json` is its inverse."""
        record: dict[str, Json] = {
            "task": cast(Json, self.task.to_json()),
            "training": self.settings.to_json(),
            "seed": self.seed,
        }
        return record if self.control is None else marked(self.control, record)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trial:
        """The trial of a description by `to_json`."""
        settings = TrainingSettings.from_json(record["training"])
        spec = TaskSpec.from_json(record["task"])
        return cls(spec, settings, int(record["seed"]), record.get(MARK))

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical description: the key of the trial in the store."""
        return digest(self.to_json())

    @property
    def cost(self) -> float:
        """Expected training time in relative units, for the order of groups and the time left."""
        return self.settings.cost(self.task.tasks, self.task.tokens)


def expand(study: Study) -> list[Trial]:
    """Every trial of `study`, each once: its cases, the full factorial of its factors, its seeds.

    At T = 1 there is no auxiliary task, so all levels of AMI and of auxiliary sizes are one trial,
    whose AMI is null. `stl` adds that trial at every level of the other factors. `controls` adds
    the controls of every multi-task trial that are not trials already.

    Raises
    ------
    UserError : the simulator or the trainer refuses a factor, an option or a setting; the path is
        the key of the study.
    """
    _check_count(study)
    _check_names(study)
    _check_laws(study)
    ordinary = list(_ordinary(study))
    _check_vectors(study, ordinary)
    planned = [*ordinary, *_controls(study, ordinary)]
    return [replace(trial, seed=seed) for trial, seed in product(planned, study.seeds)]


def _ordinary(study: Study) -> Iterator[Trial]:
    """The combinations of levels, with seed 0."""
    settings = list(_settings(study))
    of_single_task = list(dict.fromkeys(replace(one, random_labels=False) for one in settings))
    for spec in _specs(study):
        for one in settings if spec.tasks > 1 else of_single_task:
            yield Trial(spec, one, 0)


def _controls(study: Study, ordinary: Sequence[Trial]) -> Iterator[Trial]:
    """The controls of multi-task trials, each once, without those that are ordinary trials."""
    if not study.controls:
        return
    digests = {trial.digest for trial in ordinary}
    for trial, name in product(ordinary, study.controls):
        plain = CONTROLS[name](trial.to_json())
        description = marked(name, plain)
        if trial.task.tasks == 1 or digests & {digest(plain), digest(description)}:
            continue
        digests.add(digest(description))
        try:
            control = Trial.from_json(description)
            check_spec(control.task)
        except SpecError as error:
            expected = f"a control with {error.field} {error.accepted}"
            raise UserError("controls", expected, name) from error
        yield control


def _check_count(study: Study) -> None:
    levels = study.factors.levels()
    count = math.prod(len(level) for level in levels.values()) * len(study.seeds)
    count *= max(1, len(study.cases))
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
    """Refuse a law search over columns that no table of results has."""
    columns = [column.name for column in GLOSSARY if column.dtype != "str"]
    in_cases = {name for case in study.cases for name in case}
    options = (*map(_bare, study.factors.extra()), *study.family.options, *in_cases)
    names = {*columns, *TRAINING_KEYS, *options, *(f"option_{name}" for name in options)}
    if study.laws.target not in {*names, "span_f1"}:
        raise UserError("laws.target", nearest(study.laws.target, columns), study.laws.target)
    control = study.laws.target.removeprefix("gain_")
    if control in CONTROLS and control not in study.controls:
        raise UserError(
            "laws.target",
            f"a column of the table; this one needs `controls: [{control}]`",
            study.laws.target,
        )
    for factor, column in study.laws.factors.items():
        if column not in names:
            raise UserError(f"laws.factors.{factor}", nearest(column, columns), column)
    for key, weighting in (("sd", study.laws.sd), ("weights", study.laws.weights)):
        if weighting is not None and weighting not in names:
            expected = nearest(weighting, columns, "a column of numbers in the results")
            raise UserError(f"laws.{key}", expected, weighting)
    texts = [column.name for column in GLOSSARY if column.dtype == "str"]
    for name in study.laws.groups:
        if name not in {*names, *texts}:
            expected = nearest(name, (*texts, *columns), "a column of results")
            raise UserError("laws.groups", expected, name)


def _check_vectors(study: Study, trials: Sequence[Trial]) -> None:
    """Refuse an encoder of vectors without any, and vectors of layers that no encoder reads."""
    readers = vector_encoders()
    reading = {trial.settings.encoder for trial in trials}.intersection(readers)
    for trial in trials:
        vectors, encoder = trial.task.options.get("vectors"), trial.settings.encoder
        if vectors is None and encoder in reading:
            expected = "an encoder of token ids, or the option `vectors` of the family layers"
            names = dict.fromkeys(("encoder", "training.encoder"), encoder)
            raise _located(study, UserError("training.encoder", expected, encoder), names)
        if vectors is not None and trial.task.family == "layers" and not reading:
            expected = f"no vectors with the encoder {encoder}; encoders of vectors: "
            error = UserError("options.vectors", expected + ", ".join(readers), vectors)
            raise _located(study, error, trial.task.options)


def _is_training(factor: str) -> bool:
    """Whether a factor is a training setting, also if an option has the same name."""
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
    for combination in _combinations({k: levels[k] for k in levels if _is_training(k)}):
        varied = {_bare(name): level for name, level in combination.items()}
        try:
            yield TrainingSettings.from_json({**study.training, **varied})
        except UserError as error:
            raise _located(study, error, combination) from error


def _specs(study: Study) -> Iterator[TaskSpec]:
    levels = study.factors.levels()
    varied = {name: levels[name] for name in levels if not _is_training(name)}
    if study.stl and 1 not in levels["tasks"]:
        varied["tasks"] = (1, *levels["tasks"])
    seen: set[TaskSpec] = set()
    for case, combination in product(study.cases or ({},), _combinations(varied)):
        spec = _spec(study, case, combination)
        if spec not in seen:
            seen.add(spec)
            yield spec


def _spec(
    study: Study, case: Mapping[str, JsonValue], combination: Mapping[str, Scalar]
) -> TaskSpec:
    """The tasks of one case and one combination of levels."""
    block = study.family.model_dump(exclude_none=True, exclude={"name", "options"})
    direct = {name: level for name, level in combination.items() if name in TASK_KEYS}
    options = {_bare(name): level for name, level in combination.items() if name not in TASK_KEYS}
    record: dict[str, Any] = {"family": study.family.name, **block, **direct}
    record["options"] = {**study.family.options, **case, **options}
    if study.test_tokens is not None:
        record["test_tokens"] = study.test_tokens
    try:
        spec = TaskSpec.from_json(record)
        spec = spec.alone() if spec.tasks == 1 else spec
        check_spec(spec)
    except SpecError as error:
        raise _located(study, from_simulator(error), {**case, **combination}) from error
    return spec


def _located(study: Study, error: UserError, combination: Mapping[str, JsonValue]) -> UserError:
    """The error of the simulator or the trainer, with the key of the study as its path."""
    for name in (error.path, _bare(error.path)):
        levels = study.factors.levels().get(name, ())
        if name in combination and combination[name] in levels:
            place = f"factors.{name}[{levels.index(combination[name])}]"
            hint = _hint(name) if error.path.startswith("options.") else ""
            return UserError(place, error.expected + hint, error.got)
    option = error.path.removeprefix("options.")
    for i, case in enumerate(study.cases):
        if option in case and all(combination.get(key, one) == one for key, one in case.items()):
            return error.at(f"cases[{i}].{option}")
    return error.at(_fixed_place(error.path))


def at_study_key(study: Study, error: SpecError, trial: Trial) -> UserError:
    """The simulator's error about a trial, with the key of the study as its path."""
    spec, name = trial.task, error.field
    if trial.control is not None:
        return UserError("controls", f"a control with {name} {error.accepted}", trial.control)
    if name not in TASK_KEYS and not name.startswith("options."):
        return from_simulator(error)
    levels: dict[str, Any] = {key: getattr(spec, key) for key in TASK_KEYS}
    levels |= dict(spec.options) | {f"options.{key}": one for key, one in spec.options.items()}
    return _located(study, from_simulator(error), levels)


def _hint(factor: str) -> str:
    """A hint that an unknown option of the family may be a mistyped key of another kind."""
    close = difflib.get_close_matches(factor, (*TASK_KEYS, *TRAINING_KEYS), n=1, cutoff=0.8)
    return f"; did you mean {close[0]!r}? It was read as an option of the family" if close else ""


def _fixed_place(field: str) -> str:
    """The key in the study of a value that is not a factor."""
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
    """Groups of trials that are trained as one stack, the longest-running groups first.

    Trials of a group share everything that determines the shape of a model: settings, T, family
    with its options, vocabulary and label counts. The outcome of a trial does not depend on its
    group.

    Parameters
    ----------
    trials : any trials, each once.
    limit : most trials of a group; by default the trainer's best stack size.
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
    """Parts of equal size within the limit, each with trials of few seeds.

    Trials of one seed have the same text and auxiliaries at every n, which a worker computes once;
    such parts also take about equally long.
    """
    example = alike[0]
    most = max_group(example.settings, example.task.tasks, device)
    most = most if limit is None else max(1, min(most, limit))
    order = sorted(alike, key=lambda trial: (trial.seed, -trial.cost, trial.digest))
    parts = math.ceil(len(order) / most)
    for part in range(parts):
        yield tuple(order[len(order) * part // parts : len(order) * (part + 1) // parts])
