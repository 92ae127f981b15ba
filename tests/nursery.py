"""Where services begin at once: a process that has imported all they need, and forks for each `netlet serve`.

What is forked is the command line with its arguments and variables; only what Python does before that, which takes most
of the time and is the same each time, is done once. Tests about that start a process of their own.
"""

import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

import coverage

from tests.measuring import unmeasured

ROOT = Path(__file__).resolve().parent.parent
LONGEST_ORDER = 2**17
LATE = ("NETLET_", "OTEL_", "TMPDIR", "PYTEST_CURRENT_TEST")
"""Variables that nothing reads before the command line does; where others differ, nothing is forked."""


class Born(subprocess.Popen[str]):
    """A process that was forked elsewhere, and is waited for as if it had been started here."""

    _child_created = False  # none of those that this interpreter has to wait for

    def __init__(self, pid: int, said: TextIO | None, ended: socket.socket) -> None:  # which starts nothing
        self.pid, self.stderr, self.ended = pid, said, ended
        self.args, self.stdin, self.stdout, self.returncode = "netlet", None, None, None
        self.unread: list[str] = []
        self.reading: Thread | None = None

    def poll(self) -> int | None:
        """Give the exit code; None where it still runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; give the exit code."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002 - as the standard library calls it
        """Read what it says until it and all it has started have ended, as Popen does."""
        assert input is None
        if self.reading is None:
            self.reading = Thread(target=self._read, daemon=True)
            self.reading.start()
        self.reading.join(timeout)
        if self.reading.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(timeout)
        return None, "".join(self.unread)

    def _read(self) -> None:
        assert self.stderr is not None
        with self.stderr:
            self.unread.append(self.stderr.read())

    def _ended_within(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            self.ended.settimeout(seconds)
            try:
                said = self.ended.recv(100)
            except (BlockingIOError, TimeoutError):
                return None
            self.ended.close()
            self.returncode = os.waitstatus_to_exitcode(int(said))
        return self.returncode


class Nursery:
    """The process that forks, as whoever asks it knows it; it ends all that were born with it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.shared = _read_early(environment)
        self.gate, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.nursery"]
            environment = self.shared | {"PYTHONFAULTHANDLER": "1"}
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs.fileno())

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Tell whether what was imported here is what a process with these variables would import."""
        return _read_early(environment) == self.shared

    def begin(self, environment: Mapping[str, str], arguments: Sequence[str]) -> Born:
        """Let a process begin that does what the command line does with these arguments; what it says can be read."""
        said, says = os.pipe()
        return self._begun(environment, arguments, says, os.fdopen(said, encoding="utf-8"))

    def begin_logging(self, environment: Mapping[str, str], arguments: Sequence[str], log: Path) -> Born:
        """Do the same, where what it says goes to a file."""
        return self._begun(environment, arguments, os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), None)

    def _begun(self, environment: Mapping[str, str], arguments: Sequence[str], says: int, said: TextIO | None) -> Born:
        order = {"folder": str(Path.cwd()), "environment": dict(environment), "arguments": arguments}
        ended, ends = socket.socketpair()
        with ends:
            socket.send_fds(self.gate, [json.dumps(order).encode()], [says, ends.fileno()])
        os.close(says)
        return Born(int(self.gate.recv(100)), said, ended)

    def close(self) -> None:
        """End it."""
        self.gate.close()
        assert self.process.wait(30) == 0


def _read_early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(LATE)}


class _Forking:
    def __init__(self) -> None:
        self.gate = socket.socket(fileno=os.dup(0))
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.gate, selectors.EVENT_READ)

    def run(self) -> None:
        """Fork for each order, and tell of each end, until nobody can order any more."""
        while True:
            for key, _ in self.selector.select():
                if key.data is not None:
                    self._bury(key.fd, *key.data)
                    continue
                order, files, _, _ = socket.recv_fds(self.gate, LONGEST_ORDER, 2)
                if not order:
                    self._end()
                    return
                self._bear(json.loads(order), *files)

    def _end(self) -> None:
        """Kill those that are left, as they are where whoever wanted them was killed."""
        for key in [*self.selector.get_map().values()]:
            if key.data is not None:
                signal.pidfd_send_signal(key.fd, signal.SIGKILL)
                self._bury(key.fd, *key.data)

    def _bear(self, order: dict[str, Any], says: int, ends: int) -> None:
        born = os.fork()
        if born == 0:
            self._let_go(ends)
            _become(order, says)
        os.close(says)
        self.selector.register(os.pidfd_open(born), selectors.EVENT_READ, (born, ends))
        self.gate.send(str(born).encode())

    def _let_go(self, ends: int) -> None:
        """Keep nothing open that is not for whoever is born."""
        held = [file for key in self.selector.get_map().values() for file in (key.fd, *(key.data or ())[1:])]
        self.selector.close()
        self.gate.detach()
        for file in (*held, ends):
            os.close(file)

    def _bury(self, birth: int, pid: int, ends: int) -> None:
        self.selector.unregister(birth)
        os.close(birth)
        told = str(os.waitpid(pid, 0)[1]).encode()
        with suppress(BrokenPipeError):  # nobody asks any more
            os.write(ends, told)
        os.close(ends)


def _become(order: dict[str, Any], says: int) -> None:
    """Be what `python -m app.cli` would be."""
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(says, 2)
    os.close(says)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115 - it has no name
    os.chdir(order["folder"])
    os.environ.clear()
    # Those that train for it are killed before they tell anything; those that serve for it are not.
    os.environ.update(order["environment"] if "--workers" in order["arguments"] else unmeasured(order["environment"]))
    tempfile.tempdir = None  # what it found out before
    gc.enable()
    cli = import_module("app.cli")
    sys.argv = [str(cli.__file__), *order["arguments"]]
    cli.main()


def main() -> None:
    """Import what they need, and wait for orders."""
    gc.disable()  # as each of them does until it serves
    for name in ("app.cli", "app.commands.serve", "app.commands.configured", "app.server", "app.workers"):
        import_module(name)
    if (measuring := coverage.Coverage.current()) is not None:
        measuring.save()  # once, not by each of them
    _Forking().run()


if __name__ == "__main__":
    main()
