"""Families of sequence-labelling tasks whose relatedness is set, not guessed."""

from simulator.errors import CorpusError, SimulatorError, SpecError, UnreachableAMI
from simulator.families.base import check_spec, family_names, make_taskset
from simulator.relatedness import Relatedness
from simulator.spec import TaskSpec
from simulator.tasks import Split, TaskSet

__all__ = [
    "CorpusError",
    "Relatedness",
    "SimulatorError",
    "SpecError",
    "Split",
    "TaskSet",
    "TaskSpec",
    "UnreachableAMI",
    "check_spec",
    "family_names",
    "make_taskset",
]
