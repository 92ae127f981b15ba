"""The process that serves: it listens, answers until a signal asks for the end, and ends politely."""

import gc
import logging
import os
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.api.lane import lane_of
from app.api.parts import Parts
from app.draining import Draining, Pace
from app.listening import listen, most_connections, shared, url_of
from app.main import connection_limits, create_app, parts_in
from app.memory import keep_freed_blocks
from app.opening import require_servable, warn_of_misspelt
from app.settings import Settings
from app.telemetry import log_json_lines
from app.worker import beat, heeds_signals, inherited

MOST_YOUNG = 10_000
"""Objects that are made before the collection looks for circles among them: each row that is read is one, and with the
usual 700 it looked several times a request, among all that wait, for what next to nothing here leaves behind."""

log = logging.getLogger("netlet")


class Server(uvicorn.Server):
    """uvicorn, which on a signal closes what is idle, whoever may just be sending: here, it drains."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            http=lane_of(app, connection_limits(settings, most_connections())),
            ws="none",
            timeout_keep_alive=settings.idle_seconds,  # type: ignore[arg-type]  # it need not be whole
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("vary", "Origin")] * bool(settings.cors_origins),  # of answers of the lane and refusals, too
        )
        super().__init__(config)
        self.app, self.pace = app, Pace(settings.drain_seconds, settings.grace_seconds)
        self.asked: list[int] = []  # signals that are not heeded yet
        self.draining: Draining | None = None
        self.is_over = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; what is there by then stays to the end, and no collection needs to look at it again."""
        await super().startup(sockets)
        gc.freeze()
        gc.set_threshold(MOST_YOUNG, *gc.get_threshold()[1:])
        gc.enable()

    async def on_tick(self, counter: int) -> bool:
        """Show a sign of life."""
        beat()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM, SIGINT, which a person sends who waits for it, and a second signal."""
        super().handle_exit(sig, frame)
        self.asked.append(sig)
        if (parts := parts_in(self.app)) is not None:
            parts.jobs.loop.call_soon_threadsafe(self._drain, parts)

    def leave(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal that comes before it serves, which then ends as soon as it has begun, or after that.

        Whatever is raised instead, before anything is made, may come in the midst of the loop, which stays running.
        """
        if self.is_over:
            raise SystemExit(0)
        self.handle_exit(sig, frame)

    def _drain(self, parts: Parts) -> Draining:
        """Begin, or go on as whoever has sent a signal since expects it."""
        if self.draining is None:
            self.draining = Draining(self, parts, self.pace)
            if self.asked and self.asked.pop(0) == signal.SIGINT:
                self.draining.skip(self.draining.idle)
        if self.asked:
            self.asked.clear()
            self.draining.hurry()
        return self.draining

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, and end the application."""
        parts = parts_in(self.app)
        assert parts is not None  # noqa: S101 - it has started
        log.info("about to end")
        await self._drain(parts).run()
        for listener in sockets or ():
            listener.close()
        await self.lifespan.shutdown()
        self.is_over = True


def serve(settings: Settings) -> None:
    """Serve until stopped, alone or as one of several workers; end with exit code 1 where that cannot be."""
    log_json_lines()
    server = server_of(settings)
    listener = inherited()
    if listener is None:
        warn_of_misspelt(os.environ)
        listener = listen(settings.host, settings.port)
        log.info("listening on %s", url_of(settings.host, listener))
    keep_freed_blocks()
    run(server, listener)


def server_of(settings: Settings) -> Server:
    """Make the server, or say why its store cannot be served and end."""
    require_servable(settings)
    return Server(create_app(settings), settings)


def run(server: Server, listener: socket.socket) -> None:
    """Serve until a signal asks for the end, and then end with exit code 0: that is what was asked.

    uvicorn raises the signal again once it has shut down, for whoever handled it before.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, server.leave)
    heeds_signals.set()
    server.run(sockets=shared(listener))
