"""Traces: a real service tells a real collector one span for each request and job, and which belong together."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.client import Client
from app.telemetry.lines import OF_SPANS, SECONDS_BETWEEN
from app.telemetry.traces import place_in, spans_to
from tests.conftest import MakeKey, Server, StartServer, wait_until
from tests.service.test_server import LONG, processes_of
from tests.service.test_workers import answering, children
from tests.telemetry.collector import Collector, Told, collecting
from tests.telemetry.test_log import NUMBER, ROWS, WORD

TRACE, CALLER, STATE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "rojo=00f067aa0ba902b7"
ORDER = {"name": "birds", "rows": ROWS, "target": "price"}
ROW = {"size": NUMBER, "kind": WORD}
ASKED = {"model": "birds", "rows": [ROW]}
MINUTE = timedelta(seconds=SECONDS_BETWEEN - 1)  # by another clock than that of the service


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def traced(start_server: StartServer, collector: Collector) -> Callable[..., Server]:
    """Start a service that tells the collector."""

    def start(*arguments: str, **more: str) -> Server:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "NO_PROXY": "*"}
        return start_server(*arguments, **told | {"NETLET_LOG_REQUESTS": "all"} | more)

    return start


def within(trace: str = TRACE, span: str = CALLER, *, sampled: bool = True, request: str = "") -> dict[str, str]:
    """Give the headers of a request that is part of a trace."""
    told = {"traceparent": f"00-{trace}-{span}-0{int(sampled)}", "tracestate": STATE}
    return told | ({"x-request-id": request} if request else {})


def lines_of(server: Server) -> list[dict[str, Any]]:
    server.process.send_signal(signal.SIGTERM)
    _, log = server.process.communicate(timeout=40)
    assert server.process.returncode == 0, log
    return [json.loads(line) for line in log.splitlines()]


def of_request(collector: Collector, request: str) -> Told:
    """Give the only span of a request."""
    (span,) = [span for span in collector.spans(kind="server") if span.attributes["netlet.request"] == request]
    return span


def test_a_request_its_job_and_its_steps_are_one_trace(traced: Callable[..., Server], collector: Collector) -> None:
    """What a training comes from is found by its trace: the caller's, the request's, the job's, to the steps of it.

    All of it is told as the service ends, before it would have been otherwise.
    """
    server = traced(OTEL_BSP_SCHEDULE_DELAY="3600000")
    with server.client() as client:
        made = client.post("/train", json=ORDER, headers=within(request="one")).raise_for_status()
        job = client.get("/jobs").json()["jobs"][0]["job"]
    log = lines_of(server)

    assert made.status_code == 201
    request = of_request(collector, "one")
    assert (request.name, request.trace, request.parent, request.state) == ("POST /train", TRACE, CALLER, STATE)
    assert request.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/train",
        "http.route": "/train",
        "http.response.status_code": 201,
        "netlet.request": "one",
        "netlet.model": "birds",
        "netlet.job": job,
    }
    (whole,) = collector.spans(name="train")
    assert (whole.span, whole.trace, whole.parent, whole.state) == (job, TRACE, request.span, STATE)
    assert whole.attributes.items() >= {"netlet.state": "succeeded", "netlet.version": 1, "netlet.rows": 3}.items()
    (attempt,) = collector.spans(name="attempt", parent=job)
    steps = [span for span in collector.spans(parent=attempt.span) if span.trace == TRACE]
    assert [step.name for step in sorted(steps, key=lambda step: step.began)] == ["read", "learn", "save"]
    assert all(attempt.began <= step.began <= step.ended <= attempt.ended for step in steps)
    assert not any(span.is_error for span in collector.spans())
    of_job = [line for line in log if line.get("logger") == "netlet.jobs"]
    assert {(line["trace_id"], line["span_id"]) for line in of_job} == {(TRACE, job)}
    (of_it,) = [line for line in log if line.get("logger") == "netlet.requests" and line["request_id"] == "one"]
    assert (of_it["trace_id"], of_it["span_id"]) == (TRACE, request.span)


def test_each_request_is_told_once_whoever_answers_it(
    traced: Callable[..., Server], collector: Collector, make_key: MakeKey
) -> None:
    """By the lane or by its route, right, wrong or to nowhere, and by FastAPI's own telemetry not at all."""
    key = make_key("admin")
    server = traced(FASTAPI_OTEL_AUTO_CONFIGURE="true")
    with server.client() as client:
        client.headers.update(key)
        client.post("/train", json=ORDER)
        for request in ("by the route", "by the lane"):
            told = within(request=request.replace(" ", "-"))
            client.post("/models/birds/predict", json={"rows": [ROW]} | {"explain": True}, headers=told)
            client.post("/predict", json=ASKED, headers=told | {"x-request-id": f"again-{request.split()[-1]}"})
        client.post("/predict", json=ASKED | {"rows": [{"size": WORD}]}, headers={"x-request-id": "wrong"})
        client.get(f"/nowhere?{WORD}={NUMBER}", headers={"x-request-id": "nowhere"})
        client.request("BREW", "/models", headers={"x-request-id": "brewed"})
    lines_of(server)

    lane = of_request(collector, "again-lane")
    assert (lane.name, lane.trace, lane.parent, lane.state) == ("POST /predict", TRACE, CALLER, STATE)
    assert lane.attributes.items() >= {"http.response.status_code": 200, "http.route": "/predict"}.items()
    wrong, nowhere = of_request(collector, "wrong"), of_request(collector, "nowhere")
    assert (wrong.name, wrong.attributes["http.response.status_code"], wrong.parent) == ("POST /predict", 422, "")
    assert (nowhere.name, nowhere.attributes.get("http.route")) == ("GET", None)
    assert nowhere.trace != wrong.trace
    assert len(collector.spans(kind="server")) == 7
    assert collector.paths == {"/v1/traces"}
    everything = b"".join(collector.raw)
    for secret in (WORD, f"{NUMBER}", key["authorization"].removeprefix("Bearer ")):
        assert secret.encode() not in everything
    assert b"fastapi" not in everything


