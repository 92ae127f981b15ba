"""Overload: ten times the requests that a service can answer, whether or not it has answered those before."""

import asyncio
from collections import Counter, deque
from itertools import pairwise
from statistics import median
from time import monotonic
from typing import NamedTuple

import numpy as np

from benchmarks.exposure.asking import Asking, Taken, opened, request, train

TIMES = 10
DEADLINE = 1.0  # seconds after which an answer is worth nothing to whoever asked
LEAST_SHARE = 0.9  # of the peak
STEPS = (1, 2, 4, 8)  # clients that ask without pause: the best of them is the peak
STEP_SECONDS = 5.0
SECONDS = 10.0
CONNECTIONS = 1000
TICK = 0.01
GOOD, REFUSED = 200, 503
KNOCK = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Case(NamedTuple):
    """What is asked."""

    name: str
    request: bytes


def rows(count: int) -> bytes:
    """Write a question of many rows."""
    table = ",".join(f"[{row % 9}.5, {row % 7}.25]" for row in range(count))
    return request("/models/exam/predict", f'{{"X": [{table}], "interval": 0.9}}'.encode())


CASES = [Case("intervals of 2,000 rows", rows(2000)), Case("intervals of 10,000 rows", rows(10_000))]


class Overload(NamedTuple):
    """What came of it."""

    case: str
    peak: float
    """Good answers a second, at the best number of clients that wait for theirs; the median of all turns."""
    share: float
    """Good answers where it is overloaded, to those of the turns before and after; the median of all rounds."""
    unloaded: float
    """What one client alone waits, milliseconds, median."""
    offered: float
    """Requests a second."""
    good: float
    """Answers a second that came in time."""
    late: float
    """Answers a second that came too late."""
    refused: float
    """Refusals a second."""
    waits: float
    """What a good answer took, milliseconds, 99th percentile."""
    refusal: float
    """What a refusal took, milliseconds, median."""
    other: Counter[int]
    """Answers that are neither, by their status; 0 where a connection was cut."""

    @property
    def is_good(self) -> bool:
        """Tell whether enough of the peak is left, and nothing was cut."""
        return self.share >= LEAST_SHARE and not self.other

    def __str__(self) -> str:
        return (
            f"{self.case}: {self.peak:.0f} answers a second at most, {self.unloaded:.1f} ms alone;"
            f" at {self.offered:.0f} requests a second ({self.offered / self.peak:.1f} times)"
            f" {self.good:.0f} in time ({self.share:.0%} of the peak beside it; 99 % within {self.waits:.0f} ms),"
            f" {self.late:.0f} late, {self.refused:.0f} refused (after {self.refusal:.1f} ms, median);"
            f" other: {dict(self.other) or 'none'}"
        )


async def compared(url: str, case: Case, rounds: int) -> Overload:
    """Find how many clients make a service answer most, then let these and ten times as much take turns.

    Each time it is overloaded is compared with its answers just before and just after: what the machine does
    beside it changes from minute to minute.
    """
    await train(url)
    best, alone = await _best(url, case.request)
    peaks, goods, asked, taken = [await _peak(url, case.request, best)], list[float](), 0, list[Taken]()
    for _ in range(rounds):
        more, come = await _open(url, case.request, TIMES * peaks[-1])
        asked, taken = asked + more, taken + come
        goods.append(sum(map(_is_good, come)) / SECONDS)
        peaks.append(await _peak(url, case.request, best))
    beside = [(before + after) / 2 for before, after in pairwise(peaks)]
    kinds, seconds = Counter(each.status for each in taken), rounds * SECONDS
    waits = [each.seconds for each in taken if _is_good(each)]
    refusals = [each.seconds for each in taken if each.status == REFUSED]
    return Overload(
        case.name,
        median(peaks),
        median(good / peak for good, peak in zip(goods, beside, strict=True)),
        alone * 1000,
        asked / seconds,
        median(goods),
        (kinds.pop(GOOD, 0) - len(waits)) / seconds,
        kinds.pop(REFUSED, 0) / seconds,
        float(np.percentile(waits, 99)) * 1000 if waits else float("nan"),
        median(refusals) * 1000 if refusals else float("nan"),
        kinds,
    )


async def _best(url: str, request: bytes) -> tuple[int, float]:
    """Tell how many clients are answered most, and what one alone waits, seconds."""
    taken = {clients: await _closed(url, request, clients) for clients in STEPS}
    return max(STEPS, key=lambda clients: sum(map(_is_good, taken[clients]))), median(
        each.seconds for each in taken[STEPS[0]]
    )


async def _peak(url: str, request: bytes, clients: int) -> float:
    """Give the good answers a second of so many clients."""
    return sum(map(_is_good, await _closed(url, request, clients))) / STEP_SECONDS


def _is_good(taken: Taken) -> bool:
    return taken.status == GOOD and taken.seconds <= DEADLINE


async def _closed(url: str, request: bytes, clients: int) -> list[Taken]:
    """Let so many clients ask, each as soon as it has its answer."""
    all_taken, until = list[Taken](), monotonic() + STEP_SECONDS
    over, left = asyncio.Event(), clients

    def done(asking: Asking, taken: Taken) -> None:
        nonlocal left
        if monotonic() < until:
            all_taken.append(taken)
            asking.ask(request)
        else:
            left -= 1
            if not left:
                over.set()

    everybody = [await opened(url, done) for _ in range(clients)]
    for asking in everybody:
        asking.ask(request)
    await over.wait()
    for asking in everybody:
        if asking.transport is not None:
            asking.transport.close()
    return all_taken


async def _open(url: str, request: bytes, per_second: float) -> tuple[int, list[Taken]]:
    """Ask so often, for as long as there are clients that do not wait; give how often that was, and what came of it."""
    all_taken, idle = list[Taken](), deque[Asking]()

    def done(asking: Asking, taken: Taken) -> None:
        all_taken.append(taken)
        if asking.transport is not None:
            idle.append(asking)

    everybody = [await opened(url, done) for _ in range(CONNECTIONS)]
    for asking in everybody:  # so that each is known to the service
        asking.ask(KNOCK)
    while len(idle) < CONNECTIONS:  # noqa: ASYNC110 - it is not about one event
        await asyncio.sleep(TICK)
    all_taken.clear()
    asked, began = 0, monotonic()
    while (elapsed := monotonic() - began) < SECONDS:
        while asked < elapsed * per_second and idle:
            asking = idle.popleft()
            if asking.transport is None:
                all_taken.append(Taken(0, 0.0))
                continue
            asking.ask(request)
            asked += 1
        await asyncio.sleep(TICK)
    found = list(all_taken)
    for asking in everybody:
        asking.since = None
        if asking.transport is not None:
            asking.transport.abort()
    return asked, found
