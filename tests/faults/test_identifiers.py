"""Faults 55 to 63: words that name nothing, or more than one may, and requests that are sent again."""

import asyncio
import http.client
import json
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.conftest import ROWS, TUTORIAL, Server, StartServer, client_of, wait_until
from tests.crashes.disks import needs_root
from tests.faults.refusing import QUICK, TABLE, TRAIN, Service

OUTSIDE = "hidden-from-all"
WAYS_OUT = [
    f"../{OUTSIDE}",
    f"..%2f{OUTSIDE}",
    f"%2e%2e%2f{OUTSIDE}",
    f"%252e%252e%252f{OUTSIDE}",
    f"..\\{OUTSIDE}",
    f"..%5c{OUTSIDE}",
    f"%2f{OUTSIDE}",
    f"%2ftmp%2f{OUTSIDE}",
    f"exam%2f..%2f..%2f{OUTSIDE}",
    f".{OUTSIDE}",
    f"{OUTSIDE}%00",
    ".",
    "..",
    "%2e",
    "%2e%2e",
]
PLACES = [
    "/models/{}",
    "/models/{}/versions/1",
    "/models/{}/snapshot",
    "/models/exam/versions/{}",
    "/models/exam/aliases/{}",
    "/jobs/{}",
    "/datasets/{}",
    "/v1/models/{}",
    "/v2/models/{}",
]
TAKEN_IN = {"/models/{name}/snapshot", "/models/{name}/onnx"}  # which make a model of that name


def status_of(server: Server, method: str, target: str) -> tuple[int, Any]:
    """Ask for a target as it is written: httpx would mend it."""
    address = httpx.URL(server.url)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=60)
    connection.request(method, target)
    response = connection.getresponse()
    told = json.loads(response.read())
    connection.close()
    return response.status, told


