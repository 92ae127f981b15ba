"""A reader of snapshots that follows models/README.md, and nothing of the engine."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

Floats = npt.NDArray[Any]

ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "exponential": np.exp,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
}


def scores(data: bytes, X: Floats) -> Floats:
    """Answer rows as a snapshot's model does, before labels are chosen."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    document, arrays = json.loads(header["__metadata__"]["netlet"]), load(data)
    recipe, levels = document["recipe"], [len(column["levels"]) for column in document["columns"]]
    dense = np.stack([*_numbers(arrays, levels, recipe, X), *_categories(levels, recipe, X)], axis=1)
    vectors = _vectors(arrays, levels, recipe, X)
    members = [_outputs(arrays, document, member, dense, vectors) for member in range(len(arrays["layers.1.W"]))]
    a: Floats = np.stack(members).astype(np.float64)
    if "target.scale" in arrays:
        a = a[..., : len(document["targets"])] * arrays["target.scale"] + arrays["target.center"]
    elif document["labels"] and a.shape[-1] == 1:
        a = np.concatenate((1 - a, a), axis=-1)
    answers: Floats = a.mean(axis=0)
    return answers


def _numbers(arrays: dict[str, Floats], levels: list[int], recipe: Any, X: Floats) -> Iterator[Floats]:
    """Give the inputs 1 to 3."""
    numbers = [column for column, many in enumerate(levels) if not many]
    filled = np.where(np.isnan(X), arrays["features.fill"], X)
    for column in numbers:
        s = (filled[:, column] - arrays["features.center"][column]) / arrays["features.scale"][column]
        clip = recipe["scaling"]["clip"]
        yield s if clip is None else s / np.sqrt(1 + (s / clip) ** 2)
    for column in numbers:
        edges = arrays["features.edges"][:, column]
        bins = [(begin, end) for begin, end in pairwise(edges) if end > begin]
        for begin, end in bins if len(bins) > 1 else []:
            yield 2 * np.minimum(np.maximum((filled[:, column] - begin) / (end - begin), 0), 1) - 1
    for cells in X.T[arrays["features.missing"] == 1]:
        yield np.isnan(cells) * 1.0


def _categories(levels: list[int], recipe: Any, X: Floats) -> Iterator[Floats]:
    """Give the inputs 4 and 5."""
    for column, many in enumerate(levels):
        if many == 1:
            yield (X[:, column] == 0) * 1.0
        if many == 2:
            yield (X[:, column] == 1) * 1.0 - (X[:, column] == 0) * 1.0
    for column, many in enumerate(levels):
        for level in range(many) if 2 < many <= recipe["scaling"]["one_hot"] else ():
            yield (X[:, column] == level) * 1.0


def _vectors(arrays: dict[str, Floats], levels: list[int], recipe: Any, X: Floats) -> list[Floats]:
    """Give the inputs 6, shape (members, rows, width) each."""
    embedded = [column for column, many in enumerate(levels) if many > max(2, recipe["scaling"]["one_hot"])]
    codes = [np.where(X[:, column] >= 0, X[:, column] + 1, 0).astype(int) for column in embedded]
    return [arrays[f"embeddings.{number}"][:, code] for number, code in enumerate(codes, start=1)]


def _outputs(arrays: dict[str, Floats], document: Any, member: int, dense: Floats, vectors: list[Floats]) -> Floats:
    """Compute one member's layers."""
    recipe = document["recipe"]
    a = np.concatenate((dense, *(vector[member] for vector in vectors)), axis=1)
    a = a.astype(recipe["training"]["precision"])
    layers = sum(name.endswith(".W") for name in arrays)
    for number in range(1, layers + 1):
        z = a @ arrays[f"layers.{number}.W"][member]
        if recipe["network"]["bias"]:
            z = z + arrays[f"layers.{number}.b"][member]
        if number == layers:
            z = z / document["temperature"]
        a = ACTIVATIONS[recipe["network"]["output_activation" if number == layers else "activation"]](z)
    return a
