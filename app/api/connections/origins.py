"""Origins: pages from elsewhere that browsers let read the answers, and send what a page of netlet's own could send.

No cookie is any of netlet's, so credentials are never asked for: a page shows its key in a header, like any client.
"""

import re
from collections.abc import Iterable

ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::[0-9]{1,5})?", re.ASCII)
USUAL_PORTS = {"http": ":80", "https": ":443"}
SENT = (
    "Accept, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, "
    "Traceparent, Tracestate, X-API-Key, X-Request-Id, X-Request-Timeout"
)
"""The headers that a page may send: all that mean anything here."""
SHOWN = (
    "Content-Disposition, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, "
    "WWW-Authenticate, X-Checked-By, X-Checked-Rows, X-Max-Difference, X-Model, X-Request-Id"
)
"""The headers of answers that it may read."""
METHODS = "DELETE, GET, HEAD, PATCH, POST, PUT"
SECONDS = 600  # for which a browser need not ask again

Headers = list[tuple[bytes, bytes]]

PREFLIGHT: Headers = [
    (b"access-control-allow-methods", METHODS.encode()),
    (b"access-control-allow-headers", SENT.encode()),
    (b"access-control-max-age", str(SECONDS).encode()),
]
"""What a browser wants to know before it sends something for a page, beside whether it may."""


class Origins:
    """Knows which."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self.allowed = frozenset(origins)

    def allow(self, origin: str | None) -> bool:
        """Tell whether an Origin header names one of them."""
        return origin in self.allowed

    def headers(self, origin: str | None) -> Headers:
        """Give what lets a page read an answer; nothing for a page that may not."""
        if origin is None or not self.allow(origin):
            return []
        return [
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-expose-headers", SHOWN.encode()),
        ]


NO_ORIGINS = Origins()


def origins_in(text: str) -> list[str]:
    """Read origins that are separated by commas, as browsers write them; raise ValueError for what is none."""
    origins = [origin for part in text.lower().split(",") if (origin := part.strip())]
    for origin in origins:
        if origin == "*":
            message = "* is every page that anybody has open: name each origin"
            raise ValueError(message)
        if not ORIGIN.fullmatch(origin):
            message = f"{origin[:60]!r} is no origin: write it without a path, as in https://app.example.org"
            raise ValueError(message)
    return [origin.removesuffix(USUAL_PORTS[origin.partition(":")[0]]) for origin in origins]
