"""Errors of what arrives on a connection: it is no request, it is too long, too slow, or too much at once."""

from app.errors.base import NetletError


class MalformedHttp(NetletError):
    """What arrived is no HTTP/1.1, or might be read as one request by some and as two by others."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This is no HTTP/1.1 request: {reason}. The connection is closed.")
        self.reason = reason


class HeadersTooLarge(NetletError):
    """The headers of a request are longer, or more, than the service reads."""

    def __init__(self, limit: int, of: str) -> None:
        super().__init__(f"The headers have more than {limit} {of}. Send fewer, or shorter ones (cookies, say).")
        self.limit = limit


class UriTooLong(NetletError):
    """The address of a request is longer than the service reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The address has more than {limit} bytes. What is long belongs in the body.")
        self.limit = limit


class UnknownMethod(NetletError):
    """The method is none that this service knows, on any path."""

    usual = "This service knows GET, HEAD, OPTIONS, POST, PUT, PATCH and DELETE. GET /docs lists what can be asked."


class UnknownCoding(NetletError):
    """The body is transferred in a way that the service does not know."""

    usual = "The Transfer-Encoding is none that this service reads. Send chunked, or a Content-Length."


class BadHost(NetletError):
    """A request is for a host that this service does not answer for: a page may have had its name point here."""

    usual = "This service does not answer under that name. Whoever runs it can add the name to NETLET_HOSTS."


class TooSlow(NetletError):
    """A request arrives so slowly that others would pay for it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} The connection is closed. Send it again, faster.")


class Overloaded(NetletError):
    """As many requests are being answered, or as many connections are open, as the service lets."""

    usual = "The service has as much to do as it can, and nothing of this was done. Try again in a second."


class TooManyStreams(NetletError):
    """As many follow trainings as the service lets."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} streams of events are open already. GET /jobs/<id> tells how far a training is.")
        self.limit = limit
