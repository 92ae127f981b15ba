"""Heads: the first lines of requests that are nothing but a short prediction in JSON, recognised without parsing."""

import re
from functools import lru_cache
from typing import NamedTuple

from starlette.datastructures import Headers

from app.api.accepting import form_of_answer
from app.errors import NotAcceptable
from app.tables.formats import format_of

REQUEST = re.compile(rb"POST ((?:/models/([a-z0-9._-]{1,63})(?:/versions/([0-9]{1,9}))?)?/predict) HTTP/1\.1")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x20-\x7e]*[\x21-\x7e])?)")
BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
MOST_REMEMBERED = 2000
TELLING = {
    "host",
    "content-length",
    "content-type",
    "accept",
    "connection",
    "x-request-id",
    "authorization",
    "x-api-key",
}
MOST_LINES = 50
ROUTES = {  # by whether the path has a name, and a version
    (False, False): "/predict",
    (True, False): "/models/{name}/predict",
    (True, True): "/models/{name}/versions/{version}/predict",
}
TRACED = re.compile(rb"\r\n([Tt]race(?:parent|state)):[ \t]*([\x20-\x7e]*)(?=\r\n|\Z)")
UNUSUAL = {
    "content-encoding",
    "transfer-encoding",
    "origin",
    "sec-fetch-site",
    "expect",
    "proxy-connection",
    "upgrade",
    "x-request-timeout",
    "traceparent",  # in capitals, or not as it should be
    "tracestate",
}


class Head(NamedTuple):
    """What is told before the body."""

    path: str
    route: str
    """The template of it."""
    reference: str | None
    """Of the model, where the path names it."""
    length: int
    request_id: str
    key: str
    host: str
    traceparent: str = ""
    tracestate: str = ""


def head_of(lines: bytes) -> Head | None:
    """Read the lines of a head, without the empty one at the end; None where there is anything unusual about it.

    That is whatever would make a difference to the route but the length, and whatever parsers may disagree about.
    """
    if b"raceparent:" not in lines:
        return _head_of(lines)
    traced = {name.decode().lower(): value.decode() for name, value in TRACED.findall(lines)}
    rest, taken = TRACED.subn(b"", lines)
    head = _head_of(rest) if taken == len(traced) else None
    return None if head is None else head._replace(**traced)


@lru_cache(MOST_REMEMBERED)  # a client's heads are alike, but for the trace
def _head_of(lines: bytes) -> Head | None:
    request, *headers = lines.split(b"\r\n")
    asked = REQUEST.fullmatch(request)
    told = _told(headers)
    if (
        asked is None
        or told is None
        or len(headers) > MOST_LINES
        or told.get("connection", "keep-alive").lower() != "keep-alive"
    ):
        return None
    length = told.get("content-length", "")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", length, re.ASCII) or not _is_json(told):
        return None
    path, name, version = (None if part is None else part.decode() for part in asked.groups())
    reference = name if version is None else f"{name}/{version}"
    route = ROUTES[name is not None, version is not None]
    key = key_in(told.get("authorization", ""), told.get("x-api-key", ""))
    return Head(str(path), route, reference, int(length), told.get("x-request-id", ""), key, told.get("host", ""))


def key_in(authorization: str, x_api_key: str) -> str:
    """Take the key out of the headers that may have one; empty where none has."""
    match = BEARER.fullmatch(authorization.strip())
    return x_api_key.strip() if match is None else match[1]


def _told(lines: list[bytes]) -> dict[str, str] | None:
    """Read the headers that tell something here; None where one of them is there twice, or any has no plain form."""
    told: dict[str, str] = {}
    for line in lines:
        header = HEADER.fullmatch(line)
        if header is None:
            return None
        name, value = header[1].decode().lower(), header[2].decode()
        if name in UNUSUAL or name in told:
            return None
        if name in TELLING:
            told[name] = value
    return told


def _is_json(told: dict[str, str]) -> bool:
    """Tell whether the body is read as JSON, and answered in it."""
    headers = Headers({name: told[name] for name in ("content-type", "accept") if name in told})
    try:
        return format_of(told.get("content-type", "")) is None and form_of_answer(headers) is None
    except NotAcceptable:
        return False
