"""A recipe: everything that decides what a training does, as the user sets it."""

from dataclasses import dataclass
from typing import Annotated

from app.engine.choices import STRICT, OneOf
from app.engine.config import TrainingConfig
from app.engine.losses import LOSSES
from app.engine.network import Architecture
from app.models.preprocessing import Scaling

TASKS = {"regression": "numbers", "classification": "labels", "multilabel": "yes or no, for each target"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Network, training and scaling, as the user sets them; the task follows the target where it is not given."""

    __pydantic_config__ = STRICT

    task: Annotated[str, OneOf(TASKS)] | None = None
    network: Architecture = Architecture()
    training: TrainingConfig = TrainingConfig()
    scaling: Scaling = Scaling()

    @property
    def wants_labels(self) -> bool | None:
        """Whether the target is to be read as classes, whatever it looks like; None leaves it to the target."""
        if self.task is not None:
            return self.task != "regression"
        cross_entropy = self.training.loss is not None and LOSSES[self.training.loss].classes
        return True if cross_entropy or self.network.output_activation == "softmax" else None
