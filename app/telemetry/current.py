"""What is at hand, told in every line that is logged meanwhile: the request, the model that it asks, the job."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CURRENT: ContextVar[dict[str, str] | None] = ContextVar("current", default=None)


@contextmanager
def telling(**facts: str) -> Iterator[dict[str, str]]:
    """Tell these facts meanwhile, in this task and those that it begins, and no others."""
    token = _CURRENT.set(facts)
    try:
        yield facts
    finally:
        _CURRENT.reset(token)


def tell(**facts: str) -> None:
    """Tell these facts, too, for as long as the ones that are told already."""
    current = _CURRENT.get()
    if current is not None:
        current.update(facts)


def told() -> dict[str, str]:
    """Give what is told now."""
    return _CURRENT.get() or {}
