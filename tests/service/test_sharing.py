"""Several servers on one folder and one PostgreSQL: nothing is done twice, nothing lost, each knows of the others."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.api_keys import Quotas
from app.store.notices import LISTENER
from tests import postgresql
from tests.conftest import TUTORIAL, MakeKey, Server, StartServer, wait_until
from tests.postgresql import DURABLE, EMPTY, PostgreSQL

pytestmark = [pytest.mark.only_on("postgresql"), pytest.mark.timeout(300)]
QUICK = TUTORIAL | {"training": {"epochs": 2}}
QUESTION = {"model": "exam", "X": [4, 8]}
KILLED = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{LISTENER}'"  # noqa: S608
LISTENING = f"""
SELECT count(*) FROM pg_stat_activity WHERE application_name = '{LISTENER}' AND datname = current_database()
"""  # noqa: S608
PAUSE = 0.1  # seconds before what was refused is asked for again
PUBLISHING = """
import sys
from contextlib import closing
from app.models.learning import learn
from app.opening import store_of
from app.settings import Settings
from tests.conftest import QUICK
from tests.models.tables import EXAM

model = learn(EXAM, QUICK)
with closing(store_of(Settings())) as store:
    store.open()
    sys.stdin.readline()
    print(*(store.publish("exam", model) for _ in range(20)))
