"""From columns to what a network's first layer takes, as nodes of an ONNX graph.

Where no column holds texts, there is one input: `X`, doubles (rows, columns), dates being a column for each part, true
and false 1 and 0, and NaN what is missing. Else each of these columns is an input of its own name, (rows, 1): texts as
strings, of which the empty one is missing, all others as doubles.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Cells
from app.export.description import TEXT, Category, Description
from app.export.onnx_package import Declared, Feeds, Graph, Tensor, declare, elements
from app.export.probes import Probes, Value

X = "X"
STEEP = 1e8
"""Where s / sqrt(1 + s^2) is 1 to the last bit, and the square does not overflow yet."""
MISSING, UNSEEN = -2, -1
"""Places of what is missing, and of what is no level."""


class Sent(NamedTuple):
    """A column of the graph: one of the rows, or a part of one that holds dates."""

    column: str
    part: str | None
    is_text: bool

    @property
    def name(self) -> str:
        """Give it the name that a model has for it."""
        return self.column if self.part in {None, TEXT} else f"{self.column}.{self.part}"


def sent(description: Description) -> list[Sent]:
    """List the columns of the graph, in their order."""
    parts: dict[str, list[str | None]] = {}
    for number in description.numbers:
        parts.setdefault(number.column, []).append(number.part)
    texts = {own.column for own in description.categories if isinstance(own.levels[0], str)}
    return [
        Sent(column.name, part, column.name in texts or part == TEXT)
        for column in description.columns
        for part in parts.get(column.name, [None])
    ]


def declared(description: Description) -> list[Declared]:
    """Say what the graph takes."""
    columns = sent(description)
    if not any(column.is_text for column in columns):
        return [declare(X, "DOUBLE", ["rows", len(columns)])]
    return [declare(column.name, "STRING" if column.is_text else "DOUBLE", ["rows", 1]) for column in columns]


def feeds_of(description: Description, probes: Probes) -> Feeds:
    """Give the probe rows as the graph takes them."""
    columns = sent(description)
    places = [column.name for column in description.columns]
    values = [[row[places.index(column.column)] for row in probes.rows] for column in columns]
    if any(column.is_text for column in columns):
        return {
            column.name: _texts(own) if column.is_text else _doubles(column, own, probes, index)
            for index, (column, own) in enumerate(zip(columns, values, strict=True))
        }
    doubles = [
        _doubles(column, own, probes, index) for index, (column, own) in enumerate(zip(columns, values, strict=True))
    ]
    return {X: np.concatenate(doubles, axis=1)}


def _texts(values: Sequence[Value]) -> object:
    return np.array([["" if value is None else value] for value in values], dtype=object)


def _doubles(column: Sent, values: Sequence[Value], probes: Probes, index: int) -> Cells:
    if column.part is not None:  # as the engine takes dates
        return probes.X[:, [index]]
    return np.array([[np.nan if value is None else value] for value in values], dtype=np.float64)


class Inputs:
    """Adds to a graph what makes the network's inputs out of the columns."""

    def __init__(self, description: Description, graph: Graph) -> None:
        self.description, self.graph = description, graph
        self.columns = sent(description)
        self.is_matrix = not any(column.is_text for column in self.columns)
        self.known: dict[str, Tensor] = {}

    def whole(self) -> Tensor:
        """Give all inputs: (rows, inputs), or (members, rows, inputs) where several members have embeddings."""
        description, graph = self.description, self.graph
        parts = list(self._dense())
        kind = "FLOAT" if description.precision == "float32" else "DOUBLE"
        dense = [graph.add("Cast", graph.add("Concat", *parts, axis=1), to=elements(kind))] if parts else []
        if not description.embedded:
            return dense[0]
        single = description.members == 1
        if dense and not single:
            dense = [graph.add("Expand", dense[0], graph.constant([description.members, 1, 1]))]
        return graph.add("Concat", *dense, *self._vectors(), axis=-1)

    def _dense(self) -> Iterator[Tensor]:
        """Make the inputs that need no embedding, each (rows, some inputs) of doubles."""
        if self.description.numbers:
            x = self._numbers()
            yield self._scaled(x)
            if self.description.bins:
                yield self._bins(x)
        for name in self.description.missing:
            yield self._double(self._is_missing(name))
        for category in self.description.plain:
            levels = self._double(self._levels(category))
            if category.made == "pair":
                weigh = self.graph.constant(np.array([[-1.0], [1.0]]))
                levels = self.graph.add("MatMul", levels, weigh)
            yield levels

    def _vectors(self) -> Iterator[Tensor]:
        """Look the vectors of embedded categories up."""
        for category, table in zip(self.description.embedded, self.description.embeddings, strict=True):
            single = self.description.members == 1
            tables = self.graph.constant(table[0] if single else table)
            yield self.graph.add("Gather", tables, self._code(category), axis=0 if single else 1)

    def _column(self, name: str, part: str | None = None) -> Tensor:
        """Give one column of the graph, (rows, 1)."""
        index = next(place for place, own in enumerate(self.columns) if (own.column, own.part) == (name, part))
        if not self.is_matrix:
            return self.columns[index].name
        return self.graph.add("Gather", X, self.graph.constant([index]), axis=1)

    def _numbers(self) -> Tensor:
        """Give all numbers, (rows, numbers), filled where they may be missing."""
        graph, numbers = self.graph, self.description.numbers
        if self.is_matrix:
            places = {(own.column, own.part): place for place, own in enumerate(self.columns)}
            x = graph.add("Gather", X, graph.constant([places[own.column, own.part] for own in numbers]), axis=1)
        else:
            x = graph.add("Concat", *(self._number(own.column, own.part) for own in numbers), axis=1)
        if all(own.fill is None for own in numbers):
            return x
        fill = graph.constant([np.nan if own.fill is None else own.fill for own in numbers])
        return graph.add("Where", graph.add("IsNaN", x), fill, x)

    def _number(self, name: str, part: str | None) -> Tensor:
        if part != TEXT:
            return self._column(name, part)
        nothing = self.graph.add("Equal", self._place(name, ()), self.graph.constant(MISSING))
        return self.graph.add("Where", nothing, self.graph.constant(np.nan), self.graph.constant(float(UNSEEN)))

    def _scaled(self, x: Tensor) -> Tensor:
        graph, numbers, clip = self.graph, self.description.numbers, self.description.clip
        centered = graph.add("Sub", x, graph.constant([own.center for own in numbers]))
        s = graph.add("Div", centered, graph.constant([own.scale for own in numbers]))
        if clip is None:
            return s
        steep = graph.constant(-STEEP), graph.constant(STEEP)
        ratio = graph.add("Clip", graph.add("Div", s, graph.constant(clip)), *steep)
        root = graph.add("Sqrt", graph.add("Add", graph.add("Mul", ratio, ratio), graph.constant(1.0)))
        return graph.add("Mul", graph.add("Div", ratio, root), graph.constant(clip))

    def _bins(self, x: Tensor) -> Tensor:
        graph, bins = self.graph, self.description.bins
        of = graph.add("Gather", x, graph.constant([own.number for own in bins]), axis=1)
        above = graph.add("Sub", of, graph.constant([own.begins for own in bins]))
        ratio = graph.add("Div", above, graph.constant([own.width for own in bins]))
        share = graph.add("Clip", ratio, graph.constant(0.0), graph.constant(1.0))
        return graph.add("Sub", graph.add("Mul", share, graph.constant(2.0)), graph.constant(1.0))

    def _is_missing(self, name: str) -> Tensor:
        own = next(own for own in self.columns if own.column == name)
        if own.is_text:
            return self.graph.add("Equal", self._place(name, self._levels_of(name)), self.graph.constant(MISSING))
        return self.graph.add("IsNaN", self._column(name, own.part))

    def _levels_of(self, name: str) -> Sequence[object]:
        return next((own.levels for own in self.description.categories if own.column == name), ())

    def _levels(self, category: Category) -> Tensor:
        """Tell of each level whether it is there, (rows, levels)."""
        if isinstance(category.levels[0], str):
            place = self._place(category.column, category.levels)
            return self.graph.add("Equal", place, self.graph.constant(np.arange(len(category.levels))))
        levels = np.array(category.levels, dtype=np.float64)
        return self.graph.add("Equal", self._column(category.column), self.graph.constant(levels))

    def _code(self, category: Category) -> Tensor:
        """Give the place of the level that is there, counted from 1; 0 for none. Shape (rows)."""
        graph, numbered = self.graph, np.arange(1.0, len(category.levels) + 1)
        if isinstance(category.levels[0], str):
            place = self._place(category.column, category.levels)
            code = graph.add("Add", graph.add("Max", place, graph.constant(UNSEEN)), graph.constant(1))
        else:
            there = self._double(self._levels(category))
            code = graph.add(
                "Cast", graph.add("MatMul", there, graph.constant(numbered[:, None])), to=elements("INT64")
            )
        return graph.add("Reshape", code, graph.constant([-1]))

    def _place(self, name: str, levels: Sequence[object]) -> Tensor:
        """Find the places of texts among the levels, (rows, 1)."""
        if name not in self.known:
            self.known[name] = self.graph.add(
                "LabelEncoder",
                self._column(name, next(own.part for own in self.columns if own.column == name)),
                domain="ai.onnx.ml",
                keys_strings=["", *levels],
                values_int64s=[MISSING, *range(len(levels))],
                default_int64=UNSEEN,
            )
        return self.known[name]

    def _double(self, tensor: Tensor) -> Tensor:
        return self.graph.add("Cast", tensor, to=elements("DOUBLE"))
