"""Rates: how much each key asks for in a second, counted by all processes of a server together.

The generic cell rate algorithm (ITU-T I.371) needs one number for each rate: the moment at which all that was taken
would have been taken had it come evenly. A key may be ahead of that by a second's worth.
"""

import fcntl
import mmap
import os
import struct
from time import monotonic

INHERITED = "NETLET_RATES"  # the number of the memory that a worker shares with others
SLOTS = 2**14  # keys that are counted apart
KINDS = ("requests", "rows")
AHEAD = 1.0  # seconds
_MOMENT = struct.Struct("=d")
BYTES = SLOTS * len(KINDS) * _MOMENT.size


def shared_memory() -> int:
    """Give the memory that this process inherited as one of several, or new one, as a descriptor."""
    inherited = os.environ.get(INHERITED)
    if inherited is not None:
        return os.dup(int(inherited))
    descriptor = os.memfd_create("netlet-rates")
    os.ftruncate(descriptor, BYTES)
    return descriptor


class Rates:
    """The moments of all keys."""

    def __init__(self, descriptor: int) -> None:
        """Take memory as `shared_memory` gives it, to be closed with this."""
        self.descriptor = descriptor
        self.moments = mmap.mmap(descriptor, BYTES)

    def close(self) -> None:
        """Let go of the memory."""
        self.moments.close()
        os.close(self.descriptor)

    def take(self, number: int, kind: str, most: float, count: int) -> float:
        """Take so many of what a key may have in a second; where it may not yet, give the seconds until it may.

        What is more than a second's worth is taken as soon as nothing else is ahead, and waited for afterwards.
        """
        at = (number % SLOTS * len(KINDS) + KINDS.index(kind)) * _MOMENT.size
        fcntl.lockf(self.descriptor, fcntl.LOCK_EX, _MOMENT.size, at)  # among processes: each has one thread that takes
        try:
            now = monotonic()
            moment = max(now, _MOMENT.unpack_from(self.moments, at)[0])
            wait = moment - now - max(0.0, AHEAD - count / most)
            if wait > 0:
                return float(wait)
            _MOMENT.pack_into(self.moments, at, moment + count / most)
            return 0.0
        finally:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN, _MOMENT.size, at)
