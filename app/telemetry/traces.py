"""Traces: which spans belong together, as W3C has it, and whether there is anybody to tell them to.

OpenTelemetry's own variables say that, and how: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER` and others.
"""

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # only who tells them has what it takes
    from app.telemetry.spans import Spans

TRACEPARENT = re.compile(
    r"[ \t]*(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?[ \t]*"
)
LONGEST = 512  # characters of either header
SAMPLED = 1
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"

log = logging.getLogger("netlet")


class Place(NamedTuple):
    """Where a span is: in which trace, under which number, and whether the trace is one that is told."""

    trace: int
    span: int
    flags: int = SAMPLED
    tracestate: str = ""

    @property
    def is_sampled(self) -> bool:
        """Whether the spans of this trace are told."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """What is sent to whoever is to go on with the trace."""
        return f"00-{self.trace:032x}-{self.span:016x}-{self.flags:02x}"

    def facts(self) -> dict[str, str]:
        """Give what every line of the log tells of it."""
        return {"trace_id": f"{self.trace:032x}", "span_id": f"{self.span:016x}"}


def place_in(traceparent: str, tracestate: str = "") -> Place | None:
    """Read the place of whoever asks; None where nothing is told, or what is told is none: a new trace begins there."""
    told = TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= LONGEST else None
    if told is None or told["version"] == "ff" or (told["version"] == "00" and told["more"]):
        return None
    trace, span = int(told["trace"], 16), int(told["span"], 16)
    if not (trace and span):
        return None
    return Place(trace, span, int(told["flags"], 16), tracestate if len(tracestate) <= LONGEST else "")


def spans_to(environ: Mapping[str, str]) -> "Spans | None":
    """Begin to tell spans where the environment says to whom; None where it does not, or it cannot be done."""
    if not any(environ.get(name) for name in ENDPOINTS) or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    exporter = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), PROTOCOL)
    if exporter == "none":
        return None
    if (exporter, protocol) != ("otlp", PROTOCOL):
        log.warning("there are no traces: they go by otlp and %s, not by %s and %s", PROTOCOL, exporter, protocol)
        return None
    try:
        from app.telemetry.spans import Spans  # noqa: PLC0415 - what it takes is an extra, and much

        return Spans()
    except (ImportError, ValueError, OSError) as error:
        hint = ": pip install 'netlet[otel]'" if isinstance(error, ImportError) else ""
        log.warning("there are no traces (%s)%s", error, hint)
        return None
