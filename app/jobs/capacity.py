"""Capacity: how many trainings there may be, and how long each may take."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How much is done at once, how much may wait, and for how long."""

    at_once: int
    most_waiting: int
    lease: float = 10.0
    """Seconds after which a process that has not been heard of is taken for dead."""
    most_attempts: int = 3
    seconds: float = 600.0
    """The longest that a training may take."""
