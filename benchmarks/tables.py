"""Real tables to learn from, each with its splits into rows to learn and rows to answer.

A table is three files: `NAME.csv` with a header and the answer in the column `target`, `NAME.json` with `task` and the
names of `categorical` columns, and `NAME.splits.json`, a list of lists of the rows to answer.
"""

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from app.models.table import Column, TrainingRows

FOLDER_VARIABLE = "NETLET_BENCH_TABLES"
USUAL_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "datasets"
TARGET = "target"
FEWEST_ROWS = 100  # a table with fewer says nothing about accuracy

Matrix: TypeAlias = npt.NDArray[np.floating[Any]]
Answers: TypeAlias = Matrix | tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Rows to learn from, and rows to answer: their columns as the learnt ones have them, and the true answers."""

    learnt: TrainingRows
    labels: tuple[str, ...]
    """The learnt labels in order; empty for numbers."""
    X: Matrix
    y: Answers


@dataclass(frozen=True)
class Table:
    """One table as its file has it, column by column."""

    name: str
    cells: dict[str, tuple[str, ...]]
    categorical: frozenset[str]
    classification: bool
    answered: tuple[tuple[int, ...], ...]
    """The rows to answer, split by split."""

    @classmethod
    def read(cls, folder: Path, name: str) -> "Table":
        """Read the three files of a table."""
        meaning = json.loads((folder / f"{name}.json").read_text())
        answered = json.loads((folder / f"{name}.splits.json").read_text())
        with (folder / f"{name}.csv").open(newline="") as file:
            header, *rows = csv.reader(file)
        return cls(
            name,
            dict(zip(header, zip(*rows, strict=True), strict=True)),
            frozenset(meaning["categorical"]),
            meaning["task"] == "classification",
            tuple(tuple(rows) for rows in answered),
        )

    def __len__(self) -> int:
        return len(self.cells[TARGET])

    def split(self, number: int) -> Split:
        """Take one split; levels are those of the learnt rows, since nobody knows others beforehand."""
        answered = self.answered[number]
        learnt = sorted(set(range(len(self))) - set(answered))
        columns = tuple(self._column(name, learnt) for name in self.cells if name != TARGET)
        y = self._y(learnt)
        rows = TrainingRows(columns=columns, targets=(TARGET,), X=self._X(columns, learnt), y=y)
        labels = tuple(sorted(set(y))) if isinstance(y, tuple) else ()
        return Split(rows, labels, self._X(columns, answered), self._y(answered))

    def _column(self, name: str, learnt: Sequence[int]) -> Column:
        if name not in self.categorical:
            return Column(name)
        return Column(name, levels=tuple(sorted({self.cells[name][row] for row in learnt} - {""})))

    def _X(self, columns: Sequence[Column], chosen: Sequence[int]) -> Matrix:  # noqa: N802 - the textbook's X
        return np.column_stack([_numbers(column, self.cells[column.name], chosen) for column in columns])

    def _y(self, chosen: Sequence[int]) -> Answers:
        answers = tuple(self.cells[TARGET][row] for row in chosen)
        return answers if self.classification else np.array(answers, dtype=float)[:, None]


def _numbers(column: Column, cells: Sequence[str], chosen: Sequence[int]) -> Matrix:
    """Read cells as numbers or as indices of levels: NaN where there is none, -1 where the level is new."""
    if not column.levels:
        return np.array([float(cells[row] or "nan") for row in chosen])
    index = {"": np.nan} | {level: float(number) for number, level in enumerate(column.levels)}
    return np.array([index.get(cells[row], -1.0) for row in chosen])


def folder_of(given: Path | None) -> Path:
    """Find the folder of the tables: as given, else as the environment says, else the usual one."""
    return given or Path(os.environ.get(FOLDER_VARIABLE, USUAL_FOLDER))


def read_tables(folder: Path, most_rows: int | None = None) -> list[Table]:
    """Read the tables of a folder that have splits and not too many rows, the smallest first."""
    names = [path.name.removesuffix(".splits.json") for path in folder.glob("*.splits.json")]
    tables = [Table.read(folder, name) for name in names]
    return sorted((table for table in tables if FEWEST_ROWS <= len(table) <= (most_rows or len(table))), key=len)
