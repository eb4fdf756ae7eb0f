"""Train stacks of small taggers."""

from mtl_laws.pipeline.training.job import Job
from mtl_laws.pipeline.training.outcome import Outcome, Status
from mtl_laws.pipeline.training.settings import TrainingSettings
from mtl_laws.pipeline.training.trainer import train_group
from mtl_laws.pipeline.training.width import max_group

__all__ = ["Job", "Outcome", "Status", "TrainingSettings", "max_group", "train_group"]
