"""What a table is by its file, and what the address says of it."""

import io
import json
import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from app.client.sending import ENDINGS, NotUsable, Said, opened
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


@pytest.mark.parametrize("setting", ["preset", "=3", ".epochs=3", "training.=3", ""])
def test_a_setting_that_is_none_is_refused_before_anything_is_sent(setting: str) -> None:
    """It is repeated, with an example of one."""
    with pytest.raises(NotUsable, match=r"training\.epochs=100") as caught:
        Said.of([setting])

    assert str(caught.value).endswith(setting)


def test_settings_of_a_group_are_one_object_in_the_address() -> None:
    """Numbers, lists and truths are what they are in JSON; the rest is text; what stands alone is left as it is."""
    said = Said.of(["preset=tutorial", "training.epochs=3", "training.loss=mae", "network.hidden=[8, 4]", "name=7"])

    (alone, groups) = (said.beside_a_table()[:2], dict(said.beside_a_table()[2:]))

    assert alone == [("preset", "tutorial"), ("name", "7")]
    assert json.loads(groups["training"]) == {"epochs": 3, "loss": "mae"}
    assert json.loads(groups["network"]) == {"hidden": [8, 4]}


def test_a_dataset_is_told_how_it_is_read_and_its_training_the_rest() -> None:
    """Only categories concern both."""
    said = Said.of(["delimiter=;", "columns=a", "columns=b", "target=b", "kinds.a=category", "kinds.c=integer"])

    upload, training = said.beside_an_upload(), said.beside_a_dataset("abc")

    assert upload == [("delimiter", ";"), ("columns", "a"), ("columns", "b"), ("kinds", '{"a": "category"}')]
    assert training == [("target", "b"), ("kinds", '{"a": "category", "c": "integer"}'), ("dataset", "abc")]
