"""Train stacks of small taggers."""

from pipeline.training.job import Job
from pipeline.training.outcome import Outcome, Status
from pipeline.training.settings import TrainingSettings
from pipeline.training.trainer import train_group
from pipeline.training.width import max_group

__all__ = ["Job", "Outcome", "Status", "TrainingSettings", "max_group", "train_group"]
