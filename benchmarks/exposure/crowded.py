"""A crowd: ten times the clients that a service needs to be busy, each of which asks for one row, over and over.

So short a prediction is never refused, as a refusal would cost as much: all of them wait a little longer.
"""

from statistics import median
from typing import NamedTuple

from benchmarks.exposure.overload import LEAST_SHARE, TIMES
from benchmarks.exposure.slow import QUESTION
from benchmarks.serving.load import Body, Measured, load

CLIENTS = 64  # with which a service answers as many as it can
SECONDS = 5


class Crowded(NamedTuple):
    """What came of it; every answer was one of 200."""

    few: Measured
    """With as many clients as it can answer: the medians of all rounds."""
    many: Measured
    """With ten times as many."""

    @property
    def is_good(self) -> bool:
        """Tell whether enough of the peak is left."""
        return self.many.per_second >= LEAST_SHARE * self.few.per_second

    def __str__(self) -> str:
        return (
            f"single rows: {self.few.per_second:,.0f} a second for {CLIENTS} clients"
            f" (99 % within {self.few.p99_milliseconds:.0f} ms), {self.many.per_second:,.0f} for {TIMES * CLIENTS}"
            f" ({self.many.per_second / self.few.per_second:.0%}; 99 % within {self.many.p99_milliseconds:.0f} ms)"
        )


def compared(url: str, rounds: int) -> Crowded:
    """Let few and many ask in turns; a model is trained already."""
    body = Body(QUESTION.partition(b"\r\n\r\n")[2])
    few, many = list[Measured](), list[Measured]()
    for _ in range(rounds):
        few.append(load(f"{url}/predict", body, connections=CLIENTS, seconds=SECONDS))
        many.append(load(f"{url}/predict", body, connections=TIMES * CLIENTS, seconds=SECONDS))
    return Crowded(_middle(few), _middle(many))


def _middle(measured: list[Measured]) -> Measured:
    return Measured(*(median(figures) for figures in zip(*measured, strict=True)))
