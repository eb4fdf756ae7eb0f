"""Families of sequence-labelling tasks whose relatedness is set, not guessed."""

from mtl_laws.simulator.corpus import Corpus, Layer, Text, VocabularyOptions
from mtl_laws.simulator.errors import CorpusError, SimulatorError, SpecError, UnreachableAMIError
from mtl_laws.simulator.export import export_taskset, read_taskset
from mtl_laws.simulator.families.base import check_spec, family_names, make_taskset
from mtl_laws.simulator.formats.base import format_names
from mtl_laws.simulator.plot import plot_taskset
from mtl_laws.simulator.readers import ReaderOptions, load_corpus
from mtl_laws.simulator.relatedness import Relatedness, measure
from mtl_laws.simulator.spec import TaskSpec
from mtl_laws.simulator.tasks import Split, TaskSet

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
