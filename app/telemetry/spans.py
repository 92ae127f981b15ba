"""Spans: what a request or a job was, from when to when, on their way to whoever collects them.

Each is told once it is over. That is a fifth of the work of a span that can be added to meanwhile, and lets those of a
job, which several processes may see to, have numbers that all of them know.
"""

from collections.abc import Mapping
from http import HTTPStatus
from random import getrandbits
from threading import Thread
from time import perf_counter, time_ns
from typing import Literal, NamedTuple

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from app import __version__
from app.telemetry.traces import SAMPLED, Place

LAST_SECONDS = 2.0  # that what is not sent yet has at the end: less than what hangs has then
NANOSECONDS = 10**9
KINDS = {"server": SpanKind.SERVER, "internal": SpanKind.INTERNAL}
NOTHING = Context()
SCOPE = InstrumentationScope("netlet", __version__)

Attributes = Mapping[str, str | int | float | bool]


class Span(NamedTuple):
    """What there is to tell of one that is over. Times are nanoseconds since 1970."""

    name: str
    place: Place
    parent: Place | None
    began: int
    ended: int
    attributes: Attributes
    kind: Literal["server", "internal"] = "internal"
    error: str | None = None
    """What kind of error it ended with, which is no word of it."""


class Spans:
    """Those of this process. A thread sends them; no request waits for it, and what is too much for it is left out."""

    def __init__(self) -> None:
        """Begin, as OpenTelemetry's variables say; raise ValueError where they cannot be meant."""
        told = OTELResourceDetector().detect().attributes
        resource = Resource.create({"service.name": "netlet", "service.version": __version__, **told})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.resource, self.sampler = provider.resource, provider.sampler
        self.exporter: SpanExporter = OTLPSpanExporter()
        self.processor = BatchSpanProcessor(self.exporter)

    def place(self, name: str, parent: Place | None, *, trace: int = 0, span: int = 0) -> Place:
        """Find the place of a span below another, or at the root of a trace; say whether it is to be told."""
        trace = parent.trace if parent is not None else trace or getrandbits(128) or 1  # no secrets # nosec B311
        span = span or getrandbits(64) or 1  # the same # nosec B311
        within = NOTHING if parent is None else set_span_in_context(NonRecordingSpan(_context(parent)), NOTHING)
        sampled = self.sampler.should_sample(within, trace, name)
        state = "" if not sampled.trace_state else sampled.trace_state.to_header()
        return Place(trace, span, SAMPLED if sampled.decision is Decision.RECORD_AND_SAMPLE else 0, state)

    def below(self, parent: Place) -> Place:
        """Find the place of a part of a span, told or not as that is."""
        return parent._replace(span=getrandbits(64) or 1)  # no secret # nosec B311

    def tell(self, span: Span) -> None:
        """Let one be sent that is over."""
        if not span.place.is_sampled:
            return
        self.processor.on_end(
            ReadableSpan(
                span.name,
                _context(span.place, is_remote=False),
                None if span.parent is None else _context(span.parent),
                self.resource,
                span.attributes if span.error is None else {**span.attributes, "error.type": span.error},
                kind=KINDS[span.kind],
                status=Status(StatusCode.UNSET if span.error is None else StatusCode.ERROR),
                start_time=span.began,
                end_time=max(span.began, span.ended),
                instrumentation_scope=SCOPE,
            )
        )

    def request(self, place: Place, parent: Place | None, began: float, attributes: Attributes) -> None:
        """Let that of a request be sent, which began when `perf_counter` was so, and has just been answered."""
        ended = time_ns()
        method, status = str(attributes["http.request.method"]), int(attributes.get("http.response.status_code", 0))
        name = "HTTP" if method == "_OTHER" else method
        if "http.route" in attributes:
            name += f" {attributes['http.route']}"
        began_at = ended - int((perf_counter() - began) * NANOSECONDS)
        error = str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
        self.tell(Span(name, place, parent, began_at, ended, attributes, "server", error))

    def close(self) -> None:
        """Send what is not sent yet, unless nobody takes it."""
        sending = Thread(target=self.processor.shutdown, daemon=True)
        sending.start()
        sending.join(LAST_SECONDS)
        if sending.is_alive():
            self.exporter.shutdown()


def _context(place: Place, *, is_remote: bool = True) -> SpanContext:
    state = TraceState.from_header([place.tracestate]) if place.tracestate else None
    return SpanContext(place.trace, place.span, is_remote, TraceFlags(place.flags), state)
