"""What a training adds to plain gradients: dropout, and learnt scales of the inputs."""

from typing import TYPE_CHECKING

import numpy as np

from app.engine.arrays import Array, Parameters
from app.engine.optimizers import Stepper

if TYPE_CHECKING:
    from app.engine.config import TrainingConfig
    from app.engine.training import Course

SPARE = 2**16  # numbers in a pool beyond what one mask takes: so many places to begin at
INPUT_RATE = 6.0  # Holzmüller, Grinsztajn, Steinwart 2024: scales of inputs learn faster


class Dropout:
    """Masks that silence a share of each hidden layer's units (Srivastava et al. 2014) and make up for it in the rest.

    They are cut from one pool of random numbers at random places, since drawing all anew would cost more than the
    network does.
    """

    def __init__(self, course: "Course") -> None:
        self.course, self.share = course, course.config.dropout or 0.0
        self.members = len(course.parameters) // course.models  # others learn with the same masks, as if alone
        self.units = course.network.sizes[1:-1] if self.share else ()
        self.pool = course.parameters[0, :0]

    def masks(self, rows: int) -> list[Array]:
        """Give one mask for each hidden layer, shape (members, rows, units); none where nothing is dropped."""
        if not self.units:
            return []
        members, models, rng = self.members, self.course.models, self.course.rng
        longest = members * rows * max(self.units)
        if len(self.pool) < longest + SPARE:
            kept = rng.uniform(size=longest + SPARE) >= self.share
            self.pool = self.course.device.send(np.multiply(kept, 1.0 / (1.0 - self.share)).astype(self.pool.dtype))
        starts = (rng.uniform(size=len(self.units)) * SPARE).astype(np.intp)
        masks = [
            self.pool[start : start + members * rows * units].reshape(members, rows, units)
            for start, units in zip(starts, self.units, strict=True)
        ]
        return masks if models == 1 else [np.tile(mask, (models, 1, 1)) for mask in masks]


class RawParameters:
    """Parameters with a learnt scale s for each input: the network's W1 is s times the raw one.

    No other network, but another path of learning: an input that matters is turned up as a whole.
    """

    def __init__(self, course: "Course") -> None:
        self.effective, network = course.parameters, course.network
        self.parameters = self.effective.copy()
        self.raw_W, self.effective_W = (network.layers(all_)[0].W for all_ in (self.parameters, self.effective))
        self.network = network
        self.scale = np.ones_like(self.raw_W[..., 0])
        self.gradient = np.empty_like(self.scale)
        self.stepper = Stepper(str(course.config.optimizer), self.scale, np.zeros_like(self.scale), None)

    def factor(self) -> None:
        """Find the raw parameters that the network's are the product of, with the scales as they are now."""
        self.scale[self.scale == 0.0] = 1.0
        self.parameters[:] = self.effective
        self.raw_W /= self.scale[..., np.newaxis]

    def take_gradient(self, gradient: Parameters) -> None:
        """Turn the gradient of the network's parameters into that of the raw ones and of the scales."""
        W = self.network.layers(gradient)[0].W
        np.sum(W * self.raw_W, axis=2, out=self.gradient)
        W *= self.scale[..., np.newaxis]

    def apply(self, learning_rate: float, config: "TrainingConfig") -> None:
        """Step the scales, and compose the network's parameters anew."""
        self.stepper.apply(self.gradient, INPUT_RATE * learning_rate, config)
        self.effective[:] = self.parameters
        np.multiply(self.raw_W, self.scale[..., np.newaxis], out=self.effective_W)
