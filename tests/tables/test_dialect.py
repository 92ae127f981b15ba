"""Telling how a CSV is written."""

import codecs

import pytest

from app.errors import BadTable
from app.tables.dialect import SAMPLE, Dialect, detect

DELIMITERS = {
    "commas": ("a,b,c\n1,2,3\n4,5,6\n", ","),
    "semicolons": ("a;b;c\n1;2;3\n", ";"),
    "tabs": ("a\tb\n1\t2\n", "\t"),
    "bars": ("a|b\n1|2\n", "|"),
    "one column": ("a\n1\n2\n", ","),
    "one column of decimal commas": ("a;b\n1,5;2,5\n", ";"),
    "decimal commas in all lines": ("1,5;2,5\n3,5;4,5\n", ";"),
    "commas within texts": ("name;note\nx;one, two\ny;three, four\n", ";"),
    "commas in quotes": ('a;b\n"1,2";"3,4"\n"5,6";"7,8"\n', ";"),
    "semicolons in quotes": ('a,b\n"x;y",1\n"z;w",2\n', ","),
    "a line end in quotes": ('a;b\n"x\ny,z";1\n"u\nv,w";2\n', ";"),
    "a tie goes in order": ("a,b;c\nd,e;f\n", ","),
    "blank lines": ("a;b\n\n1;2\n\n", ";"),
    "nothing": ("", ","),
    "a row without a line end": ("a;b\n1,5;2,5", ";"),
}
ENCODINGS = {
    "ascii": (b"a,b\n1,2\n", "utf-8"),
    "utf-8": ("é,b\n1,2\n".encode(), "utf-8"),
    "utf-8 with a mark": (codecs.BOM_UTF8 + b"a,b\n1,2\n", "utf-8"),
    "utf-16 little end first": ("a,b\n1,2\n".encode("utf-16"), "utf-16-le"),
    "utf-16 big end first": (codecs.BOM_UTF16_BE + "a,b\n1,2\n".encode("utf-16-be"), "utf-16-be"),
    "what is not utf-8": ("é,b\n1,2\n".encode("cp1252"), "cp1252"),
    "a last character that is not utf-8": ("a,b\n1,é".encode("cp1252"), "cp1252"),
    "a character cut by the end of the sample": (b"a" * (SAMPLE - 1) + "é\n".encode(), "utf-8"),
}
DECIMALS = {
    "commas": ("a;b\n-12,5;x\n1;y\n", ","),
    "points": ("a;b\n12.5;1\n", "."),
    "both": ("a;b\n12.5;12,5\n", ","),
    "more points": ("a;b\n12.5;12,5\n1.5;x\n", "."),
    "whole numbers": ("a;b\n12;1\n", "."),
    "commas in texts": ("a;b\nx,5;1\n", "."),
    "quoted, between commas": ('a,b\n"12,5",1\n', "."),
    "after a tab": ("a\tb\n,5\t1\n", ","),
    "with an exponent": ("a;b\n1,5e3;1\n", ","),
    "with spaces": ("a;b\n 1,5 ;1\n", ","),
}


@pytest.mark.parametrize(("text", "delimiter"), DELIMITERS.values(), ids=DELIMITERS)
def test_the_delimiter_is_told_from_the_lines(text: str, delimiter: str) -> None:
    """It is the one that makes most records equally long, then the one that makes most numbers."""
    assert detect(text.encode()).delimiter == delimiter


@pytest.mark.parametrize(("beginning", "encoding"), ENCODINGS.values(), ids=ENCODINGS)
def test_the_encoding_is_told_from_the_bytes(beginning: bytes, encoding: str) -> None:
    """A byte-order mark decides; else it is UTF-8 where that decodes, else Windows-1252."""
    assert detect(beginning).encoding == encoding


@pytest.mark.parametrize(("text", "decimal"), DECIMALS.values(), ids=DECIMALS)
def test_the_decimal_mark_is_told_from_the_numbers(text: str, decimal: str) -> None:
    """It is a comma only where that does not delimit, some number has one and none has a point."""
    assert detect(text.encode()).decimal == decimal


def test_marks_are_told_in_any_encoding() -> None:
    """The delimiter and the decimal mark are looked for in the decoded text."""
    assert detect("ä;b\r\n1,5;2\r\n".encode("utf-16")) == Dialect("utf-16-le", ";", ",")


@pytest.mark.parametrize("family", ["utf-16", "utf-32"])
def test_an_encoding_of_two_orders_has_that_of_its_mark(family: str) -> None:
    """Without a mark, the lower byte comes first."""
    for order in ("-le", "-be"):
        assert detect("\ufeffa\n1\n".encode(family + order), encoding=family).encoding == family + order
    assert detect("a\n1\n".encode(family + "-le"), encoding=family).encoding == family + "-le"


def test_what_is_stated_wins() -> None:
    """Nothing that is stated is told from the bytes."""
    beginning = codecs.BOM_UTF8 + b"a,b\n1,2\n"

    assert detect(beginning, encoding="Latin-1", delimiter=";", decimal=",") == Dialect("iso8859-1", ";", ",")
    assert detect(beginning, delimiter="|") == Dialect("utf-8", "|", ",")


@pytest.mark.parametrize(("text", "delimiter"), [("a,b\n1,2\n", ";"), ("x,y|z\nu,v|w\n", "|")])
def test_a_stated_decimal_comma_does_not_delimit(text: str, delimiter: str) -> None:
    """The delimiter is told among the other marks."""
    assert detect(text.encode(), decimal=",") == Dialect("utf-8", delimiter, ",")


def test_only_the_first_64_kb_count() -> None:
    """What comes later changes nothing, nor does the line that is cut."""
    lines = b"a;b\n" + b"1;22\n" * (SAMPLE // 5) + b"1,5;2\n" * 100

    assert detect(lines) == Dialect("utf-8", ";", ".")
    assert detect(b"a;b\n" + b"1;2\n" * (SAMPLE // 4 - 2) + b"1,55").decimal == "."


def test_a_single_cut_line_counts() -> None:
    """A first line of more than 64 KB is all there is to tell from."""
    assert detect(b"x;" * SAMPLE).delimiter == ";"


@pytest.mark.parametrize("encoding", ["klingon", "", "punycode", "base64", "utf-8\0"])
def test_an_encoding_that_is_not_known_is_refused(encoding: str) -> None:
    """The message names some that are; those that are no encodings of texts, or slow, are not."""
    with pytest.raises(BadTable, match="windows-1252") as refused:
        detect(b"a\n1\n", encoding=encoding)

    assert refused.value.faults[0].field == "encoding"


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({"delimiter": ""}, "delimiter"),
        ({"delimiter": ",,"}, "delimiter"),
        ({"delimiter": "§"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"delimiter": "."}, "delimiter"),
        ({"decimal": "'"}, "decimal"),
        ({"decimal": ""}, "decimal"),
        ({"delimiter": ",", "decimal": ","}, "decimal"),
    ],
)
def test_a_mark_that_cannot_be_one_is_refused(stated: dict[str, str], field: str) -> None:
    """A delimiter is one ASCII character, a decimal mark a point or another comma."""
    with pytest.raises(BadTable) as refused:
        detect(b"a\n1\n", **stated)

    assert refused.value.faults[0].field == field
