"""Summaries: what each column of a dataset is like, told in two passes over its file, a group of rows at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from app.engine.control import GoOn, go_on_for_ever
from app.models.table import Label
from app.tables.arrow import pa, parquet
from app.tables.parquet_files import groups
from app.tables.seen import Seen, seen_of
from app.tables.texts import Arrow

BINS = 20
MOST_CHARACTERS = 64 * 2**20  # of the different texts that are told apart, in all columns together


@dataclass(frozen=True)
class Histogram:
    """How many numbers lie in each of 20 bins of one width; the last bin holds its upper edge too."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """What a column of a dataset is taken for, and what is in it.

    A category is counted exactly up to 10,000 different values. Where there are more, or very long ones, `level_count`
    is null, and `frequent` is of the different values that were met first, each still with all its rows. Values of
    more than 128 characters are told cut, with "…" at their end.
    """

    name: str
    kind: str
    missing_share: float
    lowest: float | str | None = None
    highest: float | str | None = None
    level_count: int | None = None
    frequent: tuple[tuple[Label, int], ...] | None = None
    histogram: Histogram | None = None


def summarise(source: BinaryIO, go_on: GoOn = go_on_for_ever) -> tuple[ColumnSummary, ...]:
    """Describe every column of a Parquet file that `parquet_files.write` wrote; raises whatever `go_on` does."""
    file = parquet.ParquetFile(source)
    schema, rows = file.schema_arrow, file.metadata.num_rows
    texts = sum(map(pa.types.is_string, schema.types))
    seen = [seen_of(kind, MOST_CHARACTERS // max(1, texts)) for kind in schema.types]
    _each(file, [column.look for column in seen], go_on)
    bins = [_Bins(column) for column in seen]
    if any(column.range for column in bins):
        _each(file, [column.count for column in bins], go_on)
    return tuple(
        ColumnSummary(name=name, missing_share=column.missing / rows, histogram=counted.histogram(), **column.told())
        for name, column, counted in zip(schema.names, seen, bins, strict=True)
    )


def _each(file: Arrow, look: Sequence[Callable[[Arrow], None]], go_on: Callable[[], None]) -> None:
    """Show each column's cells to its own onlooker."""
    for group in groups(file):
        go_on()
        for onlooker, cells in zip(look, group.columns, strict=True):
            for chunk in cells.chunks:
                onlooker(chunk)


class _Bins:
    """Counts the numbers of a column whose extremes are known."""

    def __init__(self, column: Seen) -> None:
        told = column.told()
        self.column = column
        self.range: tuple[float, float] | None = None
        if told["kind"] in {"number", "integer"} and told.get("lowest") is not None:
            self.range = (told["lowest"], told["highest"])
        self.counts = np.zeros(BINS, dtype=np.int64)

    def count(self, cells: Arrow) -> None:
        if self.range:
            self.counts += np.histogram(self.column.numbers(cells.drop_null()), BINS, self.range)[0]

    def histogram(self) -> Histogram | None:
        if self.range is None:
            return None
        edges = np.histogram_bin_edges((), BINS, self.range)
        return Histogram(tuple(edges.tolist()), tuple(self.counts.tolist()))
