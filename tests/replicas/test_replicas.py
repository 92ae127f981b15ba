"""Two replicas that Ray Serve runs, one on each node: who answers, what they answer, and what is lost with one."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.conftest import TUTORIAL, StartServer, wait_until
from tests.ray_cluster import Node, Ray, kill
from tests.replicas.serving import QUICK, Served, answered_by, replicas

pytestmark = [pytest.mark.only_on("s3"), pytest.mark.timeout(400)]

HEADER = "serve_multiplexed_model_id"
IN_A_ROW = 20  # answers by the same of two replicas, which chance gives once in half a million times
ROW = {"X": [4, 8]}

numbers = count(1)


@pytest.fixture(scope="module")
def served(
    ray: Ray, nodes: list[Node], key: dict[str, str], shared: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Run two replicas, one on each node, and give a client of them."""
    two = {"min_replicas": 2, "max_replicas": 2}
    folder = tmp_path_factory.mktemp("two")
    with (
        Served(ray, folder, QUICK | shared, autoscaling_config=two) as served,
        served.client(key) as client,
    ):
        wait_until(lambda: len(replicas(*nodes)) == 2)
        yield client


def trained(client: httpx.Client, name: str, seconds: float = 60) -> None:
    """Train a model, with the patience that a client of any cluster has: what failed is asked for again."""
    asked = {"idempotency-key": f"train-{name}"}

    def is_acknowledged() -> bool:
        try:
            return client.post("/train", json=TUTORIAL | {"name": name}, headers=asked).status_code == 201
        except httpx.TransportError:
            return False

    wait_until(is_acknowledged, seconds=seconds)


def answer(client: httpx.Client, name: str, **headers: str) -> bytes:
    answered = client.post(f"/models/{name}/predict", json=ROW, headers=headers)
    assert answered.status_code == 200, answered.text
    return answered.content


def who_answers(client: httpx.Client, nodes: list[Node], name: str, **headers: str) -> int:
    """Ask for a prediction, and tell which process gave it."""
    request = f"asked-{next(numbers)}"
    answer(client, name, **headers, **{"x-request-id": request})
    return answered_by(request, *nodes)


def test_replicas_answer_as_a_server_does_bit_for_bit(served: httpx.Client, start_server: StartServer) -> None:
    """Training, prediction, the snapshot, a problem, each header but those of connections and ids."""
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/train", {"json": TUTORIAL | {"name": "bits"}}),
        ("POST", "/predict", {"json": {"model": "bits"} | ROW | {"explain": True}}),
        ("POST", "/models/bits/predict", {"json": ROW}),
        ("GET", "/models/bits/weights", {}),
        ("POST", "/models/bits/predict", {"json": {"X": [4]}}),
        ("GET", "/models/absent", {}),
    ]

    with start_server().client() as plain:
        for method, path, more in asked:
            theirs, ours = plain.request(method, path, **more), served.request(method, path, **more)
            assert ours.status_code == theirs.status_code, ours.text
            assert settled(ours) == settled(theirs), path
            assert kept(ours) == kept(theirs), path


def settled(answered: httpx.Response) -> str:
    """Leave out what no two trainings or requests share."""
    told = r'"(job|created|created_at|trained_at|seconds|request_id|snapshot|sha256|bytes|etag)":("[^"]*"|[0-9.]+)'
    return re.sub(told, "", answered.text)


def kept(answered: httpx.Response) -> dict[str, str]:
    """Give the headers, but for those that servers have of their own."""
    own = {"date", "server", "x-request-id", "connection", "etag", "content-length", "last-modified"}
    assert len(answered.headers.get_list("x-request-id")) == 1
    return {name: value for name, value in answered.headers.items() if name not in own}


def test_without_a_key_replicas_let_nobody_in(served: httpx.Client) -> None:
    """Serve's proxy asks for none; the application does, and under a name that it does not know it answers nobody."""
    url = str(served.base_url)

    assert httpx.post(f"{url}/train", json=TUTORIAL, timeout=60).status_code == 401
    assert httpx.get(f"{url}/models", timeout=60).status_code == 401
    assert served.get("/models", headers={"host": "elsewhere.example.org"}).status_code == 421
    assert served.get("/livez").status_code == 200


def test_a_model_is_asked_of_the_replica_that_has_it(served: httpx.Client, nodes: list[Node]) -> None:
    """With its name in Serve's header, the one that was asked first; without, each of the two."""

    def is_asked_of_one() -> bool:
        name = f"settled-{next(numbers)}"
        trained(served, name)
        here = who_answers(served, nodes, name, **{HEADER: name})
        trained(
            served, f"other-{next(numbers)}"
        )  # meanwhile Serve hears where the first is; if not, both come to have it
        return {who_answers(served, nodes, name, **{HEADER: name}) for _ in range(IN_A_ROW)} == {here}

    wait_until(is_asked_of_one)

    trained(served, "anywhere")
    until_each_answers(served, nodes, "anywhere")


def until_each_answers(client: httpx.Client, nodes: list[Node], name: str) -> None:
    """Ask for predictions without saying who is to answer, until both have."""
    seen: set[int] = set()

    def have_both() -> bool:
        seen.add(who_answers(client, nodes, name))
        return seen >= {*replicas(*nodes)}

    wait_until(have_both)


def test_a_replica_that_is_killed_takes_no_acknowledged_model_with_it(served: httpx.Client, nodes: list[Node]) -> None:
    """Others answer what it has trained, to the bit; Serve begins another in its place."""
    before = {}
    for number in range(4):
        trained(served, f"kept-{number}")
        before[f"kept-{number}"] = answer(served, f"kept-{number}")
        if number in {1, 2}:
            kill(lost := replicas(*nodes)[0])
    trained(served, "after")

    wait_until(lambda: len(replicas(*nodes)) == 2 and lost not in replicas(*nodes), seconds=120)
    until_each_answers(served, nodes, "after")
    for name, content in before.items():
        for _ in range(4):
            assert answer(served, name) == content
