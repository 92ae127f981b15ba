"""The same rows are the same to the last bit, whatever format they come in."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from app.errors import BadTable
from app.models.table import TrainingRows
from app.tables.formats import FORMATS, format_of
from app.tables.json_text import parse
from app.tables.options import Options
from app.tables.reading import training_rows
from app.tables.sent import Sent
from app.tables.table import from_records
from tests.tables.forms import FORMS, Cells

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "number": st.floats(-1e100, 1e100, allow_nan=False),
    "whole": st.integers(-(2**53), 2**53),
    "truth": st.booleans(),
    "word": WORDS,
    "few": st.sampled_from(["art", "law", " sea ", "7", "NA", "2024-01-01"]),
    "date": st.dates().map(str),
    "moment": st.datetimes().map(lambda moment: moment.isoformat(sep=" ")),
    "text number": st.floats(-1e9, 1e9).map(repr) | st.sampled_from(["  7 ", "007", "+1", "1e3", ".5"]),
}


@st.composite
def tables(draw: st.DrawFn) -> Cells:
    """Draw a table of some rows, with gaps in its features and none in its target."""
    rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4))
    columns: Cells = {
        f"{kind} {number}": draw(st.lists(st.none() | COLUMNS[kind], min_size=rows, max_size=rows))
        for number, kind in enumerate(kinds)
    }
    return columns | {"y": draw(st.lists(st.floats(-1e6, 1e6), min_size=rows, max_size=rows))}


def read(columns: Cells, form: str) -> TrainingRows:
    media_type, write = FORMS[form]
    kind, body = format_of(media_type), write(columns)
    rows: Any = parse(body) if kind is None else None
    table = from_records(rows) if kind is None else FORMATS[kind].read(body, Options())
    return training_rows(Sent(table=table, target="y"), task=None, wants_labels=None)


def told(columns: Cells, form: str) -> tuple[Any, ...]:
    """Give all that a table says, or what is wrong with it."""
    try:
        rows = read(columns, form)
    except BadTable as error:
        return str(error), error.total, [(fault.row, fault.column, fault.expected) for fault in error.faults]
    return rows.columns, rows.sources, rows.targets, rows.X.tobytes(), np.asarray(rows.y).tobytes()


@settings(max_examples=60)
@given(tables())
def test_a_table_is_the_same_in_every_format(columns: Cells) -> None:
    """Kinds, levels, examples, gaps and each number, down to the sign of 0; or else the faults and where they are."""
    expected = told(columns, "JSON")

    for form in FORMS:
        assert told(columns, form) == expected, form


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_as_what_it_is(form: str) -> None:
    """Not only alike, but right: numbers, a gap, a category, truth and a date's parts."""
    rows = read(
        {
            "n": [1.5, None, 3.0],
            "c": ["b", "a", "b"],
            "t": [True, False, None],
            "d": ["2024-02-29", "2024-03-01", "2024-03-02"],
            "y": [1.0, 2.0, 3.0],
        },
        form,
    )

    assert [source.kind for source in rows.sources] == ["number", "category", "boolean", "date"]
    assert [column.name for column in rows.columns][3:] == ["d.year", "d.month", "d.day", "d.weekday"]
    expected = [[1.5, 1, 1, 2024, 2, 29, 3], [np.nan, 0, 0, 2024, 3, 1, 4], [3, 1, np.nan, 2024, 3, 2, 5]]
    np.testing.assert_array_equal(rows.X, expected)
