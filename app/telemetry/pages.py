"""Pages: what each of several worker processes has counted, where its fellows read it.

A file in memory that all of them inherit. A worker holds a lock on its page for as long as it lives; whoever comes
after it takes the page over, and counts on from what is there. After an upgrade that may be from another release, of
which only those metrics count that are the same here.
"""

import errno
import fcntl
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple
from zlib import crc32

from app.telemetry.metrics import METRICS, Figure, Metric, kept

FILE = "NETLET_PAGES"  # the number of the file that a worker inherits
HALF = 2**21  # bytes: much more than there can be to tell; what is not written takes no memory
PAGE = 2 * HALF  # one half is whole while the other is written
HEAD = struct.Struct("<QII")  # how often it was written, the length of what follows, and its checksum


class Page(NamedTuple):
    """What a worker has told last."""

    written: int
    figures: list[Figure]


def new_pages() -> int:
    """Make the file that workers are to inherit."""
    return os.memfd_create("netlet-pages")


class Pages:
    """The pages as one worker has them, one of which is its own."""

    def __init__(self, file: int, metrics: Mapping[str, Metric] = METRICS) -> None:
        self.file = file
        self.forms = {name: [metric.kind, [*metric.labels], [*metric.bounds]] for name, metric in metrics.items()}
        """What a metric has to be to be the same, as JSON has it."""
        self.own = next(page for page in count() if self._claims(page))
        last = self._read(self.own)
        self.written, self.taken_over = last.written, kept(last.figures)
        """How often it was written, and what those had counted who had it before."""

    @classmethod
    def inherited(cls) -> "Pages | None":
        """Give those that this process has as a worker."""
        return cls(int(os.environ[FILE])) if FILE in os.environ else None

    def write(self, figures: Iterable[Figure]) -> None:
        """Tell the others; raise OSError where it is too much or there is no memory, and what was told before stays."""
        told = json.dumps({"forms": self.forms, "figures": [*figures]}).encode()
        if len(told) > HALF - HEAD.size:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        written = self.written + 1
        half = self.own * PAGE + written % 2 * HALF
        os.pwrite(self.file, HEAD.pack(written, len(told), crc32(told)) + told, half)
        self.written = written

    def others(self) -> Iterator[Figure]:
        """Give what the others have told; of those that are gone, what still counts."""
        for page in range(-(-os.fstat(self.file).st_size // PAGE)):
            if page != self.own:
                figures = self._read(page).figures
                yield from kept(figures) if self._is_left(page) else figures

    def close(self) -> None:
        """Leave the page to others."""
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, self.own * PAGE)

    def _claims(self, page: int) -> bool:
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, page * PAGE)
        except OSError:  # somebody has it
            return False
        return True

    def _is_left(self, page: int) -> bool:
        """Tell whether nobody has a page."""
        if not self._claims(page):
            return False
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, page * PAGE)
        return True

    def _read(self, page: int) -> Page:
        """Give what was written last, and is whole."""
        return max((self._half(page * PAGE + place) for place in (0, HALF)), key=lambda half: half.written)

    def _half(self, place: int) -> Page:
        """Read a half; it is empty where it is not whole."""
        head = os.pread(self.file, HEAD.size, place)
        if len(head) == HEAD.size:
            written, length, checksum = HEAD.unpack(head)
            told = os.pread(self.file, length, place + HEAD.size)
            if written and len(told) == length and crc32(told) == checksum:
                return Page(written, [*self._known(**json.loads(told))])
        return Page(0, [])

    def _known(
        self, forms: Mapping[str, list[Any]], figures: Iterable[tuple[str, list[str], list[float]]]
    ) -> Iterator[Figure]:
        """Give those of metrics that are the same here."""
        same = {name for name, form in forms.items() if form == self.forms.get(name)}
        for metric, labels, numbers in figures:
            if metric in same:
                yield Figure(metric, tuple(labels), numbers)
