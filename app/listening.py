"""Listening: the socket at which clients find the service."""

import resource
import socket

import typer

KEPT = 256  # files that others than clients may need


def listen(host: str, port: int) -> socket.socket:
    """Open it; end with exit code 1 where that cannot be."""
    try:
        return open_at(host, port)
    except OSError as error:
        typer.echo(f"Cannot listen on {host}:{port} ({error.strerror}). Choose another with --port.", err=True)
        raise typer.Exit(1) from error


def open_at(host: str, port: int) -> socket.socket:
    """Open it; raise OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def url_of(host: str, listener: socket.socket) -> str:
    """Give the address at which a client on this machine finds the listener."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read, not bound
    return f"http://{reachable}:{listener.getsockname()[1]}"


def most_connections() -> int:
    """Let this process have as many files open as it may, and tell how many of them can be connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(hard - KEPT, hard // 4)
