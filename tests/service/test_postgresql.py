"""A catalogue in PostgreSQL, as operators meet it: what is in its way is said, and an outage ends by itself."""

import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.conftest import TUTORIAL, StartServer, wait_until
from tests.postgresql import PASSWORD, PostgreSQL

ON_POSTGRESQL = pytest.mark.only_on("postgresql")
NOBODY_LISTENS = f"postgresql://netlet:{PASSWORD}@127.0.0.1:9/netlet"


def serve(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "app.cli", *(command or ("serve", "--port", "0"))]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=60)


def train(client: httpx.Client) -> int:
    return client.post("/train", json=TUTORIAL).status_code


def predict(client: httpx.Client) -> int:
    return client.post("/predict", json={"model": "exam", "X": [4, 8]}).status_code


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("check",)])
def test_a_database_that_cannot_be_reached_is_said_so(
    command: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    """One line with the reason, without the password, and exit code 1."""
    (tmp_path / "models").mkdir()

    run = serve(environment | {"NETLET_DATABASE_URL": NOBODY_LISTENS}, *command)

    assert run.returncode == 1
    assert "The catalogue cannot be opened" in run.stderr
    assert "127.0.0.1" in run.stderr
    assert run.stderr.count("\n") == 1
    assert PASSWORD not in run.stderr + run.stdout


def test_a_driver_that_is_not_installed_is_said_so(environment: dict[str, str], tmp_path: Path) -> None:
    """One line that names the extra, and exit code 1; a module in psycopg's place stands for its absence."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "psycopg.py").write_text("raise ImportError")
    path = f"{tmp_path / 'path'}:{environment.get('PYTHONPATH', '')}"

    run = serve(environment | {"NETLET_DATABASE_URL": NOBODY_LISTENS, "PYTHONPATH": path})

    assert run.returncode == 1
    assert "install netlet with the extra postgresql" in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql:/netlet:{PASSWORD}", "it is not postgresql://user:password@host/database"),
        (f"postgresql://netlet:{PASSWORD}@host:{PASSWORD}/netlet", "it is not postgresql://"),
        (f"mysql://netlet:{PASSWORD}@host/netlet", "a catalogue can be in postgresql://"),
        (f"postgresql://netlet:an@{PASSWORD}@host/netlet", "write %40 for an @ in the password"),
    ],
)
def test_an_address_that_makes_no_sense_is_not_repeated(url: str, said: str, environment: dict[str, str]) -> None:
    """The variable and what is wrong with it, in one line without a word of what may be a password; exit code 2."""
    run = serve(environment | {"NETLET_DATABASE_URL": url})

    assert run.returncode == 2
    assert run.stderr.startswith(f"NETLET_DATABASE_URL: {said}")
    assert run.stderr.count("\n") == 1
    assert PASSWORD not in run.stderr


@ON_POSTGRESQL
def test_the_catalogue_of_another_store_is_refused(
    start_server: StartServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """A folder that was mistaken is not served by it, nor checked against it."""
    start_server()

    for command in (("serve", "--port", "0"), ("check",)):
        (tmp_path / "other").mkdir(exist_ok=True)
        run = serve(environment | {"NETLET_MODELS": str(tmp_path / "other")}, *command)

        assert run.returncode == 1
        assert "The catalogue is another store's." in run.stderr
        assert run.stderr.count("\n") == 1


@ON_POSTGRESQL
def test_an_outage_of_the_database_is_a_503_and_ends_by_itself(
    start_server: StartServer, environment: dict[str, str], databases: PostgreSQL
) -> None:
    """Both servers live on, say so where they need it, and go on when it is back, with a job they were at."""
    url = environment["NETLET_DATABASE_URL"]
    with start_server().client() as one, start_server().client() as other:
        assert train(one) == 201
        slow = TUTORIAL | {"name": "slow", "training": {"epochs": 10_000_000, "patience": None}}
        job = one.post("/train", params={"wait": 0, "timeout_seconds": 600}, json=slow).json()["job"]

        with databases.out_of_reach(url):
            for client in (one, other):
                answers = [
                    client.get("/readyz"),
                    client.post("/train", json=TUTORIAL),
                    client.post("/predict", json={"model": "exam", "X": [4, 8]}),
                    client.get("/models"),
                    client.get("/jobs"),
                    client.delete("/models/exam"),
                ]
                assert [(answer.status_code, answer.json()["type"]) for answer in answers] == [
                    (503, "/problems/storage")
                ] * len(answers)
                assert all(answer.headers["retry-after"] for answer in answers)
                assert not any(environment["NETLET_DATABASE_URL"] in answer.text for answer in answers)
                assert client.get("/livez").status_code == 200

        for client in (one, other):
            assert [train(client), predict(client), client.get("/readyz").status_code] == [201, 200, 200]
        assert one.get("/models/exam").json()["versions"] == [1, 2, 3]
        assert one.get(f"/jobs/{job}").json()["status"] == "running"
        one.delete(f"/jobs/{job}").raise_for_status()
        wait_until(lambda: other.get(f"/jobs/{job}").json()["status"] == "cancelled")


@ON_POSTGRESQL
def test_connections_cut_again_and_again_lose_nothing_acknowledged(
    start_server: StartServer, environment: dict[str, str], databases: PostgreSQL
) -> None:
    """While two servers train: each answer is a 201 or a 503, and each 201 is served."""
    acknowledged, statuses, over = {}, set(), threading.Event()

    def cut_now_and_then() -> None:
        while not over.wait(0.1):
            databases.cut(environment["NETLET_DATABASE_URL"])

    cutting = threading.Thread(target=cut_now_and_then)
    with start_server().client() as one, start_server().client() as other:
        cutting.start()
        for turn in range(40):
            client = (one, other)[turn % 2]
            body = TUTORIAL | {"training": {"seed": turn, "epochs": 5}}
            answer = client.post("/train", json=body)
            statuses.add(answer.status_code)
            if answer.status_code == 201:
                acknowledged[answer.json()["version"]] = answer.json()["sha256"]
        over.set()
        cutting.join()

        assert statuses <= {201, 503}
        assert len(acknowledged) >= 20
        for version, sha256 in acknowledged.items():
            for client in (one, other):
                assert client.get(f"/models/exam/versions/{version}").json()["sha256"] == sha256
    assert serve(environment, "check").returncode == 0
