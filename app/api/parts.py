"""The parts that routes are handed, and how a request gets at them."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from app.jobs.jobs import Jobs
from app.serving.loaded import LoadedModels
from app.store.store import ModelStore


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


PartsOf = Annotated[Parts, Depends(parts_of)]
