"""Streams of events: how many may follow trainings at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import TooManyStreams


class Streams:
    """Counts them."""

    def __init__(self, most: int) -> None:
        self.most, self.open = most, 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for as long as a stream lasts; raise TooManyStreams where there is none."""
        if self.open >= self.most:
            raise TooManyStreams(self.most)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
