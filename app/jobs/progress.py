"""Progress that one process writes and another reads, and what the other wishes: two small files."""

import logging
import mmap
import os
import struct
from contextlib import suppress
from math import isnan, nan
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

from app.engine.control import Progress
from app.jobs.job import Point

LAYOUT = struct.Struct("<qqddd")
WISHED = struct.Struct("<cc6xq")  # a letter, whether the training waits, and the epoch after which it is to
WAITS, HELD = 1, b"h"
CANCEL = b"c"
LEAVE = b"l"  # the wish that a training put its state down for whoever goes on with it, and end
UNTIL = struct.Struct("<q")
FOR_EVER = 2**63 - 1
SECONDS_BETWEEN_LOOKS = 0.005  # of a training that is paused
SECONDS_BETWEEN_NOTES = 0.02  # often enough for an eye, too seldom to cost anything
MOST_EVEN, FIRST = 500, 10  # points of a training, evenly spread, beside those of its first epochs

log = logging.getLogger(__name__)


class Note:
    """The place where a training leaves how far it is, and looks for what is wished of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wish_path = path.with_suffix(".wish")
        self.checkpoints = path.with_name(path.name.partition("-")[0] + ".checkpoints")
        """Where all attempts at the job leave their state."""
        self.trials = self.checkpoints.with_suffix(".trials")
        """Where they tell the trials of a search."""
        self.word = path.stem
        """What names of files begin with that this attempt writes elsewhere."""
        self.live = path.with_suffix(".live")
        """Where the network is while it learns."""
        self.steps = path.with_suffix(".steps")
        """What the training was doing, where that is told."""
        self.waits_path = path.with_suffix(".waits")

    def read(self) -> list[Point]:
        """Give what was written so far."""
        try:
            noted = self.path.read_bytes()
        except OSError as error:  # a training must not fail for what is only told of it
            if not isinstance(error, FileNotFoundError):
                log.warning("progress cannot be read (%s)", error.strerror)
            return []
        whole = noted[: len(noted) - len(noted) % LAYOUT.size]
        return [
            Point(epoch, epochs, loss, None if isnan(validation_loss) else validation_loss, seconds)
            for epoch, epochs, loss, validation_loss, seconds in LAYOUT.iter_unpack(whole)
        ]

    def prepare(self, until: int | None = None) -> None:
        """Make room for a wish; say after which epoch to pause."""
        self.wish_path.write_bytes(WISHED.pack(b"\0", b"\0", FOR_EVER if until is None else until))

    def ask(self, wish: bytes) -> None:
        """Leave a wish of one letter, unless the training is over."""
        self._wish(0, wish)

    def hold(self, until: int | None) -> None:
        """Say after which epoch to pause, if at all, unless the training is over."""
        self._wish(WISHED.size - UNTIL.size, UNTIL.pack(FOR_EVER if until is None else until))

    def is_unwanted(self) -> bool:
        """Tell whether it is wished that the training ends with nothing."""
        try:
            return self.wish_path.read_bytes()[:1] == CANCEL
        except OSError:  # it is over
            return False

    def is_held(self) -> bool:
        """Tell whether the training waits, and all that it has to tell is written."""
        try:
            return self.wish_path.read_bytes()[WAITS : WAITS + 1] == HELD
        except OSError:  # it is over
            return False

    def wait_for(self, what: str | None) -> None:
        """Say what keeps the training from beginning; None once it begins."""
        try:
            if what is None:
                self.waits_path.unlink(missing_ok=True)
            elif self.wish_path.exists():  # it is not over
                self.waits_path.write_text(what)
        except OSError as error:
            log.warning("it cannot be told what a training waits for (%s)", error.strerror)

    def waits(self) -> str | None:
        """Tell what keeps the training from beginning; None where it has, or nothing does."""
        try:
            return self.waits_path.read_text() or None
        except OSError:
            return None

    def _wish(self, place: int, what: bytes) -> None:
        try:
            with self.wish_path.open("r+b", buffering=0) as file:
                file.seek(place)
                file.write(what)
        except FileNotFoundError:  # it is over
            pass
        except OSError as error:
            log.warning("a training cannot be told what is wished of it (%s)", error.strerror)


class NoteWriter:
    """What a training process does with a note: tells its progress, and asks what is wished."""

    def __init__(self, note: Note) -> None:
        self.began = self.due = monotonic()
        self.epoch = 0
        self.latest: Progress | None = None
        self.waiting: list[bytes] = []
        self.file: BinaryIO | None = None
        self.wishes: mmap.mmap | None = None
        self.wish_path = note.wish_path
        try:
            with note.wish_path.open("rb") as wishes:
                self.wishes = mmap.mmap(wishes.fileno(), WISHED.size, prot=mmap.PROT_READ)
            self.file = note.path.open(
                "ab", buffering=0
            )  # after a service that ended in peace, which is no new attempt
            self.file.truncate(self.file.tell() // LAYOUT.size * LAYOUT.size)
        except OSError as error:
            self._give_up(error)

    def __call__(self, progress: Progress) -> None:
        """Note how far a training is, if that is a point to tell, and write what was noted if it is time."""
        epoch, epochs = progress.epoch, progress.epochs
        self.epoch = epoch
        if epoch <= FIRST or epoch % -(-epochs // MOST_EVEN) == 0:
            self._note(progress)
            self.latest = None
        else:
            self.latest = progress
        if self.waiting and monotonic() >= self.due:
            self._write()

    @property
    def wish(self) -> bytes:
        """What is wished: a letter, or NUL for nothing."""
        return b"\0" if self.wishes is None else self.wishes[:1]

    @property
    def until(self) -> int:
        """The epoch after which to pause."""
        return FOR_EVER if self.wishes is None else int(WISHED.unpack(self.wishes[:])[2])

    def hold(self, epoch: int) -> None:
        """Wait after an epoch for as long as no other is to follow, and no end is wished; tell that it is over."""
        if self.until <= epoch:
            self._write_all()
            began = monotonic()
            self._tell(HELD)
            while self.until <= epoch and self.wish == b"\0":
                sleep(SECONDS_BETWEEN_LOOKS)
            self._tell(b"\0")
            self.began += monotonic() - began  # the training's own time

    def _tell(self, waits: bytes) -> None:
        """Let others know whether the training waits; those who cannot be told wait a little longer for it."""
        with suppress(OSError), self.wish_path.open("r+b", buffering=0) as wishes:
            os.pwrite(wishes.fileno(), waits, WAITS)

    def close(self) -> None:
        """Write the last and close the files."""
        self._write_all()
        if self.file is not None:
            self.file.close()
        if self.wishes is not None:
            self.wishes.close()

    def _write_all(self) -> None:
        if self.latest is not None:
            self._note(self.latest)
            self.latest = None
        self._write()

    def _note(self, progress: Progress) -> None:
        validation_loss = nan if progress.validation_loss is None else progress.validation_loss
        self.waiting.append(LAYOUT.pack(*progress[:3], validation_loss, monotonic() - self.began))

    def _write(self) -> None:
        if self.file is not None and self.waiting:
            try:
                self.file.write(b"".join(self.waiting))
            except OSError as error:
                self._give_up(error)
        self.waiting = []
        self.due = monotonic() + SECONDS_BETWEEN_NOTES

    def _give_up(self, error: OSError) -> None:
        """Go on without telling progress: a training must not fail for a full temporary folder."""
        log.warning("progress cannot be told (%s)", error.strerror)
        if self.file is not None:
            self.file.close()
            self.file = None
