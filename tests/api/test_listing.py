"""Lists of models: a page at a time, by name or the newest first, all or those that are tagged so."""

from typing import Any

import httpx

from tests.api.test_models import QUICK, trained


async def test_models_are_listed_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    """By name, with prefix, limit and a place to go on from; null ends the list."""
    for name in ("exam", "exam-2", "other"):
        await trained(client, name=name, **QUICK)

    everything = (await client.get("/models")).json()
    page = (await client.get("/models", params={"prefix": "exam", "limit": 1})).json()
    rest = (await client.get("/models", params={"prefix": "exam", "limit": 1, "after": page["next"]})).json()

    assert [model["model"] for model in everything["models"]] == ["exam", "exam-2", "other"]
    assert everything["next"] is None
    assert everything["models"][0] == {
        "model": "exam",
        "versions": [1],
        "task": "regression",
        "columns": ["x1"],
        "target": "y",
        "tags": {},
        "damage": None,
    }
    assert [model["model"] for model in (*page["models"], *rest["models"])] == ["exam", "exam-2"]
    assert rest["next"] is None


async def test_models_are_listed_by_what_they_are_tagged_with(client: httpx.AsyncClient) -> None:
    """By a tag, or a tag and its value, of what a name means; with several, by all of them; the newest first."""
    north, south = {"region": "north", "plan": "a=b"}, {"region": "south"}
    for name, tags in (("b", north), ("c", south), ("a", north), ("d", {})):
        await trained(client, name=name, tags=tags, **QUICK)
    await trained(client, name="b", tags=south, **QUICK)

    async def listed(**wanted: Any) -> list[str]:
        answer = await client.get("/models", params=wanted)
        return [model["model"] for model in answer.raise_for_status().json()["models"]]

    assert await listed(tag="region=north") == ["a"]
    assert await listed(tag="region=south") == ["b", "c"]
    assert await listed(tag="region") == ["a", "b", "c"]
    assert await listed(tag=["region=north", "plan=a=b"]) == ["a"]
    assert await listed(tag=["region=south", "plan"]) == []
    assert await listed(tag="region", sort="newest", prefix="c") == ["c"]
    assert await listed(sort="newest") == ["b", "d", "a", "c"]
    await client.put("/models/b/aliases/live", json={"version": 1})
    assert await listed(tag="region=north", sort="newest") == ["a", "b"]
    assert (await client.get("/models", params={"tag": "plan"})).json()["models"][0]["tags"] == north


async def test_pages_of_the_newest_models_follow_each_other(client: httpx.AsyncClient) -> None:
    """Each begins behind the last of the page before; what is no such place is refused."""
    for name in ("b", "a", "c"):
        await trained(client, name=name, **QUICK)

    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get("/models", params={"sort": "newest", "limit": 1, "after": after})).json()
        names += [model["model"] for model in page["models"]]
        after = page["next"]

    assert names == ["c", "a", "b"]
    for place in ("b", "1e5", "nan~b", "1~", "1~../b", "1e999~b", "--1~b", "-~b"):
        refused = await client.get("/models", params={"sort": "newest", "after": place})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "query.after")
    for unfit in ({"sort": "age"}, {"tag": ["a"] * 11}, {"tag": "a" * 302}):
        assert (await client.get("/models", params=unfit)).status_code == 422
