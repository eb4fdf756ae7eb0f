"""What the caller tells a report beyond the laws and the table."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class ReportContext:
    """Title, provenance and extras of one report.

    Parameters
    ----------
    title : heading of the report.
    command : the exact command that made it, as typed.
    question : the question the study asks, in one sentence; may be empty.
    notes : caveats to print beside the law, one sentence each.
    curves : learning curves with columns cell, T, n, ami, step, train_loss, validation_loss,
        best_step (one row per evaluation), or None.
    """

    title: str
    command: str
    question: str = ""
    notes: tuple[str, ...] = ()
    curves: pd.DataFrame | None = None
