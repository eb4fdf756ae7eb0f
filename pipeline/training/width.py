"""How many models to stack: enough to spread the cost of an operation, few enough for the cache.

Measured with `benchmarks/training.py` on one core of an AMD EPYC (Zen 4, 1 MiB of second-level
cache): at the default sizes an update of one model costs least between 8 models (T = 8) and 32
(T = 1), and within 10 % of that at half and twice as many.
"""

from __future__ import annotations

import torch

from pipeline.training.settings import TrainingSettings
from pipeline.training.sizes import Sizes

TOKENS = 10
"""Assumed length of a sentence; the width need not be exact."""
CACHED = 2_000_000
"""Activations, in numbers, of a whole stack on a CPU."""
NARROWEST, WIDEST = 8, 32
GPU_SHARE, GPU_WIDEST = 0.25, 4096


def activations(settings: TrainingSettings, sizes: Sizes) -> int:
    """Numbers that one model keeps between the forward and the backward pass, roughly."""
    tokens = settings.batch_sentences * sizes.tasks * TOKENS
    return tokens * 2 * sizes.hidden * 8


def stack_width(settings: TrainingSettings, sizes: Sizes, device: str = "cpu") -> int:
    """Models in a stack."""
    numbers = activations(settings, sizes)
    if torch.device(device).type != "cuda":
        return max(NARROWEST, min(WIDEST, CACHED // numbers))
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else 8 * 2**30
    return max(NARROWEST, min(GPU_WIDEST, int(GPU_SHARE * free / (4 * numbers))))


def sentences_at_once(device: str) -> int:
    """Sentences of each task that an evaluation reads in one forward pass."""
    return 32 if device == "cpu" else 1024


def max_group(settings: TrainingSettings, tasks: int, device: str = "cpu") -> int:
    """Cells worth handing to `train_group` at once: enough to keep its stack full."""
    sizes = settings.sizes(vocabulary=1, labels=(2,) * tasks)
    return 2 * stack_width(settings, sizes, device)
