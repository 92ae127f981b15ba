"""Rows 64 to 66 of the fault table: keys."""

import json

import httpx
import pytest

from app.store.api_keys import Quotas
from tests.conftest import TUTORIAL, MakeKey


async def test_fault_64_what_is_anothers_is_not_there(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """404 and not 403: a key for other models tells nothing of those that it is not for."""
    await admin.post("/train", json=TUTORIAL)
    key = make_key("predict", models=("other",))

    theirs = await admin.get("/models/exam", headers=key)
    nobodys = await admin.get("/models/exbm", headers=key)

    assert theirs.status_code == nobodys.status_code == 404
    said = json.loads(nobodys.text.replace("exbm", "exam"))  # the name that was asked for comes back, and nothing else
    assert theirs.json() | {"request_id": ""} == said | {"request_id": ""}


@pytest.mark.parametrize("shown", [{}, {"authorization": "Bearer nk_1_no"}, {"x-api-key": "nk_9_" + "a" * 43}])
async def test_fault_65_without_a_valid_key_nothing_is_done(admin: httpx.AsyncClient, shown: dict[str, str]) -> None:
    """401 with WWW-Authenticate; ten failures a minute from one address are enough, but a valid key still counts."""
    headers = {"authorization": ""} | shown

    answers = [await admin.post("/train", json=TUTORIAL, headers=headers) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="netlet"'
    assert answers[0].json()["type"] == "/problems/unauthorized"
    assert answers[-1].headers["retry-after"] == "60"
    assert (await admin.get("/models")).json()["models"] == []


async def test_fault_66_more_than_a_key_may_is_refused(admin: httpx.AsyncClient, make_key: MakeKey) -> None:
    """429 with the rate, what is left of it and when to come back; as many trainings as it may have are 429 too."""
    often = make_key("predict", quotas=Quotas(requests=0.01))
    trainer = make_key("train", quotas=Quotas(trainings=0))

    assert (await admin.get("/models", headers=often)).status_code == 200
    refused = await admin.get("/models", headers=often)
    assert refused.status_code == 429
    assert refused.json()["type"] == "/problems/rate-limited"
    assert 0 < int(refused.headers["retry-after"]) <= 100
    assert refused.headers["ratelimit-policy"] == '"requests";q=0.01;w=1'
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert (await admin.post("/train", json=TUTORIAL, headers=trainer)).status_code == 429
