"""Who may ask for what."""

import asyncio
import re
from time import time
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from app.store import api_keys, deeds
from app.store.api_keys import SCOPES, Grant, Quotas
from app.store.catalogue import Catalogue
from app.store.deeds import Deed
from tests.conftest import ROWS, TUTORIAL, MakeKey, Write, client_of

QUESTION = {"model": "exam", "rows": [{"hours_studied": 4, "hours_slept": 8}]}
OPEN = {"/livez", "/readyz", "/ping", "/v2", "/v2/health/live", "/v2/health/ready"}
PLACES = {"name": "exam", "version": "1", "alias": "live", "job_id": "0" * 16, "dataset": "0" * 32, "form": "svg"}

Operation = tuple[str, str, dict[str, Any]]


def operations() -> list[Operation]:
    return [
        (method.upper(), path, operation)
        for path, operations in create_app(Settings()).openapi()["paths"].items()
        for method, operation in operations.items()
    ]


def address(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: PLACES.get(match[1], "diagram"), path)


class Asking:
    """Asks with a key after another process changed it: with SQLite that counts at once, else once the service is told.

    That takes milliseconds, or a quarter of a second where the service has to look; ten refusals are what it bears.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_at_once = settings.database_url is None

    async def status(self, client: httpx.AsyncClient, key: dict[str, str], expected: int) -> int:
        """Tell what is answered at last."""
        for _ in range(1 if self.is_at_once else 9):
            status = (await client.get("/models", headers=key)).status_code
            if status == expected or self.is_at_once:
                return status
            await asyncio.sleep(0.3)
        return status


@pytest.fixture
def asking(settings: Settings) -> Asking:
    return Asking(settings)


async def test_no_route_answers_without_a_key(admin: httpx.AsyncClient) -> None:
    """Every route of the OpenAPI document but for probes is 401 without one, and with a false or a broken one."""
    await admin.post("/train", json=TUTORIAL)
    forged = admin.headers["authorization"][:-4] + "AAAA"

    for method, path, operation in operations():
        for shown in ({}, {"authorization": forged}, {"x-api-key": "nk_1_"}, {"authorization": "Basic bmtfMQ=="}):
            headers = {"authorization": "", "x-forwarded-for": f"10.0.0.{len(path)}"} | shown
            response = await admin.request(method, address(path), headers=headers, content=b"{}")

            if path in OPEN:
                assert response.status_code < 400, path
                assert "security" not in operation
            else:
                assert response.status_code in {401, 429}, (method, path, response.text)
                assert operation["security"]
    assert (await admin.get("/models/exam")).status_code == 200


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope != "admin"])
async def test_a_key_opens_the_routes_of_its_scopes_and_no_others(
    scope: str, admin: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """Every other route of the OpenAPI document is 403, whatever is sent."""
    await admin.post("/train", json=TUTORIAL)
    key = make_key(scope)

    for method, path, operation in operations():
        if "x-scope" not in operation:
            continue
        response = await admin.request(method, address(path), headers=key, params={"wait": 0}, content=b"{")
        assert (response.status_code == 403) == (operation["x-scope"] != scope), (method, path, response.text)


async def test_a_service_without_keys_needs_none(client: httpx.AsyncClient, make_key: MakeKey, asking: Asking) -> None:
    """Until the first is made, which counts at once."""
    assert (await client.get("/models")).status_code == 200

    key = make_key("predict")

    assert await asking.status(client, {}, 401) == 401
    assert (await client.get("/models", headers=key)).status_code == 200


async def test_where_other_machines_could_ask_a_key_is_needed_even_if_there_is_none(settings: Settings) -> None:
    """Deleting the last key of a service that is exposed opens it to nobody, unless it was told to be insecure."""
    exposed = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 - nobody listens
    async with client_of(exposed) as client:
        assert (await client.get("/models")).status_code == 401
    async with client_of(exposed.model_copy(update={"insecure": True})) as client:
        assert (await client.get("/models")).status_code == 200


async def test_a_key_may_come_in_either_header(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """Authorization with any case of Bearer, or X-API-Key."""
    text = make_key("predict")["authorization"].removeprefix("Bearer ")

    for shown in ({"authorization": f"bearer {text}"}, {"authorization": "", "x-api-key": text}):
        assert (await admin.get("/models", headers=shown)).status_code == 200


async def test_a_key_ends_when_it_is_revoked_or_expires(
    admin: httpx.AsyncClient, make_key: MakeKey, write: Write, asking: Asking
) -> None:
    """At once, and then it is as one that never was."""
    key, old = make_key("predict"), make_key("predict", expires=time() - 1)
    assert (await admin.get("/models", headers=key)).status_code == 200
    assert (await admin.get("/models", headers=old)).status_code == 401

    write(lambda unit: api_keys.revoke(unit, 2))

    assert await asking.status(admin, key, 401) == 401


async def test_a_key_that_ends_is_told_no_more_of_what_it_followed(
    admin: httpx.AsyncClient, make_key: MakeKey, write: Write
) -> None:
    """A stream of events ends with its key, though the training goes on: whoever connects again is 401."""
    key = make_key("train")
    endless = TUTORIAL | {"training": {"epochs": 10_000_000}}
    job = (await admin.post("/train", params={"wait": 0}, json=endless)).json()["job"]
    following = asyncio.create_task(admin.get(f"/jobs/{job}/events", headers=key))
    for _ in range(10):  # until it is let in
        await admin.get(f"/jobs/{job}")

    write(lambda unit: api_keys.revoke(unit, 2))

    async with asyncio.timeout(30):
        told = await following
    assert (told.status_code, "event: cancelled" in told.text) == (200, False)
    assert (await admin.get(f"/jobs/{job}")).json()["status"] == "running"
    await admin.delete(f"/jobs/{job}")


async def test_a_key_that_is_rotated_has_another_secret(
    admin: httpx.AsyncClient, make_key: MakeKey, write: Write, asking: Asking
) -> None:
    """What it was ends at once, or after the overlap; its number, scopes and quotas stay."""
    first = make_key("predict")
    assert (await admin.get("/models", headers=first)).status_code == 200
    second = {"authorization": f"Bearer {write(lambda unit: api_keys.rotate(unit, 2, 0))}"}
    assert await asking.status(admin, first, 401) == 401
    assert (await admin.get("/models", headers=second)).status_code == 200

    third = {"authorization": f"Bearer {write(lambda unit: api_keys.rotate(unit, 2, 1000))}"}

    assert await asking.status(admin, third, 200) == 200
    assert [(await admin.get("/models", headers=key)).status_code for key in (first, second, third)] == [401, 200, 200]


async def test_the_secret_of_a_key_is_not_kept(admin: httpx.AsyncClient, settings: Settings, make_key: MakeKey) -> None:
    """No file of the store has it."""
    secret = make_key("predict")["authorization"].rpartition("_")[2].encode()
    await admin.get("/models")

    files = [path for path in settings.models.rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if secret in path.read_bytes()]


async def test_a_key_for_some_models_finds_no_others(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """They are not there, by any route, in any list, as the job of a training, or to be trained."""
    for name in ("exam", "exam-2", "other"):
        await admin.post("/train", json=TUTORIAL | {"name": name})
    (theirs,) = (await admin.get("/jobs", params={"limit": 1})).json()["jobs"]
    own = make_key("predict", "train", models=("exam*",))

    async def got(method: str, path: str, **more: Any) -> httpx.Response:
        return await admin.request(method, path, headers=own, **more)

    assert [model["model"] for model in (await got("GET", "/models")).json()["models"]] == ["exam", "exam-2"]
    assert (await got("GET", "/v1/models")).json() == {"models": ["exam", "exam-2"]}
    assert (await got("GET", "/v2/models")).json() == {"models": ["exam", "exam-2"]}
    assert {model["name"] for model in (await got("POST", "/v2/repository/index")).json()} == {"exam", "exam-2"}
    assert (await got("POST", "/predict", json=QUESTION)).status_code == 200
    hidden = [
        await got("POST", "/predict", json=QUESTION | {"model": "other"}),
        await got("POST", "/predict", json=QUESTION | {"model": "other/1"}),
        await got("POST", "/models/other/predict", json={"X": [4, 8]}),
        await got("GET", "/models/other"),
        await got("GET", "/models/other/versions/1/weights"),
        await got("GET", "/models/other@live"),
        await got("GET", "/v1/models/other"),
        await got("POST", "/invocations", params={"model": "other"}, json={"inputs": [[4, 8]]}),
        await got("POST", "/models/other/train", json={"rows": ROWS}),
        await got("GET", f"/jobs/{theirs['job']}"),
        await got("DELETE", f"/jobs/{theirs['job']}"),
    ]
    assert [response.status_code for response in hidden] == [404] * len(hidden)
    assert (await got("GET", "/jobs")).json()["jobs"] == []
    rows = {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [4, 8]}]}
    for name in ("exam", "other"):
        (await admin.post(f"/v2/models/{name}/infer", json=rows)).raise_for_status()
    assert [each["name"] for each in (await got("GET", "/v2/models/stats")).json()["model_stats"]] == ["exam"]
    assert (await got("POST", "/train", json=TUTORIAL | {"name": "other-2"})).status_code == 403
    assert (await got("POST", "/train", json=TUTORIAL | {"name": "exam-3"})).status_code == 201
    assert len((await got("GET", "/jobs")).json()["jobs"]) == 1


async def test_a_dataset_is_that_of_the_keys_that_it_was_sent_with(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """Others for some models neither see it nor train from it; it is gone once all are done with it."""
    first, second = (make_key("train", models=(f"{name}*",)) for name in "ab")
    table = b"a,b\n1,2\n2,3\n3,5\n"

    async def sent(key: dict[str, str]) -> httpx.Response:
        return await admin.post("/datasets", content=table, headers=key | {"content-type": "text/csv"})

    dataset = (await sent(first)).json()["dataset"]
    order = {"name": "b1", "dataset": dataset, "target": "b"}

    assert (await admin.get(f"/datasets/{dataset}", headers=second)).status_code == 404
    assert (await admin.post("/train", json=order, headers=second)).status_code == 404
    assert (await admin.get("/datasets", headers=second)).json()["datasets"] == []
    assert (await sent(second)).status_code == 200
    assert (await admin.post("/train", json=order, headers=second)).status_code == 201
    assert (await admin.get(f"/datasets/{dataset}")).json()["models"] == ["b1/1"]
    assert (await admin.get(f"/datasets/{dataset}", headers=first)).json()["models"] == []
    assert (await sent(first)).json()["models"] == []
    assert (await admin.delete(f"/datasets/{dataset}", headers=first)).status_code == 204
    assert (await admin.get(f"/datasets/{dataset}", headers=first)).status_code == 404
    assert (await admin.get("/datasets", headers=second)).json()["datasets"][0]["dataset"] == dataset
    assert (await admin.delete(f"/datasets/{dataset}", headers=second)).status_code == 204
    assert (await admin.get(f"/datasets/{dataset}")).status_code == 404


async def test_a_key_of_an_idempotent_request_is_the_senders_own(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """Another's Idempotency-Key, however long, neither gives away what was made under it nor is in the way."""
    keys = make_key("train"), make_key("train")

    async def made(key: dict[str, str], name: str) -> tuple[int, str | None]:
        response = await admin.post("/train", json=TUTORIAL, headers=key | {"idempotency-key": name})
        assert response.status_code == 201
        return response.json()["version"], response.headers.get("idempotency-replayed")

    for name, numbers in (("same", (1, 2)), ("s" * 255, (3, 4)), ("s" * 254 + "t", (5, 6))):
        for replayed in (None, "true"):
            for key, number in zip(keys, numbers, strict=True):
                assert await made(key, name) == (number, replayed)


