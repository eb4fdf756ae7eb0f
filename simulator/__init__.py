"""Families of sequence-labelling tasks whose relatedness is set, not guessed."""

from simulator.corpus import Corpus, Layer, Text, VocabularyOptions
from simulator.errors import CorpusError, SimulatorError, SpecError, UnreachableAMIError
from simulator.export import export_taskset, read_taskset
from simulator.families.base import check_spec, family_names, make_taskset
from simulator.formats.base import format_names
from simulator.plot import plot_taskset
from simulator.readers import ReaderOptions, load_corpus
from simulator.relatedness import Relatedness, measure
from simulator.spec import TaskSpec
from simulator.tasks import Split, TaskSet

__all__ = [
    "Corpus",
    "CorpusError",
    "Layer",
    "ReaderOptions",
    "Relatedness",
    "SimulatorError",
    "SpecError",
    "Split",
    "TaskSet",
    "TaskSpec",
    "Text",
    "UnreachableAMIError",
    "VocabularyOptions",
    "check_spec",
    "export_taskset",
    "family_names",
    "format_names",
    "load_corpus",
    "make_taskset",
    "measure",
    "plot_taskset",
    "read_taskset",
]