@contextmanager
def client_of_a_model(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        client.post(TRAIN, json=TUTORIAL).raise_for_status()
        yield client


def test_fault_55_words_that_lead_out_of_a_folder(start_server: StartServer, settings: Settings) -> None:
    """404 in any encoding, in a path and in a body, read and deleted; what lies there stays."""
    server = start_server()
    settings.models.parent.joinpath(OUTSIDE).mkdir()
    targets = [place.format(way) for place, way in product(PLACES, WAYS_OUT)]

    with client_of_a_model(server) as client:
        for target in targets:
            assert status_of(server, "GET", target)[0] == 404, target
        for target in targets:
            if not target.startswith("/v"):
                assert status_of(server, "DELETE", target)[0] in {404, 405}, target
        for way in (f"../{OUTSIDE}", f"/{OUTSIDE}", f"..\\{OUTSIDE}", f"{OUTSIDE}\0", ".", ".."):
            asked = client.post("/predict", json={"model": way, "X": [4, 8]})
            assert (asked.status_code, asked.json()["type"]) == (404, "/problems/model-not-found")
            named = client.post(TRAIN, json=TABLE | {"name": way})
            assert (named.status_code, named.json()["type"]) == (422, "/problems/validation")
        assert [model["model"] for model in client.get("/models").json()["models"]] == ["exam"]
    assert settings.models.parent.joinpath(OUTSIDE).is_dir()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@needs_root  # who alone may follow any process
def test_fault_55_such_words_reach_no_file_system(start_server: StartServer, tmp_path: Path) -> None:
    """No call that takes a path is made with them, as strace sees; with the name of a model there are some."""
    server, log = start_server(), tmp_path / "calls"
    with client_of_a_model(server):
        command = ["strace", "-f", "-qq", "-e", "trace=%file", "-o", str(log), "-p", str(server.process.pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{server.process.pid}/status")
        wait_until(lambda: "TracerPid:\t0\n" not in status.read_text())

        for place, way in product(PLACES, WAYS_OUT):
            status_of(server, "GET", place.format(way))
        with server.client() as client:
            client.get("/models/exam/snapshot").raise_for_status()
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)

    calls = log.read_text()
    assert OUTSIDE not in calls
    assert "exam" in calls


async def test_fault_56_words_that_look_like_others(service: Service) -> None:
    """404 for what no name can be, though a screen may show it as one."""
    words = ["exam\0", "x" * 5000, "\u0435xam", "\uff45xam", "exam\u200b", "e\u0301xam", "EXAM", "exam ", "ex\nam"]
    words += ["%ff", "%c0%ae", "%ed%a0%80"]  # no UTF-8

    for place, word in product(PLACES[:-2], words):
        target = place.format(word if word.startswith("%") else quote(word))
        told = await service.client.get(target)
        assert (told.status_code, told.json()["type"][-9:]) == (404, "not-found"), target
        assert len(told.content) < 4096
    for word in words:
        told = await service.client.post("/predict", json={"model": word, "X": [4, 8]})
        assert told.json()["type"] == "/problems/model-not-found"


async def test_fault_57_nothing_is_called_that(service: Service, settings: Settings) -> None:
    """404 on every route that names something, whatever else is sent."""
    before = await service.kept()
    unknown = {"name": "nothing", "version": "1", "alias": "live", "job_id": "0" * 16, "dataset": "0" * 32}
    unknown |= {"picture": "diagram", "form": "json"}
    bodies = {
        "/v1/models/{name}:predict": {"instances": [[4, 8]]},
        "/v1/models/{name}:explain": {"instances": [[4, 8]]},
    }
    asked = 0

    for path, operations in create_app(settings).openapi()["paths"].items():
        for method, operation in operations.items():
            if "{" not in path or (method == "put" and path in TAKEN_IN):
                continue
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = bodies.get(path, content.get("example"))
            query = {"column": "hours"} if "{picture}" in path else {}
            told = await service.client.request(method, path.format(**unknown), json=body, params=query)
            assert told.status_code == 404, (method, path, told.text)
            asked += 1

    assert asked > 60
    assert await service.kept() == before


def test_fault_58_a_deleted_model_is_gone_everywhere(start_server: StartServer) -> None:
    """404 at once, in every process that shares the store, also where it was loaded and answering."""
    servers = [start_server() for _ in range(2)]
    question = {"model": "exam", "X": [4, 8]}
    with client_of_a_model(servers[0]) as one, servers[1].client() as other:
        for client in (one, other):
            client.post("/predict", json=question).raise_for_status()

        one.delete("/models/exam").raise_for_status()

        for client in (other, one):
            told = client.post("/predict", json=question)
            assert (told.status_code, told.json()["type"]) == (404, "/problems/model-not-found")
            assert client.get("/models/exam").status_code == 404
            assert client.get("/models").json()["models"] == []


def test_fault_59_deleted_while_it_answers(start_server: StartServer) -> None:
    """Who is being answered gets the whole answer; who asks afterwards, 404; nobody gets anything else."""
    server = start_server()
    rows = b"hours_studied,hours_slept\n" + b"4,8\n" * 400_000
    headers = {"content-type": "text/csv"}
    told: list[tuple[int, Any]] = []

    def ask() -> None:
        with server.client() as client:
            while not told or told[-1][0] == 200:
                response = client.post("/predict", json={"model": "exam", "X": [4, 8]})
                told.append((response.status_code, response.json().get("predictions")))

    with client_of_a_model(server) as client:
        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: len(told) > 10)
        with client.stream("POST", "/models/exam/predict", content=rows, headers=headers) as stream:
            pieces = stream.iter_bytes()
            first = next(pieces)
            client.delete("/models/exam").raise_for_status()
            answered = (first + b"".join(pieces)).count(b"\n")
        asking.join(60)

    assert answered == 400_001
    assert {status for status, _ in told} == {200, 404}
    assert len({tuple(answer) for status, answer in told if status == 200}) == 1


async def test_fault_59_deleted_while_it_is_trained_on(service: Service) -> None:
    """What a training began with it keeps: it makes the next version, whose number says that there was one."""
    client = service.client
    body = {"rows": ROWS, "training": {"epochs": 5}}
    job = (await client.post("/models/exam/train", json=body, params={"paused": True})).json()["job"]

    (await client.delete("/models/exam")).raise_for_status()
    assert (await client.get("/models/exam")).status_code == 404
    (await client.post(f"/jobs/{job}/resume")).raise_for_status()

    await client.get(f"/jobs/{job}/events")  # which end with it
    made = (await client.get(f"/jobs/{job}")).json()
    assert (made["status"], made["version"]) == ("succeeded", 2)
    assert (await client.get("/models/exam")).json()["versions"] == [2]


async def test_fault_60_two_publish_at_once(service: Service) -> None:
    """Both versions are kept, each under a number of its own: versions are no place to write to.

    Of two who move an alias, one names a revision that is no more: 412, so that nobody's change is lost.
    """
    client = service.client
    bodies = [{"name": "exam", "training": QUICK} | TABLE | {"tags": {"by": who}} for who in ("a", "b")]

    made = await asyncio.gather(*[client.post(TRAIN, json=body) for body in bodies])

    assert {(one.status_code, one.json()["version"]) for one in made} == {(201, 2), (201, 3)}
    kept = [(await client.get(f"/models/exam/versions/{one.json()['version']}")).json()["tags"] for one in made]
    assert kept == [{"by": "a"}, {"by": "b"}]

    alias = "/models/exam/aliases/live"
    revision = (await client.put(alias, json={"version": 1})).headers["etag"]
    moves = [client.put(alias, json={"version": version}, headers={"if-match": revision}) for version in (2, 3)]
    moved = await asyncio.gather(*moves)

    assert sorted(one.status_code for one in moved) == [200, 412]
    (refused,) = [one for one in moved if one.status_code == 412]
    assert refused.json()["type"] == "/problems/alias-moved"


async def test_fault_61_the_same_request_again(service: Service) -> None:
    """The same answer, which says that it is given again, and one model, whether sent at once or later."""
    key = {"Idempotency-Key": "one-of-a-kind"}
    body = TABLE | {"training": QUICK}

    at_once = await asyncio.gather(*[service.client.post(TRAIN, json=body, headers=key) for _ in range(8)])
    later = await service.client.post(TRAIN, json=body, headers=key)

    assert {one.status_code for one in (*at_once, later)} == {201}
    assert len({one.json()["reference"] for one in (*at_once, later)}) == 1
    assert sorted(one.headers.get("idempotency-replayed", "no") for one in at_once) == ["no"] + ["true"] * 7
    assert later.headers["idempotency-replayed"] == "true"
    assert len((await service.client.get("/models")).json()["models"]) == 2


async def test_fault_62_a_key_that_stands_for_another_request(settings: Settings) -> None:
    """409 for another body, another address or another route; the same job where it still runs; 400 for no key."""
    keys = [b"", b"a b", b"\xe4", b"x" * 256, b"a\tb", b"\x7f"]
    async with client_of(settings) as client:
        service = await Service(client).begin()
        named = {"Idempotency-Key": "taken"}
        first = await client.post(TRAIN, json=TABLE, headers=named, params={"paused": True})
        again = await client.post(TRAIN, json=TABLE, headers=named, params={"paused": True, "wait": 0})
        before = await service.kept()

        assert (first.status_code, again.status_code) == (202, 202)
        assert again.json()["job"] == first.json()["job"]
        for path, body, query in (
            (TRAIN, TABLE | {"tags": {"a": "b"}}, {"paused": True}),
            (TRAIN, TABLE, {"paused": True, "priority": 1}),
            ("/models/exam/train", TABLE, {"paused": True}),
            ("/datasets", ROWS, {}),
        ):
            told = await client.post(path, json=body, headers=named, params=query)
            assert (told.status_code, told.json()["type"]) == (409, "/problems/key-reused")
        for path, key in product((TRAIN, "/models/exam/train", "/datasets"), keys):
            told = await client.post(path, json=ROWS, headers={b"idempotency-key": key})
            assert (told.status_code, told.json()["type"]) == (400, "/problems/malformed-key"), key
        twice = await client.post(TRAIN, json=TABLE, headers=[("idempotency-key", "a"), ("idempotency-key", "b")])
        assert twice.json()["type"] == "/problems/malformed-key"
        assert await service.kept() == before
        await client.delete(f"/jobs/{first.json()['job']}")


def test_fault_63_the_same_request_after_a_kill(start_server: StartServer) -> None:
    """The same model, or the same job, from a process that has never seen the request."""
    done, begun = ({"Idempotency-Key": word} for word in ("done", "begun"))
    long = TUTORIAL | {"name": "long", "training": {"epochs": 10_000_000}}
    server = start_server()
    with server.client() as client:
        made = client.post(TRAIN, json=TUTORIAL, headers=done)
        job = client.post(TRAIN, json=long, headers=begun, params={"wait": 0})
        assert (made.status_code, job.status_code) == (201, 202)
    server.end(signal.SIGKILL)

    with start_server().client() as client:
        again = client.post(TRAIN, json=TUTORIAL, headers=done)
        same = client.post(TRAIN, json=long, headers=begun, params={"wait": 0})

        assert (again.status_code, again.json()["sha256"]) == (201, made.json()["sha256"])
        assert again.headers["idempotency-replayed"] == "true"
        assert (same.status_code, same.json()["job"]) == (202, job.json()["job"])
        assert client.get("/models/exam").json()["versions"] == [1]
        assert len(re.findall('"job"', client.get("/jobs").text)) == 2
        client.delete(f"/jobs/{same.json()['job']}").raise_for_status()
