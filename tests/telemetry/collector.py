"""A collector of traces: a real OTLP/HTTP receiver, which keeps what it is sent."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

HOST = "127.0.0.1"


class Told(NamedTuple):
    """A span as it was sent."""

    name: str
    trace: str
    span: str
    parent: str
    state: str
    kind: str
    began: int
    ended: int
    is_error: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """What was sent, to which paths, and where it is sent to."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.paths: set[str] = set()
        self.url = ""

    def spans(self, **of: Any) -> list[Told]:
        """Give the spans with these names, attributes, or whatever else is told of them."""
        return [span for raw in list(self.raw) for span in _spans_in(raw) if of.items() <= span._asdict().items()]


def _spans_in(raw: bytes) -> Iterator[Told]:
    for of_resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Told(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    state=span.trace_state,
                    kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    is_error=span.status.code == 2,
                    attributes=_attributes(span.attributes),
                    resource=resource,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run one on a free port."""
    collector = Collector()

    class Receiving(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            collector.paths.add(self.path)
            collector.raw.append(gzip.decompress(raw) if self.headers["content-encoding"] == "gzip" else raw)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Receiving)
    collector.url = f"http://{HOST}:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
