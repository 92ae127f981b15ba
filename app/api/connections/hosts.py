"""Hosts: the names under which the service answers.

A page from elsewhere cannot read what is here, unless it has its own name point here; then the browser sends that name.
"""

import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::[0-9]{0,5})?", re.ASCII)
NAME = re.compile(r"\*|(?:\*\.)?[0-9a-z_-]+(?:\.[0-9a-z_-]+)*", re.ASCII)
REMEMBERED = 256


class Hosts:
    """Knows which: IP addresses, localhost, the machine's own name, and those that were set."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = {"localhost", socket.gethostname().lower(), *names}
        self.suffixes = tuple(name.removeprefix("*") for name in self.names if name.startswith("*"))
        self.allows = lru_cache(REMEMBERED)(self._allows)

    def _allows(self, host: str) -> bool:
        """Tell whether a Host header, or the authority of an address, names one of them."""
        parts = HOST.fullmatch(host.lower())
        if parts is None:
            return False
        name = parts[1].rstrip(".")
        return name in self.names or name.endswith(self.suffixes) or _is_address(name.strip("[]"))


def names_in(text: str) -> list[str]:
    """Read names that are separated by commas; raise ValueError for what can be none."""
    names = [name for part in text.lower().split(",") if (name := part.strip())]
    for name in names:
        if not NAME.fullmatch(name):
            message = f"{name[:40]!r} is no name of a host: write it without a port, as in netlet.example.org"
            raise ValueError(message)
    return names


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
