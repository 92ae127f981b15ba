"""Progress that one process writes and another reads: a few numbers at the start of a small file."""

import logging
import os
import struct
from math import isnan, nan
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from app.engine.control import Progress

LAYOUT = struct.Struct("<qqdd")
log = logging.getLogger(__name__)

SECONDS_BETWEEN_NOTES = 0.02  # often enough for an eye, too seldom to cost anything


class ProgressNote:
    """The place where a training leaves how far it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Progress | None:
        """Give what was last written, None before anything was."""
        try:
            noted = self.path.read_bytes()
        except FileNotFoundError:
            return None
        if len(noted) < LAYOUT.size:
            return None
        epoch, epochs, loss, validation_loss = LAYOUT.unpack(noted)
        return Progress(epoch, epochs, loss, None if isnan(validation_loss) else validation_loss)

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


class ProgressWriter:
    """Called with every epoch; writes those that come after a short while, and the last."""

    def __init__(self, note: ProgressNote) -> None:
        self.due = monotonic()
        self.latest: Progress | None = None
        self.file: BinaryIO | None = None
        try:
            note.path.parent.mkdir(parents=True, exist_ok=True)  # whoever cleans temporary folders may have been here
            self.file = note.path.open("wb", buffering=0)
        except OSError as error:
            self._give_up(error)

    def __call__(self, progress: Progress) -> None:
        """Note how far a training is, and write it if it is time."""
        self.latest = progress
        if monotonic() >= self.due:
            self._write(progress)
            self.due = monotonic() + SECONDS_BETWEEN_NOTES

    def close(self) -> None:
        """Write the last and close the file."""
        if self.latest is not None:
            self._write(self.latest)
        if self.file is not None:
            self.file.close()

    def _write(self, progress: Progress) -> None:
        validation_loss = nan if progress.validation_loss is None else progress.validation_loss
        if self.file is not None:
            try:
                os.pwrite(self.file.fileno(), LAYOUT.pack(*progress[:3], validation_loss), 0)
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Go on without telling progress: a training must not fail for a full temporary folder."""
        log.warning("progress cannot be told (%s)", error.strerror)
        if self.file is not None:
            self.file.close()
            self.file = None
