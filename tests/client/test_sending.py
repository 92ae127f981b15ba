"""What a table is by its file."""

import io
import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from app.client.sending import ENDINGS, opened
from app.tables.formats import FORMATS, format_of


def test_every_format_has_an_ending() -> None:
    """Each is known to the service by the media type that the ending stands for; beside them there is JSON alone."""
    known = {ending: format_of(media_type) for ending, media_type in ENDINGS.items()}

    assert {*known.values()} == {*FORMATS, None}
    assert [ending for ending, format_ in known.items() if format_ is None] == [".json"]


def test_an_ending_is_known_in_capitals_too(tmp_path: Path) -> None:
    """GRADES.CSV is a CSV."""
    (tmp_path / "GRADES.CSV").write_text("a,b\n")

    with opened(str(tmp_path / "GRADES.CSV")) as table:
        assert (table.media_type, table.size) == ("text/csv", 4)


def test_what_can_be_read_once_only_can_be_sent_again(tmp_path: Path) -> None:
    """A pipe by the name of a CSV is kept, and read from its beginning as often as wanted."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("a,b\n1,2\n",))
    writer.start()

    with opened(str(pipe)) as table:
        twice = [table.from_its_beginning().read() for _ in range(2)]
    writer.join()

    assert twice == [b"a,b\n1,2\n"] * 2


def test_standard_input_is_a_csv_that_can_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read whole, however it comes."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))

    with opened("-") as table:
        twice = [table.from_its_beginning().read() for _ in range(2)]

    assert (table.media_type, table.size, twice) == ("text/csv", 8, [b"a,b\n1,2\n"] * 2)
