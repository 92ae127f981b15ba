"""A few rows at a time: the steps of `Model.scores` in arrays that are kept, for those who ask thousands of times."""

from itertools import chain, pairwise
from math import isfinite
from typing import Any

import numpy as np

from app.engine.arrays import Array, Cells, Scores
from app.models.model import TILE, Model

MOST_KEPT = 2**16  # numbers in the arrays: where the arithmetic takes longer, they save nothing
MOST_SHAPES = 64


class Room:
    """Arrays to work in, which models of the same shape share; for one thread."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], tuple[list[Array], list[Array]]] = {}

    def arrays(self, sizes: tuple[int, ...], members: int, dtype: np.dtype[Any]) -> tuple[list[Array], list[Array]]:
        """Give a tile of inputs and the activations of each layer; and scratch beside these."""
        key = sizes, members, dtype
        if key not in self.known:
            shapes = [(TILE, sizes[0]), *((members, TILE, units) for units in sizes[1:])]
            if members == 1:  # products of matrices cost less than those of stacks of them
                shapes = [shape[-2:] for shape in shapes]
            if len(self.known) >= MOST_SHAPES:
                self.known.clear()
            arrays: list[Array] = [np.zeros(shape, dtype) for shape in shapes]
            self.known[key] = arrays, [np.empty_like(array) for array in arrays[1:]]
        return self.known[key]


class FewRows:
    """A model ready to answer up to a tile of rows, to the last bit as among others; for the thread of its room."""

    def __init__(self, model: Model, room: Room) -> None:
        network, members = model.network, len(model.parameters)
        arrays, scratch = room.arrays(network.sizes, members, model.parameters.dtype)
        layers = model.layers
        W = [layer.W[0] if members == 1 else layer.W for layer in layers]
        b = [layer.b if layer.b is None or members > 1 else layer.b[0] for layer in layers]
        apply = [activation.apply for activation in network.activations]
        self.steps = [
            (*each, a, z) for each, (a, z) in zip(zip(W, b, apply, scratch, strict=True), pairwise(arrays), strict=True)
        ]
        self.inputs, self.outputs = arrays[0], arrays[-1].reshape(members, TILE, -1).transpose(1, 2, 0)
        self.answers = _answers(model)
        self.encode = model.encoder.scaled if model.encoder.only_numbers else model.encoder.encode

    @staticmethod
    def fits(model: Model) -> bool:
        """Tell whether a model is so small that it is worth it, and takes nothing but inputs of a fixed place."""
        network = model.network
        return not network.embeddings and 2 * TILE * len(model.parameters) * sum(network.sizes) <= MOST_KEPT

    def scores(self, X: Cells) -> Scores | None:
        """Give the scores of 1 to 8 rows that miss no value, shape (samples, answers); None where one overflows."""
        with np.errstate(all="ignore"):
            self.inputs[: len(X)] = self.encode(X)  # what is below them is of others, and changes nothing
            for W, b, apply, scratch, a, z in self.steps:
                np.matmul(a, W, out=z)
                if b is not None:
                    np.add(z, b, out=z)
                apply(z, scratch)
        scores = [self._united(outputs) for outputs in self.outputs[: len(X)].tolist()]
        return np.array(scores) if all(map(isfinite, chain.from_iterable(scores))) else None

    def _united(self, outputs: list[list[float]]) -> list[float]:
        """Do what `Model.scores` does with the members' answers, number by number: here that is faster than arrays."""
        scores = []
        for place, scale, center in self.answers:
            first, *others = outputs[place]
            total = first * scale + center
            for other in others:
                total += other * scale + center
            scores.append(total / (1 + len(others)))
        return scores


def _answers(model: Model) -> list[tuple[int, float, float]]:
    """Tell which output each answer is made of, and how: multiplied, and added to.

    Of a model that tells two classes apart, the first has what the other leaves.
    """
    if model.target is not None:
        return [*zip(range(len(model.targets)), model.target.scale.tolist(), model.target.center.tolist(), strict=True)]
    outputs = model.network.sizes[-1]
    if model.labels and outputs == 1:
        return [(0, -1.0, 1.0), (0, 1.0, 0.0)]
    return [(place, 1.0, 0.0) for place in range(outputs)]
