"""Budgets: what a training will take, told from its shapes alone, before it begins."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice, pairwise
from operator import gt
from sys import maxsize
from typing import NamedTuple

import numpy as np

from app.engine.config import WHOLE_TABLE
from app.engine.selection import MOST_RECORDED
from app.models.defaults import Candidate, candidates, labels_of, problem_of
from app.models.learning import outputs_for
from app.models.preprocessing import EMBEDDING_WIDTH
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from app.solvers.lbfgs import PAIRS

STEP_OPERATIONS = 10_000  # what a step costs for each layer beside its products, in operations
LINE_SEARCH = 1.3  # looks at the loss for each step of lbfgs
JACOBIANS = 3  # that levenberg_marquardt holds at once: as it is made, weighed, and in a product
CHECKPOINTED = 24  # vectors as long as the parameters: 9 that are learnt with, 5 copies, and these twice as bytes
BLOCK_NUMBERS = 2**21  # held at once where rows are answered in blocks


OPERATIONS_A_SECOND = 3e10  # that a busy processor does too
CELL_OPERATIONS = 10_000  # in the time of which a cell of a dataset is read and encoded, be it a date


class Cost(NamedTuple):
    """What a training will take: parameters, numbers held at once, and arithmetic operations."""

    parameters: int
    numbers: int
    operations: float


def within(limits: Cost, seconds: float) -> Cost:
    """Tighten limits to what is done in so many seconds, for what need not be as large as the limits allow."""
    return limits._replace(operations=min(limits.operations, seconds * OPERATIONS_A_SECOND))


def estimate(rows: TrainingRows, recipe: Recipe, *, judging: int = 0) -> Cost:
    """Estimate a training's cost from its shapes alone; raise UnsuitableTarget where settings contradict the target.

    Where several ways are tried, operations add up, and the rest is that of the greatest. With rows that only judge,
    the others are read anew in each epoch.
    """
    problem = problem_of(rows, labels_of(rows), recipe.scaling.one_hot)._replace(judging=judging)
    options = candidates(recipe, problem)
    costs = [_cost(rows, option) for option in options]
    passes = max(option.recipe.training.epochs or 1 for option in options) + 1 if judging else 0
    return Cost(
        max(cost.parameters for cost in costs),
        max(cost.numbers for cost in costs),
        sum(cost.operations for cost in costs) + float(passes) * rows.X.size * CELL_OPERATIONS,
    )


def estimate_groups(rows: TrainingRows, sizes: Sequence[int], recipe: Recipe) -> Cost:
    """Estimate the cost of a model for each group, one after the other, from the largest; raise as `estimate` does."""
    many = max(2, *sizes)
    y = tuple(islice(cycle(labels_of(rows)), many)) if isinstance(rows.y, tuple) else rows.y[:many]
    cost = estimate(_as_many(replace(rows, y=y), many), recipe)
    return cost._replace(numbers=cost.numbers + 3 * rows.X.size, operations=cost.operations * len(rows.X) / many)


def most_rows(rows: TrainingRows, recipe: Recipe, limits: Cost, most: int, *, judging: int = 0) -> int:
    """Tell how many rows like these one training could take within the limits, `most` at most and these at least."""
    while most > len(rows.X) and any(map(gt, estimate(_as_many(rows, most), recipe, judging=judging), limits)):
        most = max(len(rows.X), most * 3 // 4)
    return most


def most_streamed(rows: TrainingRows, recipe: Recipe, limits: Cost, most: int) -> int:
    """Tell how many rows one training could take if they need not be in memory, but for a batch of them.

    0 for an optimizer that takes no batches, or too large ones.
    """
    training = recipe.training
    at_once = max(min(training.batch_size or 0, most), len(rows.X))
    if training.optimizer in WHOLE_TABLE or estimate(_as_many(rows, at_once), recipe).numbers > limits.numbers:
        return 0
    return most_rows(rows, recipe, limits._replace(numbers=maxsize), most, judging=1)


def _as_many(rows: TrainingRows, many: int) -> TrainingRows:
    """Stand in for so many rows, in no memory; their cost depends on how many they are, not on what they say."""
    y = rows.y if isinstance(rows.y, tuple) else np.broadcast_to(rows.y[:1], (many, rows.y.shape[1]))
    return replace(rows, X=np.broadcast_to(rows.X[:1], (many, rows.X.shape[1])), y=y, weights=None)


def _cost(rows: TrainingRows, candidate: Candidate) -> Cost:
    """Count for one recipe.

    An epoch multiplies each row with each weight three times (forward, W's gradient, the error passed down), each a
    multiplication and an addition; a step costs something however little it multiplies. Held are the rows as sent,
    scaled, encoded and in a batch; targets and answers; the layers of a batch, thrice; the parameters with gradient,
    best, memory and scales, and while a checkpoint is made, most of these again.
    """
    recipe, training = candidate.recipe, candidate.recipe.training
    labels = len(labels_of(rows))
    sizes = (_inputs(rows, recipe), *(recipe.network.hidden or ()), outputs_for(recipe, len(rows.targets), labels))
    members, samples, epochs = training.members or 1, len(rows.X), training.epochs or 1
    embeddings = sum(len(column.levels) + 1 for column in rows.columns if len(column.levels) > recipe.scaling.one_hot)
    size = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    size += embeddings * EMBEDDING_WIDTH
    whole = training.optimizer in WHOLE_TABLE  # each step sees all rows, whatever batch_size says; one member at a time
    batch_size, at_once = (samples, 1) if whole else (training.batch_size or samples, members)
    block = max(at_once * batch_size * sum(sizes), min(BLOCK_NUMBERS, members * samples * max(sizes)))
    answers = samples * max(labels, sizes[-1])
    numbers = 3 * rows.X.size + 2 * samples * sizes[0] + (6 + members) * answers + 3 * block
    numbers += 3 * min(MOST_RECORDED, epochs * answers)  # what members answer to the rows that judge them
    vectors = 8 if whole else CHECKPOINTED if training.precision == "float64" else CHECKPOINTED // 2  # half as wide
    numbers += vectors * members * size
    steps = -(-samples // batch_size) * (len(sizes) - 1) * STEP_OPERATIONS
    operations = float(epochs) * members * (6.0 * size * samples + steps)
    if training.optimizer == "levenberg_marquardt":
        equations = min(size, samples * sizes[-1])  # solved in whichever form has fewer
        numbers += JACOBIANS * samples * sizes[-1] * size + 3 * equations**2
        operations += float(epochs) * members * equations * (2.0 * samples * sizes[-1] * size + 3.0 * equations**2)
    if training.optimizer == "lbfgs":
        numbers += (2 * PAIRS + 8) * size  # what it remembers of past steps, of one member at a time
        operations *= LINE_SEARCH
    return Cost(members * size, numbers, operations)


def _inputs(rows: TrainingRows, recipe: Recipe) -> int:
    """Count the network's inputs, at most: with an indicator for each column that may have missing values."""
    numbers = sum(not column.levels for column in rows.columns)
    problem = problem_of(rows, (), recipe.scaling.one_hot)
    return problem.inputs + len(rows.columns) + 2 * numbers * (recipe.scaling.bins or 0)
