"""How much a client may send before it is known what it wants, how slowly, and how many may at once."""

from dataclasses import dataclass

from app.api.connections.hosts import Hosts
from app.api.connections.origins import NO_ORIGINS, Origins


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """What holds for all connections of a process."""

    hosts: Hosts
    origins: Origins = NO_ORIGINS
    head_bytes: int
    """Of a request's first line and headers."""
    headers: int
    """Of one request."""
    url_bytes: int
    receive_seconds: float
    """Within which a head arrives, and without which no body arrives at less than `bytes_per_second`."""
    send_seconds: float
    """Without which no answer is taken at less than that."""
    bytes_per_second: int
    unsent_bytes: int
    """Of all answers that are waiting to be taken."""
    connections: int
    pipelined: int
    """Requests that one client may send ahead of their answers."""
    requests: int
    """That are being answered at once; streams of events do not count."""
