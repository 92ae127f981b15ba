"""Encoding: what becomes of the rows of a table before a network learns from them, as the known of them tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array, Cells, Index, Targets, Vector
from app.engine.backpropagation import Batch
from app.engine.config import PRECISIONS
from app.engine.losses import LOSSES
from app.errors import UnsuitableTarget
from app.models.model import Model
from app.models.preprocessing import Scaler, encode_labels, places
from app.models.recipe import Recipe
from app.models.table import Label, TrainingRows


@dataclass(frozen=True)
class Weighing:
    """How much rows count: 1 on average over those that it was fitted to."""

    largest: float
    """Of the weights, by which all are divided, so that no sum of them underflows."""
    totals: Vector
    """What all rows of a class weigh, where classes are to count alike; else empty."""
    mean: float

    @classmethod
    def fit(cls, rows: TrainingRows, labels: Sequence[Label], *, balanced: bool) -> "Weighing | None":
        """Measure rows; None where all count alike."""
        if rows.weights is None and not (balanced and labels):
            return None
        weighing = cls(1.0 if rows.weights is None else float(rows.weights.max()), np.empty(0), 1.0)
        if balanced and isinstance(rows.y, tuple):
            own = weighing.weights(rows, labels)[:, 0]
            weighing = replace(weighing, totals=np.bincount(places(rows.y, labels), own, len(labels)).astype(float))
        return replace(weighing, mean=float(weighing.weights(rows, labels).mean()))

    def weights(self, rows: TrainingRows, labels: Sequence[Label]) -> Cells:
        """Give each row's weight, shape (samples, 1)."""
        weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights / self.largest
        if self.totals.size and isinstance(rows.y, tuple):
            totals = self.totals[places(rows.y, labels)]
            weights = np.divide(weights, totals, out=np.zeros(len(weights)), where=totals > 0)  # a class may be nothing
        scaled: Cells = (weights / self.mean)[:, np.newaxis]
        return scaled


@dataclass(frozen=True)
class Encoding:
    """From the rows of a table to what the networks of a model take, are to answer and count, on their device."""

    model: Model
    weighing: Weighing | None
    send: Callable[[Array], Array]

    def batch(self, rows: TrainingRows) -> Batch:
        """Encode rows, all members' the same; raise UnsuitableTarget where a target can never be what it is."""
        model, recipe = self.model, self.model.recipe
        y = self.answers(rows)
        if recipe.scaling.target_maximum or LOSSES[str(recipe.training.loss)].counts:
            _require_reachable(y, recipe)
        weights = None if self.weighing is None else self.send(self.weighing.weights(rows, model.labels))
        return Batch(self.send(model.encoder.encode(rows.X)), self.send(y), weights)

    def answers(self, rows: TrainingRows) -> Targets:
        """Give the target in the networks' units."""
        model = self.model
        if isinstance(rows.y, tuple):
            return encode_labels(rows.y, model.labels, one_column=model.network.output == "sigmoid")
        return rows.y if model.target is None else model.target.scale_in(rows.y)


def fit_target(rows: TrainingRows, recipe: Recipe, known: Index) -> Scaler | None:
    """Measure numbers to be answered; raise UnsuitableTarget where the network could not answer a known row's."""
    if isinstance(rows.y, tuple) or rows.multilabel:
        return None
    target = Scaler.fit(str(recipe.scaling.target), rows.y[known])
    if recipe.scaling.target_maximum is not None:
        scale = np.full_like(target.scale, recipe.scaling.target_maximum)
        target = Scaler(np.zeros_like(target.center), scale)
    _require_reachable(target.scale_in(rows.y)[known], recipe)
    return target


def _require_reachable(y: Array, recipe: Recipe) -> None:
    """Raise UnsuitableTarget for a scaled target that the network cannot answer, or whose squares overflow."""
    output, precision = str(recipe.network.output_activation), str(recipe.training.precision)
    low, high = ACTIVATIONS[output].range
    lowest, highest = y.min(), y.max()
    between = f"Scaled, the target runs from {lowest:.4g} to {highest:.4g}"
    if LOSSES[str(recipe.training.loss)].counts and lowest < 0:
        message = f"Loss {recipe.training.loss} learns counts, which are never negative; this target is. Leave it out."
        raise UnsuitableTarget(message)
    if lowest < low or highest > high:
        message = (
            f"{between}, but {output} answers lie between {low:.4g} and {high:.4g}. Leave scaling.target out (or raise "
            "target_maximum), or use output_activation identity."
        )
        raise UnsuitableTarget(message)
    if max(-lowest, highest) ** 2 > np.finfo(PRECISIONS[precision]).max:
        message = f"{between}, whose squares are beyond {precision}. Leave scaling.target out, or raise target_maximum."
        raise UnsuitableTarget(message)
