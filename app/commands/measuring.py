"""How fast a service answers, measured and told."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import typer
import uvloop

from app.client import Model
from app.client.asking import headers_of
from app.client.rows import as_json
from app.commands.figures import lines
from app.commands.load import Tally, Target, load
from app.commands.talking import Exit, Talk

PORTS = {"http": 80, "https": 443}
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "slowest": 1.0}


def measure(talk: Talk, reference: str, *, seconds: float, connections: int, rows: int) -> None:
    """Ask a model as fast as it answers, and tell how fast that is; exit code 1 where some requests failed."""
    with talk.client() as client:
        model = client.model(reference)
        X = [[column.example for column in model.columns]] * rows
        client.predict(model.reference, X=X)  # loads the model, and fails in words where it would fail
        talk.screen.say(f"Asking {model.reference} at {client.url} for {seconds:g} s.")
        target = _target(httpx.URL(client.url), talk.key, as_json({"model": model.reference, "X": X}))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            tally, took = runner.run(load(target, seconds=seconds, connections=connections))
    _tell(talk, _told(model, tally, took) | {"connections": connections, "rows": rows}, rows)
    if tally.failed:
        raise typer.Exit(Exit.FAILED)


def _target(url: httpx.URL, key: str | None, body: bytes) -> Target:
    headers = {
        "host": url.netloc.decode(),
        "content-type": "application/json",
        "content-length": str(len(body)),
    } | headers_of(key)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST {url.path.rstrip('/')}/predict HTTP/1.1\r\n{head}\r\n".encode() + body
    tls = ssl.create_default_context() if url.scheme == "https" else None
    return Target(request, url.host, url.port or PORTS[url.scheme], tls)


def _told(model: Model, tally: Tally, took: float) -> dict[str, Any]:
    answered = len(tally.latencies)
    return {
        "model": model.reference,
        "seconds": took,
        "answered": answered,
        "failed": dict(tally.failed),
        "requests_per_second": answered / took,
        "milliseconds": {name: tally.percentile(share) * 1000 for name, share in SHARES.items()} if answered else {},
    }


def _tell(talk: Talk, told: dict[str, Any], rows: int) -> None:
    if talk.as_json:
        typer.echo(json.dumps(told))
    elif talk.quiet:
        typer.echo(f"{told['requests_per_second']:.1f}")
    else:
        typer.echo("\n".join([told["model"], *lines([*_pairs(told, rows)])]))


def _pairs(told: dict[str, Any], rows: int) -> Iterator[tuple[str, str]]:
    yield "answered", f"{told['answered']:,} requests in {told['seconds']:.1f} s"
    yield "requests/s", f"{told['requests_per_second']:,.0f}"
    if rows > 1:
        yield "rows/s", f"{told['requests_per_second'] * rows:,.0f}"
    for name, milliseconds in told["milliseconds"].items():
        yield name, f"{milliseconds:.3g} ms"
    for status, count in told["failed"].items():
        yield "failed", f"{count:,} ({'no answer' if status == 'lost' else status})"
