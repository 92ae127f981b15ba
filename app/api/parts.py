"""The parts that routes are handed, and how a request gets at them."""

from dataclasses import dataclass
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from app.errors import ForeignSite
from app.jobs.jobs import Jobs
from app.serving.loaded import LoadedModels
from app.store.store import ModelStore

READING = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Limits:
    """What one request may ask for: bytes of a body; parameters, numbers held at once, operations of a training."""

    body_bytes: int
    parameters: int
    numbers: int
    operations: float


@dataclass(frozen=True)
class Parts:
    """Everything a route may need."""

    store: ModelStore
    loaded: LoadedModels
    jobs: Jobs
    limits: Limits


def parts_of(request: Request) -> Parts:
    """Give the parts that the application was made with."""
    return cast("Parts", request.app.state.parts)


def require_own_site(request: Request) -> None:
    """Raise ForeignSite for a change that a browser asks for on behalf of a page from elsewhere.

    Bodies are read whatever their Content-Type, so that a browser asks nobody before it sends one; only these two
    headers, which a page cannot forge, tell where it comes from. Clients that are no browsers send neither.
    """
    if request.method in READING:
        return
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    if site not in {"none", "same-origin"} or (origin and urlsplit(origin).netloc != request.headers.get("host")):
        raise ForeignSite


PartsOf = Annotated[Parts, Depends(parts_of)]
