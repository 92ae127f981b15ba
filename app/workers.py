"""Worker processes: several servers that share one port and one store, kept running by one that does little else."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn

import typer

from app.access.rates import INHERITED as RATES
from app.access.rates import shared_memory
from app.listening import listen, url_of
from app.opening import require_servable
from app.settings import Settings
from app.telemetry import log_json_lines
from app.telemetry.pages import FILE, new_pages

LISTENER = "NETLET_LISTENER"  # the number of the socket that a worker inherits
GUARD = "NETLET_GUARD"  # of a pipe, which ends with whoever started the worker
LOOKS = 0.05
SOON = 5.0  # seconds within which a worker that ends by itself has not begun
PAUSE = 1.0  # seconds between the beginnings of a worker and of the one that takes its place

log = logging.getLogger("netlet")


class Workers:
    """The processes; one that is lost is replaced, and all end with the first signal."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self.listener, self.count = listener, count
        self.guarded, self.guard = os.pipe()
        self.pages, self.rates = new_pages(), shared_memory()
        self.running: dict[subprocess.Popen[bytes], float] = {}
        self.is_stopping = False

    def run(self) -> int:
        """Keep them running until a signal; give the exit code: 1 where one cannot begin."""
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, self._stop)
        for _ in range(self.count):
            self._start()
        code = 0
        while self.running:
            sleep(LOOKS)
            for worker in [worker for worker in self.running if worker.poll() is not None]:
                began = self.running.pop(worker)
                if self.is_stopping:
                    continue
                lasted = monotonic() - began
                if lasted < SOON and worker.returncode > 0:
                    log.error("a worker ended with %d as soon as it began", worker.returncode)
                    code = 1
                    self._stop()
                    continue
                log.warning("worker %d was lost (%d), and another takes its place", worker.pid, worker.returncode)
                sleep(max(0.0, PAUSE - lasted))
                self._start()
        return code

    def _start(self) -> None:
        shared = {LISTENER: self.listener.fileno(), GUARD: self.guarded, FILE: self.pages, RATES: self.rates}
        worker = subprocess.Popen(  # noqa: S603 - our own command, with our own arguments
            [sys.executable, "-m", "app.cli", *sys.argv[1:]],
            env=os.environ | {name: str(descriptor) for name, descriptor in shared.items()},
            pass_fds=tuple(shared.values()),
        )
        self.running[worker] = monotonic()

    def _stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.is_stopping = True
        for worker in self.running:
            worker.send_signal(signal.SIGTERM)


def supervise(settings: Settings) -> NoReturn:
    """Serve with several processes until stopped."""
    log_json_lines()
    require_servable(settings)
    listener = listen(settings.host, settings.port)
    log.info("listening on %s with %d workers", url_of(settings.host, listener), settings.workers)
    raise typer.Exit(Workers(listener, settings.workers).run())


def is_worker() -> bool:
    """Tell whether this process is one of several that another one keeps running."""
    return LISTENER in os.environ


def inherited() -> socket.socket | None:
    """Give the listener that this process has as a worker, which ends as soon as whoever started it does."""
    if not is_worker():
        return None
    guard = int(os.environ[GUARD])
    threading.Thread(target=_end_with, args=(guard,), name="guard", daemon=True).start()
    return socket.socket(fileno=int(os.environ[LISTENER]))


def _end_with(guard: int) -> None:
    os.read(guard, 1)  # nothing is ever written: it returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
