"""Reading CSV: a body at once and a file in batches, which give the same."""

import csv
import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadTable, MalformedTable
from app.faults import Fault
from app.tables.csv_files import batches
from app.tables.dialect import ENCODINGS, Dialect, detect
from tests.tables.csv_reading import MANY, MISSING, PLAIN, Read, at_once, both, contents, in_batches

COLUMNS: dict[str, tuple[list[str], str, list[Any]]] = {
    "whole numbers": (["1", "-2"], "double", [1.0, -2.0]),
    "decimals": (["1", "-2.5e-3"], "double", [1.0, -2.5e-3]),
    "numbers without digits on one side": ([".5", "1."], "double", [0.5, 1.0]),
    "a plus": (["+5", "1"], "double", [5.0, 1.0]),
    "spaces around numbers": ([" 5 ", "\t6.5"], "double", [5.0, 6.5]),
    "numbers in quotes": (['"5"', '" 6 "'], "double", [5.0, 6.0]),
    "beyond 2^53": (["9007199254740993", "99999999999999999999"], "double", [9007199254740992.0, 1e20]),
    "leading zeros are a number": (["007", "7"], "double", [7.0, 7.0]),
    "beyond a float64 is infinite": (["1e999", "-1e999"], "double", [float("inf"), float("-inf")]),
    "infinity is a text": (["inf", "1"], "string", ["inf", "1"]),
    "no number is a text": (["1.5", "nan"], "string", ["1.5", "nan"]),
    "hexadecimal is a text": (["0x1F", "2"], "string", ["0x1F", "2"]),
    "underscores are a text": (["1_000", "2"], "string", ["1_000", "2"]),
    "thousands are a text": (['"1,000"', "2"], "string", ["1,000", "2"]),
    "true and false": (["true", "False", "TRUE"], "bool", [True, False, True]),
    "0 and 1 are numbers": (["0", "1"], "double", [0.0, 1.0]),
    "true beside a number": (["true", "1"], "string", ["true", "1"]),
    "other cases": (["tRue", "false"], "string", ["tRue", "false"]),
    "dates": (["2020-01-02", "2020-1-2"], "string", ["2020-01-02", "2020-1-2"]),
    "ISO dates alone": (["2020-01-02", "NA"], "string", ["2020-01-02", None]),
    "times": (["12:30", "12:30:11"], "string", ["12:30", "12:30:11"]),
    "instants": (
        ["2020-01-02T10:00:00.5Z", "2020-01-02 10:00"],
        "string",
        ["2020-01-02T10:00:00.5Z", "2020-01-02 10:00"],
    ),
    "missing numbers": (["NA", "1", ""], "double", [None, 1.0, None]),
    "missing in quotes": (['"NA"', '""', "1"], "double", [None, None, 1.0]),
    "missing texts": (["NA", '""', "x"], "string", [None, None, "x"]),
    "all missing": (["NA", ""], "null", [None, None]),
    "texts as they are written": ([" x ", "y\t"], "string", [" x ", "y\t"]),
    "quotes": (['"a ""b"" c"', 'd "e"'], "string", ['a "b" c', 'd "e"']),
    "line ends in quotes": (['"a\nb"', '"c\r\nd"'], "string", ["a\nb", "c\r\nd"]),
}


