"""A worker, as it knows whoever started it: the listener that it inherits, a guard, and a pulse that tells it lives."""

import os
import signal
import socket
import threading
from contextlib import suppress

LISTENER = "NETLET_LISTENER"  # the number of the socket that a worker inherits
GUARD = "NETLET_GUARD"  # of a pipe, which ends with whoever started the worker
PULSE = "NETLET_PULSE"  # of another, to which the worker writes as long as its event loop turns

heeds_signals = threading.Event()
"""Whether this process ends in peace where it is sent a signal; set by whoever makes it so."""


def is_worker() -> bool:
    """Tell whether this process is one of several that another one keeps running."""
    return LISTENER in os.environ


def inherited() -> socket.socket | None:
    """Give the listener that this process has as a worker."""
    if not is_worker():
        return None
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # who sends it to all processes of a name means whoever started them
    return socket.socket(fileno=int(os.environ[LISTENER]))


def end_with_supervisor() -> None:
    """End as soon as whoever started this process does, if anybody did."""
    if is_worker():
        guard = int(os.environ[GUARD])
        threading.Thread(target=_end_with, args=(guard,), name="guard", daemon=True).start()


def beat() -> None:
    """Tell whoever started this process, if anybody did, that it is ready and its event loop turns."""
    if is_worker():
        with suppress(OSError):  # it has not looked for hours, or is gone, which the guard notices
            os.write(int(os.environ[PULSE]), b".")


def _end_with(guard: int) -> None:
    os.read(guard, 1)  # nothing is ever written: it returns when the other end is closed
    # Before that, SIGTERM ends it at once, where a shell may have had SIGINT ignored, and imports may lose it.
    os.kill(os.getpid(), signal.SIGINT if heeds_signals.is_set() else signal.SIGTERM)  # who comes next needs the port
