"""Networks of their own: what a test starts there is a machine to all others, as far as the network goes.

Made where root may do so. Whoever has one gives it back with its `end`, which a shell runs.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import NamedTuple

IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "ip"
NUMBERS = count()


class Network(NamedTuple):
    """One machine's: a namespace in which it has this address."""

    name: str
    address: str
    device: str
    """Its end here."""

    def cut(self) -> None:
        """Let nothing get there any more, nor out of it; nobody is told."""
        _ip("link", "set", self.device, "down")

    @property
    def command(self) -> list[str]:
        """What runs a command there, in front of it."""
        return [IP, "netns", "exec", self.name]

    @property
    def end(self) -> str:
        """What a shell does to give it back."""
        return f"{IP} link delete {self.device}; {IP} netns delete {self.name}"


class Bridge:
    """What networks are connected by, to each other and to this machine."""

    def __init__(self) -> None:
        self.name = f"nl{os.getpid()}-{next(NUMBERS)}"  # as long as a name may be, nearly
        _ip("link", "add", self.name, "type", "bridge")
        self.index = socket.if_nametoindex(self.name)  # which nobody else on this machine has
        self.addresses = f"10.{64 + self.index // 256 % 64}.{self.index % 256}"
        self.numbers = count(2)
        _ip("address", "add", f"{self.addresses}.1/24", "dev", self.name)
        _ip("link", "set", self.name, "up")

    @property
    def end(self) -> str:
        """What a shell does to give it back."""
        return f"{IP} link delete {self.name}"

    def network(self) -> Network:
        """Make a network."""
        number = next(self.numbers)
        network = Network(f"{self.name}-{number}", f"{self.addresses}.{number}", f"nl-{self.index}-{number}")
        link, inside = ("type", "veth", "peer", "name", "eth0", "netns", network.name), ("-n", network.name)
        _ip("netns", "add", network.name)
        _ip("link", "add", network.device, "master", self.name, *link)
        _ip("link", "set", network.device, "up")
        _ip(*inside, "address", "add", f"{network.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip(*inside, "link", "set", device, "up")
        _ip(*inside, "route", "add", "default", "via", f"{self.addresses}.1")
        return network


@contextmanager
def bridged() -> Iterator[Bridge]:
    """Make a bridge, of which nothing is left behind, even where this process is killed."""
    bridge = Bridge()
    guard = subprocess.Popen(
        ["/bin/sh", "-c", f"read -r _; {bridge.end}"], stdin=subprocess.PIPE, start_new_session=True
    )
    yield bridge
    guard.communicate()


@cache
def are_allowed() -> bool:
    """Tell whether they can be made here."""
    try:
        with bridged() as bridge:
            network = bridge.network()
            try:
                subprocess.run([*network.command, "true"], check=True)
            finally:
                subprocess.run(["/bin/sh", "-c", network.end], check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _ip(*words: str) -> None:
    subprocess.run([IP, *words], check=True, capture_output=True)
