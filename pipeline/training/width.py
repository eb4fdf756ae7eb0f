"""How many models to stack: enough to spread the cost of an operation, few enough for the cache."""

from __future__ import annotations

from pipeline.training.settings import TrainingSettings
from pipeline.training.sizes import Sizes

CPU_NUMBERS = 2_000_000
GPU_NUMBERS = 2_000_000_000
NARROWEST, WIDEST = 8, 32


def stack_width(settings: TrainingSettings, sizes: Sizes, device: str = "cpu") -> int:
    """Models in a stack, from the activations of a training step."""
    tokens = settings.batch_sentences * sizes.tasks * 10
    numbers = tokens * sizes.hidden * 2 * 8
    if device != "cpu":
        return max(NARROWEST, GPU_NUMBERS // numbers)
    return max(NARROWEST, min(WIDEST, CPU_NUMBERS // numbers))


def max_group(settings: TrainingSettings, tasks: int, device: str = "cpu") -> int:
    """Cells worth handing to `train_group` at once: enough to keep its stack full."""
    sizes = settings.sizes(vocabulary=1, labels=(2,) * tasks)
    return 2 * stack_width(settings, sizes, device)
