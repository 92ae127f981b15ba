"""What is wrong with a CSV: found, named by row or line, and counted, however long it is."""

import pytest

from app.errors import BadTable, InputError, MalformedTable
from app.faults import Fault
from app.tables.csv_files import read_csv
from app.tables.dialect import Dialect
from tests.tables.csv_reading import MANY, PLAIN, Read, at_once, both


def faults_of(error: type[InputError], read: Read, body: bytes, dialect: Dialect = PLAIN) -> tuple[Fault, ...]:
    with pytest.raises(error) as refused:
        read(body, dialect)
    return refused.value.faults


CLOSED = "a quote that is closed"
FAULTS: dict[str, tuple[bytes, list[Fault]]] = {
    "fields too few and too many": (
        b'a,b\n1\n1,2\n\n3,4,5\n"x\ny",1\n7\n',
        [Fault("2 fields", "1 field", 0), Fault("2 fields", "3 fields", 2), Fault("2 fields", "1 field", 4)],
    ),
    "a trailing delimiter": (b"a,b\n1,2,\n", [Fault("2 fields", "3 fields", 0)]),
    "a quote open in a record too short": (b'a,b,c\n1,2,3\n1,"x\n2,3\n', [Fault(CLOSED, "2 fields", 1)]),
    "a quote open at the end": (b'a,b\n1,2\n1,"x\n2,3\n', [Fault(CLOSED, row=1, column="b")]),
    "a quote open in the last line": (b'a,b\n1,2\n1,"2', [Fault(CLOSED, row=1, column="b")]),
    "a quote open with others in it": (b'a\n"x ""y"" z\n""\n', [Fault(CLOSED, row=0, column="a")]),
    "a quote open before blank lines": (b'a\r\n1\r\n"\r\n\r\n', [Fault(CLOSED, row=1, column="a")]),
    "a quote open in the header": (b'a,"b\n1,2\n', [Fault("a line of column names")]),
    "nothing": (b"", [Fault("a line of column names", "nothing")]),
    "blank lines": (b"\xef\xbb\xbf\n\r\n", [Fault("a line of column names", "nothing")]),
    "a NUL byte": (b"a,b\n1,2\nx\0,2\n", [Fault("text without NUL bytes", "line 3")]),
    "a NUL byte after lone CR": (b"a,b\r1,2\rx\0,2\r", [Fault("text without NUL bytes", "line 3")]),
    "bytes that are not UTF-8": (b"a,b\n1,2\nx\xff,2\n", [Fault("text in utf-8", "line 3: bytes ff")]),
    "bytes that are not UTF-8, ragged": (b"a,b\n1,2\nx\xff\n", [Fault("text in utf-8", "line 3: bytes ff")]),
    "bytes that are not UTF-8, in the header": (b"\n\xe9,b\n1,2\n", [Fault("text in utf-8", "line 2: bytes e9")]),
    "bytes that are not UTF-8, after lone CR": (b"a,b\r1,2\rx\xff,2\r", [Fault("text in utf-8", "line 3: bytes ff")]),
    "a NUL byte far behind": (
        b"a,b\n" + b"1,2\n" * 2_000_000 + b"x\0,2\n",
        [Fault("text without NUL bytes", "line 2000002")],
    ),
    "a character cut by the end": (b"a\nx\xc3", [Fault("text in utf-8", "line 2: bytes c3")]),
}


