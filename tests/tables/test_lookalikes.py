"""Lookalikes: which texts are warned of that are learnt as categories, and which are not."""

import numpy as np
import pytest

from app.models.table import Column, Source, TrainingRows
from app.tables.lookalikes import AS_DATES, AS_NUMBERS, lookalikes


def rows_of(texts: list[str], times: int = 1) -> TrainingRows:
    """Make a table of a column and a target that hold each of the texts so many times."""
    levels = tuple(sorted(set(texts)))
    sources = (Source("c", "category", 0.0, levels=len(levels)),)
    X = np.array([[float(levels.index(text))] for text in texts * times])
    return TrainingRows((Column("c", levels),), ("y",), X, tuple(texts * times), sources=sources)


@pytest.mark.parametrize(
    "text",
    ["$1.50", "€ 12", "12 €", "1,234", "1.234,56", "1 234", "1'234.5", "3,5", "12%", "12 kg", "-$3", "(40)", "+1,000"],
)
def test_numbers_in_other_writing_are_told(text: str) -> None:
    """With currencies, units, signs and separators, in columns and targets."""
    column, target = lookalikes(rows_of([text, "7"], 20))

    assert column == f'Column c holds texts such as "{text}", which are learnt as categories. {AS_NUMBERS}.'
    assert target == f'Target y holds texts such as "{text}", which are learnt as classes. {AS_NUMBERS}.'


@pytest.mark.parametrize("text", ["01/31/2024", "31.12.2024", "31-12-24", "2024/12/31", "1/2/24 10:30"])
def test_dates_in_other_writing_are_told(text: str) -> None:
    """However their parts are ordered."""
    column, _ = lookalikes(rows_of([text, "soon"], 20))

    assert column == f'Column c holds texts such as "{text}", which are learnt as categories. {AS_DATES}.'


@pytest.mark.parametrize(
    "texts",
    [
        ["art", "law"],
        ["7", "8"],  # stated, or beside more texts that are none
        ["7b", "8a"],
        ["1.2.3", "1.2.4"],
        ["$1", "free", "unknown"],
        ["10-20", "20-30"],
        ["a1", "b2"],
        ["(", "%"],
    ],
)
def test_categories_are_not_warned_of(texts: list[str]) -> None:
    """Words, classes of a school, versions, ranges, and few numbers among words."""
    assert list(lookalikes(rows_of(texts, 20))) == []


def test_names_of_rows_are_told() -> None:
    """More different texts than half of the rows, from ten on; twice each is enough to learn from."""
    texts = [f"customer {letter}" for letter in "abcdefghij"]

    column, target = lookalikes(rows_of(texts))

    assert column.startswith("Column c has 10 different texts in 10 rows: what is there once says nothing")
    assert target.startswith("Target y has 10 different texts in 10 rows")
    assert list(lookalikes(rows_of(texts[:9]))) == []
    assert list(lookalikes(rows_of(texts, 2))) == []


def test_what_is_stated_is_meant() -> None:
    """Columns and targets that somebody has called categories."""
    rows = rows_of(["$1", "$2"], 20)

    assert [warning.split(" holds")[0] for warning in lookalikes(rows, {"c": "category"})] == ["Target y"]
    assert list(lookalikes(rows, {"c": "category", "y": "category"})) == []
