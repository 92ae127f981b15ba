"""Mirroring: what a training tells on one machine in files beside its note is told in the same files on another."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from app.errors import NetletError
from app.jobs.checkpoints import FILE, keep
from app.jobs.progress import HELD, LAYOUT, WAITS, Note
from app.store.remote import NOTHING, Remote

log = logging.getLogger(__name__)

GROWING: dict[str, Callable[[Note], Path]] = {"note": lambda note: note.path, "steps": lambda note: note.steps}
REPLACED: dict[str, Callable[[Note], Path]] = {  # the parameters are those of the network that is there by then
    "live": lambda note: note.live,
    "parameters": lambda note: note.live.with_suffix(".live-parameters"),
    "trials": lambda note: note.trials,
}
WAITING = "waiting"


class Piece(NamedTuple):
    """What is new of one file: what it is, or the name of a checkpoint; and the bytes."""

    what: str
    data: bytes


class Watch:
    """Sees what a training tells."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.lengths = dict.fromkeys(GROWING, 0)
        self.seen: dict[str, tuple[int, int]] = {}
        self.checkpoints = {name for name, _ in _checkpoints(note)}
        self.waits = b"\0"

    def pieces(self) -> list[Piece]:
        """Give what was told since this was asked last, in the order in which it is to be told again."""
        waits = _bytes(self.note.wish_path)[WAITS : WAITS + 1] or b"\0"  # by then, all that came before is written
        replaced = [*self._replaced()]
        found = [*self._grown(), *reversed(replaced), *self._new_checkpoints()]
        if waits != self.waits:
            self.waits = waits
            found.append(Piece(WAITING, waits))
        return found

    def _grown(self) -> Iterator[Piece]:
        for what, where in GROWING.items():
            if more := _bytes(where(self.note), self.lengths[what]):
                self.lengths[what] += len(more)
                yield Piece(what, more)

    def _replaced(self) -> Iterator[Piece]:
        """Read the last first: what it belongs to was written before it, and is told before it."""
        for what, where in reversed(REPLACED.items()):
            try:
                status = where(self.note).stat()
            except OSError:
                continue
            if self.seen.get(what) != (mark := (status.st_ino, status.st_mtime_ns)):
                self.seen[what] = mark
                yield Piece(what, _bytes(where(self.note)))

    def _new_checkpoints(self) -> Iterator[Piece]:
        for name, path in _checkpoints(self.note):
            if name not in self.checkpoints and (data := _bytes(path)):
                self.checkpoints.add(name)
                yield Piece(name, data)


def tell(note: Note, pieces: Sequence[Piece], remote: Remote = NOTHING) -> None:
    """Tell what was seen elsewhere; nothing of a training that is over, and no training fails for what is only told."""
    if not note.wish_path.exists():
        return
    for what, data in pieces:
        try:
            if what in GROWING:
                _append(GROWING[what](note), data)
            elif what in REPLACED:
                _replace(REPLACED[what](note), data)
            elif what == WAITING:
                _mark(note, data)
            elif FILE.fullmatch(what):
                keep(note.checkpoints, what, data, remote)
        except (OSError, NetletError) as error:
            log.warning("what a training tells cannot be told here (%s)", error)


def begin(note: Note) -> None:
    """Make ready for what an attempt will tell that may have begun before a server ended in peace."""
    try:
        os.truncate(note.path, note.path.stat().st_size // LAYOUT.size * LAYOUT.size)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("what a training tells cannot be told here (%s)", error)


def without_mark(wished: bytes) -> bytes:
    """Leave out of what is wished whether the training waits, which it tells itself."""
    return wished[:WAITS] + wished[WAITS + 1 :]


def _mark(note: Note, data: bytes) -> None:
    with note.wish_path.open("r+b", buffering=0) as wishes:
        os.pwrite(wishes.fileno(), HELD if data == HELD else b"\0", WAITS)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(data)


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{path.name}-new")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _bytes(path: Path, begin: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read()
    except OSError:
        return b""


def _checkpoints(note: Note) -> list[tuple[str, Path]]:
    try:
        return sorted((path.name, path) for path in note.checkpoints.iterdir() if FILE.fullmatch(path.name))
    except OSError:
        return []
