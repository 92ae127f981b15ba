"""A model: a trained network with all it takes to answer in the user's own units."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Features, Parameters, Row, Scores, Targets
from app.engine.metrics import Metrics
from app.engine.network import Network
from app.engine.preprocessing import Label, Scaler
from app.engine.recipe import Recipe
from app.engine.training import History
from app.errors import MOST_FAULTS, BadTable, Fault

Answer: TypeAlias = float | list[float] | Label


def in_user_units(a: Targets, target: Scaler | None) -> Scores:
    """Turn what a network's last layer gives into numbers of the target, or without a scaler into probabilities."""
    if target is not None:
        return target.scale_out(a)
    return np.hstack((1.0 - a, a)) if a.shape[1] == 1 else a


@dataclass(frozen=True)
class TrainingRows:
    """A table to learn from: numbers in `X`, and in `y` numbers (samples, outputs) or one label a row."""

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    X: Features
    y: Targets | tuple[Label, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is worth telling about a training.

    `loss` is in scaled units, `metrics` in the user's; `validation` metrics rest on the held-out rows only.
    """

    rows: int
    rows_held_out: int
    parameters: int
    epochs: int
    kept_epoch: int
    stopped: str
    loss: float
    metrics: dict[str, Metrics]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Model:
    """Preprocessing, network and record of the training; never written again once made."""

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    labels: tuple[Label, ...]
    """The classes in the order of their probabilities; empty for numbers."""
    recipe: Recipe
    """The settings, with everything filled in that the user left open."""
    network: Network
    parameters: Parameters
    features: Scaler
    target: Scaler | None
    lowest: Row
    highest: Row
    history: History
    report: Report
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""

    def scores(self, X: Features) -> Scores:
        """Answer rows: numbers in the user's units (samples, targets), or probabilities (samples, labels).

        Raises BadTable for a row so far outside the trained ranges that the arithmetic overflows.
        """
        with np.errstate(all="ignore"):
            _, a = self.network.outputs(self.parameters, self.features.scale_in(X))
            scores = in_user_units(a, self.target)
        overflown = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(overflown):
            message = "An answer overflows: the row lies too far outside the trained ranges."
            faults = [Fault("numbers nearer to the trained ranges", row=int(row)) for row in overflown[:MOST_FAULTS]]
            raise BadTable(message, faults, len(overflown))
        return scores

    def answers(self, scores: Scores) -> list[Answer]:
        """Put scores as the user asked for them: a number, a list of numbers, or a label for each row."""
        if self.labels:
            return [self.labels[index] for index in scores.argmax(axis=1)]
        answers: list[Answer] = (scores[:, 0] if len(self.targets) == 1 else scores).tolist()
        return answers

    def in_range(self, X: Features) -> npt.NDArray[np.bool_]:
        """Tell for each row whether every column lies within what was trained on."""
        return np.asarray(((self.lowest <= X) & (self.highest >= X)).all(axis=1))
