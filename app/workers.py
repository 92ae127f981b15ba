"""Worker processes: several servers that share one port and one store, kept running by one that does little else."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from math import inf
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn

import typer

from app.access.rates import INHERITED as RATES
from app.access.rates import shared_memory
from app.listening import listen, url_of
from app.opening import require_servable, warn_of_misspelt
from app.settings import Settings
from app.telemetry import log_json_lines
from app.telemetry.pages import FILE, new_pages
from app.worker import GUARD, LISTENER, PULSE

LOOKS = 0.05
PAUSE = 1.0  # seconds between the beginnings of a worker and of the one that takes its place
LATER = 5.0  # seconds after which it is tried again where that one could not begin
BEGINNING = 120.0  # seconds that a worker may take to begin
ENDING = 8.0  # seconds that it may take to end beyond those in which it answers what it was asked

log = logging.getLogger("netlet")


class Worker:
    """A process that serves, as whoever started it knows it."""

    def __init__(self, handed: Mapping[str, int]) -> None:
        """Start it, and hand over open files, each under a name; raise OSError where there can be no process."""
        self.pulse, beats = os.pipe()
        for end in (self.pulse, beats):
            os.set_blocking(end, False)
        try:
            self.process = _process({**handed, PULSE: beats})
        except OSError:
            os.close(self.pulse)
            raise
        finally:
            os.close(beats)
        self.began = monotonic()
        self.silent = 0.0
        self.is_ready = False
        self.ends_by = inf
        self.unheard: int | None = None  # the signal that it was sent before it was ready

    @property
    def is_ending(self) -> bool:
        """Tell whether it was asked to end."""
        return self.ends_by < inf

    def listen(self, seconds: float) -> None:
        """Hear whether it lives; the seconds are those since it was listened to last."""
        try:
            is_heard = bool(os.read(self.pulse, 2**12))
        except BlockingIOError:
            is_heard = False
        self.is_ready |= is_heard
        self.silent = 0.0 if is_heard else self.silent + seconds
        if self.is_ready and self.unheard is not None:  # it was lost between import and serving
            self.process.send_signal(self.unheard)
            self.unheard = None

    def hangs(self, most: float) -> bool:
        """Tell whether it has been silent for too long, or has not ended in time."""
        return self.silent > (most if self.is_ready else max(most, BEGINNING)) or monotonic() > self.ends_by

    def end(self, how: int, seconds: float) -> None:
        """Ask it to end, and expect that it has after so many seconds.

        One that begins has nobody to answer: SIGTERM ends it at once, while Python may lose the SIGINT of Ctrl-C.
        """
        self.listen(0.0)
        self.ends_by = min(self.ends_by, monotonic() + seconds)
        self.process.send_signal(how if self.is_ready else signal.SIGTERM)
        self.unheard = None if self.is_ready else how

    def forget(self) -> None:
        """Leave nothing of one that has ended."""
        os.close(self.pulse)


def _process(handed: Mapping[str, int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command, with our own arguments
        [sys.executable, "-m", "app.cli", *sys.argv[1:]],
        env=os.environ | {name: str(file) for name, file in handed.items()},
        pass_fds=[*handed.values()],
        process_group=0,  # Ctrl-C is for whoever started it, who passes it on once
    )


class Workers:
    """The processes: one that is lost or hangs is replaced, SIGHUP replaces all, and all end with SIGTERM or SIGINT."""

    def __init__(self, listener: socket.socket, settings: Settings) -> None:
        self.count, self.silence = settings.workers, settings.silence_seconds
        self.ending = settings.grace_seconds + ENDING
        self.listener = listener
        guarded, self.guard = os.pipe()
        self.handed = {LISTENER: listener.fileno(), GUARD: guarded, FILE: new_pages(), RATES: shared_memory()}
        self.running: list[Worker] = []
        self.outdated: list[Worker] = []
        self.begin_at = 0.0
        self.heard: list[int] = []
        self.is_stopping = False
        self.code = 0

    def run(self) -> int:
        """Keep them running until a signal; give the exit code: 1 where none can begin."""
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, self._hear)
        self._fill()
        while self.running or not self.is_stopping:
            sleep(LOOKS)
            while self.heard:
                self._heed(self.heard.pop(0))
            for worker in [worker for worker in self.running if worker.process.poll() is not None]:
                self._gone(worker)
            self._watch()
            self._go_on_renewing()
            self._fill()
        return self.code

    def _fill(self) -> None:
        """Begin as many as there should be."""
        while not self.is_stopping and monotonic() >= self.begin_at and self._lasting() < self.count:
            self._begin()

    def _lasting(self) -> int:
        return sum(not worker.is_ending for worker in self.running)

    def _begin(self) -> None:
        try:
            self.running.append(Worker(self.handed))
        except OSError:  # no memory, processes or files left, or an upgrade is under way
            log.exception("no worker can begin, which is tried again in %g seconds", LATER)
            self.begin_at = monotonic() + LATER
            self._give_up_renewing()

    def _give_up_renewing(self) -> None:
        if self.outdated:
            log.error("no more workers are replaced: those that are there are better than none")
        self.outdated = []

    def _watch(self) -> None:
        """Kill those that hang. A look counts for no more than it takes, however long nobody could look."""
        for worker in self.running:
            worker.listen(LOOKS)
            if worker.hangs(self.silence):
                log.error("worker %d hangs, and is killed", worker.process.pid)
                worker.process.kill()

    def _gone(self, worker: Worker) -> None:
        """Forget one that has ended; if nobody asked for that, another takes its place."""
        code, pid = worker.process.returncode, worker.process.pid
        self.running.remove(worker)
        self.outdated = [other for other in self.outdated if other is not worker]
        worker.forget()
        if self.is_stopping or worker.is_ending:
            return
        if not worker.is_ready:
            self._give_up_renewing()
        if worker.is_ready or code < 0:
            log.warning("worker %d was lost (%d)", pid, code)
            self.begin_at = worker.began + PAUSE
            return
        log.error("a worker ended with %d as soon as it began", code)
        self.begin_at = monotonic() + LATER
        if not any(other.is_ready for other in self.running):
            self.code = 1
            self._stop()

    def _hear(self, asked: int, _frame: FrameType | None) -> None:
        self.heard.append(asked)  # whatever is being done now is done first

    def _heed(self, asked: int) -> None:
        if asked != signal.SIGHUP:
            self._stop(asked)
        elif not self.is_stopping:
            log.info("all workers are replaced, one after the other")
            self.outdated = [worker for worker in self.running if not worker.is_ending]

    def _go_on_renewing(self) -> None:
        """Take the next step: a new one begins before an old one is asked to end, which it has before the next."""
        if not self.outdated or monotonic() < self.begin_at:
            return
        if any(worker.is_ending or not worker.is_ready for worker in self.running):
            return
        if len(self.running) <= self.count:
            self._begin()
        else:
            self.outdated.pop(0).end(signal.SIGTERM, self.ending)

    def _stop(self, how: int = signal.SIGTERM) -> None:
        """Ask all to end; who asks twice has it sooner. Who comes when no worker listens is refused at once."""
        self.listener.close()
        seconds = ENDING if self.is_stopping else self.ending
        self.is_stopping, self.outdated = True, []
        for worker in self.running:
            worker.end(how, seconds)


def supervise(settings: Settings) -> NoReturn:
    """Serve with several processes until stopped."""
    log_json_lines()
    require_servable(settings)
    warn_of_misspelt(os.environ)
    listener = listen(settings.host, settings.port)
    log.info("listening on %s with %d workers", url_of(settings.host, listener), settings.workers)
    raise typer.Exit(Workers(listener, settings).run())
