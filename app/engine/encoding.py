"""Encoding: what becomes of the rows of a table before a network learns from them, as the known of them tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array, Cells, Features, Index, Targets, Vector
from app.engine.backpropagation import Batch
from app.engine.config import PRECISIONS
from app.engine.losses import LOSSES
from app.engine.preprocessing import Encoder, Scaler, encode_labels, places
from app.engine.recipe import Recipe
from app.engine.table import Label, TrainingRows
from app.errors import UnsuitableTarget


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
    """From the rows of a table to what a network takes, gives and counts."""

    encoder: Encoder
    target: Scaler | None
    """None for classes and yes-or-no targets."""
    labels: tuple[Label, ...]
    recipe: Recipe
    weighing: Weighing | None

    @classmethod
    def fit(cls, rows: TrainingRows, recipe: Recipe, labels: tuple[Label, ...], known: Index) -> "Encoding":
        """Measure the known rows; raise UnsuitableTarget where the network could not answer a target of theirs."""
        encoder = Encoder.fit(rows.columns, rows.X, recipe.scaling, known)
        target = None
        if not isinstance(rows.y, tuple) and not rows.multilabel:
            target = Scaler.fit(str(recipe.scaling.target), rows.y[known])
            if recipe.scaling.target_maximum is not None:
                scale = np.full_like(target.scale, recipe.scaling.target_maximum)
                target = Scaler(np.zeros_like(target.center), scale)
            _require_reachable(target.scale_in(rows.y)[known], recipe)
        weighing = Weighing.fit(rows, labels, balanced=recipe.training.class_weight == "balanced")
        return cls(encoder, target, labels, recipe, weighing)

    def batch(self, rows: TrainingRows, send: Callable[[Cells], Array], X: Features | None = None) -> Batch:
        """Encode rows, all members' the same, and send them to the device; those not encoded yet were not in `fit`."""
        weights = None if self.weighing is None else self.weighing.weights(rows, self.labels)
        fixed = self.recipe.scaling.target_maximum or LOSSES[str(self.recipe.training.loss)].counts
        y = self.answers(rows)
        if X is None and fixed:
            _require_reachable(y, self.recipe)
        X = self.encoder.encode(rows.X) if X is None else X
        return Batch(send(X), send(y), None if weights is None else send(weights))

    def answers(self, rows: TrainingRows) -> Targets:
        """Give the target in the network's units."""
        if isinstance(rows.y, tuple):
            return encode_labels(rows.y, self.labels, one_column=self.recipe.network.output_activation == "sigmoid")
        return rows.y if self.target is None else self.target.scale_in(rows.y)


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
