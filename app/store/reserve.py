"""The reserve: a file that only takes space, so that there is some for what gives space back when the disk is full."""

import logging
import os
from pathlib import Path

from app.store.files import opened, remove

FILE = ".reserve"
BYTES = 2**18
SCARCE = 64 * BYTES  # that are free on a disk whose space is worth some trouble
TAKE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # never waits for a planted FIFO

log = logging.getLogger(__name__)


class Reserve:
    """A file of a store. Nothing is lost where it cannot be held: a full disk is only harder to leave then."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def hold(self) -> None:
        """Take the space, if it is there."""
        try:
            with opened(self.root) as folder:
                try:
                    with opened(FILE, TAKE, within=folder) as file:
                        os.posix_fallocate(file, 0, BYTES)
                except OSError:
                    remove(FILE, within=folder)
                    raise
        except OSError as error:
            log.info("no space is held in reserve (%s)", error.strerror)

    def is_scarce(self) -> bool:
        """Tell whether the disk is nearly full."""
        try:
            disk = os.statvfs(self.root)
        except OSError:
            return True
        return disk.f_bavail * disk.f_frsize < SCARCE

    def release(self) -> None:
        """Give the space to whoever takes it first."""
        try:
            with opened(self.root) as folder:
                remove(FILE, within=folder)
        except OSError as error:
            log.warning("the space that is held in reserve cannot be had (%s)", error.strerror)
