"""How a network is trained, as the user sets it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from app.engine.arrays import Randomness
from app.engine.choices import STRICT, OneOf
from app.engine.losses import LOSSES
from app.engine.optimizers import OPTIMIZERS
from app.engine.schedules import SCHEDULES

LARGEST_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly

GENERATORS: dict[str, Callable[[int], Randomness]] = {
    "pcg64": lambda seed: np.random.default_rng(seed),  # noqa: PLW0108 - NumPy imports what makes them only then
    # NumPy's legacy stream, from which older programs (the tutorial among them) draw.
    "mt19937": lambda seed: np.random.RandomState(seed if seed < 2**32 else [seed % 2**32, seed >> 32]),
}
PRECISIONS: dict[str, type[np.floating[Any]]] = {"float64": np.float64, "float32": np.float32}
WHOLE_TABLE = ("levenberg_marquardt", "lbfgs")
"""Optimizers that are no rule for one step: each step looks at all rows, and chooses its own length."""
METHODS = OPTIMIZERS | dict.fromkeys(WHOLE_TABLE)
PARAMETRIZATIONS = {
    "standard": "one learning rate for all parameters",
    "ntk": "as if weights were of size 1 and divided by the square root of the fan-in (Jacot, Gabriel, Hongler 2018)",
}
CLASS_WEIGHTS = {"balanced": "every class counts alike, however few rows it has"}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a network is trained, as the user sets it."""

    __pydantic_config__ = STRICT

    loss: Annotated[str, OneOf(LOSSES)] | None = None
    """What is made small; where it is not given: mse for numbers, cross entropy for classes."""
    quantile: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Which quantile the loss quantile learns."""
    optimizer: Annotated[str, OneOf(METHODS)] | None = None
    """How a gradient becomes a step; chosen by rows, columns and task where it is not given."""
    members: Annotated[int, Ge(1), Le(64)] | None = None
    """Networks that are trained at once, each with other rows held out, and answer together; where it is not given, 1
    where an optimizer is, else chosen by the number of rows."""
    learning_rate: Annotated[float, Gt(0), Le(1e6)] | None = None
    """Size of the first steps; where it is not given, the optimizer's usual one."""
    schedule: Annotated[str, OneOf(SCHEDULES)] = "cosine"
    """How the learning rate changes over the epochs."""
    decay: Annotated[float, Gt(0), Le(1)] = 0.5
    """Factor by which the schedules step, exponential and plateau lower the rate."""
    decay_epochs: Annotated[int, Ge(1), Le(10_000_000)] = 100
    """Epochs to one such factor; for plateau, epochs without improvement before it."""
    epochs: Annotated[int, Ge(1), Le(10_000_000)] | None = None
    """How often every row is seen; chosen by the number of rows where it is not given."""
    batch_size: Annotated[int, Ge(1), Le(10_000_000)] | None = None
    """Rows a step; chosen by the number of rows where it is not given."""
    parametrization: Annotated[str, OneOf(PARAMETRIZATIONS)] | None = None
    """Whether all parameters share one learning rate (standard) or that of a weight falls with the square root of its
    layer's inputs (ntk); where it is not given, standard where an optimizer is, else ntk."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Share of the last step that momentum and nesterov keep."""
    beta1: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Decay of the running mean of adam and adamw."""
    beta2: Annotated[float, Ge(0), Lt(1)] | None = None
    """Decay of the running mean square of adam and adamw: 0.999, or 0.95 where the optimizer was chosen too."""
    rho: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Decay of the running mean square of rmsprop."""
    epsilon: Annotated[float, Gt(0), Le(1)] = 1e-8
    """Keeps the divisions of rmsprop, adam and adamw finite."""
    l2: Annotated[float, Ge(0), Le(1e6)] | None = None
    """Adds ½ l2 Σ W² to the loss; biases are free. Where it is not given, 0, or 0.01 with lbfgs."""
    weight_decay: Annotated[float, Ge(0), Le(1)] = 0.01
    """Share of each weight, times the rate, that adamw takes off at every step."""
    dropout: Annotated[float, Ge(0), Lt(1)] | None = None
    """Share of the hidden units that are silent in a step; where it is not given, 0 where an optimizer is, else
    0.15."""
    input_scale: bool | None = None
    """Whether each input learns a scale of its own, which becomes part of the first layer; where it is not given, only
    where the optimizer was chosen too."""
    clip_norm: Annotated[float, Gt(0), Le(1e100)] | None = None
    """Longest gradient that is not shortened; where it is not given, none is."""
    class_weight: Annotated[str, OneOf(CLASS_WEIGHTS)] | None = None
    """Balanced lets every class count alike, however few rows it has; where it is not given, every row does."""
    validation: Annotated[float, Ge(0), Le(0.9)] | None = None
    """Share of the rows that each member holds out to be judged by; where it is not given, one row of as many as there
    are members, and 0.1 for a single one from 100 rows on, else 0."""
    patience: Annotated[int, Ge(1), Le(10_000_000)] | None = None
    """Epochs without a better watched loss (validation, else training) before stopping; where it is not given, all
    epochs run."""
    keep_best: bool | None = None
    """Whether the weights with the lowest watched loss are kept, or those of the last epoch; where it is not given,
    they are, but with levenberg_marquardt."""
    tolerance: Annotated[float, Ge(0), Le(1)] = 1e-10
    """Training stops as converged once the training loss, in scaled units, is below this."""
    precision: Annotated[str, OneOf(PRECISIONS)] | None = None
    """Size of the numbers in training and answers; where it is not given, float64 up to 1,000 rows or with
    levenberg_marquardt and lbfgs, else float32."""
    seed: Annotated[int, Ge(0), Le(LARGEST_SEED)] = 0
    """Where all randomness starts: same rows, settings and seed, same model."""
    generator: Annotated[str, OneOf(GENERATORS)] = "pcg64"
    """Where random numbers come from."""
