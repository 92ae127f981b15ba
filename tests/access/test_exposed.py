"""A server that other machines could reach."""

import subprocess
import sys
from threading import Barrier, Thread
from typing import Any

import httpx
import pytest

from tests.conftest import TUTORIAL, Server, StartServer

Environment = dict[str, str]


def netlet(environment: Environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def made(environment: Environment, *arguments: str) -> dict[str, str]:
    return {"x-api-key": netlet(environment, "keys", "create", *arguments).stdout.strip()}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_key_only_this_machine_is_listened_to(environment: Environment, workers: str) -> None:
    """Another address ends at once with what to do; neither name nor version of IP makes a difference."""
    for host in ("0.0.0.0", "::", "192.0.2.1"):  # noqa: S104 - that is what is refused
        run = netlet(environment, "serve", "--host", host, "--port", "0", "--workers", workers)

        assert run.returncode == 2, run.stderr
        assert "netlet keys create" in run.stderr
        assert "--insecure" in run.stderr


def test_with_a_key_or_where_it_is_said_to_be_insecure_everybody_is_listened_to(
    environment: Environment, start_server: StartServer
) -> None:
    """A key that is made is enough; without one it has to be said."""
    open_to_all = start_server("--host", "0.0.0.0", "--insecure")  # noqa: S104 - for this test
    assert httpx.get(f"{open_to_all.url}/models", trust_env=False).status_code == 200
    open_to_all.end()

    key = made(environment)
    with start_server("--host", "0.0.0.0").client() as client:  # noqa: S104 - for this test
        assert client.get("/models").status_code == 401
        assert client.get("/models", headers=key).status_code == 200


def test_keys_are_made_and_ended_while_the_service_runs(environment: Environment, start_server: StartServer) -> None:
    """From the command line, beside it: each change counts with the next request, also with those of the lane."""
    question = {"X": [4, 8]}
    with start_server().client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
        assert client.post("/models/exam/predict", json=question).status_code == 200

        asks, others = made(environment, "--scopes", "predict"), made(environment, "--models", "other*")

        for _ in range(3):  # the first goes to the route, others by the lane
            assert client.post("/models/exam/predict", json=question).status_code == 401
            assert client.post("/models/exam/predict", json=question, headers=asks).status_code == 200
            assert client.post("/models/exam/predict", json=question, headers=others).status_code == 404
        assert netlet(environment, "keys", "revoke", "1").returncode == 0
        for _ in range(3):
            assert client.post("/models/exam/predict", json=question, headers=asks).status_code == 401
        for number in ("1", "2"):
            assert netlet(environment, "keys", "delete", number).returncode == 0
        assert client.post("/models/exam/predict", json=question).status_code == 200


def test_a_quota_holds_for_all_workers_together(environment: Environment, start_server: StartServer) -> None:
    """Of many requests at once only a second's worth are answered, whichever process they come to."""
    made(environment, "--scopes", "admin")
    key = made(environment, "--requests", "0.05", "--scopes", "predict")
    server = start_server("--workers", "2")
    statuses = asked_at_once(server, key, 40)

    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) == 1


def test_a_quota_of_rows_counts_rows(environment: Environment, start_server: StartServer) -> None:
    """Those of one request count as many times as there are; the answer to one too many says when to come back."""
    admin, key = made(environment, "--scopes", "admin"), made(environment, "--rows", "10", "--scopes", "predict")
    with start_server().client() as client:
        client.post("/train", json=TUTORIAL, headers=admin).raise_for_status()
        many = {"X": [[4, 8]] * 1000}

        first = client.post("/models/exam/predict", json=many, headers=key)
        second = client.post("/models/exam/predict", json={"X": [4, 8]}, headers=key)

    assert (first.status_code, second.status_code) == (200, 429)
    assert 60 < int(second.headers["retry-after"]) <= 100
    assert second.headers["ratelimit-policy"] == '"rows";q=10;w=1'


def test_what_was_done_is_listed_by_the_command_line(environment: Environment, start_server: StartServer) -> None:
    """With key and address, as a table or as JSON."""
    key = made(environment, "trainer")
    with start_server().client() as client:
        client.post("/train", json=TUTORIAL, headers=key).raise_for_status()

    assert "key 1 trainer" in netlet(environment | {"COLUMNS": "200"}, "audit").stdout
    told = netlet(environment, "audit", "--json").stdout
    assert '"who": "key 1 trainer"' in told
    assert '"made": "/models/exam/versions/1"' in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scopes", "predikt"],
        ["--scopes", ""],
        ["--models", "../etc"],
        ["--expires", "soon"],
        ["--bytes", "much"],
        ["--requests", "0"],
    ],
)
def test_keys_for_nothing_are_refused(environment: Environment, arguments: list[str]) -> None:
    """With exit code 2, and what can be written instead."""
    run = netlet(environment, "keys", "create", *arguments)

    assert run.returncode == 2
    assert "Invalid value" in run.stderr
    assert netlet(environment, "keys", "list", "--json").stdout == ""


def asked_at_once(server: Server, key: dict[str, str], count: int) -> list[int]:
    """Send requests from as many connections, all at once."""
    barrier, statuses = Barrier(count), []

    def ask() -> None:
        with server.client() as client:
            barrier.wait(30)
            statuses.append(client.get("/models", headers=key).status_code)

    threads: list[Any] = [Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return statuses
