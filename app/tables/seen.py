"""What has been seen of a column so far, by the type of its cells: extremes, and counts of different values."""

from collections import Counter
from typing import Any

import numpy as np

from app.engine.arrays import Vector
from app.models.table import Column, Label
from app.tables.arrow import pa, pc
from app.tables.cells import LARGEST_NUMBER
from app.tables.columns import MOST_FREQUENT, MOST_LEVELS
from app.tables.kinds import KINDS, LONGEST_LEVEL, SPELLED, kind_of_texts
from app.tables.texts import Arrow, as_numpy, dates, numbers

NAMELESS = Column("")


def seen_of(kind: Arrow, most_characters: int) -> "Seen":
    """Begin to look at a column of this type, remembering so much of different texts at most."""
    if pa.types.is_string(kind):
        return _Texts(most_characters)
    if pa.types.is_boolean(kind):
        return _Levels()
    if pa.types.is_timestamp(kind):
        return _Moments()
    return _Numbers() if pa.types.is_floating(kind) else Seen()


class Seen:
    """What has been seen of a column so far; of this class, one in which nothing stands."""

    def __init__(self) -> None:
        self.missing = 0

    def look(self, cells: Arrow) -> None:
        """Look at some more cells."""
        self.missing += cells.null_count
        self.note(cells.drop_null())

    def note(self, there: Arrow) -> None:
        """Note values that are there."""

    def numbers(self, _cells: Arrow) -> Vector:
        """Read cells as the numbers of a column of numbers."""
        return np.empty(0)

    def told(self) -> dict[str, Any]:
        """Say what the column is and what it holds, as ColumnSummary has it."""
        return {"kind": "number"}


class _Numbers(Seen):
    def __init__(self) -> None:
        super().__init__()
        self.lowest, self.highest, self.whole = np.inf, -np.inf, True

    def note(self, there: Arrow) -> None:
        self.add(self.numbers(there))

    def add(self, values: Vector) -> None:
        if len(values):
            self.lowest, self.highest = min(self.lowest, values.min()), max(self.highest, values.max())
            self.whole = self.whole and bool((values == np.floor(values)).all())

    def numbers(self, cells: Arrow) -> Vector:
        values = as_numpy(cells)
        return values[np.abs(values) <= LARGEST_NUMBER]

    def told(self) -> dict[str, Any]:
        if self.lowest > self.highest:
            return {"kind": "number"}
        kind = "integer" if self.whole else "number"
        return {"kind": kind, "lowest": float(self.lowest), "highest": float(self.highest)}


class _Moments(Seen):
    def __init__(self) -> None:
        super().__init__()
        self.ends: list[Any] = []
        self.has_hours = False

    def note(self, there: Arrow) -> None:
        if len(there):
            self.ends += pc.min_max(there).as_py().values()
            self.ends = [min(self.ends), max(self.ends)]
            days = pc.floor_temporal(there, unit="day")
            self.has_hours = self.has_hours or bool(pc.any(pc.not_equal(there, days)).as_py())

    def told(self) -> dict[str, Any]:
        ends = [(end if self.has_hours else end.date()).isoformat() for end in self.ends] or [None, None]
        return {"kind": "date", "lowest": ends[0], "highest": ends[1]}


class _Levels(Seen):
    """Counts different values, until there are too many to tell apart."""

    def __init__(self, most_characters: int = 2**20) -> None:
        super().__init__()
        self.counts: Counter[Label] = Counter()
        self.characters, self.most_characters = 0, most_characters
        self.is_full = False

    def note(self, there: Arrow) -> None:
        found = there.value_counts()
        self.tally(found.field(0), found.field(1))

    def tally(self, values: Arrow, counts: Arrow) -> None:
        for value, count in zip(values.to_pylist(), counts.to_pylist(), strict=True):
            self._add(value, count)

    def _add(self, value: Label, count: int) -> None:
        if value not in self.counts:
            length = len(str(value))
            if len(self.counts) == MOST_LEVELS or self.characters + length > self.most_characters:
                self.is_full = True
                return
            self.characters += length
        self.counts[value] += count

    def told(self) -> dict[str, Any]:
        most = sorted(self.counts.items(), key=lambda item: (-item[1], str(item[0])))[:MOST_FREQUENT]
        return {
            "kind": "boolean",
            "level_count": None if self.is_full else len(self.counts),
            "frequent": tuple((_short(value), count) for value, count in most),
        }


class _Texts(Seen):
    """Reads texts as all that they may be; which of them they are shows at the end."""

    def __init__(self, most_characters: int) -> None:
        super().__init__()
        self.there = 0
        self.readable = dict.fromkeys(SPELLED, 0)
        self.as_number, self.as_date, self.as_level = _Numbers(), _Moments(), _Levels(most_characters)

    def note(self, there: Arrow) -> None:
        found = there.value_counts()
        texts, counts = found.field(0), found.field(1).to_numpy()
        self.there += int(counts.sum())
        self.as_level.tally(texts, found.field(1))
        for kind in SPELLED:
            readable = KINDS[kind].read(texts, NAMELESS).readable
            self.readable[kind] += int(counts[readable].sum())
        self.as_number.add(self._values(texts))
        self.as_date.note(dates(texts).values.drop_null())

    def numbers(self, cells: Arrow) -> Vector:
        return self._values(cells)

    def _values(self, texts: Arrow) -> Vector:
        found = numbers(texts)
        values: Vector = found.values[found.readable & (np.abs(found.values) <= LARGEST_NUMBER)]
        return values

    def told(self) -> dict[str, Any]:
        kind = kind_of_texts(self.readable, self.there)
        told = {"number": self.as_number, "date": self.as_date}.get(kind, self.as_level).told()
        return told if kind == "number" else told | {"kind": kind}


def _short(value: Label) -> Label:
    return f"{value[:LONGEST_LEVEL]}…" if isinstance(value, str) and len(value) > LONGEST_LEVEL else value
