"""Schedules: how the learning rate changes from epoch to epoch."""

from collections.abc import Callable
from math import cos, pi
from typing import NamedTuple


class Clock(NamedTuple):
    """Where a training stands when the next epoch's rate is asked for.

    `epoch` counts the epochs that are done, of `epochs`; `stalled` those since the watched loss was last at its best.
    """

    epoch: int
    epochs: int
    stalled: int


Schedule = Callable[[float, float, Clock, float, int], float]
"""(initial rate, current rate, clock, decay, decay_epochs) -> the next epoch's rate"""


def _plateau(_initial: float, current: float, clock: Clock, decay: float, every: int) -> float:
    return current * decay if clock.stalled and clock.stalled % every == 0 else current


SCHEDULES: dict[str, Schedule] = {
    "constant": lambda initial, _current, _clock, _decay, _every: initial,
    "step": lambda initial, _current, clock, decay, every: initial * decay ** (clock.epoch // every),
    "exponential": lambda initial, _current, clock, decay, every: initial * decay ** (clock.epoch / every),
    # Loshchilov, Hutter 2016, one cycle
    "cosine": lambda initial, _current, clock, _decay, _every: (
        initial * 0.5 * (1 + cos(pi * clock.epoch / clock.epochs))
    ),
    "plateau": _plateau,
}
