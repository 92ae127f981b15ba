"""Those who follow a training and ask things of it, and what it comes to, to the last byte."""

import json
from dataclasses import dataclass, replace

import numpy as np

from app.engine.control import Checkpoint, Control, Wish
from app.models.model import Model


@dataclass
class Wisher:
    """Lets a training go on so many times that it asks, and then has a wish."""

    patience: int
    then: Wish
    asked: int = 0

    def __call__(self) -> Wish:
        """Count, and answer."""
        self.asked += 1
        return Wish.GO_ON if self.asked <= self.patience else self.then


def noting(checkpoints: list[Checkpoint]) -> Control:
    """Ask for a checkpoint after every epoch."""
    return Control(is_due=lambda _stopped: True, save=checkpoints.append)


class Left(Exception):
    """A training was left."""


def leaving(checkpoints: list[Checkpoint]) -> Control:
    """Go on from the last checkpoint, if there is one; leave after another epoch (Left), unless that is the last."""
    begun = checkpoints[-1].epoch if checkpoints else 0

    def leave(checkpoint: Checkpoint) -> None:
        if checkpoint.epoch > begun:  # a solver takes its steps again
            checkpoints.append(checkpoint)
            raise Left

    resume = kept(checkpoints[-1]) if checkpoints else None
    return Control(is_due=lambda stopped: stopped is None, save=leave, resume=resume)


def kept(checkpoint: Checkpoint) -> Checkpoint:
    """Write the facts down and read them, as whoever keeps a checkpoint does."""
    arrays = {name: np.frombuffer(array.tobytes(), array.dtype) for name, array in checkpoint.arrays.items()}
    arrays = {name: array.reshape(checkpoint.arrays[name].shape) for name, array in arrays.items()}
    return replace(checkpoint, arrays=arrays, facts=json.loads(json.dumps(checkpoint.facts, allow_nan=False)))


def resuming(checkpoint: Checkpoint) -> Control:
    """Go on from a checkpoint that was kept."""
    return Control(resume=kept(checkpoint))


def told(model: Model) -> tuple[object, ...]:
    """All that a training has come to: weights and curves to the last bit, and what is reported of them."""
    arrays = model.parameters, model.history.loss, model.history.validation_loss
    return *(array.tobytes() for array in arrays), model.report, model.recipe, len(model.parameters)
