"""Plain rows: what is read the quick way is what the general way reads, to the last bit, or it is left to that."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.engine.arrays import Cells
from app.errors import InputError
from app.models.learning import learn
from app.models.model import Model
from app.tables.answering import cells_to_answer
from app.tables.cells import LARGEST_NUMBER
from app.tables.columns import sources_of
from app.tables.json_arrays import KEPT, Arrays, arrays_of
from app.tables.json_text import parse
from app.tables.plain import PlainRows
from app.tables.reading import training_rows
from app.tables.sent import Sent
from app.tables.table import from_records
from tests.conftest import QUICK

WORDS = ("x", "y z", "1", "true")
TABLES: dict[str, list[dict[str, Any]]] = {
    "numbers": [{"a": 1, "b": 0.5}, {"a": 2, "b": -3.0}, {"a": 5, "b": 1e6}],
    "one number": [{"a": 1}, {"a": 2}, {"a": 5}],
    "of each kind": [{"n": n / 3, "c": word, "t": n > 1} for n, word in enumerate(WORDS)],
    "one category": [{"c": word} for word in WORDS],
    "gaps": [{"a": 1, "c": "x", "b": 2}, {"a": None, "c": None, "b": 3}, {"a": 3, "c": "1", "b": 4}],
    "dates": [{"a": 1, "d": "2024-01-01"}, {"a": 2, "d": "2025-06-30"}],
    "no level": [{"a": 1, "c": None}, {"a": 2, "c": None}],
}
NUMBERS = ("numbers", "one number")


@cache
def model_of(name: str) -> Model:
    """Learn a table, quickly; column c is a category, whatever it holds."""
    rows = [row | {"y": 1.0 + number} for number, row in enumerate(TABLES[name])]
    kinds = {"c": "category"} if "c" in rows[0] else {}
    return learn(training_rows(Sent(rows=rows, target="y", kinds=kinds), task=None, wants_labels=None), QUICK)


def names_of(model: Model) -> tuple[str, ...]:
    return tuple(source.name for source in sources_of(model))


def read(sent: Sent, model: Model) -> bytes | str:
    """Read rows; give the bits of their cells, or what is wrong with them."""
    try:
        return cells_to_answer(sent, model).tobytes()
    except InputError as error:
        return f"{error} {error.faults}"


def generally(name: str, rows: list[Any], model: Model) -> bytes | str:
    """Read rows in the general way, which is taken where the columns are stated, or the rows are a table already."""
    columns = names_of(model)
    if name == "X":
        return read(Sent(X=rows, columns=columns), model)
    if not rows or not isinstance(rows[0], dict):
        return read(Sent(rows=rows, columns=columns), model)
    if "y" in rows[0]:
        return read(Sent(rows=rows), model)
    try:
        return read(Sent(table=from_records(rows, columns)), model)
    except InputError as error:
        return f"{error} {error.faults}"


WHOLE = st.integers(-3, 6) | st.integers(-(2**65), 2**65) | st.sampled_from([10**100, 10**100 + 10**84, 10**400])
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([LARGEST_NUMBER, -1e101, -0.0, 5e-324])
NUMBER = WHOLE | FLOATS
TEXTS = st.sampled_from([*WORDS, " x", "1.0", "", "NA", "2", "2024-05-05", "é"])
FITTING = {"a": NUMBER, "b": NUMBER, "n": NUMBER, "c": TEXTS, "t": st.booleans(), "d": st.just("2024-05-05")}
ANY: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | NUMBER | TEXTS | st.just([1]) | st.just({"a": 1}) | st.just([])
)


def sometimes(rare: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw what is rare once in eight times."""
    return st.integers(0, 7).flatmap(lambda number: usual if number else rare)


@st.composite
def row_of(draw: st.DrawFn, names: Sequence[str], form: str) -> Any:
    """Draw a row, a list or an object, mostly as it should be."""
    cells = {name: draw(sometimes(ANY, FITTING[name])) for name in names}
    if draw(sometimes(st.just(value=True), st.just(value=False))):
        cells.pop(draw(st.sampled_from(names)))
    if draw(sometimes(st.just(value=True), st.just(value=False))):
        cells[draw(st.sampled_from(["a", "z", "y", ""]))] = draw(ANY)
    if form == "lists":
        return [*cells.values()]
    return dict(draw(st.permutations([*cells.items()])))


