"""A real `netlet serve` in a process of its own, for what is measured over HTTP."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

SECONDS_BETWEEN_LOOKS = 0.1
AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment as it is where what was compiled once is not compiled at the next start."""


@contextmanager
def serving(store: Path, *arguments: str, log: Path | None = None, **variables: str) -> Iterator[tuple[str, int]]:
    """Start `netlet serve`, with some variables; give its address and its process.

    Its log is a file: a pipe that nobody reads fills up.
    """
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *arguments]
    environment, log = AS_INSTALLED | variables | {"NETLET_MODELS": str(store)}, log or store.with_suffix(".log")
    with log.open("w", encoding="utf-8") as told:
        server = subprocess.Popen(command, env=environment, stderr=told)  # noqa: S603 - our own
    try:
        line = next(line for line in _written(log, server) if "listening on" in line)
        yield line.split("listening on ")[1].split()[0].strip('",}'), server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _written(log: Path, server: subprocess.Popen[bytes]) -> Iterator[str]:
    """Give the lines of a log as they come, for as long as its writer lives."""
    while server.poll() is None:
        yield from log.read_text(encoding="utf-8").splitlines()
        sleep(SECONDS_BETWEEN_LOOKS)
