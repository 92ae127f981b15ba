"""Listening: the socket at which clients find the service."""

import errno
import os
import resource
import socket

import typer

KEPT = 256  # files that others than clients may need
AT_ONCE = 16  # connections that are taken in one turn of the event loop
HANDED_OVER = 3  # the first descriptor that systemd hands over, as sd_listen_fds(3) has it
LISTENS = "LISTEN_FDS"


def listen(host: str, port: int) -> socket.socket:
    """Open it, unless it was handed over; end with exit code 1 where that cannot be."""
    try:
        return handed_over(host) or open_at(host, port)
    except OSError as error:
        remedy = "Hand over one TCP socket at this address." if _is_handed_over() else "Choose another with --port."
        typer.echo(f"Cannot listen on {host}:{port} ({error.strerror}). {remedy}", err=True)
        raise typer.Exit(1) from error


def open_at(host: str, port: int) -> socket.socket:
    """Open it; raise OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def handed_over(host: str) -> socket.socket | None:
    """Take the socket that systemd, or another who speaks as it does, has opened for this process, if one has.

    It outlasts the process: who connects while no service runs waits for the next one. Raises OSError where it is none,
    or can be reached from elsewhere than the host that is set.
    """
    if not _is_handed_over():
        return None
    os.set_inheritable(HANDED_OVER, False)  # noqa: FBT003 - it takes no names
    listener = socket.socket(fileno=HANDED_OVER)
    if os.environ[LISTENS] != "1" or not _is_at(host, listener):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return listener


def shared(listener: socket.socket) -> list[socket.socket]:
    """Give it as often as connections are to be taken at once: of each listener, libuv takes one in a turn of its loop.

    Where hundreds are answered in a turn, whoever comes would else wait for seconds, in a queue that overflows.
    """
    listener.settimeout(0)  # else `dup` would let others wait in it who have it from elsewhere: all is one socket
    return [listener, *(listener.dup() for _ in range(AT_ONCE - 1))]


def _is_at(host: str, listener: socket.socket) -> bool:
    is_tcp = listener.family in {socket.AF_INET, socket.AF_INET6}
    listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return bool(is_tcp and listens) and listener.getsockname()[0] == socket.getaddrinfo(host, None)[0][4][0]


def _is_handed_over() -> bool:
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get(LISTENS, "0") != "0"


def url_of(host: str, listener: socket.socket) -> str:
    """Give the address at which a client on this machine finds the listener."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return f"http://{reachable}:{listener.getsockname()[1]}"


def most_connections() -> int:
    """Let this process have as many files open as it may, and tell how many of them can be connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(hard - KEPT, hard // 4)
