"""Ends: what is said of columns and targets of which there is nothing to learn."""

import numpy as np

from app.models.table import UNSEEN, Column, Source, TrainingRows
from app.tables.ends import Ends

COLUMNS = tuple(map(Column, "abc"))
CELLS = np.array([[1.0, 5.0, np.nan], [2.0, 5.0, np.nan], [np.nan, np.nan, np.nan]])
ROWS = TrainingRows(COLUMNS, ("y", "z"), CELLS, np.array([[3.0, 1.0], [3.0, 2.0], [3.0, 3.0]]))
OF_B = "Column b has one value only: nothing can be learnt from it."
OF_C = "Column c is missing in all rows: nothing can be learnt from it."


def test_columns_and_targets_without_two_values_are_named() -> None:
    """Whatever is missing beside, and no others."""
    warnings = list(Ends(ROWS).warnings())

    assert warnings == [OF_B, OF_C, "Target y has one value only: the answer will be about that value."]


def test_classes_have_no_spread_to_warn_of() -> None:
    """A column of one level only is still told."""
    kind = Column("kind", ("only",))
    rows = TrainingRows((kind, Column("a")), ("y",), np.array([[0.0, 1.0], [0.0, 2.0]]), ("p", "q"))

    assert list(Ends(rows).warnings()) == ["Column kind has one value only: nothing can be learnt from it."]


def test_rows_that_are_shown_later_count_as_much() -> None:
    """One other value anywhere ends a warning; no rows at all change nothing."""
    ends = Ends(ROWS)
    for values in ([], [[7.0, 5.0, np.nan]], [[7.0, np.nan, 0.0]], [[7.0, 4.0, 0.0]]):
        X = np.array(values).reshape(-1, 3)
        ends.add(TrainingRows(COLUMNS, ("y", "z"), X, np.full((len(X), 2), 2.0)))

    assert list(ends.warnings()) == [OF_C.replace("is missing in all rows", "has one value only")]


def test_categories_that_cannot_be_told_apart_are_not_called_one() -> None:
    """Where the first rows have none; a number of the same size is one."""
    sources = (Source("kind", "category", 1.0), Source("a", "number", 1.0))
    first = TrainingRows(tuple(map(Column, ("kind", "a"))), ("y",), np.full((1, 2), np.nan), ("p",), sources=sources)
    ends = Ends(first)
    assert len(list(ends.warnings())) == 2

    ends.add(TrainingRows(first.columns, ("y",), np.full((2, 2), float(UNSEEN)), ("p", "q")))

    assert list(ends.warnings()) == ["Column a has one value only: nothing can be learnt from it."]
