"""Columns: what kind each is, learnt from its cells, and what the engine makes of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from app.errors import BadTable
from app.faults import Fault
from app.models.model import Model
from app.models.table import Column, Label, Source
from app.tables.arrow import pa, pc
from app.tables.cells import Faults
from app.tables.kinds import KINDS, expected_of, kind_of
from app.tables.raw import RawColumn
from app.tables.texts import Arrow, as_numpy

MOST_LEVELS = 10_000
LONGEST_LEVELS = 8 * 2**20  # characters of all levels of all columns: they are kept in the model
MOST_FREQUENT = 20
NUMBERS = ("number", "integer")
PRESENT = "a value: none was missing in this column when the model was trained"

Values: TypeAlias = npt.NDArray[np.float64]
"""What the engine takes, shape (rows, columns); NaN where a value is missing."""


class Learnt(NamedTuple):
    """What a column is, what the engine makes of it, and its cells as that."""

    source: Source
    columns: tuple[Column, ...]
    values: Values


def learn(raw: RawColumn, faults: Faults, kind: str | None = None) -> Learnt:
    """Learn what a column is, of the kind that is stated or that it looks like, and read it."""
    kind = kind or kind_of(raw)
    source = Source(raw.name, kind, float(raw.absent.mean()))
    column = Column(raw.name, _levels_of(raw, kind))
    found = read(raw, kind, column, faults)
    if kind == "date":
        source, values = _learn_date(source, found)
        return Learnt(source, tuple(map(Column, source.columns)), values)
    described = describe_levels(source, column, found) if column.levels else describe_numbers(source, found)
    return Learnt(described, (column,), found[:, np.newaxis])


def answer(raw: RawColumn, source: Source, columns: Sequence[Column], faults: Faults, *, missing: bool) -> Values:
    """Read a column as the model knows it; what does not fit goes to `faults`, a value that is missing if none may."""
    values = _plain(raw, source.kind, columns[0])
    if values is not None:
        return values[:, np.newaxis]
    found = read(raw, source.kind, columns[0], faults, required=None if missing else PRESENT)
    return _parts_of(found, source.parts) if source.kind == "date" else found[:, np.newaxis]


def _plain(raw: RawColumn, kind: str, column: Column) -> Values | None:
    """Read JSON cells that are just as they should be, in a tenth of the time; None where some are not."""
    if not isinstance(raw.original, list):
        return None
    cells, types = raw.original, set(map(type, raw.original))
    if kind == "category" and types == {str} and all(cell in column.positions for cell in cells):
        return np.array([column.positions[cell] for cell in cells])
    return np.array(cells, dtype=np.float64) if kind == "boolean" and types == {bool} else None


def read(raw: RawColumn, name: str, column: Column, faults: Faults, *, required: str | None = None) -> Arrow:
    """Read a column as a kind; the cells that are not of it go to `faults`, those without a value if one is required.

    Numbers are an array of NumPy, categories and truths positions of levels, dates an array of pyarrow.
    """
    if name in NUMBERS and raw.numbers is not None:
        return raw.numbers
    kind = KINDS[name]
    values, readable = kind.read(raw.texts if name == "category" else raw.array, column)
    wrong = ~readable if required else ~readable & ~raw.absent
    if raw.typed and not set(map(type, raw.original)) <= {*kind.types, type(None)}:
        wrong |= np.array([cell is not None and type(cell) not in kind.types for cell in raw.original])

    def expected(row: int) -> str:
        return required if required and raw.absent[row] else expected_of(kind, raw.cell(row))

    faults.add_cells(raw.cell, np.flatnonzero(wrong), expected, column=raw.name)
    return values


def with_examples(learnt: Sequence[Learnt], columns: Sequence[RawColumn]) -> tuple[Source, ...]:
    """Give each column its value in the first of the rows that miss the fewest."""
    gaps = np.sum([column.absent for column in columns], axis=0)
    row = int(np.argmin(gaps))
    return tuple(
        replace(one.source, example=_example(column, one, row)) for one, column in zip(learnt, columns, strict=True)
    )


def sources_of(model: Model) -> tuple[Source, ...]:
    """Give the columns that a model takes; one that learnt from arrays alone has the engine's own."""
    return model.sources or tuple(Source(column.name, _kind_of_engines(column), 0.0) for column in model.columns)