@st.composite
def rows_of(draw: st.DrawFn, names: Sequence[str]) -> list[Any]:
    """Draw rows: lists, objects, the values of a bare one, or some of each."""
    form = draw(st.sampled_from(["lists", "objects", "bare"]))
    if form == "bare":
        row: list[Any] = draw(row_of(names, "lists"))
        return row
    usual, other = row_of(names, form), row_of(names, "objects" if form == "lists" else "lists")
    return draw(st.lists(sometimes(other | ANY, usual), max_size=4))


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, str, list[Any]]:
    """Draw a table, and rows for its model, as one or the other part of a request."""
    table = draw(st.sampled_from([*TABLES]))
    return table, draw(st.sampled_from(["X", "rows"])), draw(rows_of([*TABLES[table][0]]))


@settings(max_examples=200)
@given(asked())
@example(("numbers", "X", [{"a": 1, "b": 2}]))
@example(("numbers", "rows", [{"b": 1, "a": 2}, {"a": 3, "b": 4}]))
@example(("no level", "rows", [{"a": 1, "c": 5}]))
@example(("no level", "X", [[1, 5]]))
def test_rows_are_read_as_in_the_general_way(asked: tuple[str, str, list[Any]]) -> None:
    """The same bits, or the same faults."""
    table, name, rows = asked
    model = model_of(table)

    found = read(Sent(X=rows) if name == "X" else Sent(rows=rows), model)

    assert found == generally(name, rows, model)


@settings(max_examples=150)
@given(asked())
@example(("no level", "rows", [[1, 5]]))
@example(("one number", "rows", [5]))
@example(("one category", "X", ["x", "1"]))
def test_one_row_alone_is_read_as_in_the_general_way(asked: tuple[str, str, list[Any]]) -> None:
    """A list, an object or bare values, as the engine takes them; never where the general way finds a fault."""
    table, name, rows = asked
    plain = PlainRows(model_of(table))
    if not rows or (name == "X" and isinstance(rows[0], dict)):
        return

    alone = plain.alone(rows)
    row = None if alone is None else plain.row(alone)

    if row is not None:
        assert np.array([row], dtype=np.float64).tobytes() == generally(name, rows, model_of(table))


@pytest.mark.parametrize("table", TABLES)
def test_what_was_learnt_is_plain(table: str) -> None:
    """Unless something is missing, or a column is a date: lists, objects in any order, and bare values."""
    plain, rows = PlainRows(model_of(table)), TABLES[table]
    is_plain = table not in {"dates", "no level"}
    assert plain.width == len(rows[0])
    assert plain.all_numbers == (table in NUMBERS)
    assert plain.takes(np.ones((1, plain.width))) == (table in NUMBERS)
    assert not plain.takes(np.ones((1, plain.width + 1)))

    for row in rows:
        found = plain.row([*row.values()])
        assert (found is not None) == (is_plain and None not in row.values())
        if found is not None:
            by_name = plain.row(dict(reversed(row.items())))
            assert by_name is not None
            assert [*found] == [*by_name]
        assert plain.alone([row]) is row
        assert plain.alone([1, 2]) == (None if plain.width == 1 else [1, 2])
    several = plain.rows([dict(reversed(row.items())) for row in rows])
    assert (several is not None) == (table in NUMBERS)


DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
BESIDE = ["model", "proba", "timeout", "columns", "x1", "X", "rows", "y", "\u0000", "é", 'a"b', "a:b", "model\u0000"]
VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | NUMBER | st.text(max_size=4) | st.just([]) | st.just({}) | st.just(["["])
)
ODD = [bytes([byte]) for byte in b' \t\n\r\0\f\v[]{},:"\\/0123456789.eE+-tfnuNI\x80\xff\xc3']


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Write JSON that is rows of numbers and little else, and change some of it, so that it may be JSON no more."""
    width = draw(st.integers(0, 3))
    row = st.lists(sometimes(ANY.map(json.dumps), DIGITS), min_size=width, max_size=width)
    rows = draw(st.lists(sometimes(ANY.map(json.dumps), row.map(lambda cells: f"[{','.join(cells)}]")), max_size=4))
    parts = [(draw(st.sampled_from(["X", "rows"])), f"[{', '.join(rows)}]")]
    parts += [(name, json.dumps(draw(VALUES))) for name in draw(st.lists(st.sampled_from(BESIDE), max_size=2))]
    text = ",".join(f"{json.dumps(name)}: {value}" for name, value in draw(st.permutations(parts)))
    body = f"{{{text}}}".encode()
    for place in draw(st.just([]) | st.lists(st.integers(0, len(body)), max_size=2)):
        end = place + draw(st.integers(0, 1))
        body = body[:place] + draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\\u", *ODD])) + body[end:]
    return body


def in_general(body: bytes) -> tuple[str, list[Any], dict[str, Any]] | None:
    """Read a body as JSON; give the rows, which are lists of numbers, and what is beside them, or None."""
    try:
        sent = parse(body)
    except InputError:
        return None
    name = next((name for name in ("X", "rows") if isinstance(sent, dict) and isinstance(sent.get(name), list)), None)
    if name is None or not isinstance(sent, dict):
        return None
    rows = sent.pop(name)
    if not all(type(row) is list and {*map(type, row)} <= {int, float} for row in rows):
        return None
    return name, rows, sent


def told(arrays: Arrays) -> tuple[str, bytes, str]:
    return arrays.name, arrays.X.tobytes(), repr(sorted(arrays.beside.items()))


@settings(max_examples=150)
@given(bodies())
@example(b'{"X": [[1, [2, 3]], 4]}')
@example(b'\xef\xbb\xbf{"X": [[1, 2]]}')
@example(b'{"X": [[1, 2]], "model": "a", "model\\u0000": "b"}')
@example(b'{"X": [[1, 2]], "model\\u0000": "b", "model": "a"}')
@example(b'{"X": [[1, 2]], "X": [[3, 4]]}')
@example(b'{"rows": [[1, 2]], "model": "a", "model": "b"}')
@example(b'{"X": [[-0, -0.0, 1e-999, 18446744073709551615, 9007199254740993]]}')
@example(b'{"X": [[1, 2]], "timeout": 18446744073709551616}')
@example(b'{"X": [[1, 2]], "rows": null}')
@example(b'{"\\u0058": [[1, 2]], "mod\\u0065l": "\\ud83d\\ude00"}')
def test_arrays_are_what_the_text_says(body: bytes) -> None:
    """The rows' bits and all that is beside them are as JSON is read in general; no fault of a text is passed over."""
    arrays = arrays_of(body)

    if arrays is not None:
        general = in_general(body)
        assert general is not None
        name, rows, beside = general
        X: Cells = np.array(rows, dtype=np.float64)
        assert (arrays.X.shape, told(arrays)) == (X.shape, (name, X.tobytes(), repr(sorted(beside.items()))))
        assert max(X.max(), -X.min()) <= LARGEST_NUMBER


@pytest.mark.parametrize("name", ["X", "rows"])
@pytest.mark.parametrize("count", [1, 3, KEPT // 8])
def test_rows_of_numbers_are_arrays(name: str, count: int) -> None:
    """Short and long, with single values beside them; what was given before is not what is given now."""
    rows = [[number, number + 0.5, -number] for number in range(count)]
    body = json.dumps({"model": "exam", name: rows, "proba": True, "timeout": 1.5, "columns": None}).encode()

    first, second = arrays_of(body), arrays_of(body.replace(b'"exam"', b'"meal"'))

    assert first is not None
    assert second is not None
    assert first.X.tolist() == second.X.tolist() == rows
    assert first.beside == {"model": "exam", "proba": True, "timeout": 1.5, "columns": None}
    assert second.beside["model"] == "meal"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[[1, 2]]",
        b"{}",
        b'{"X": []}',
        b'{"X": [[]]}',
        b'{"X": [1, 2]}',
        b'{"X": [[1, 2], [3]]}',
        b'{"X": [[1, null]]}',
        b'{"X": [[1, true]]}',
        b'{"X": [[1, "2"]]}',
        b'{"X": [[1, 1e101]]}',
        b'{"X": [[1, NaN]]}',
        b'{"X": [[1, 18446744073709551616]]}',
        b'{"X": [{"a": 1}]}',
        b'{"X": [[1, 2]], "columns": ["a", "b"]}',
        b'{"X": [[1, 2]], "rows": [[1, 2]]}',
        b'{"X": [[1, 2]]} {}',
        b'{"y": [[1, 2]]}',
    ],
)
def test_all_else_is_left_to_others(body: bytes) -> None:
    """Be it right or wrong."""
    assert arrays_of(body) is None
