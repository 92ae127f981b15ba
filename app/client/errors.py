"""What can go wrong between a client and a service.

ServiceError
├── NotUsable           what was asked for cannot even be sent
├── Unreachable         nobody answers, or nobody who speaks as a service does
│   └── TimedOut          a connection is there, but no answer came in time
├── Problem             the service answers that it cannot, and why (RFC 9457)
│   ├── Malformed         400: it cannot read what was sent
│   ├── NotAllowed        401, 403: without a key, or with one that may not
│   ├── NotFound          404
│   ├── Conflict          409, 412: something is in the way, or not where it was believed to be
│   ├── TooLarge          413
│   ├── DoesNotFit        422: the rows or the settings
│   ├── Busy              429: too much at once
│   └── Failed            500 and above: the service's own fault, or that of what it runs on
└── TrainingFailed      a training ended without the model that was asked for
    └── TrainingCancelled
"""

from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import httpx

from app.client.results import Job

MOST_SAID = 3  # faults in one line


class ServiceError(Exception):
    """Base of what goes wrong with a service."""


class NotUsable(ServiceError, ValueError):
    """What was asked for cannot even be sent."""


class Unreachable(ServiceError):
    """Nobody answers at the address, or nobody who speaks as a service does."""


class TimedOut(Unreachable):
    """A connection is there, but no answer came in time."""


class Problem(ServiceError):
    """The service answers that it cannot do what was asked for, and why."""

    def __init__(
        self, status: int, told: dict[str, Any], request_id: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(status, told, request_id, retry_after)
        self.status = status
        self.told = told
        """The problem as it was told: `type`, `title`, `detail`, `errors`, …"""
        self.request_id = request_id
        """Names the request in the service's log."""
        self.retry_after = retry_after

    def __str__(self) -> str:
        said = [str(self.told["detail"]), *(f"({_said(fault)})" for fault in self.faults[:MOST_SAID])]
        if (more := self.told.get("total_errors", 0) - MOST_SAID) > 0:
            said.append(f"(and {more} more)")
        return " ".join(said)

    @property
    def kind(self) -> str:
        """The end of the problem's type: `model-not-found`, say; empty where somebody else than netlet answered."""
        return str(self.told.get("type", "")).rpartition("/")[2]

    @property
    def faults(self) -> list[dict[str, Any]]:
        """What is wrong, one by one: `row`, `column`, `field`, `got`, `expected`; 20 at most."""
        return list(self.told.get("errors", ()))

    def lines(self) -> Iterator[str]:
        """Say what is wrong, fault by fault."""
        yield str(self.told["detail"])
        for fault in self.faults:
            yield f"  {_said(fault)}"
        if (more := self.told.get("total_errors", 0) - len(self.faults)) > 0:
            yield f"  and {more} more"
        if any("row" in fault for fault in self.faults):
            yield "  (rows count from 0)"


def _said(fault: dict[str, Any]) -> str:
    """Say of one fault where it is, what belongs there and what is there."""
    places = [f"{place} {fault[place]}" for place in ("row", "column", "field") if place in fault]
    expected = str(fault["expected"])
    expected = expected if expected.startswith("no such") else f"expected {expected}"
    return f"{', '.join(places) or 'body'}: {expected}" + (f", got {fault['got']}" if "got" in fault else "")


class Malformed(Problem):
    """The service cannot read what was sent."""


class NotAllowed(Problem):
    """There is no key, or one that may not do this."""


class NotFound(Problem):
    """There is none of that name."""


class Conflict(Problem):
    """Something is in the way, or not where it was believed to be."""


class TooLarge(Problem):
    """The service takes, or answers, less at once."""


class DoesNotFit(Problem):
    """The rows or the settings do not fit."""


class Busy(Problem):
    """It is too much at once."""


class Failed(Problem):
    """It is the service's own fault, or that of what it runs on."""


KINDS: dict[int, type[Problem]] = {
    400: Malformed,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: TooLarge,
    422: DoesNotFit,
    429: Busy,
}


def problem_of(response: httpx.Response) -> Problem:
    """Read an answer that is an error, whoever sent it; its body has been read."""
    status, after = response.status_code, response.headers.get("retry-after", "")
    told = {"detail": f"{status} {response.reason_phrase}"}
    with suppress(ValueError, TypeError):
        told |= response.json()
    kind = KINDS.get(status, Failed if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Problem)
    return kind(status, told, response.headers.get("x-request-id", ""), float(after) if after.isdecimal() else None)


class TrainingFailed(ServiceError):
    """A training ended without the model that was asked for."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"The training failed: {self.job.error}"


class TrainingCancelled(TrainingFailed):
    """A training was ended because somebody asked for it."""

    def __str__(self) -> str:
        kept = f" {self.job.model}/{self.job.version} is what there was of it by then." if self.job.partial else ""
        return f"The training was cancelled.{kept}"
