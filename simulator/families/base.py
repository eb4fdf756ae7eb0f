"""Family: a recipe for T tasks at a requested relatedness. Protocol, registry, option reading."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from mtl_laws.simulator.errors import SpecError, one_of
from mtl_laws.simulator.memory import check_memory
from mtl_laws.simulator.registry import enter, made
from mtl_laws.simulator.spec import TaskSpec
from mtl_laws.simulator.tasks import TaskSet

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")


class Family(Protocol):
    """A recipe for T tasks."""

    def check(self, spec: TaskSpec) -> None:
        """Refuse, with a `SpecError`, what can be seen to be impossible without building it."""

    def build(self, spec: TaskSpec, seed: int) -> TaskSet:
        """Build the TaskSet of a spec and a seed; the same for the same two."""


MAX_SEED = 2**63 - 1

FAMILIES: dict[str, str | Callable[[], Family]] = {
    "channel": "mtl_laws.simulator.families.channel:ChannelFamily",
    "layers": "mtl_laws.simulator.families.layers:LayersFamily",
    "teacher": "mtl_laws.simulator.families.teacher.family:TeacherFamily",
}


def register_family(name: str, maker: Callable[[], Family]) -> None:
    """Make a family known by name; `SpecError` where the name is taken."""
    enter(FAMILIES, name, maker)


def family_names() -> list[str]:
    """Return the names of the registered families."""
    return sorted(FAMILIES)


@cache
def family(name: str) -> Family:
    """Return a family by name; `SpecError` lists the names there are."""
    if name not in FAMILIES:
        raise SpecError("family", name, one_of(name, family_names()))
    return made(FAMILIES[name])


def check_spec(spec: TaskSpec) -> None:
    """Refuse a spec that its family cannot meet, as far as can be seen without building it."""
    family(spec.family).check(spec)


def make_taskset(spec: TaskSpec, seed: int) -> TaskSet:
    """Build T tasks.

    Parameters
    ----------
    spec : the requested tasks.
    seed : at least 0. For one seed the main task (its text, sentences and labels, its validation
        and the test) is the same whatever T, AMI and auxiliary sizes are, and nested in n.

    Raises
    ------
    SpecError : the spec cannot be met; `UnreachableAMIError` names the range that can.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SpecError("seed", seed, "a whole number of at least 0")
    if seed > MAX_SEED:
        raise SpecError("seed", seed, f"at most {MAX_SEED}")
    check_spec(spec)
    check_memory(spec)
    return family(spec.family).build(spec, seed)


def read_options(kind: type[Options], given: Mapping[str, object]) -> Options:
    """Make an options dataclass from a spec's mapping; an unknown key names the nearest one."""
    known = [f.name for f in fields(kind)]
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SpecError(
                f"options.{key}",
                given[key],
                f"an option of the family; {hint}known: {', '.join(known)}",
            )
    return kind(**given)


def require_ami(spec: TaskSpec) -> None:
    """Refuse a missing AMI with T > 1 and a given one with T = 1."""
    if spec.tasks > 1 and spec.ami is None:
        raise SpecError("ami", spec.ami, f"a number from 0 to 1 for {spec.tasks} tasks")
    if spec.tasks == 1 and spec.ami not in (None, ()):
        raise SpecError("ami", spec.ami, "no value for a single task, where it is undefined")
