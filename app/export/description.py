"""A description of a model: all that its answers are computed from, as plain words and numbers.

Every form of an export is written from it, so that they differ in their language and in nothing else.
"""

from dataclasses import dataclass
from itertools import chain

from app import __version__
from app.engine.arrays import Array
from app.models.model import Model
from app.models.preprocessing import PAIR, Encoder
from app.models.table import Label, Source
from app.store.store import Stored
from app.tables.columns import sources_of

TEXT = "text"
"""The part that a category has which knows no levels: -1 where a text stands."""


@dataclass(frozen=True)
class Taken:
    """A column of the rows."""

    name: str
    kind: str
    missing: bool
    """Whether its value may be missing."""
    example: Label | float | None


@dataclass(frozen=True)
class Number:
    """A number of a row: a column, or a part of a date; it is filled, and scaled to (x - center) / scale."""

    column: str
    part: str | None
    fill: float | None
    center: float
    scale: float


@dataclass(frozen=True)
class Bin:
    """Where one of the numbers lies between two edges: from -1 at `begins` to 1 after `width`, and no further."""

    number: int
    begins: float
    width: float


@dataclass(frozen=True)
class Category:
    """A column of levels: made a `pair` (-1 or 1), `levels` (one input each), or `embedded` (a vector)."""

    column: str
    made: str
    levels: tuple[Label, ...]


@dataclass(frozen=True)
class DescribedLayer:
    """activation(a @ W + b): W has shape (members, inputs, units), b has shape (members, units)."""

    activation: str
    W: Array
    b: Array | None


@dataclass(frozen=True)
class DescribedTarget:
    """Answers are a * scale + center, target by target."""

    center: Array
    scale: Array


@dataclass(frozen=True, kw_only=True)
class Description:
    """A model from its columns to its answers.

    The first layer's inputs are: the numbers, scaled and clipped; the bins; 1 or 0 for each of `missing`; the
    categories, embedded ones last.
    """

    netlet: str
    model: str
    sha256: str
    task: str
    targets: tuple[str, ...]
    labels: tuple[Label, ...]
    columns: tuple[Taken, ...]
    numbers: tuple[Number, ...]
    clip: float | None
    """s becomes s / sqrt(1 + (s / clip)^2)."""
    bins: tuple[Bin, ...]
    missing: tuple[str, ...]
    """Columns of which the network is told whether their value is missing; a date once for each of its parts."""
    categories: tuple[Category, ...]
    precision: str
    members: int
    """Networks, over which answers are averaged."""
    layers: tuple[DescribedLayer, ...]
    embeddings: tuple[Array, ...]
    """For each embedded category (members, codes, width): vectors of no level, of the first level, and so on."""
    target: DescribedTarget | None

    @property
    def embedded(self) -> tuple[Category, ...]:
        """Give the categories that are embedded."""
        return tuple(category for category in self.categories if category.made == "embedded")

    @property
    def plain(self) -> tuple[Category, ...]:
        """Give the categories that become inputs of their own."""
        return tuple(category for category in self.categories if category.made != "embedded")

    @property
    def is_plain(self) -> bool:
        """Tell whether all columns are numbers, none of which may be missing."""
        is_number = all(number.part is None and number.fill is None for number in self.numbers)
        return is_number and not self.categories

    @property
    def has_parts(self) -> bool:
        """Tell whether a number is not just what stands in a column."""
        return any(number.part is not None for number in self.numbers)

    @property
    def outputs(self) -> int:
        """Count the last layer's units; the means come first where variances stand behind them."""
        return int(self.layers[-1].W.shape[-1])

    @property
    def flags(self) -> tuple[str, ...]:
        """Name the columns of true and false."""
        return tuple(column.name for column in self.columns if column.kind == "boolean")

    @property
    def classes(self) -> tuple[Label, ...]:
        """Give what has a probability: labels, or targets that are true or false; nothing for numbers."""
        return self.labels or (() if self.task == "regression" else self.targets)

    @property
    def size(self) -> int:
        """Count the numbers that a text of it holds."""
        arrays = [layer.W for layer in self.layers] + list(self.embeddings)
        levels = sum(len(category.levels) for category in self.categories)
        return sum(array.size for array in arrays) + len(self.bins) + levels


def describe(stored: Stored) -> Description:
    """Take a model apart."""
    model, encoder = stored.model, stored.model.encoder
    sources = sources_of(model)
    activations = (*[model.network.hidden] * (len(model.layers) - 1), model.network.output)
    return Description(
        netlet=__version__,
        model=f"{stored.name}/{stored.version}",
        sha256=stored.sha256,
        task=str(model.recipe.task),
        targets=model.targets,
        labels=model.labels,
        columns=tuple(
            Taken(source.name, source.kind, source.columns[0] in model.missing, _example(source, model))
            for source in sources
        ),
        numbers=_numbers(model, sources),
        clip=encoder.clip,
        bins=_bins(encoder),
        missing=tuple(name for name, absent in zip(_sent_as(sources), encoder.missing, strict=True) if absent),
        categories=_categories(model),
        precision=str(model.recipe.training.precision),
        members=len(model.parameters),
        layers=tuple(
            DescribedLayer(name, layer.W, None if layer.b is None else layer.b[:, 0])
            for name, layer in zip(activations, model.layers, strict=True)
        ),
        embeddings=tuple(model.network.tables(model.parameters)),
        target=None if model.target is None else DescribedTarget(model.target.center, model.target.scale),
    )


def _example(source: Source, model: Model) -> Label | float | None:
    """Give a value that the model takes: the example of the training, or else what that had lowest or first."""
    if source.example is not None or source.columns[0] in model.missing:
        return source.example
    place = [column.name for column in model.columns].index(source.columns[0])
    levels = model.columns[place].levels
    return source.lowest or (levels[0] if levels else float(model.encoder.lowest[place]))


def _sent_as(sources: tuple[Source, ...]) -> list[str]:
    """Name for each of the engine's columns the one of the rows that it is made of."""
    return [source.name for source in sources for _ in source.columns]


def _numbers(model: Model, sources: tuple[Source, ...]) -> tuple[Number, ...]:
    encoder = model.encoder
    parts = [*chain.from_iterable(source.parts or (TEXT if source.kind == "category" else None,) for source in sources)]
    names, scaler = _sent_as(sources), encoder.scaler
    return tuple(
        Number(
            column=names[index],
            part=parts[index],
            fill=float(encoder.fill[index]) if encoder.missing[index] else None,
            center=float(scaler.center[index]),
            scale=float(scaler.scale[index]),
        )
        for index in encoder.numbers
    )


def _bins(encoder: Encoder) -> tuple[Bin, ...]:
    columns, begins, widths = encoder.bins
    places = {column: place for place, column in enumerate(encoder.numbers)}
    rows = zip(columns, begins.tolist(), widths.tolist(), strict=True)
    return tuple(Bin(places[column], begin, width) for column, begin, width in rows)


def _categories(model: Model) -> tuple[Category, ...]:
    encoder, columns = model.encoder, model.columns
    plain = [
        Category(columns[index].name, "pair" if levels == PAIR else "levels", columns[index].levels)
        for index, levels in encoder.categories
    ]
    embedded = [Category(columns[index].name, "embedded", columns[index].levels) for index, _ in encoder.coded]
    return (*plain, *embedded)
