"""Training: forward, loss, gradient, step, and again, until it is good enough or the epochs are over."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Array, Curve, Index, Indices, Outputs, Parameters, PerMember, Randomness
from app.engine.backpropagation import ALL, Backpropagation, Batch
from app.engine.config import TrainingConfig
from app.engine.control import CANCELLED, MEMORY, Checkpoint, Control, Progress, random_state, set_random_state
from app.engine.device import Device
from app.engine.examples import Examples, Take
from app.engine.losses import Loss
from app.engine.network import Network
from app.engine.optimizers import Stepper, clip
from app.engine.regularisers import Dropout, RawParameters
from app.engine.schedules import SCHEDULES, Clock
from app.engine.selection import Recording
from app.engine.sharding import ALONE, Helpers, ShardedBackpropagation
from app.errors import Diverged

LARGEST_LOSS = 1e100  # a loss beyond this overflows as soon as it is squared or un-scaled
FEW_MEMBERS = 16
MOST_TRACED = 1024  # rows looked at to find the layer that overflowed
BLOCK_NUMBERS = 2**21  # numbers in the widest layer of rows that are judged at once: bounds the memory
CURVES, BESTS = ("losses", "validation_losses"), ("best_loss", "best_epochs")


@dataclass(frozen=True)
class History:
    """One number an epoch, the mean over the members.

    `loss` is what the epoch's steps saw on their way; `validation_loss` is measured after them, and empty where no
    rows were held out.
    """

    loss: Curve
    validation_loss: Curve


@dataclass(frozen=True)
class Trained:
    """What training leaves behind.

    `loss` is that of the kept parameters on each member's training rows (on those that judge, where the others are
    streamed), which they had after `kept_epochs` epochs;
    `stopped` is `epochs`, `max_epochs`, `patience`, `converged` or `cancelled`.
    """

    parameters: Parameters
    history: History
    loss: float
    kept_epochs: tuple[int, ...]
    stopped: str
    unseen: Outputs | None = None
    """What members answered to the rows that judge them, (members, judged, outputs), at epochs that these did not
    choose; None where none was chosen, or where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a training works with, whatever it learns."""

    device: Device
    helpers: Helpers = ALONE
    control: Control = Control()
    memory: Checkpoint | None = None
    """Of an earlier training, whose optimizer's memory is gone on with."""
    good_enough: float = np.inf
    """A validation loss that a solver gives up above (GaveUp), since something else will be tried."""


