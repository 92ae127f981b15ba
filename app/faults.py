"""Faults: what is wrong with something that was sent, place by place."""

from dataclasses import dataclass

MOST_FAULTS = 20
"""How many faults of a request are told; the rest are counted."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with what was sent.

    `row` counts from 0, as the rows do in JSON. `got` may quote the sender and is cut before it is sent back.
    """

    expected: str
    got: str = ""
    row: int | None = None
    column: str | None = None
    field: str | None = None
    """Where in the request, if not in a row: `training.learning_rate`."""
    instead: str | None = None
    """What was probably meant."""
