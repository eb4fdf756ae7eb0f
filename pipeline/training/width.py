"""How many models to stack: enough to spread the cost of an operation, few enough for the cache.

Measured with `benchmarks/training.py` on one core of an AMD EPYC (Zen 4, 1 MiB of second-level
cache): at the default sizes an update of one model costs least between 8 models (T = 8) and 32
(T = 1), and within 10 % of that at half and twice as many.
"""

from __future__ import annotations

import torch

from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.sizes import Sizes

TOKENS = 10
"""Assumed length of a sentence; the width need not be exact."""
CACHED = 2_000_000
"""Activations, in numbers, of a whole stack on a CPU."""
NARROWEST, WIDEST = 8, 32
GPU_SHARE, GPU_WIDEST, GPU_SENTENCES = 0.25, 4096, 1024
ASSUMED = 8 * 2**30
"""Free memory, bytes, where no GPU can be asked: groups may be planned on a machine without one."""
PER_UNIT = 16
"""Numbers per token and hidden unit: gates, cell, its tanh and state, in two directions."""


def numbers_per_token(sizes: Sizes) -> int:
    """Numbers that one model keeps of a token: its vector, if it has one, and what follows."""
    return PER_UNIT * sizes.hidden + sizes.vectors


def activations(settings: TrainingSettings, sizes: Sizes, length: int = TOKENS) -> int:
    """Numbers that one model keeps between the forward and the backward pass, roughly."""
    tokens = settings.batch_sentences * sizes.tasks * length
    return tokens * numbers_per_token(sizes)


def stack_width(
    settings: TrainingSettings,
    sizes: Sizes,
    device: str | torch.device = "cpu",
    length: int = TOKENS,
) -> int:
    """Models in a stack; `length` of the longest sentence counts where memory is the limit."""
    place = torch.device(device)
    if place.type != "cuda":
        return max(NARROWEST, min(WIDEST, CACHED // activations(settings, sizes)))
    fitting = free_numbers(place) // activations(settings, sizes, length)
    return max(NARROWEST, min(GPU_WIDEST, fitting))


def free_numbers(device: torch.device) -> int:
    """Numbers that a stack may take on a GPU: a share of what is free there or only reserved."""
    if not torch.cuda.is_available():
        return int(GPU_SHARE * ASSUMED / 4)
    spare = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(GPU_SHARE * (torch.cuda.mem_get_info(device)[0] + spare) / 4)


def sentences_at_once(device: torch.device, numbers: int) -> int:
    """Sentences of each task that an evaluation reads in one forward pass.

    numbers : kept of one sentence of each task: models × tasks × tokens × `numbers_per_token`.
    """
    if device.type != "cuda":
        return 32
    return max(1, min(GPU_SENTENCES, free_numbers(device) // numbers))


def max_group(settings: TrainingSettings, tasks: int, device: str = "cpu") -> int:
    """Trials worth handing to `train_group` at once: enough to keep its stack full."""
    sizes = settings.sizes(vocabulary=1, labels=(2,) * tasks)
    return 2 * stack_width(settings, sizes, device)
