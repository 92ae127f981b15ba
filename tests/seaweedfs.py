"""A real object store for tests: SeaweedFS with its gateway that speaks S3, which knows one key and refuses others."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

KEY, SECRET = "netlet-tests", "a-secret-of-tests"
READER = "netlet-reader"  # a key that may read, with the same secret
ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
OFF = ("s3.port.iceberg=0", "s3.port.lance=0", "master.telemetry=false", "volume.max=0", "master.volumeSizeLimitMB=64")
ALONE = ("master.peers=none",)  # it waits for no other master before it leads, which takes 10 s and more after a kill
PATIENCE = 120  # seconds that a busy machine may take to start it
# Tells the server's number, and ends it when a word comes; where those who hold the pipe are gone, its folder goes too.
GUARD = (
    '"$@" >>log 2>&1 & echo $!; read -r word; kill -KILL $! 2>&-; wait $! 2>&-; [ $word ] || { cd /; rm -r "$OLDPWD"; }'
)


class SeaweedFS:
    """A server on loopback ports of its own, whose folder stays where it is ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = _free_ports(len(PORTS) + 2)
        self.numbers = count(1)
        self.guard: subprocess.Popen[str] | None = None
        self.pid = 0
        keys = {KEY: ACTIONS, READER: ["Read", "List"]}
        who = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": SECRET}], "actions": actions}
            for key, actions in keys.items()
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": who}))
        (folder / "data").mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """What whoever uses it needs to know."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.ports[-1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def bucket(self) -> str:
        """Name a place that nobody else uses; its bucket, which takes much, is made with the first file in it."""
        return f"s3://netlet-tests/{next(self.numbers)}"

    def connected(self, url: str, secret: str = SECRET, key: str = KEY) -> S3Store:
        """Connect to a bucket beside the store that uses it."""
        told = self.environment
        return S3Store.from_url(
            url,
            endpoint=told["AWS_ENDPOINT_URL"],
            region=told["AWS_REGION"],
            access_key_id=key,
            secret_access_key=secret,
            client_options={"allow_http": True},
        )

    def start(self) -> None:
        """Start it, and wait until it takes a file."""
        ports = [f"{name}={port}" for name, port in zip(PORTS, self.ports, strict=False)]
        ours = [f"s3.config={self.folder / 's3.json'}", f"s3.port.grpc={self.ports[-2]}", f"s3.port={self.ports[-1]}"]
        settings = ["ip=127.0.0.1", "ip.bind=127.0.0.1", f"dir={self.folder / 'data'}", "filer", "s3"]
        program = [str(Path(sys.executable).with_name("weed")), "-logtostderr", "server"]
        command = [*program, *(f"-{setting}" for setting in (*settings, *ours, *ports, *OFF, *ALONE))]
        self.guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self.folder,
        )
        assert self.guard.stdout is not None
        self.pid = int(self.guard.stdout.readline())
        deadline = time.monotonic() + PATIENCE
        while not self._takes_files():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """End it without a word, in the middle of whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End it, if it runs."""
        if self.guard is not None:
            self.guard.communicate("stop\n")
            self.guard = None

    def _takes_files(self) -> bool:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", self.ports[-1])):
                return False
        try:
            obstore.put(self.connected("s3://netlet-tests/0"), "begun", b"", mode="overwrite")
        except BaseError:
            return False
        return True


@contextmanager
def running() -> Iterator[SeaweedFS]:
    """Start a server; nothing of it is left behind, even where this process is killed."""
    with tempfile.TemporaryDirectory(prefix="netlet-seaweedfs-") as folder:
        server = SeaweedFS(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _free_ports(many: int) -> list[int]:
    """Find ports that are free now, all at once."""
    with ExitStack() as opening:
        sockets = [opening.enter_context(socket.socket()) for _ in range(many)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
