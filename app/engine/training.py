"""Training: forward, loss, gradient, step, and again, until it is good enough or the epochs are over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from app.engine.arrays import Curve, Features, HeldOutFeatures, HeldOutTargets, Parameters, Randomness, Targets
from app.engine.choices import STRICT, OneOf
from app.engine.losses import LOSSES, Loss
from app.engine.network import LayerPass, Network
from app.engine.optimizers import OPTIMIZERS, Step, clip
from app.engine.schedules import SCHEDULES, Clock
from app.errors import Diverged

LARGEST_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly
LARGEST_LOSS = 1e100  # a loss beyond this overflows as soon as it is squared or un-scaled
MOST_TRACED = 1024  # rows looked at to find the layer that overflowed
SMALL_TABLE = 256  # up to so many rows one step sees all of them
USUAL_BATCH = 64
USUAL_STEPS = 20_000

GENERATORS: dict[str, Callable[[int], Randomness]] = {
    "pcg64": np.random.default_rng,
    # NumPy's legacy stream, from which older programs (the tutorial among them) draw.
    "mt19937": lambda seed: np.random.RandomState(seed if seed < 2**32 else [seed % 2**32, seed >> 32]),
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a network is trained, as the user sets it."""

    __pydantic_config__ = STRICT

    loss: Annotated[str, OneOf(LOSSES)] | None = None
    """What is made small; where it is not given: mse for numbers, cross entropy for classes."""
    optimizer: Annotated[str, OneOf(OPTIMIZERS)] = "adam"
    """How a gradient becomes a step."""
    learning_rate: Annotated[float, Gt(0), Le(1e6)] | None = None
    """Size of the first steps; where it is not given, the optimizer's usual one."""
    schedule: Annotated[str, OneOf(SCHEDULES)] = "cosine"
    """How the learning rate changes over the epochs."""
    decay: Annotated[float, Gt(0), Le(1)] = 0.5
    """Factor by which the schedules step, exponential and plateau lower the rate."""
    decay_epochs: Annotated[int, Ge(1), Le(10_000_000)] = 100
    """Epochs to one such factor; for plateau, epochs without improvement before it."""
    epochs: Annotated[int, Ge(1), Le(10_000_000)] | None = None
    """How often every row is seen; where it is not given, 20 to 2,000 by the number of rows."""
    batch_size: Annotated[int, Ge(1), Le(10_000_000)] | None = None
    """Rows a step; where it is not given, all of up to 256 rows, else 64."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Share of the last step that momentum and nesterov keep."""
    beta1: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Decay of the running mean of adam and adamw."""
    beta2: Annotated[float, Ge(0), Lt(1)] = 0.999
    """Decay of the running mean square of adam and adamw."""
    rho: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Decay of the running mean square of rmsprop."""
    epsilon: Annotated[float, Gt(0), Le(1)] = 1e-8
    """Keeps the divisions of rmsprop, adam and adamw finite."""
    l2: Annotated[float, Ge(0), Le(1e6)] = 0.0
    """Adds ½ l2 Σ W² to the loss; biases are free."""
    weight_decay: Annotated[float, Ge(0), Le(1)] = 0.01
    """Share of each weight, times the rate, that adamw takes off at every step."""
    clip_norm: Annotated[float, Gt(0), Le(1e100)] | None = None
    """Longest gradient that is not shortened; where it is not given, none is."""
    validation: Annotated[float, Ge(0), Le(0.9)] | None = None
    """Share of the rows held out to judge by; where it is not given, 0.1 from 100 rows on, else 0."""
    patience: Annotated[int, Ge(1), Le(10_000_000)] | None = None
    """Epochs without a better watched loss (validation, else training) before stopping; where it is not given, all
    epochs run."""
    keep_best: bool = True
    """Whether the weights with the lowest watched loss are kept, or those of the last epoch."""
    tolerance: Annotated[float, Ge(0), Le(1)] = 1e-10
    """Training stops as converged once the training loss, in scaled units, is below this."""
    seed: Annotated[int, Ge(0), Le(LARGEST_SEED)] = 0
    """Where all randomness starts: same rows, settings and seed, same model."""
    generator: Annotated[str, OneOf(GENERATORS)] = "pcg64"
    """Where random numbers come from."""

    def chosen_for(self, rows: int) -> tuple[int, int, float]:
        """Give epochs, batch size and learning rate: as set, else as usual for so many rows."""
        batch_size = min(rows, self.batch_size or (rows if rows <= SMALL_TABLE else USUAL_BATCH))
        steps = -(-rows // batch_size)
        epochs = self.epochs or min(2000, max(20, USUAL_STEPS // steps))
        return epochs, batch_size, self.learning_rate or OPTIMIZERS[self.optimizer].learning_rate


class Progress(NamedTuple):
    """Where a training stands after an epoch."""

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None


@dataclass(frozen=True)
class History:
    """One number an epoch.

    `loss` is what the epoch's steps saw on their way; `validation_loss` is measured after them, and empty where no
    rows were held out.
    """

    loss: Curve
    validation_loss: Curve


@dataclass(frozen=True)
class Trained:
    """What training leaves behind.

    `loss` is that of the kept parameters on the training rows, which they had after `kept_epoch` epochs; `stopped` is
    `epochs`, `patience` or `converged`.
    """

    parameters: Parameters
    history: History
    loss: float
    kept_epoch: int
    stopped: str


@dataclass(frozen=True)
class Examples:
    """Scaled rows to learn from, and rows held out to judge by (possibly none)."""

    X: Features
    y: Targets
    X_held_out: HeldOutFeatures
    y_held_out: HeldOutTargets


@dataclass
class _Run:
    """The changing state of one training."""

    network: Network
    loss: Loss
    config: TrainingConfig
    rng: Randomness
    parameters: Parameters
    rate: float
    memory: list[Parameters]
    steps: int = 0
    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_epoch: int = 0
    kept_epoch: int = 0
    best_parameters: Parameters = field(default_factory=lambda: np.zeros(0))

    def learn(self, X: Features, y: Targets, batch_size: int) -> None:
        """See every row once, in batches, and note the loss on the way."""
        total = 0.0
        for X_batch, y_batch in _batches(X, y, batch_size, self.rng):
            value = self.descend(X_batch, y_batch)
            total += value if self.loss.summed else value * len(X_batch) / len(X)
        self.losses.append(total)

    def descend(self, X: Features, y: Targets) -> float:
        """Take one step on one batch and return the loss before it, without the penalty."""
        config = self.config
        value, gradient = self.network.gradient(self.parameters, X, y, loss=self.loss, l2=config.l2)
        self.require_finite(value, X, epoch=len(self.losses) + 1)
        if config.l2:
            value -= self.network.penalty(self.parameters, config.l2)
        if config.clip_norm is not None:
            clip(gradient, config.clip_norm)
        self.steps += 1
        step = Step(self.rate, self.steps, self.network.is_weight, config)
        OPTIMIZERS[config.optimizer].apply(self.parameters, gradient, self.memory, step)
        return value

    def judge(self, examples: Examples, before: Parameters) -> None:
        """Measure the watched loss, and remember the weights that had it if it is the best.

        On held-out rows it is measured now; without them it is what the epoch saw, which is the loss of the weights
        before it.
        """
        epoch = len(self.losses)
        watched, parameters, kept_epoch = self.losses[-1], before, epoch - 1
        if len(examples.X_held_out):
            watched = self.loss.value(*self.network.outputs(self.parameters, examples.X_held_out), examples.y_held_out)
            self.require_finite(watched, examples.X_held_out, epoch=epoch)
            self.validation_losses.append(watched)
            parameters, kept_epoch = self.parameters.copy(), epoch
        if watched < self.best_loss:
            self.best_loss, self.best_epoch = watched, epoch
            self.best_parameters, self.kept_epoch = parameters, kept_epoch

    def ending(self) -> str | None:
        """Say why training should stop now, if it should."""
        if self.losses[-1] < self.config.tolerance:
            return "converged"
        if self.config.patience is not None and len(self.losses) - self.best_epoch >= self.config.patience:
            return "patience"
        return None

    def next_rate(self, initial: float, epochs: int) -> float:
        """Ask the schedule."""
        clock = Clock(len(self.losses), epochs, len(self.losses) - self.best_epoch)
        return SCHEDULES[self.config.schedule](initial, self.rate, clock, self.config.decay, self.config.decay_epochs)

    def require_finite(self, value: float, X: Features, *, epoch: int) -> None:
        """Raise Diverged, naming the first layer that is not finite, if the loss is not."""
        if abs(value) < LARGEST_LOSS:  # false for NaN too
            return
        trace: list[LayerPass] = []
        self.network.forward(self.parameters, X[:MOST_TRACED], trace)
        finite = [bool(np.isfinite(layer.z).all()) for layer in trace]
        raise Diverged(
            epoch=epoch,
            layer=finite.index(False) + 1 if False in finite else len(finite),
            learning_rate=self.rate,
            last_loss=self.losses[-1] if self.losses else None,
        )

    def trained(self, examples: Examples, stopped: str) -> Trained:
        """Keep the best parameters, or the last."""
        history = History(np.array(self.losses), np.array(self.validation_losses))
        last, best = self.measured(examples, self.parameters), self.measured(examples, self.best_parameters)
        better = self.best_loss < self.validation_losses[-1] if self.validation_losses else best < last
        if self.config.keep_best and better:
            return Trained(self.best_parameters, history, best, self.kept_epoch, stopped)
        return Trained(self.parameters, history, last, len(self.losses), stopped)

    def measured(self, examples: Examples, parameters: Parameters) -> float:
        """Measure the loss of some parameters on the training rows; raise Diverged if it is not finite."""
        loss = self.loss.value(*self.network.outputs(parameters, examples.X), examples.y)
        self.require_finite(loss, examples.X, epoch=len(self.losses))
        return loss


def _batches(X: Features, y: Targets, batch_size: int, rng: Randomness) -> Iterator[tuple[Features, Targets]]:
    if batch_size >= len(X):
        yield X, y
        return
    order = rng.permutation(len(X))
    for start in range(0, len(X), batch_size):
        chosen = order[start : start + batch_size]
        yield X[chosen], y[chosen]


def fit(
    network: Network,
    loss: Loss,
    examples: Examples,
    config: TrainingConfig,
    *,
    parameters: Parameters,
    rng: Randomness,
    on_epoch: Callable[[Progress], None],
) -> Trained:
    """Train from the given parameters, which are changed in place; raise Diverged if the loss becomes non-finite."""
    epochs, batch_size, rate = config.chosen_for(len(examples.X))
    memory = OPTIMIZERS[config.optimizer].memory(parameters)
    run = _Run(network, loss, config, rng, parameters, rate, memory)
    stopped = None
    with np.errstate(all="ignore"):  # overflow is what Diverged reports
        while not stopped:
            before = run.parameters.copy()
            run.learn(examples.X, examples.y, batch_size)
            run.judge(examples, before)
            done = len(run.losses)
            on_epoch(
                Progress(done, epochs, run.losses[-1], run.validation_losses[-1] if run.validation_losses else None)
            )
            stopped = run.ending() or ("epochs" if done >= epochs else None)
            run.rate = run.next_rate(rate, epochs)
        return run.trained(examples, stopped)