@both
@pytest.mark.parametrize(("cells", "kind", "values"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_is_of_the_type_that_all_its_cells_have(
    read: Read, cells: list[str], kind: str, values: list[Any]
) -> None:
    """Numbers, true and false, texts or nothing; dates stay as they are written."""
    body = "".join(["id,cell\n", *(f"x,{cell}\n" for cell in cells)]).encode()

    assert contents(read(body))[1] == ("cell", kind, values)


LATER: dict[str, tuple[str, str, str, Any]] = {
    "a text after numbers": ("1", "x", "string", "x"),
    "a decimal after whole numbers": ("1", "1.5", "double", 1.5),
    "hexadecimal after numbers": ("1", "0x1F", "string", "0x1F"),
    "infinity after numbers": ("1", "inf", "string", "inf"),
    "a number after dates": ("2020-01-02", "1.50", "string", "1.50"),
    "a date after nothing": ("NA", "2020-01-02", "string", "2020-01-02"),
    "a number after nothing": ("NA", "7", "double", 7.0),
    "hexadecimal after nothing": ("NA", "0x1F", "string", "0x1F"),
    "a number beyond 2^53 after nothing": ("NA", "9007199254740993", "double", 9007199254740992.0),
    "a number after true": ("true", "1", "string", "1"),
    "a text after true": ("true", "x", "string", "x"),
}


@both
@pytest.mark.parametrize(("first", "last", "kind", "value"), LATER.values(), ids=LATER)
def test_the_last_cell_counts_as_much_as_the_first(read: Read, first: str, last: str, kind: str, value: object) -> None:
    """A column that looks like another kind for more than a block is read again, and the others stay what they are."""
    body = b"a,b,c\n" + f"{first},1,z\n".encode() * 4 * MANY + f"{last},2,z\n".encode()

    table = read(body)

    assert [str(column.type) for column in table.columns] == [kind, "double", "string"]
    assert [column[-1].as_py() for column in table.columns] == [value, 2.0, "z"]
    assert table.num_rows == 4 * MANY + 1


@both
@pytest.mark.parametrize(("first", "last"), [("1", "true"), ("true", "1"), ("1.5", "x"), ("2020-01-02", "1")])
def test_blocks_of_two_kinds_are_texts(read: Read, first: str, last: str) -> None:
    """Also where no block holds both."""
    column = read(b"a\n" + b"".join(f"{cell}\n".encode() * 5 * MANY for cell in (first, "NA", last)))["a"]

    assert (column[0].as_py(), column[-1].as_py()) == (first, last)


@both
def test_columns_can_be_named_as_texts(read: Read) -> None:
    """What looks like a number, a date or true stays as it is written."""
    table = read(b"a,b,c,d\n007,2020-01-02,TRUE,007\nNA,1,0,1\n", texts=("a", "b", "c", "unknown"))

    assert contents(table) == [
        ("a", "string", ["007", None]),
        ("b", "string", ["2020-01-02", "1"]),
        ("c", "string", ["TRUE", "0"]),
        ("d", "double", [7.0, 1.0]),
    ]


@both
def test_a_decimal_comma_is_the_only_one(read: Read) -> None:
    """With it, a point makes a text."""
    table = read(b"a;b\n1,5;1.5\n-2;3\n", Dialect("utf-8", ";", ","))

    assert contents(table) == [("a", "double", [1.5, -2.0]), ("b", "string", ["1.5", "3"])]


FORMS = {
    "CRLF": b"a,b\r\n1,x\r\n2,y\r\n",
    "lone CR": b"a,b\r1,x\r2,y\r",
    "no last line end": b"a,b\n1,x\n2,y",
    "no last line end behind a quote": b'a,b\n1,x\n2,"y"',
    "blank lines": b"\n\r\na,b\n\n1,x\r\n\n2,y\n\n\n",
    "millions of blank lines": b"a,b\n" + b"\n" * 9_000_000 + b"1,x\n2,y\n" + b"\n" * 9_000_000,
    "a byte-order mark": b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
    "a byte-order mark and quotes": b'\xef\xbb\xbf"a","b"\n"1","x"\n"2","y"\n',
}


@both
@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_line_ends_and_blank_lines_do_not_matter(read: Read, body: bytes) -> None:
    """CRLF, LF or CR; lines with nothing in them are skipped, wherever they are."""
    assert contents(read(body)) == [("a", "double", [1.0, 2.0]), ("b", "string", ["x", "y"])]


@both
def test_names_come_as_they_are(read: Read) -> None:
    """Twice the same, none, or with a line end: others say what is wrong with that."""
    assert read(b'a,a,"b\n""c""",\n1,2,3,\n').column_names == ["a", "a", 'b\n"c"', ""]


@both
def test_an_empty_line_in_a_single_column_is_skipped(read: Read) -> None:
    """A missing value in a table of one column must be written in quotes, or as another word."""
    assert read(b'a\n1\n\n""\nNA\n2\n')["a"].to_pylist() == [1.0, None, None, 2.0]


@both
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be", "utf-16", "utf-8-sig", "gb18030"])
def test_other_encodings_are_read(read: Read, encoding: str, mark: str) -> None:
    """Longer than one piece of decoding, with and without a mark."""
    mark = "" if encoding == "cp1252" else mark
    body = (mark + "ä,b\r\n" + "ö,1\r\n" * MANY).encode(encoding)

    table = read(body, Dialect(encoding, ",", "."))

    assert table.schema == pa.schema([("ä", pa.string()), ("b", pa.float64())])
    assert set(table["ä"].to_pylist()) == {"ö"}
    assert table.num_rows == MANY


@both
@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@given(garbage=st.binary(max_size=40))
@settings(max_examples=20)
def test_in_no_encoding_does_anything_fail_but_the_table(read: Read, encoding: str, garbage: bytes) -> None:
    """What is encoded comes back, and bytes that mean nothing are refused as what the sender sent."""
    body = "a,b\n1,x\n".encode(encoding)

    assert read(body, detect(body, encoding=encoding)).to_pydict() == {"a": [1.0], "b": ["x"]}
    for unfit in (garbage, body + garbage):
        with suppress(BadTable, MalformedTable):
            read(unfit, detect(unfit, encoding=encoding))


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    """Its types are told first where none are given; a name that ends in .gz promises nothing."""
    path = tmp_path / "table.gz"
    path.write_bytes(b"a,b\n1,x\n2.5,NA\n")

    (batch,) = batches(path, PLAIN, missing=MISSING)

    assert batch.to_pydict() == {"a": [1.0, 2.5], "b": ["x", None]}


def test_columns_of_a_file_come_as_asked() -> None:
    """By name, in the order and of the types given; what is not there or does not fit is told."""
    body = b"a,b,c\n1,x,2\n" + b"1,x,2\n" * MANY + b"z,y,4\n"
    fits = pa.schema([("c", pa.float64()), ("a", pa.string())])

    table = pa.Table.from_batches(batches(io.BytesIO(body), PLAIN, missing=MISSING, types=fits))

    assert table.schema == fits
    assert table.slice(MANY + 1).to_pylist() == [{"c": 4.0, "a": "z"}]
    for types, fault in (
        (pa.schema([("a", pa.float64())]), Fault("a number", 'text "z"', MANY + 1, "a")),
        (pa.schema([("d", pa.float64())]), Fault("this column too", "nothing", column="d")),
    ):
        with pytest.raises(BadTable) as refused:
            list(batches(io.BytesIO(body), PLAIN, missing=MISSING, types=types))
        assert refused.value.faults == (fault,)


MEASURE = """
import sys
from contextlib import suppress
from pathlib import Path
from app.tables.csv_files import batches, column_types, read_csv
from app.tables.dialect import Dialect

path, way = Path(sys.argv[1]), sys.argv[2]
def highest():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

settings = {"dialect": Dialect("utf-8", ",", "."), "missing": ("",)}
body = path.read_bytes() if way == "at once" else b""
list(batches(path.with_suffix(".small"), **settings))
before = highest() - len(body)
if body:
    read_csv(body, **settings)
else:
    for batch in batches(path, **settings):
        pass
print((highest() - before) / path.stat().st_size)
"""


@pytest.mark.parametrize(("way", "rows", "most"), [("at once", 12_000_000, 4), ("in batches", 24_000_000, 0.9)])
def test_memory_is_bounded(way: str, rows: int, most: float, tmp_path: Path) -> None:
    """A body takes at most four times its size, itself counted; a file less than its size, however large it is."""
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n" + b"-12.345,x8\n" * rows)
    path.with_suffix(".small").write_bytes(b"a,b\n1,x\n")

    run = subprocess.run([sys.executable, "-c", MEASURE, path, way], capture_output=True, text=True, check=True)

    assert float(run.stdout) < most, run.stdout


ENCODED = st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "cp1252", "iso8859-1"])
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)