def groups_of(model: Model) -> list[list[int]]:
    """Tell for each column that is sent which of the engine's columns it becomes."""
    positions = {column.name: index for index, column in enumerate(model.columns)}
    return [[positions[name] for name in source.columns] for source in sources_of(model)]


def texts_of(model: Model) -> frozenset[str]:
    """Name the columns in which a model takes texts, whatever they look like: 007 is no 7."""
    return frozenset(source.name for source in sources_of(model) if source.kind == "category")


def require_short(columns: Sequence[Column]) -> None:
    """Raise BadTable if the categories' texts are longer, all together, than a model should be."""
    lengths = {column.name: sum(map(len, map(str, column.levels))) for column in columns}
    if sum(lengths.values()) > LONGEST_LEVELS:
        longest = max(lengths, key=lambda name: lengths[name])
        message = f"The texts of all categories have more than {LONGEST_LEVELS} characters. Leave column {longest} out."
        raise BadTable(message, [Fault("shorter or fewer texts", column=longest)])


def _example(column: RawColumn, learnt: Learnt, row: int) -> Label | float | None:
    if column.absent[row]:
        return None
    source, (known, *_) = learnt.source, learnt.columns
    if source.kind == "date":
        moments = KINDS["date"].read(column.array.slice(row, 1), known).values
        return _iso(moments[0].as_py(), source.parts)
    value = float(learnt.values[row, 0])
    return known.levels[int(value)] if known.levels else value


def _kind_of_engines(column: Column) -> str:
    return "number" if not column.levels else "boolean" if isinstance(column.levels[0], bool) else "category"


def _levels_of(raw: RawColumn, kind: str) -> tuple[Label, ...]:
    if kind == "boolean":
        return (False, True)
    if kind != "category":
        return ()
    levels = tuple(sorted(text for text in pc.unique(raw.texts).to_pylist() if text is not None))
    if len(levels) > MOST_LEVELS:
        message = (
            f"Column {raw.name} has {len(levels)} different texts; a category has at most {MOST_LEVELS}. "
            "Leave the column out, or send what its texts have in common."
        )
        raise BadTable(message, [Fault("fewer categories", got=", ".join(islice(levels, 2)), column=raw.name)])
    return levels


def describe_levels(source: Source, column: Column, places: Values) -> Source:
    """Say of a category how many levels it has, and which are frequent, by its cells: positions of levels."""
    counts = np.bincount(places[places >= 0].astype(np.intp), minlength=len(column.levels))
    most = np.argsort(-counts, kind="stable")[:MOST_FREQUENT].tolist()
    frequent = tuple((column.levels[place], int(counts[place])) for place in most if counts[place])
    return replace(source, levels=len(column.levels), frequent=frequent)


def describe_numbers(source: Source, values: Values) -> Source:
    """Say of a column of numbers how far they go, and whether all are whole."""
    there = values[np.isfinite(values)]
    if not len(there):
        return source
    whole = bool((there == np.floor(there)).all())
    return replace(source, kind="integer" if whole else "number", lowest=float(there.min()), highest=float(there.max()))


DAYS = {"year": "year", "month": "month", "day": "day", "weekday": "day_of_week"}  # and pyarrow's names; 0 is Monday
PARTS = (*DAYS, "hour")


def _part_of(moments: Arrow, part: str) -> Arrow:
    if part in DAYS:
        return getattr(pc, DAYS[part])(moments)
    return pc.divide(pc.cast(moments.cast(pa.time64("us")), pa.int64()).cast(pa.float64()), 3.6e9)


def _learn_date(source: Source, moments: Arrow) -> tuple[Source, Values]:
    """Take dates apart; the hour only if there is one."""
    hours = _parts_of(moments, ("hour",))
    parts = tuple(part for part in PARTS if part != "hour" or (hours > 0).any())
    lowest, highest = (_iso(end, parts) for end in pc.min_max(moments).as_py().values())
    return replace(source, parts=parts, lowest=lowest, highest=highest), _parts_of(moments, parts)


def _iso(moment: datetime | None, parts: Sequence[str]) -> str | None:
    if moment is None:
        return None
    return moment.isoformat() if "hour" in parts else moment.date().isoformat()


def _parts_of(moments: Arrow, parts: Sequence[str]) -> Values:
    return np.stack([as_numpy(_part_of(moments, part)) for part in parts], axis=1)
