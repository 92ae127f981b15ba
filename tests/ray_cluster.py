"""Real Ray clusters for tests: heads and nodes on this machine, each with a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import networks
from tests.conftest import wait_until
from tests.networks import Bridge, Network

TOKEN = "a-secret-that-no-output-may-repeat-0"  # noqa: S105 - of clusters that live for as long as a test
START = ["-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
SMALL = ["--disable-usage-stats", f"--object-store-memory={80 * 2**20}", "--min-worker-port=0", "--max-worker-port=0"]
# Ends all that it started, and what was made for it, when the pipe is closed, as it is when those who hold it are gone.
GUARD = 'setsid "$@" & ray=$!; read -r _; kill -KILL -$ray; wait $ray; cd /; rm -rf "$FOLDER"; eval "$END"'
PROVES = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
"""What a process says to be let in."""

IMPATIENT = {
    "RAY_gcs_rpc_server_connect_timeout_s": "2",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "2",
    "RAY_NUM_REDIS_GET_RETRIES": "2",
}
"""How a process gives up soon where there is no cluster."""


class Node:
    """A head, or a node that joins one, on a network of its own where it is given one."""

    def __init__(self, *arguments: str, cpus: int, network: Network | None = None, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="netlet-ray-"))
        told = {"FOLDER": str(self.folder), "TMPDIR": str(self.folder), "RAY_DISABLE_IMPORT_WARNING": "1", "END": ""}
        command = [self._python(), *START, *SMALL, *arguments, f"--num-cpus={cpus}", f"--memory={2**32}"]
        self.network = network
        if network is not None:
            command = [*network.command, *command, f"--node-ip-address={network.address}"]
            told["END"] = network.end
        with (self.folder / "log").open("wb") as log:
            self.guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=os.environ | PROVES | told | environment,
                start_new_session=True,
            )

    def _python(self) -> str:
        """Name the interpreter by a path without blanks: with all it can be installed with, Ray gives it to a shell."""
        (self.folder / "venv").symlink_to(sys.prefix)
        return str(self.folder / "venv" / "bin" / "python")

    def require_begun(self) -> None:
        """Wait until it is there."""
        wait_until(lambda: self.has_begun() or self.guard.poll() is not None)
        assert self.has_begun(), self._log()

    def kill(self) -> None:
        """Let all of it die at once, as if the machine were gone, and remove what is left."""
        assert self.guard.stdin is not None
        self.guard.stdin.close()
        self.guard.wait(timeout=30)

    def cut_off(self) -> None:
        """Let nobody reach it any more, though all of it goes on."""
        assert self.network is not None
        self.network.cut()

    def has_begun(self) -> bool:
        """Tell whether Ray says so."""
        return "Ray runtime started" in self._log()

    def _log(self) -> str:
        return (self.folder / "log").read_text()

    def workers(self, *names: str) -> list[int]:
        """List the processes in which Ray does trainings here, or what else it calls by these names."""
        return [pid for pid, args in self._processes() if any(name in args for name in names or ("ray::travelled",))]

    def raylet(self) -> int:
        """Give the process that stands for the node."""
        (pid,) = [pid for pid, args in self._processes() if args.partition(" ")[0].endswith("/raylet")]
        return pid

    def left(self) -> list[str]:
        """Tell what trainings have left here."""
        return [path.name for path in self.folder.glob("netlet-ray-*/*")]

    def _processes(self) -> Iterator[tuple[int, str]]:
        """List those of which Ray's folder is this one's, or that came of such."""
        mark = f"FOLDER={self.folder}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()


class Ray:
    """A head at one address, which may be killed and come again, and nodes that join it."""

    def __init__(self, *, cpus: int, **environment: str) -> None:
        self.cpus, self.environment = cpus, environment
        self.host, self.port = _own_address(), free_port()
        self.address = f"{self.host}:{self.port}"
        self.stack = ExitStack()
        self.bridge: Bridge | None = None
        self.head = self.begin()

    def begin(self) -> Node:
        """Begin as a new cluster, where there was one or not."""
        terms = ["--head", f"--port={self.port}", "--include-dashboard=false", *_for_ray_client()]
        self.head = self._kept(Node(*terms, cpus=self.cpus, network=None, **self.environment))
        return self.head

    def kill(self) -> None:
        """Let all die at once, as if the machines were gone."""
        self.bridge = None
        self.stack.close()

    def joined(self, cpus: int, **environment: str) -> Node:
        """Let another node join, to which variables are told that others are not."""
        return self._kept(Node(f"--address={self.address}", cpus=cpus, network=None, **environment))

    def joined_from_afar(self, cpus: int) -> Node:
        """Let another node join over a network, where there may be some: it reaches no service of this machine."""
        if self.bridge is None and networks.are_allowed():
            self.bridge = self.stack.enter_context(networks.bridged())
        network = None if self.bridge is None else self.bridge.network()
        return self._kept(Node(f"--address={self.address}", cpus=cpus, network=network))

    def _kept(self, node: Node) -> Node:
        """Kill it with all others, in the end."""
        self.stack.callback(node.kill)
        node.require_begun()
        return node


@contextmanager
def running(*, cpus: int, **environment: str) -> Iterator[Ray]:
    """Start a cluster, whose head has variables; nothing of it is left behind, even where this process is killed."""
    ray = Ray(cpus=cpus, **environment)
    try:
        yield ray
    finally:
        ray.kill()


def kill(pid: int) -> None:
    """Kill a process, and wait until it is gone or nobody's but its parent's."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bridges that begin from now on give up soon where there is no cluster."""
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)


def _for_ray_client() -> list[str]:
    """Let Ray's client, which comes with the extra `replicas`, listen where that of no other cluster does."""
    return [] if find_spec("grpc") is None else [f"--ray-client-server-port={free_port()}"]


def _own_address() -> str:
    """Give the address by which Ray knows this machine: never the loopback, whatever it is told."""
    from ray.util import get_node_ip_address  # noqa: PLC0415 - takes a while

    address: str = get_node_ip_address()  # type: ignore[no-untyped-call]
    return address


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("", 0))
        port: int = listener.getsockname()[1]
        return port
