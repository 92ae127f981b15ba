"""A real `netlet serve` in a process of its own, for what is measured over HTTP."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment as it is where what was compiled once is not compiled at the next start."""


@contextmanager
def serving(store: Path) -> Iterator[tuple[str, int]]:
    """Start `netlet serve`; give its address and its process."""
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    environment = AS_INSTALLED | {"NETLET_MODELS": str(store)}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        line = next(line for line in server.stderr or () if "listening on" in line)
        yield line.split("listening on ")[1].split('"')[0], server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate()
