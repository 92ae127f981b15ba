"""The process that serves: it listens, answers until a signal asks for the end, and ends politely."""

import gc
import logging
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.api.lane import lane_of
from app.listening import listen, most_connections, url_of
from app.main import connection_limits, create_app, stop_trainings
from app.memory import keep_freed_blocks
from app.opening import require_servable
from app.settings import Settings
from app.telemetry import log_json_lines
from app.workers import inherited

GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """uvicorn, which on a signal waits for requests to end: here, those that wait for trainings are told at once."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            http=lane_of(app, connection_limits(settings, most_connections())),
            ws="none",
            timeout_keep_alive=settings.idle_seconds,  # type: ignore[arg-type]  # it need not be whole
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self.app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; what is there by then stays to the end, and no collection needs to look at it again."""
        await super().startup(sockets)
        gc.freeze()
        gc.enable()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGINT and SIGTERM."""
        super().handle_exit(sig, frame)
        stop_trainings(self.app)


def serve(settings: Settings) -> None:
    """Serve until stopped, alone or as one of several workers; end with exit code 1 where that cannot be."""
    log_json_lines()
    server = server_of(settings)
    listener = inherited()
    if listener is None:
        listener = listen(settings.host, settings.port)
        logging.getLogger("netlet").info("listening on %s", url_of(settings.host, listener))
    keep_freed_blocks()
    run(server, listener)


def server_of(settings: Settings) -> Server:
    """Make the server, or say why its store cannot be served and end."""
    require_servable(settings)
    return Server(create_app(settings), settings)


def run(server: Server, listener: socket.socket) -> None:
    """Serve until a signal asks for the end, and then end with exit code 0: that is what was asked.

    uvicorn raises the signal again once it has shut down, for whoever handled it before; here, `_leave`.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, _leave)
    server.run(sockets=[listener])


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