@pytest.mark.parametrize(
    ("quotas", "what"),
    [(Quotas(stored=1), "stored"), (Quotas(bytes=1), "bytes"), (Quotas(trainings=0), "trainings")],
)
async def test_a_key_has_as_much_as_it_may(
    quotas: Quotas, what: str, admin: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """One more is 429, with what is left in a header, and nothing of it is made."""
    await admin.post("/train", json=TUTORIAL)
    key = make_key("train", models=("exam*",), quotas=quotas)

    response = await admin.post("/train", json=TUTORIAL | {"name": "exam-2"}, headers=key)

    assert response.status_code == 429, response.text
    assert response.headers["ratelimit"] == f'"{what}";r=0'
    assert response.json()["type"] == "/problems/quota"
    assert (await admin.get("/models/exam-2")).status_code == 404


async def test_models_that_are_still_to_be_trained_count_too(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """However many are asked for before the first is there; another version of one that is coming is none."""
    key = make_key("train", models=("exam*",), quotas=Quotas(stored=2))

    async def asked(name: str) -> int:
        answer = await admin.post("/train", json=TUTORIAL | {"name": name}, headers=key, params={"paused": True})
        return answer.status_code

    at_once = await asyncio.gather(*(asked(f"exam-{number}") for number in range(4)))

    assert sorted(at_once) == [202, 202, 429, 429]
    assert await asked(f"exam-{at_once.index(202)}") == 202
    for job in (await admin.get("/jobs")).json()["jobs"]:
        await admin.delete(f"/jobs/{job['job']}")


async def test_a_new_version_of_a_model_is_no_new_model(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """With as many models as it may have, a key still trains each of them anew."""
    key = make_key("train", models=("exam*",), quotas=Quotas(stored=1))

    for _ in range(2):
        assert (await admin.post("/train", json=TUTORIAL, headers=key)).status_code == 201


async def test_what_was_changed_is_remembered_with_who_did_it(
    admin: httpx.AsyncClient, make_key: MakeKey, catalogue: Catalogue
) -> None:
    """Trainings, moves and deletions, but no questions and nothing that was refused."""
    trainer = make_key("train")
    await admin.post("/train", json=TUTORIAL, headers=trainer | {"x-request-id": "one"})
    await admin.post("/predict", json=QUESTION)
    await admin.post("/models/exam/gradcheck", json={"rows": ROWS})
    await admin.delete("/models/nobody")
    await admin.put("/models/exam/aliases/live", json={"version": 1, "who": "Ada"})
    await admin.delete("/models/exam")

    done = [deed for _, deed in deeds.newest(catalogue, limit=10)][::-1]

    assert [(deed.who, deed.method, deed.path, deed.status) for deed in done] == [
        ("key 2 test", "POST", "/train", 201),
        ("key 1 test", "PUT", "/models/exam/aliases/live", 201),
        ("key 1 test", "DELETE", "/models/exam", 204),
    ]
    assert (done[0].made, done[0].request, done[0].address) == ("/models/exam/versions/1", "one", "127.0.0.1")
    moves = (await admin.get("/models/exam/aliases/live/history")).json()["moves"]
    assert [move["who"] for move in moves] == ["key 1 test", "Ada (key 1 test)"]


async def test_what_is_older_is_forgotten_at_the_next_start(
    settings: Settings, catalogue: Catalogue, write: Write
) -> None:
    """Deeds are kept for as many days as is set."""
    old, new = (Deed(time() - days * 86_400, "", "", "DELETE", "/models/exam", 204, None, "") for days in (3, 1))
    write(lambda unit: deeds.note(unit, old))
    write(lambda unit: deeds.note(unit, new))

    async with client_of(settings.model_copy(update={"deed_days": 2})):
        assert len(deeds.newest(catalogue, limit=10)) == 1


@pytest.mark.parametrize(
    ("patterns", "seen"),
    [(("exam*",), {"exam", "exam-2"}), (("ex?m", "z"), {"exam"}), (("*",), {"exam", "exam-2", "z_a"})],
)
def test_patterns_match_whole_names(patterns: tuple[str, ...], seen: set[str]) -> None:
    """A star is anything, a question mark one character."""
    grant = Grant(frozenset(), patterns)

    assert {name for name in ("exam", "exam-2", "z_a") if grant.sees(name)} == seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"model": "exam", "X": [4, 8]}),
        ("/predict", {"model": "exam", "rows": [{"hours_studied": 4, "hours_slept": 8}]}),
        ("/predict", {"model": "exam", "X": [4, None]}),
        ("/v1/models/exam:predict", {"instances": [4, 8]}),
        ("/invocations?model=exam", {"inputs": [4, 8]}),
    ],
)
async def test_a_bare_row_counts_as_one(
    path: str, body: dict[str, Any], admin: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """With two rows a second, two such requests in a moment are in it."""
    await admin.post("/train", json=TUTORIAL)
    key = make_key("predict", quotas=Quotas(rows=2))

    for _ in range(2):
        assert (await admin.post(path, json=body, headers=key)).status_code != 429
