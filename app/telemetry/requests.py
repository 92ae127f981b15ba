"""Requests: how many were answered by which route and how, and how long that took."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from app.telemetry.durations import Durations
from app.telemetry.metrics import METRICS, Figure, joined

if TYPE_CHECKING:  # only who tells them has what it takes
    from app.telemetry.spans import Spans

COUNT, TIME = "netlet_requests_total", "netlet_request_seconds"
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
OTHER = "other"
"""The route of what has none, and the method of what has an unheard-of one: clients cannot make up more labels."""

LONGEST_PATH = 300  # characters of it that are logged

log = logging.getLogger("netlet.requests")


class Requests:
    """Those of this process; counted by its event loop alone."""

    def __init__(self, *, logs_all: bool = False) -> None:
        self.logs_all = logs_all
        """Whether each is a line of the log, also where it changed nothing."""
        self.known: dict[tuple[str, str, int], Durations] = {}
        self.spans: Spans | None = None
        """Where a span of each is told, if anywhere."""

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


def attributes_of(method: str, path: str, route: str, status: int | None) -> dict[str, str | int]:
    """Give what a span tells of a request, in the words of OpenTelemetry: nothing of its query, headers and body."""
    told: dict[str, str | int] = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.scheme": "http",
    }
    told["url.path"] = path[:LONGEST_PATH]
    if route != OTHER:
        told["http.route"] = route
    if status is not None:
        told["http.response.status_code"] = int(status)
    return told


def log_request(method: str, path: str, status: int, seconds: float, **told: str | None) -> None:
    """Write the line of a request."""
    extra = told | {"method": method, "status": int(status), "milliseconds": round(seconds * 1000, 2)}
    level = logging.WARNING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
    log.log(level, "%s %s %d", method, path[:LONGEST_PATH], status, extra=extra)