@dataclass(frozen=True, kw_only=True)
class Course(Means):
    """All that a training needs beside the rows: what learns, from where, how, and by what means."""

    network: Network
    loss: Loss
    config: TrainingConfig
    parameters: Parameters
    rng: Randomness
    models: int = 1
    """How many learn at once, each with as many members: the first of the parameters are those of the first model."""

    def diverged(self, parameters: Parameters, rows: Batch, past: Sequence[float]) -> Diverged:
        """Say that the loss of rows is not finite, naming the first layer that is not; `past` losses came before it."""
        inputs = self.network.enter(parameters, rows.X[..., :MOST_TRACED, :])
        passes = self.network.passes((len(parameters), inputs.shape[-2]), parameters)
        self.network.forward(self.network.layers(parameters), inputs, passes)
        finite = [bool(np.isfinite(layer.a).all()) for layer in passes]
        return Diverged(
            epoch=len(past) + 1,
            layer=finite.index(False) + 1 if False in finite else len(finite),
            learning_rate=self.config.learning_rate or 0.0,
            last_loss=past[-1] if past else None,
        )

    def measure(
        self,
        parameters: Parameters,
        examples: Examples,
        rows: Indices,
        past: Sequence[float] = (),
        recording: Recording | None = None,
    ) -> PerMember:
        """Measure the loss of some parameters on each member's rows; raise Diverged if it is not finite.

        Rows that are measured at once are noted in a recording.
        """
        total = np.zeros(len(parameters))
        block = max(1, BLOCK_NUMBERS // (len(parameters) * max(self.network.sizes)))
        for start in range(0, rows.shape[1], block):
            part = rows[:, start : start + block]
            batch = examples.batch(part)
            z, a = self.network.outputs(parameters, batch.X)
            value = self.device.fetch(self.loss.value(z, a, batch.y, batch.weights))
            if not is_finite(value):
                raise self.diverged(parameters, batch, past)
            if recording is not None and part.shape == rows.shape:
                recording.note(self, z, a, batch)
            total += value if self.loss.summed else value * (part.shape[1] / rows.shape[1])
        return total


def is_finite(value: PerMember) -> bool:
    """Tell whether a loss is one that can still be worked with."""
    if len(value) > FEW_MEMBERS:
        return bool((np.abs(value) < LARGEST_LOSS).all())  # false for NaN too
    return all(abs(number) < LARGEST_LOSS for number in value.tolist())  # faster than arrays


Told = Callable[[float], str | None]
"""Notes the loss after a solver's step; tells why it is time to stop, if it is."""


class Run:
    """The changing state of one training by gradients."""

    def __init__(self, course: Course, examples: Examples) -> None:
        parameters, network, config = course.parameters, course.network, course.config
        self.course, self.examples, self.config = course, examples, config
        self.raw = RawParameters(course) if config.input_scale else None
        self.gradient = np.empty_like(parameters)
        whole = Backpropagation(network, course.loss, parameters, self.gradient, l2=config.l2 or 0.0)
        self.backpropagation = ShardedBackpropagation(whole, course.helpers)
        self.stepper = Stepper(
            str(config.optimizer),
            parameters if self.raw is None else self.raw.parameters,
            network.is_weight(parameters),
            network.ntk_rates(parameters) if config.parametrization == "ntk" else None,
        )
        self.dropout = Dropout(course)
        self.rate = self.initial_rate = float(config.learning_rate or 0.0)
        self.losses: list[float] = []
        self.validation_losses: list[float] = []
        self.is_watched = config.keep_best or config.patience is not None or config.schedule == "plateau"
        self.improved = 0  # the last epoch at whose end a member's best loss was known
        self.best_loss = np.full(len(parameters), np.inf)
        self.best_epochs = np.zeros(len(parameters), dtype=np.intp)  # at whose end the best loss was known
        self.best_parameters = parameters.copy()
        is_recorded = config.keep_best and not examples.are_streamed
        self.recording = Recording(course.models) if is_recorded else None
        self.before = np.empty_like(parameters)  # the epoch that is under way
        if course.memory is not None:
            self.remember(course.memory)

    def epoch(self) -> str | None:
        """See every row once, and judge what came of it; tell why training is to stop now, if it is."""
        config, parameters, control = self.config, self.course.parameters, self.course.control
        self.before[:] = parameters
        learnt = self.learn()
        if learnt is None:
            parameters[:] = self.before
            return CANCELLED
        self.judge(learnt)
        validation_loss = self.validation_losses[-1] if self.validation_losses else None
        epochs = min(config.epochs or 0, control.most_epochs)
        control.on_epoch(Progress(len(self.losses), epochs, self.losses[-1], validation_loss))
        self.rate = self.next_rate()
        return self.ending()

    def learn(self) -> PerMember | None:
        """See every row once, in batches; give the loss of each member on the way, None if training is to end now."""
        total = np.zeros(len(self.gradient))
        for count, take in self.examples.batches(self.config.batch_size or 0, self.course.rng):
            if self.course.control.ends_now():
                return None
            value = self.descend(count, take)
            total += value if self.course.loss.summed else value * (count / self.examples.count)
        self.note(self.losses, total)
        return total

    def note(self, curve: list[float], losses: PerMember) -> None:
        """Add the mean over the members to a curve."""
        curve.append(_mean(losses))

    def descend(self, rows: int, take: Take) -> PerMember:
        """Take one step on one batch of so many rows and return the loss before it, without the penalty."""
        value: PerMember = self.course.device.fetch(self.backpropagation(take, rows, self.dropout.masks(rows)))
        if not is_finite(value):
            raise self.course.diverged(self.course.parameters, take(slice(MOST_TRACED)), self.losses)
        if self.raw is not None:
            self.raw.take_gradient(self.gradient)
        if self.config.clip_norm is not None:
            clip(self.gradient, self.config.clip_norm)
        self.stepper.apply(self.gradient, self.rate, self.config)
        if self.raw is not None:
            self.raw.apply(self.rate, self.config)
        return value

    def judge(self, learnt: PerMember) -> None:
        """Measure the watched loss, and remember for each member the weights that had it if it is the best.

        On held-out rows it is measured now; without them it is what the epoch saw, which is the loss of the weights
        before it, and only looked at where anything depends on it.
        """
        watched, parameters = learnt, self.before
        if self.examples.judged.shape[1]:
            parameters = self.course.parameters
            judged = self.examples.judged
            watched = self.course.measure(parameters, self.examples, judged, self.losses, self.recording)
            self.note(self.validation_losses, watched)
        elif not self.is_watched:
            return
        better = watched < self.best_loss
        if True in better.tolist():
            self.improved = len(self.losses)
            np.copyto(self.best_loss, watched, where=better)
            np.copyto(self.best_epochs, self.improved, where=better)
            if self.config.keep_best:
                self.best_parameters[better] = parameters[better]

    @property
    def stalled(self) -> int:
        """How many epochs it is that a member had its best watched loss."""
        return len(self.losses) - self.improved

    def ending(self) -> str | None:
        """Say why training should stop now, if it should."""
        if self.losses[-1] - self.course.loss.floor < self.config.tolerance:
            return "converged"
        if self.config.patience is not None and self.stalled >= self.config.patience:
            return "patience"
        epoch = len(self.losses)
        return self.course.control.ending(epoch) if epoch < (self.config.epochs or 0) else "epochs"

    def next_rate(self) -> float:
        """Ask the schedule."""
        config = self.config
        clock = Clock(len(self.losses), config.epochs or 0, self.stalled)
        return SCHEDULES[config.schedule](self.initial_rate, self.rate, clock, config.decay, config.decay_epochs)

    def _vectors(self) -> dict[str, Array]:
        """Name what steps change in place."""
        vectors = {"parameters": self.course.parameters, "best_parameters": self.best_parameters}
        vectors["memory"] = self.stepper.memory
        if self.raw is not None:
            scales = {"scale": self.raw.scale, "scale_memory": self.raw.stepper.memory}
            vectors |= {"raw_parameters": self.raw.parameters} | scales
        return vectors

    def checkpoint(self, stopped: str | None) -> Checkpoint:
        """Put down all that the epochs to come depend on."""
        there = self._vectors() | {"dropout": self.dropout.pool}
        arrays = {name: self.course.device.fetch(array).copy() for name, array in there.items()}
        arrays |= {name: np.array(getattr(self, name)) for name in (*CURVES, *BESTS)}
        arrays |= {} if self.recording is None else self.recording.checkpoint()
        facts = {"step": self.stepper.number, "by": self.by, "rate": self.rate, "stopped": stopped}
        return Checkpoint(len(self.losses), arrays, facts | {"random": random_state(self.course.rng)})

    @property
    def by(self) -> list[object]:
        """Tell whose memory it is."""
        return [self.config.optimizer, self.raw is not None]

    def _restore(self, names: Iterable[str], checkpoint: Checkpoint) -> None:
        vectors = self._vectors()
        for name in vectors.keys() & names:
            vectors[name][:] = self.course.device.send(checkpoint.arrays[name])
        self.stepper.number = checkpoint.facts["step"]
        if self.raw is not None:
            self.raw.stepper.number = self.stepper.number

    def remember(self, memory: Checkpoint) -> None:
        """Go on with the memory of an earlier training, if its optimizer was the same."""
        if memory.facts["by"] == self.by:
            self._restore(MEMORY, memory)
            if self.raw is not None:
                self.raw.factor()

    def resume(self, checkpoint: Checkpoint) -> str | None:
        """Go back to where a checkpoint was made; tell why training stopped there, if it did."""
        arrays, facts = checkpoint.arrays, checkpoint.facts
        self._restore(arrays, checkpoint)
        self.dropout.pool = self.course.device.send(arrays["dropout"])
        for name in BESTS:
            getattr(self, name)[:] = arrays[name]
        self.improved = int(self.best_epochs.max())
        for name in CURVES:
            getattr(self, name)[:] = arrays[name].tolist()
        if self.recording is not None:
            self.recording.resume(arrays, len(self.validation_losses))
        self.rate = facts["rate"]
        set_random_state(self.course.rng, facts["random"])
        stopped: str | None = facts["stopped"]
        return stopped

    def trained(self, stopped: str) -> Trained:
        """Keep each member's best parameters, or the last."""
        parameters, loss, epochs = self.kept()
        history = History(np.array(self.losses), np.array(self.validation_losses))
        unseen = None if self.recording is None else self.recording.fair()
        return Trained(parameters, history, float(loss.mean()), tuple(epochs.tolist()), stopped, unseen)

    def kept(self, members: slice | Index = ALL) -> "Kept":
        """Give what is kept of some members, written over their last parameters where these are all."""
        course, learnt = self.course, self.examples.learnt[members]
        parameters, epochs = course.parameters[members], np.full(len(learnt), len(self.losses))
        loss = course.measure(parameters, self.examples, learnt, self.losses)
        if self.config.keep_best:
            best_parameters, best_epochs = self.best_parameters[members], self.best_epochs[members]
            best = course.measure(best_parameters, self.examples, learnt, self.losses)
            better = (best < loss) | bool(self.validation_losses)  # what judges has chosen already
            parameters[better] = best_parameters[better]
            epochs[better] = best_epochs[better] - (not self.validation_losses)  # seen before its steps
            loss = np.where(better, best, loss)
        return Kept(parameters, loss, epochs)


class Kept(NamedTuple):
    """Of each member: its parameters, their loss on its training rows, and the epochs after which it had them."""

    parameters: Parameters
    losses: PerMember
    epochs: Index


def _mean(values: PerMember) -> float:
    return float(np.add.reduce(values)) / len(values)  # what `mean` gives, in a third of its time


def descend(course: Course, examples: Examples) -> Trained:
    """Train by gradients from the given parameters, changed in place; raise Diverged if a loss is not finite."""
    run = Run(course, examples)
    stopped = None if course.control.resume is None else run.resume(course.control.resume)
    while stopped is None:
        stopped = run.epoch()
        course.control.after_epoch(stopped, partial(run.checkpoint, stopped))
    return run.trained(stopped)