@both
@pytest.mark.parametrize(("body", "faults"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_csv_is_told_by_row_or_line(read: Read, body: bytes, faults: list[Fault]) -> None:
    """Rows count from 0 below the header, without blank lines; lines from 1."""
    assert list(faults_of(MalformedTable, read, body)) == faults


@both
def test_all_ragged_rows_are_counted_and_the_first_told(read: Read) -> None:
    """In one pass, also those many blocks later."""
    body = b"a,b\n" + b"1,2\n" * MANY + b"1\n" * 1000 + b"1,2\n" * MANY + b"1,2,3\n"

    with pytest.raises(MalformedTable) as refused:
        read(body)

    assert refused.value.total == 1001
    assert [fault.row for fault in refused.value.faults] == list(range(MANY, MANY + 20))


def test_ragged_rows_are_counted_up_to_a_million() -> None:
    """More take time and tell nothing."""
    with pytest.raises(MalformedTable) as refused:
        at_once(b"a,b\n" + b"1\n" * 1_500_000)

    assert refused.value.total == 1_000_000


@both
def test_a_quote_that_never_closes_is_told_beside_ragged_rows(read: Read) -> None:
    """Both are found in one pass."""
    body = b'a,b\n1\n1,2\n3,"4\n' + b"5,6\n" * 18_000_000

    faults = faults_of(MalformedTable, read, body)

    assert faults == (Fault("2 fields", "1 field", 0), Fault(CLOSED, row=2))


@both
@pytest.mark.parametrize("rows", [500_000, 18_000_000])
def test_a_quote_that_never_closes_is_found_far_from_the_end(read: Read, rows: int) -> None:
    """In the row where it opens, although all that follows is one cell to a reader."""
    body = b"a,b\n" + b"1,2\n" * MANY + b'3,"4\n' + b"5,6\n" * rows

    assert [(fault.row, fault.expected) for fault in faults_of(MalformedTable, read, body)] == [(MANY, CLOSED)]


@pytest.mark.parametrize("filling", [b"\n", b'""', b"\n,"], ids=["line ends", "quotes", "lines"])
def test_an_open_quote_is_found_in_a_second(filling: bytes) -> None:
    """Whatever the cell is full of, and whatever rows are before it."""
    body = b"a\n" + b"x\n" * 10 + b'"' + filling * (8_000_000 // len(filling))

    assert faults_of(MalformedTable, at_once, body) == (Fault(CLOSED, row=10, column="a"),)


CLOSED_ENDS = {
    "a line end at the end of the last cell": (b'a,b\n1,"x\n"\n', "x\n"),
    "blank lines behind": (b'a,b\n1,"x\n\n"\n\n\n', "x\n\n"),
    "only line ends": (b'a,b\n1,"\n\n"\n', "\n\n"),
    "a doubled quote at the end": (b'a,b\n1,"x\n"""\n', 'x\n"'),
    "a doubled quote before the last line end": (b'a,b\n1,"x""\n"\n', 'x"\n'),
    "a quote that opens nothing": (b'a,b\n1,x "y\n', 'x "y'),
    "a quote that opens nothing and no line end": (b'a,b\n1,x "y', 'x "y'),
    "no line end behind": (b'a,b\n1,"x\n,""\n"', 'x\n,"\n'),
}


@both
@pytest.mark.parametrize(("body", "value"), CLOSED_ENDS.values(), ids=CLOSED_ENDS)
def test_a_quote_that_closes_is_not_taken_for_an_open_one(read: Read, body: bytes, value: str) -> None:
    """However the last cell ends."""
    assert read(body)["b"].to_pylist() == [value]


@both
@pytest.mark.parametrize("body", [b"a,b\n", b"a,b", b"a,b\n\n\r\n", b"a,b" + b"\n" * 9_000_000, b'"a\n","b"\r'])
def test_a_header_alone_has_no_rows(read: Read, body: bytes) -> None:
    """The error is that of any table without rows."""
    with pytest.raises(BadTable, match="There are no rows"):
        read(body)


@both
def test_a_wrong_encoding_is_told(read: Read) -> None:
    """By the line of the first byte that does not decode, in later pieces too."""
    body = b"a,b\r\n" + b"1,2\r\n" * MANY + b"\x81,2\r\n"

    faults = faults_of(MalformedTable, read, body, Dialect("cp1252", ",", "."))

    assert faults == (Fault("text in cp1252", f"line {MANY + 2}: bytes 81"),)


@both
def test_a_million_columns_are_refused(read: Read) -> None:
    """Before any record is read."""
    with pytest.raises(BadTable, match="this one has 1000001"):
        read(b"," * 1_000_000 + b"\n" + b"," * 1_000_000)


def test_a_long_text_is_told_by_row_and_column() -> None:
    """Also one of several blocks; how long is too long can be set."""
    body = b"a,b\n1,x\n2," + b"y" * 3_000_000 + b"\n"

    (fault,) = faults_of(BadTable, at_once, body)

    assert (fault.row, fault.column) == (1, "b")
    assert len(fault.got) < 100
    assert read_csv(body, PLAIN, missing=(), longest_cell=3_000_000).num_rows == 2
