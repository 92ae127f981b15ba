"""Whose datasets are, and what these count."""

import asyncio

import httpx
import pytest

from app.api.parts import Parts
from app.main import create_app
from app.settings import Settings
from app.store.api_keys import Quotas
from app.store.layout import DATASETS
from tests.conftest import TUTORIAL, MakeKey, held

TABLE = b"a,b\n1,2\n2,3\n3,5\n"
ORDER = {"name": "a1", "target": "b"}


async def sent(client: httpx.AsyncClient, key: dict[str, str], table: bytes = TABLE) -> httpx.Response:
    return await client.post("/datasets", content=table, headers=key | {"content-type": "text/csv"})


async def test_a_dataset_that_cannot_be_deleted_stays_its_owners(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """While a training needs it, its owner still sees it, and it still counts."""
    key = make_key("train", models=("a*",), quotas=Quotas(bytes=1))
    dataset = (await sent(admin, key)).json()["dataset"]
    other = make_key("train", models=("a*",))
    await sent(admin, other)
    order = ORDER | {"dataset": dataset}
    job = (await admin.post("/train", params={"paused": True}, json=order, headers=other)).json()["job"]
    assert (await admin.delete(f"/datasets/{dataset}", headers=other)).status_code == 204

    assert (await admin.delete(f"/datasets/{dataset}", headers=key)).status_code == 409

    assert (await admin.get(f"/datasets/{dataset}", headers=key)).status_code == 200
    assert (await sent(admin, key, TABLE + b"4,6\n")).status_code == 429
    await admin.delete(f"/jobs/{job}")


@pytest.mark.parametrize("scope", ["metrics", "admin"])
@pytest.mark.parametrize("path", ["/metrics", "/readyz?verbose"])
async def test_figures_of_all_models_are_for_keys_of_all_models(
    scope: str, path: str, admin: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """Names of others' models are in them."""
    some, every = make_key(scope, models=("a*",)), make_key(scope)

    refused, answered = [await admin.get(path, headers=key) for key in (some, every)]

    assert refused.status_code == 403
    assert "for all" in refused.json()["detail"]
    assert answered.status_code == 200


async def test_what_is_sent_while_another_deletes_it_is_kept(settings: Settings, make_key: MakeKey) -> None:
    """Who is told that it is kept has it, also where its owner has just asked for it to be deleted."""
    first, second = (make_key("train", models=(f"{name}*",)) for name in "ab")
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netlet", timeout=60) as client,
    ):
        parts: Parts = app.state.parts
        dataset = (await sent(client, first)).json()["dataset"]

        async def asked(count: int) -> None:
            while parts.store.catalogue.waiting.qsize() < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

        with held(parts.store):
            deleting = asyncio.create_task(client.delete(f"/datasets/{dataset}", headers=first))
            await asked(1)
            sending = asyncio.create_task(sent(client, second))
            await asked(2)

        assert (await deleting).status_code == 204
        assert (await sending).status_code == 201
        assert (await client.get(f"/datasets/{dataset}", headers=second)).status_code == 200
        assert (await client.post("/train", json=ORDER | {"name": "b1", "dataset": dataset}, headers=second)).is_success


@pytest.mark.parametrize("lost", [("json",), ("parquet",), ("json", "parquet")])
async def test_a_damaged_dataset_keeps_its_owner_from_nothing(
    lost: tuple[str, ...], admin: httpx.AsyncClient, make_key: MakeKey, settings: Settings
) -> None:
    """With a quota of bytes, it still trains and uploads, the same bytes too, which mends what is damaged."""
    key = make_key("train", models=("exam*",), quotas=Quotas(bytes=10**6))
    dataset = (await sent(admin, key)).json()["dataset"]
    for kind in lost:
        (settings.models / DATASETS / f"{dataset}.{kind}").unlink()

    assert (await admin.post("/train", json=TUTORIAL, headers=key)).status_code == 201
    assert (await sent(admin, key, TABLE + b"4,6\n")).status_code == 201
    assert (await sent(admin, key)).status_code == 201

    assert (await admin.get(f"/datasets/{dataset}", headers=key)).status_code == 200


async def test_a_dataset_that_is_damaged_counts_too(
    admin: httpx.AsyncClient, make_key: MakeKey, settings: Settings
) -> None:
    """As many bytes as its file has."""
    key = make_key("train", models=("exam*",), quotas=Quotas(bytes=1))
    dataset = (await sent(admin, key)).json()["dataset"]
    (settings.models / DATASETS / f"{dataset}.json").unlink()

    assert (await sent(admin, key, TABLE + b"4,6\n")).status_code == 429
