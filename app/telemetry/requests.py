"""Requests: how many were answered by which route and how, and how long that took."""

from collections.abc import Iterator

from app.telemetry.durations import Durations
from app.telemetry.metrics import METRICS, Figure, joined

COUNT, TIME = "netlet_requests_total", "netlet_request_seconds"
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
OTHER = "other"
"""The route of what has none, and the method of what has an unheard-of one: clients cannot make up more labels."""


class Requests:
    """Those of this process; counted by its event loop alone."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, int], Durations] = {}

    def of(self, route: str, method: str, status: int) -> Durations:
        """Give those of a route, by its template, to be added to."""
        key = route, method if method in METHODS else OTHER, status
        if key not in self.known:
            self.known[key] = Durations(METRICS[TIME].bounds)
        return self.known[key]

    def figures(self) -> Iterator[Figure]:
        """Tell them."""
        for (route, method, status), durations in self.known.items():
            yield Figure(COUNT, (route, method, str(status)), [durations.count])
        yield from joined(
            Figure(TIME, (route, method), durations.numbers) for (route, method, _), durations in self.known.items()
        )