"""


@pytest.fixture
def own(environment: dict[str, str]) -> str:
    """Name the database of the servers."""
    return environment["NETLET_DATABASE_URL"]


@contextmanager
def clients_of(*servers: Server, **headers: str) -> Iterator[list[httpx.Client]]:
    with ExitStack() as opening:
        clients = [opening.enter_context(server.client()) for server in servers]
        for client in clients:
            client.headers.update(headers)
        yield clients


def at_once(
    count: int, clients: list[httpx.Client], ask: Callable[[httpx.Client, int], httpx.Response]
) -> list[httpx.Response]:
    """Ask so many times, all together, each client as often as the others; give the answers."""
    ready = threading.Barrier(count)

    def do(number: int, client: httpx.Client) -> httpx.Response:
        ready.wait(60)
        return ask(client, number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(do, range(count), [client for client, _ in zip(cycle(clients), range(count))]))


def meant(client: httpx.Client) -> int:
    return int(client.post("/predict", json=QUESTION).raise_for_status().json()["version"])


def point(client: httpx.Client, version: int, **headers: str) -> httpx.Response:
    return client.put("/models/exam/aliases/live", json={"version": version}, headers=headers)


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    return list(client.get("/jobs", params={"limit": 1000}).raise_for_status().json()["jobs"])


def test_an_alias_that_one_moves_is_moved_for_the_other(start_server: StartServer) -> None:
    """Back and forth, by either; so are versions that come and models that go."""
    with clients_of(start_server(), start_server()) as (one, other):
        for _ in range(2):
            one.post("/train", json=QUICK).raise_for_status()
        for number in range(10):
            mover, asker = (one, other) if number % 2 else (other, one)
            version = 1 + number % 2
            point(mover, version).raise_for_status()
            assert meant(mover) == version
            wait_until(lambda asker=asker, version=version: meant(asker) == version)  # type: ignore[misc]

        other.delete("/models/exam").raise_for_status()
        wait_until(lambda: one.post("/predict", json=QUESTION).status_code == 404)


def test_an_alias_is_seen_to_move_though_the_listeners_were_cut(
    start_server: StartServer, databases: PostgreSQL, own: str
) -> None:
    """Another connection listens soon, in each of the servers."""
    with clients_of(start_server(), start_server()) as (one, other), databases.connected(own) as beside:
        for _ in range(2):
            one.post("/train", json=QUICK).raise_for_status()
        for version in (1, 2):
            assert meant(other)
            databases.run(KILLED)
            point(one, version).raise_for_status()
            wait_until(lambda version=version: meant(other) == version)  # type: ignore[misc]
            wait_until(lambda: beside.execute(LISTENING).fetchone() == (2,))


def test_two_hundred_jobs_are_each_done_once(start_server: StartServer, databases: PostgreSQL, own: str) -> None:
    """By two servers, which are told of what waits and claim it at the same time: 200 jobs, 200 versions."""
    servers = [start_server(NETLET_MOST_WAITING="300") for _ in range(2)]
    with clients_of(*servers) as (one, other):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: one.post("/train?wait=0", json=QUICK), range(200)))
        ids = [answer.raise_for_status().json()["job"] for answer in answers]
        assert len(set(ids)) == 200
        wait_until(lambda: {job["status"] for job in listed(other)} == {"succeeded"})

        ended = listed(other)
        assert sorted(job["job"] for job in ended) == sorted(ids)
        assert {job["attempt"] for job in ended} == {1}
        assert sorted(job["version"] for job in ended) == list(range(1, 201))
        assert one.get("/models/exam").json()["versions"] == list(range(1, 201))
    with databases.connected(own) as beside:
        assert beside.execute("SELECT count(DISTINCT owner) FROM jobs").fetchone() == (2,)


def test_numbers_of_one_name_are_taken_in_turn(environment: dict[str, str]) -> None:
    """Three processes publish under one name at the same time: no number is given twice, and none left out."""
    with ExitStack() as ending:
        writers = [
            ending.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PUBLISHING],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(3)
        ]
        with ThreadPoolExecutor(3) as pool:
            told = list(pool.map(lambda writer: writer.communicate("go\n", timeout=100)[0], writers))

    assert sorted(int(number) for numbers in told for number in numbers.split()) == list(range(1, 61))


@pytest.mark.parametrize(
    ("quotas", "name"), [(Quotas(trainings=3), "exam"), (Quotas(stored=3), "exam-{}")], ids=["trainings", "stored"]
)
def test_no_key_has_more_than_it_may_of_two_servers(
    quotas: Quotas, name: str, start_server: StartServer, make_key: MakeKey
) -> None:
    """However many ask both at the same time."""
    key = make_key("train", models=("exam*",), quotas=quotas)
    servers = [start_server(NETLET_TRAININGS_AT_ONCE="1") for _ in range(2)]
    with clients_of(*servers, **key) as clients:
        for client in clients:
            wait_until(lambda client=client: client.get("/jobs").status_code == 200)  # type: ignore[misc]
        answers = at_once(
            12,
            clients,
            lambda client, number: client.post("/train?paused=true", json=QUICK | {"name": name.format(number)}),
        )

        assert Counter(answer.status_code for answer in answers) == {202: 3, 429: 9}


def test_no_more_wait_than_may_for_two_servers(start_server: StartServer) -> None:
    """Each runs one, and together they let four wait; the others are told to come again."""
    terms = {"NETLET_MOST_WAITING": "4", "NETLET_TRAININGS_AT_ONCE": "1"}
    with clients_of(start_server(**terms), start_server(**terms)) as clients:
        for client in clients:
            client.post("/train?paused=true", json=QUICK | {"name": "other"}).raise_for_status()
        answers = at_once(12, clients, lambda client, _: client.post("/train?paused=true", json=QUICK))

        assert Counter(answer.status_code for answer in answers) == {202: 4, 429: 8}


def test_what_has_one_key_is_done_once_by_two_servers(start_server: StartServer) -> None:
    """Twelve send it at the same time: one job, one version."""
    with clients_of(start_server(), start_server()) as clients:
        answers = at_once(
            12, clients, lambda client, _: client.post("/train", json=QUICK, headers={"idempotency-key": "mine"})
        )

        assert {answer.status_code for answer in answers} == {201}
        assert {answer.json()["version"] for answer in answers} == {1}
        assert clients[0].get("/models/exam").json()["versions"] == [1]
        assert len(clients[0].get("/jobs").json()["jobs"]) == 1


def test_of_those_who_move_an_alias_from_one_revision_one_does(start_server: StartServer) -> None:
    """All others are told that it has moved, whichever server they ask."""
    with clients_of(start_server(), start_server()) as clients:
        for _ in range(2):
            clients[0].post("/train", json=QUICK).raise_for_status()
        point(clients[0], 1).raise_for_status()
        answers = at_once(12, clients, lambda client, _: point(client, 2, **{"if-match": '"1"'}))

        assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 11}
        history = clients[1].get("/models/exam/aliases/live/history").json()["moves"]
        assert [move["revision"] for move in history] == [2, 1]


def test_a_dataset_is_not_deleted_under_a_training(start_server: StartServer) -> None:
    """One server is to train from it, the other to delete it: it is either in use, or not found, and no job fails."""
    table = b"a,b\n1,2\n2,3\n3,5\n"
    with clients_of(start_server(), start_server()) as clients:
        for _ in range(10):
            sent = clients[0].post("/datasets", content=table, headers={"content-type": "text/csv"})
            dataset = sent.raise_for_status().json()["dataset"]
            order = {"name": "exam", "dataset": dataset, "target": "b", "training": {"epochs": 2}}

            def ask(client: httpx.Client, number: int, dataset: str = dataset, order: Any = order) -> httpx.Response:
                return client.delete(f"/datasets/{dataset}") if number else client.post("/train", json=order)

            trained, deleted = at_once(2, clients, ask)
            assert (trained.status_code, deleted.status_code) in {(201, 409), (201, 204), (404, 204)}, trained.text


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[PostgreSQL]:
    """Run a server that loses nothing which it has acknowledged, however it ends."""
    assert tmp_path.is_dir()
    with postgresql.running(DURABLE) as server:
        yield server


def checked(environment: dict[str, str], *options: str) -> int:
    """Check the store, once nobody serves it; a commit that nobody could be told of may have left a file behind."""
    command = [sys.executable, "-m", "app.cli", "check", *options]
    return subprocess.run(command, env=environment, check=False, timeout=60).returncode


class Load:
    """Clients that train without pause, by turns waiting for the model and not, and keep what they are told."""

    def __init__(self, clients: list[httpx.Client]) -> None:
        self.clients = clients
        self.made: dict[tuple[str, int], str] = {}
        self.jobs: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.over = threading.Event()
        self.asking: list[Future[None]] = []

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Ask for as long as this lasts."""
        with ThreadPoolExecutor(4) as pool:
            for number in range(4):
                self.asking.append(pool.submit(self._ask, self.clients[number % 2], f"exam-{number % 2}"))
            try:
                yield
            finally:
                self.over.set()
        for each in self.asking:
            each.result()

    def go_on(self) -> None:
        """Wait until ten more models are there."""
        before = len(self.made)
        wait_until(lambda: self._has_made(before + 10))

    def _has_made(self, models: int) -> bool:
        for each in self.asking:
            if each.done():
                each.result()
        return len(self.made) > models

    def _ask(self, client: httpx.Client, name: str) -> None:
        for wait in cycle((0, 5)):
            if self.over.is_set():
                return
            answer = client.post(f"/train?wait={wait}", json=QUICK | {"name": name})
            self.statuses[answer.status_code] += 1
            told = answer.json()
            if answer.status_code == 201:
                self.made[told["model"], told["version"]] = told["sha256"]
            elif answer.status_code == 202:
                self.jobs.append(told["job"])
            else:
                time.sleep(PAUSE)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in order", "in a crash"])
def test_a_restart_of_the_database_loses_nothing_acknowledged(
    how: signal.Signals, durable: PostgreSQL, environment: dict[str, str]
) -> None:
    """Under load by two servers: each answer is good or a 503, each 201 is served, each job comes to its end."""
    environment = environment | {"NETLET_DATABASE_URL": durable.create(EMPTY), "NETLET_LEASE_SECONDS": "2"}
    with ExitStack() as ending:
        servers = [Server(environment) for _ in range(2)]
        for server in servers:
            ending.callback(server.end)
        one, other = ending.enter_context(clients_of(*servers))
        load = Load([one, other])
        with load.applied():
            for _ in range(2):
                load.go_on()
                durable.restart(how, 1)
            load.go_on()

        assert set(load.statuses) <= {201, 202, 503}
        for (name, version), sha256 in load.made.items():
            assert one.get(f"/models/{name}/versions/{version}").json()["sha256"] == sha256
        for job in load.jobs:
            wait_until(lambda job=job: other.get(f"/jobs/{job}").json()["status"] == "succeeded")  # type: ignore[misc]
        assert [client.get("/readyz").status_code for client in (one, other)] == [200, 200]
    assert [checked(environment, *options) for options in (("--repair",), ())] == [0, 0]
