"""Progress: what a training process tells of itself, and what it is told."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from app.engine.control import Progress
from app.jobs.progress import Note, NoteWriter
from tests.conftest import wait_until


def told(path: Path, epochs: int, ended: int | None = None) -> list[int]:
    """Tell so many epochs, or only the first of them; give those that were noted."""
    note = Note(path / f"{epochs}.note")
    note.prepare()
    with closing(NoteWriter(note)) as writer:
        for epoch in range(1, (ended or epochs) + 1):
            writer(Progress(epoch, epochs, 1 / epoch, None))
    return [point.epoch for point in note.read()]


def test_progress_comes_through_a_file(tmp_path: Path) -> None:
    """Nothing before the first epoch; then the numbers, at the latest when the writer is closed."""
    note = Note(tmp_path / "a.note")
    note.prepare()
    assert note.read() == []

    writer = NoteWriter(note)
    progress = [Progress(1, 9, 0.5, None), Progress(2, 9, 0.25, 0.125)]
    for one in progress:
        writer(one)
    writer.close()

    assert [tuple(point)[:4] for point in note.read()] == progress
    assert 0 <= note.read()[0].seconds <= note.read()[1].seconds < 60


@pytest.mark.parametrize(("epochs", "ended"), [(3, None), (1000, None), (1_000_000, None), (100_000, 30), (999, 998)])
def test_however_many_epochs_there_are_some_are_told(epochs: int, ended: int | None, tmp_path: Path) -> None:
    """The first ten, the last, and as many between them as an eye can tell apart."""
    noted = told(tmp_path, epochs, ended)

    assert noted == sorted(set(noted))
    assert noted[:10] == list(range(1, min(ended or epochs, 10) + 1))
    assert noted[-1] == (ended or epochs)
    assert len(noted) <= 1000


def test_a_wish_reaches_the_training(tmp_path: Path) -> None:
    """None at first; once it is left, the writer sees it; after the end it is no matter."""
    note = Note(tmp_path / "a.note")
    note.prepare()
    with closing(NoteWriter(note)) as writer:
        assert writer.wish == b"\0"
        note.ask(b"c")
        assert writer.wish == b"c"
    note.wish_path.unlink()

    note.ask(b"c")

    assert not note.wish_path.exists()


def test_a_training_goes_on_where_progress_cannot_be_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file where the folder should be, or a full disk: one line in the log, and no more notes."""
    (tmp_path / "file").write_text("in the way")
    Note(tmp_path / "full.note").prepare()
    (tmp_path / "full.note").symlink_to("/dev/full")
    for note in (Note(tmp_path / "file" / "note"), Note(tmp_path / "full.note")):
        writer = NoteWriter(note)
        for epoch in (1, 2):
            writer(Progress(epoch, 9, 0.5, None))
        writer.close()

    assert caplog.text.count("progress cannot be told") == 2


def test_a_training_is_held_until_it_may_go_on(tmp_path: Path) -> None:
    """After the epoch that is the last for now; what it is waiting at is told at once, and its clock stands still."""
    note = Note(tmp_path / "a.note")
    note.prepare(12)
    with closing(NoteWriter(note)) as writer, ThreadPoolExecutor(1) as pool:
        for epoch in range(1, 13):
            writer(Progress(epoch, 100_000, 1.0, None))
        assert pool.submit(writer.hold, 11).result(5) is None
        held = pool.submit(writer.hold, 12)
        wait_until(lambda: note.read()[-1].epoch == 12)
        sleep(0.2)
        assert not held.done()

        note.hold(13)
        held.result(5)
        writer(Progress(13, 100_000, 1.0, None))
        assert note.read()[-1].seconds < 0.2

        held = pool.submit(writer.hold, 13)
        note.ask(b"c")
        held.result(5)


def test_a_training_that_is_not_held_goes_on(tmp_path: Path) -> None:
    """Also where there is no place for wishes, or no longer."""
    note = Note(tmp_path / "a.note")
    note.hold(0)
    with closing(NoteWriter(note)) as writer:
        writer.hold(5)
    note.prepare()
    with closing(NoteWriter(note)) as writer:
        writer.hold(5)
        note.hold(7)
        writer.hold(6)
        note.hold(0)
        note.hold(None)
        writer.hold(6)
