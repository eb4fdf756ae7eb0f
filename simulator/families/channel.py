"""`channel`: an auxiliary label is the main label passed through a noisy channel.

Notation
--------
K : labels;  N : tokens;  T : tasks
q : main label distribution on the pool, (K,)
W : channel, (K, K), ``W[m, k]`` = probability of auxiliary label k where the main label is m
E : errors, (K, K), the channel at its worst; symmetric: E = 1/K everywhere
α : probability of keeping the main label in a symmetric channel (Bettgenhäuser et al. 2020)
λ : share of tokens passed on untouched: W = λI + (1 − λ)E; symmetric: α = λ + (1 − λ)/K

AMI follows from q and W in closed form; λ is solved from it. Every split then realises W as exact
counts, within every block and for every main label, so that measured and requested AMI agree.

Auxiliary labels are noisy copies of main labels: that more of them act like more data is nearly
built in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError
from simulator.families.base import read_options
from simulator.families.corpus_options import CorpusOptions, main_layer, opened
from simulator.families.synthetic_options import SyntheticOptions
from simulator.layout import (
    Layout,
    Naming,
    assemble,
    corpus_layout,
    noise_offsets,
    synthetic_layout,
    with_noise,
)
from simulator.relatedness import ami_of_table, label_counts
from simulator.solver import Search, solve_ami
from simulator.spec import JSON, TaskSpec
from simulator.streams import stream
from simulator.tasks import TaskSet
from simulator.world import check_capacity, world

Floats = NDArray[np.float64]
Labels = NDArray[np.int16]
