"""Direction of a target: whether lower values are better, as for a loss.

It is decided once, when laws are recorded (``data.lower_is_better``), by the target's name or else
by the rows. A target is a loss if it is never negative, has no upper bound and falls as the main
size grows, all else equal.

Notation
--------
N : rows.    K : regressors: the factors, sizes by their logarithm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from mtl_laws.pipeline.laws.factors import find_roles
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.kinds import is_size
from mtl_laws.pipeline.symbolic.tree import Floats

LOWER = frozenset(
    {
        *("loss", "losses", "error", "errors", "err", "mse", "rmse", "mae", "mape", "wer", "cer"),
        *("perplexity", "ppl", "nll", "bpb", "bpc", "bpd", "entropy", "xent", "ce", "deviance"),
        *("cost", "risk", "regret", "fid", "ter", "misclassification"),
    }
)
"""Words in the name of a target of which less is better."""
HIGHER = frozenset(
    {
        *("accuracy", "acc", "f1", "score", "scores", "precision", "recall", "auc", "auroc", "map"),
        *("bleu", "rouge", "chrf", "iou", "dice", "r2", "correlation", "likelihood", "win"),
        *("gain", "gains", "benefit", "improvement", "reward", "return"),
    }
)
"""Words in the name of a target of which more is better."""


def lower_is_better(data: Rows) -> bool:
    """Whether a lower target is better: by its name, else by the rows."""
    words = _words(data.name)
    if words & HIGHER or words & LOWER:
        return not words & HIGHER
    positive, has_upper_bound = float(data.target.min()) >= 0.0, np.isfinite(data.bounds[1])
    return positive and not has_upper_bound and _falls(data)


def _words(name: str) -> frozenset[str]:
    """The words of a name, in lower case: ``valLoss_nats`` has val, loss and nats."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return frozenset(re.split(r"[^a-z0-9]+", text.lower()))


def _falls(data: Rows) -> bool:
    """Whether the target clearly falls as the main size grows, all else equal."""
    size = find_roles(data.columns).size
    if not size:
        return False
    columns = {size: data.filled[size], **data.filled}
    design = np.column_stack([_within_groups(c, data) for c in _scaled(columns).values()])
    target = _within_groups(data.target, data)
    slopes = np.linalg.lstsq(design, target, rcond=None)[0]
    freedom = max(len(target) - design.shape[1] - 1, 1)
    variance = float(np.sum((target - design @ slopes) ** 2)) / freedom
    error = np.sqrt(variance * np.linalg.pinv(design.T @ design)[0, 0])
    return bool(slopes[0] < -data.rules.data.clear_slope * error)


def _scaled(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Sizes by their logarithm, every column with a standard deviation of 1."""
    logs = {name: np.log(c) if is_size(c) else c for name, c in columns.items()}
    return {name: column / (float(column.std()) or 1.0) for name, column in logs.items()}


def _within_groups(values: Floats, data: Rows) -> Floats:
    """Values less the mean of their group."""
    index = data.group_index
    count = np.maximum(np.bincount(index), 1)
    return np.asarray(values - (np.bincount(index, values) / count)[index])