def test_all_workers_tell_each_as_itself(traced: Callable[..., Server], collector: Collector) -> None:
    """Two processes, which are started anew: spans of both arrive, with a number of the process, and none twice."""
    server = traced("--workers", "2")
    answering(server)

    def both_have_told() -> bool:
        for _ in range(5):
            with server.client() as client:
                client.get("/models").raise_for_status()
        return len({span.resource["service.instance.id"] for span in collector.spans(name="GET /models")}) == 2

    wait_until(both_have_told)
    os.kill(children(server.process.pid)[0], signal.SIGKILL)
    with server.client() as client:
        client.post("/train", json=ORDER, headers=within(request="trained")).raise_for_status()
    lines_of(server)

    told = collector.spans()
    assert {span.resource["service.name"] for span in told} == {"netlet"}
    assert len({span.span for span in told}) == len(told)
    assert collector.spans(name="train")[0].parent == of_request(collector, "trained").span


def test_who_is_not_sampled_is_not_told(traced: Callable[..., Server], collector: Collector) -> None:
    """Whoever asks decides that for all that comes of it; where nobody has, OpenTelemetry's own variables do."""
    server = traced(OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0")
    with server.client() as client:
        client.post("/train", json=ORDER, headers=within(sampled=False)).raise_for_status()
        client.post("/train", json=ORDER).raise_for_status()
        for sampled in (True, False):
            for _ in range(2):
                client.post("/predict", json=ASKED, headers=within(sampled=sampled)).raise_for_status()
    lines_of(server)

    assert [span.name for span in collector.spans()] == ["POST /predict"] * 2


def test_an_attempt_that_is_lost_is_part_of_its_job(traced: Callable[..., Server], collector: Collector) -> None:
    """A killed process has another attempt, and its end is one span with both below it."""
    server = traced()
    with server.client() as client:
        job = client.post("/train?wait=0", json=LONG, headers=within()).raise_for_status().json()["job"]
        path = f"/jobs/{job}"
        wait_until(lambda: client.get(path).json()["status"] == "running")
        wait_until(lambda: bool(_training(server.process.pid)))
        os.kill(_training(server.process.pid)[0], signal.SIGKILL)
        wait_until(lambda: client.get(path).json()["attempt"] == 2)
        client.delete(path).raise_for_status()
        wait_until(lambda: client.get(path).json()["status"] == "cancelled")
    lines_of(server)

    (whole,) = collector.spans(span=job)
    assert whole.attributes.items() >= {"netlet.state": "cancelled", "netlet.attempt": 2}.items()
    lost, last = sorted(collector.spans(name="attempt", parent=job), key=lambda span: span.began)
    assert (lost.is_error, lost.attributes["error.type"], last.is_error) == (True, "WorkerLost", False)


def _training(server: int) -> list[int]:
    """List the processes that train: those of the process that begins them."""
    return [trains for child in processes_of(server) for trains in processes_of(child)]


@pytest.mark.parametrize("listens", [True, False], ids=["it hangs", "nobody is there"])
def test_a_collector_that_takes_nothing_costs_nobody_anything(start_server: StartServer, *, listens: bool) -> None:
    """Requests are answered, the log has a line a minute at most, whatever there is to say, and it ends in time."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        if not listens:
            deaf.close()
        server = start_server(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_BSP_SCHEDULE_DELAY="10", NO_PROXY="*")
        with server.client() as client:
            client.post("/train", json=ORDER).raise_for_status()
            for _ in range(1000):
                client.post("/predict", json=ASKED).raise_for_status()
        log = lines_of(server)

    said = [datetime.fromisoformat(line["time"]) for line in log if line["logger"].startswith(OF_SPANS)]
    assert all(later - earlier >= MINUTE for earlier, later in pairwise(said))
    assert listens or said
    assert not [line for line in log if line["level"] == "error" and line["logger"].startswith("netlet")]


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        f"00-{TRACE}-{CALLER}",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-01-more",
        f"00-{TRACE}-{CALLER}-01,00-{TRACE}-{CALLER}-01",
        f"01-{TRACE}-{CALLER}-01{'-' * 500}",
        f"00-{TRACE}-{CALLER}-0é",
    ],
)
def test_what_is_no_traceparent_is_none(traceparent: str) -> None:
    """A trace begins there, as the specification says."""
    assert place_in(traceparent) is None


def test_a_traceparent_of_later_versions_is_read_as_far_as_it_is_known() -> None:
    """As the specification says; a tracestate that is too long is left out alone."""
    place = place_in(f"01-{TRACE}-{CALLER}-01-more", "a=" + "b" * 600)

    assert place is not None
    assert (place.traceparent, place.tracestate) == (f"00-{TRACE}-{CALLER}-01", "")


def test_a_malformed_trace_costs_a_request_nothing(traced: Callable[..., Server], collector: Collector) -> None:
    """Neither of the lane nor of its route; two of them are none either."""
    server = traced()
    odd = [("traceparent", "00-x-y-z"), ("tracestate", "=,;"), ("x-request-id", "odd")]
    twice = [*within().items(), ("traceparent", within()["traceparent"]), ("x-request-id", "twice")]
    with server.client() as client:
        client.post("/train", json=ORDER).raise_for_status()
        for headers in (odd, twice):
            client.post("/predict", json=ASKED, headers=headers).raise_for_status()
    lines_of(server)

    for request in ("odd", "twice"):
        span = of_request(collector, request)
        assert (span.parent, span.trace == TRACE, span.state) == ("", False, "")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_there_are_no_traces_unless_somebody_takes_them(environ: dict[str, str]) -> None:
    """And none where OpenTelemetry's own variables say so, or ask for what there is not."""
    assert spans_to(environ) is None


def test_without_the_extra_the_log_says_what_is_missing() -> None:
    """A service that is to tell traces and cannot goes on without."""
    program = """
import logging, sys
sys.modules["opentelemetry.sdk.trace"] = None
from app.telemetry.traces import spans_to
logging.basicConfig()
print(spans_to({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "None\n"
    assert "pip install 'netlet[otel]'" in done.stderr


def test_the_client_goes_on_with_the_trace_of_whoever_uses_it(
    traced: Callable[..., Server], collector: Collector
) -> None:
    """Where OpenTelemetry is in use: each request, by the lane too, is below the span that is current then."""
    server = traced()
    program = f"""
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from app.client import Client
with Client("{server.url}") as client:
    client.train({ROWS!r}, "price", name="birds")
    with use_span(NonRecordingSpan(SpanContext(0x{TRACE}, 0x{CALLER}, False, TraceFlags(1)))):
        client.predict("birds", [{ROW!r}])
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"NO_PROXY": "*"})
    with Client(server.url) as client:
        client.predict("birds", [ROW])
    lines_of(server)

    assert [span.name for span in collector.spans(trace=TRACE, parent=CALLER)] == ["POST /predict"]
    assert len(collector.spans(name="POST /predict")) == 2


def test_nothing_is_told_of_traces_where_nobody_takes_them(start_server: StartServer) -> None:
    """A service without a collector has the log that it always had."""
    server = start_server(NETLET_LOG_REQUESTS="all")
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        client.post("/train", json=ORDER, headers=within()).raise_for_status()
        client.post("/predict", json=ASKED, headers=within()).raise_for_status()

    assert not [line for line in lines_of(server) if "trace_id" in line or "span_id" in line]
