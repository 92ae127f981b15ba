"""Parts of a header, counted before it is parsed."""

import json

import pytest

from app.store import snapshot
from app.store.document import Damage
from app.store.parts import MOST, PIECE, require_few_parts
from tests.store.forging import document_of, signed


def headed(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + b"x"


@pytest.mark.parametrize(("part", "mark"), [(b"[]", b"["), (b"{}", b"{"), (b'"a":1', b":"), (b"1", b",")])
def test_a_header_of_too_many_parts_is_refused(part: bytes, mark: bytes) -> None:
    """A few megabytes of next to nothing would take gigabytes once parsed; the file's length is looked at too."""
    brackets = b"{%b}" if mark == b":" else b'{"a":[%b]}'
    data = headed(brackets % b",".join([part] * (MOST[mark] + 2)))

    for read in (snapshot.read_document, snapshot.size):
        with pytest.raises(Damage, match="more parts"):
            read(data)


def test_a_document_of_too_many_parts_is_refused(exam: bytes) -> None:
    """It is a text of the header, in which marks count for nothing, but not once it is taken out."""
    document = document_of(exam) | {"columns": [{}] * (MOST[b"{"] + 1)}

    with pytest.raises(Damage, match="more parts"):
        snapshot.decode(signed({}, document))


@pytest.mark.parametrize("length", [0, 1, PIECE - 4, PIECE - 3, PIECE - 2, PIECE - 1, PIECE, PIECE + 1])
def test_marks_within_texts_are_no_parts(length: int) -> None:
    """Whatever stands before them, escaped quotes and backslashes among it, and wherever a piece ends."""
    marks = "[" * (MOST[b"["] + 1)
    text = json.dumps({"a": "x" * length + '"\\' + marks, marks + '\\\\"': [1, "\\"]}).encode()

    require_few_parts(text)
    with pytest.raises(Damage, match="more parts"):
        require_few_parts(text + b'"\\\\"' + marks.encode())


def test_forged_lists_are_given_up_at_the_first_fault(exam: bytes) -> None:
    """Each fault would take a kilobyte to be told."""
    with pytest.raises(Damage) as caught:
        snapshot.decode(signed({}, document_of(exam) | {"columns": [{"x": 1}] * 1000}))

    assert str(caught.value.__cause__).count("columns.") < 10
