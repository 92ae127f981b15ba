"""Refusals in front of the application, written as problems: many in a second, where a service has too much to do."""

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from app.api.problems import kind_of, problem_with
from app.errors import NetletError, Overloaded

MOST_PATHS = 256
MARK = "-request-id-"  # where that of a request stands


class Refusal(NamedTuple):
    """An answer, but for the id of its request and what a server adds to all."""

    status: HTTPStatus
    lines: bytes
    """Its headers."""
    before: bytes
    after: bytes | None
    """Its body, before and after the id; None where a protocol's errors have no id."""

    def body(self, request_id: str) -> bytes:
        """Write the body of one request's."""
        return self.before if self.after is None else self.before + request_id.encode() + self.after


def refusal(path: str, error: NetletError) -> Refusal:
    """Write the answer to whoever is refused; of those that are many, what is the same is written once."""
    return _overloaded(path) if type(error) is Overloaded else _written(path, error)


@lru_cache(MOST_PATHS)
def _overloaded(path: str) -> Refusal:
    return _written(path, Overloaded())


def _written(path: str, error: NetletError) -> Refusal:
    answer = problem_with(path, MARK, kind_of(error), error)
    headers = [header for header in answer.raw_headers if header[0] != b"content-length"]
    lines, body = b"".join(b"%b: %b\r\n" % header for header in headers), bytes(answer.body)
    before, mark, after = body.rpartition(MARK.encode())
    return Refusal(HTTPStatus(answer.status_code), lines, *((before, after) if mark else (body, None)))