@given(data=st.data(), encoding=ENCODED, delimiter=st.sampled_from(",;\t|"), decimal=st.sampled_from(".,"))
@settings(max_examples=100)
def test_any_table_comes_back_cell_for_cell(data: Any, encoding: str, delimiter: str, decimal: str) -> None:
    """Numbers to the last bit and texts to the last character, in every dialect, however they are quoted."""
    decimal = "." if delimiter == "," else decimal
    text = st.text(st.characters(codec=encoding, exclude_characters="\0"), max_size=8).filter(
        lambda t: t not in MISSING
    )
    kinds = data.draw(st.lists(st.sampled_from(["double", "string"]), min_size=1, max_size=4))
    cells = {"double": NUMBERS, "string": st.none() | text}
    rows = data.draw(st.lists(st.tuples(*(cells[kind] for kind in kinds)), min_size=1, max_size=8))
    quoting, line_end = data.draw(
        st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r")])
    )
    names = [f"{kind} {index}" for index, kind in enumerate(kinds)]
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    writer.writerow(names)
    for row in rows:
        writer.writerow([repr(cell).replace(".", decimal) if isinstance(cell, int | float) else cell for cell in row])
    body = written.getvalue().encode(encoding)
    if data.draw(st.booleans()):
        body = body.removesuffix(line_end.encode(encoding))
    dialect = Dialect(encoding, delimiter, decimal)
    texts = tuple(name for name in names if name.startswith("string"))

    for read in (at_once, in_batches):
        table = read(body, dialect, texts)

        for name, kind, column in zip(names, kinds, zip(*rows, strict=True), strict=True):
            expected = [float(cell) if kind == "double" and cell is not None else cell for cell in column]
            assert table[name].to_pylist() == expected
            assert str(table[name].type) in {kind, "null" if set(expected) == {None} else kind}
    assert detect(body, encoding=encoding, delimiter=delimiter, decimal=decimal) == dialect
