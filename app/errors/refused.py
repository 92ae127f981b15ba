"""Errors of access: requests that bring no key, one that may not do this, or more of them than a key allows."""

from app.errors.base import NetletError

FEWER = "Delete some of its own that are not needed."
QUOTAS = {
    "trainings": ("trainings that run or wait", "Wait until one is over."),
    "bytes": ("bytes of models and datasets", FEWER),
    "stored": ("models", FEWER),
}


class Unauthorized(NetletError):
    """The request brings no key, or none that is valid."""

    usual = "Send a key that is valid, as Authorization: Bearer … or X-API-Key. `netlet keys create` makes one."


class TooManyFailures(NetletError):
    """An address sent too many requests without a valid key."""

    usual = "Too many requests without a valid key came from this address. Send a valid one, or wait a minute."


class Forbidden(NetletError):
    """The key is valid, but not for this."""


class ScopeMissing(Forbidden):
    """The key has not the scope that the route needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This key may not do this: it needs the scope {scope}. Use another key.")
        self.scope = scope


class ModelForbidden(Forbidden):
    """The key is for other models than the one that would be made."""

    def __init__(self, patterns: str) -> None:
        super().__init__(f"This key is for models that are called {patterns}. Choose such a name, or use another key.")
        self.patterns = patterns


class RateExceeded(NetletError):
    """A key asks for more in a second than it may."""

    def __init__(self, what: str, most: float, seconds: float) -> None:
        super().__init__(f"This key may ask for {most:g} {what} a second. Wait {seconds:.3g} s.")
        self.what, self.most, self.seconds = what, most, seconds


class QuotaExceeded(NetletError):
    """A key has as much of something as it may."""

    def __init__(self, quota: str, most: int) -> None:
        what, remedy = QUOTAS[quota]
        super().__init__(f"This key may have {most} {what}, which leaves no room for this. {remedy}")
        self.quota, self.most = quota, most
