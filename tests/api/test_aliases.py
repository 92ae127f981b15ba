"""Aliases over HTTP: pointed, guarded, rolled back, and meant wherever a model is named."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.api.problem import problem

ALIASES = "/models/exam/aliases"
LIVE = f"{ALIASES}/live"
QUICK: dict[str, Any] = {"name": "exam", "X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1}}


async def train(client: httpx.AsyncClient, times: int = 1, **more: Any) -> None:
    for _ in range(times):
        (await client.post("/train", json=QUICK | more)).raise_for_status()


@pytest.fixture
async def exam(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Give a client of a service with three versions of one model."""
    await train(client, 3)
    return client


async def put(client: httpx.AsyncClient, version: int, path: str = LIVE, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.put(path, content=json.dumps({"version": version}), headers=named)


async def answering(client: httpx.AsyncClient, reference: str) -> int:
    response = await client.post("/predict", json={"model": reference, "X": [1]})
    response.raise_for_status()
    version: int = response.json()["version"]
    return version


async def test_an_alias_is_made_moved_told_and_deleted(exam: httpx.AsyncClient) -> None:
    """201 when it is new, then 200; its revision is its ETag; after 204 it is not found."""
    made = await put(exam, 1)
    same = await put(exam, 1)
    moved = await put(exam, 2)
    told = await exam.get(LIVE)
    listed = (await exam.get(ALIASES)).json()
    deleted = await exam.delete(LIVE)

    assert [answer.status_code for answer in (made, same, moved, told, deleted)] == [201, 200, 200, 200, 204]
    assert [answer.headers["etag"] for answer in (made, same, moved, told)] == ['"1"', '"1"', '"2"', '"2"']
    assert made.headers["location"] == LIVE
    assert told.json() == moved.json()
    assert told.json() == {"model": "exam", "alias": "live", "reference": "exam@live", "version": 2, "revision": 2}
    assert listed == {"model": "exam", "aliases": [told.json()]}
    assert (await problem(exam, LIVE, b"", "GET"))["type"] == "/problems/alias-not-found"
    assert (await exam.get(ALIASES)).json()["aliases"] == []
    assert (await put(exam, 3)).headers["etag"] == '"4"'


async def test_an_alias_is_meant_wherever_a_model_is_named(exam: httpx.AsyncClient) -> None:
    """In bodies and in paths; a bare name means live at once, and the newest is asked for by its number."""
    assert await answering(exam, "exam") == 3
    await put(exam, 2)
    await put(exam, 1, f"{ALIASES}/champion")

    assert [await answering(exam, name) for name in ("exam", "exam@live", "exam@champion", "exam/3")] == [2, 2, 1, 3]
    for looked in ("", "/history", "/weights"):
        for name, version in (("exam", 2), ("exam@live", 2), ("exam@champion", 1)):
            assert (await exam.get(f"/models/{name}{looked}")).json()["version"] == version
    in_path = await exam.post("/models/exam@champion/predict", json={"X": [1]})
    assert (in_path.json()["model"], in_path.json()["version"]) == ("exam", 1)
    assert (await exam.get("/models/exam@live/openapi.json")).json()["info"]["version"] == "2"
    assert (await exam.get("/models/exam@live/schema")).status_code == 200
    await exam.delete(LIVE)
    assert await answering(exam, "exam") == 3


async def test_a_model_and_its_versions_tell_their_aliases(exam: httpx.AsyncClient) -> None:
    """The model all of them, with the version of each; a version those that point to it."""
    await put(exam, 2)
    await put(exam, 2, f"{ALIASES}/champion")
    await put(exam, 1, f"{ALIASES}/old")

    model = (await exam.get("/models/exam")).json()
    versions = [(await exam.get(f"/models/exam/versions/{number}")).json()["aliases"] for number in (1, 2, 3)]

    assert (model["version"], model["versions"], model["keep_last"]) == (2, [1, 2, 3], None)
    assert model["aliases"] == {"champion": 2, "live": 2, "old": 1}
    assert versions == [["old"], ["champion", "live"], []]


async def test_the_list_of_models_describes_what_a_name_means(exam: httpx.AsyncClient) -> None:
    """The version that live points to, however many came after it."""
    await put(exam, 1)
    await train(exam, X=[[1, 2], [2, 3]])

    (listed,) = (await exam.get("/models")).json()["models"]

    assert (listed["versions"], listed["columns"]) == ([1, 2, 3, 4], ["x1"])


async def test_the_history_tells_who_moved_it_when_from_where_and_why(exam: httpx.AsyncClient) -> None:
    """Newest first, a page at a time; who is the caller's address unless it is said; it outlives alias and model."""
    began = datetime.now(UTC)
    await put(exam, 1)
    await exam.put(LIVE, json={"version": 3, "who": "Ada", "why": "better on Tuesdays"})
    await exam.delete(LIVE)
    await exam.delete("/models/exam")

    moves = (await exam.get(f"{LIVE}/history")).json()["moves"]
    page = (await exam.get(f"{LIVE}/history", params={"limit": 1, "before": 3})).json()["moves"]
    times = [datetime.fromisoformat(move.pop("at")) for move in moves]

    assert moves == [
        {"revision": 3, "from": 3, "to": None, "restores": None, "who": "127.0.0.1", "why": ""},
        {"revision": 2, "from": 1, "to": 3, "restores": None, "who": "Ada", "why": "better on Tuesdays"},
        {"revision": 1, "from": None, "to": 1, "restores": None, "who": "127.0.0.1", "why": ""},
    ]
    assert began <= times[2] <= times[1] <= times[0] <= datetime.now(UTC)
    assert [move["revision"] for move in page] == [2]
    assert (await problem(exam, f"{ALIASES}/other/history", b"", "GET"))["status"] == 404


async def test_a_rollback_undoes_a_move_and_the_next_one_the_move_before(exam: httpx.AsyncClient) -> None:
    """With no body at all, or with words for the history; then 409 says that there is nothing before."""
    for version in (1, 2, 3):
        await put(exam, version)

    first = await exam.post(f"{LIVE}/rollback")
    second = await exam.post(f"{LIVE}/rollback", content=json.dumps({"who": "Ada", "why": "too slow"}))
    none = await problem(exam, f"{LIVE}/rollback", b"")
    there = await exam.post(f"{LIVE}/rollback", json={"to": 3})

    assert [(answer.status_code, answer.json()["version"]) for answer in (first, second, there)] == [
        (200, 2),
        (200, 1),
        (200, 3),
    ]
    assert (none["status"], none["type"]) == (409, "/problems/nothing-to-restore")
    assert f"{LIVE}/history" in none["detail"]
    told = (await exam.get(f"{LIVE}/history")).json()["moves"]
    assert [(move["restores"], move["who"], move["why"]) for move in told[:3]] == [
        (3, "127.0.0.1", ""),
        (1, "Ada", "too slow"),
        (2, "127.0.0.1", ""),
    ]
    assert await answering(exam, "exam") == 3


async def test_a_deletion_is_undone_by_a_rollback(exam: httpx.AsyncClient) -> None:
    """201, as it was not there; unless the version is gone meanwhile, which 409 says."""
    await put(exam, 1)
    await exam.delete(LIVE)

    back = await exam.post(f"{LIVE}/rollback")
    await exam.delete(LIVE)
    await exam.delete("/models/exam/versions/1")
    gone = await problem(exam, f"{LIVE}/rollback", b"")

    assert (back.status_code, back.json()["version"], back.headers["etag"]) == (201, 1, '"3"')
    assert gone["status"] == 409
    assert "Version 1 of exam is deleted" in gone["detail"]


@pytest.mark.parametrize(
    ("headers", "new", "old"),
    [
        ({"if_match": '"1"'}, 412, 200),
        ({"if_match": '"2"'}, 412, 412),
        ({"if_match": '"7", "1"'}, 412, 200),
        ({"if_match": 'W/"1"'}, 412, 412),
        ({"if_match": "*"}, 412, 200),
        ({"if_none_match": "*"}, 201, 412),
        ({"if_none_match": '"1"'}, 201, 412),
        ({"if_none_match": 'W/"1"'}, 201, 412),
        ({"if_none_match": '"2"'}, 201, 200),
        ({"if_match": '"1"', "if_none_match": "*"}, 412, 412),
        ({"if_match": "1"}, 422, 422),
        ({"if_match": '"1'}, 422, 422),
        ({"if_match": '*, "1"'}, 422, 422),
        ({"if_match": ""}, 422, 422),
        ({"if_none_match": "x" * 5000}, 422, 422),
    ],
)
async def test_a_change_is_made_only_where_its_conditions_hold(
    headers: dict[str, str], new: int, old: int, exam: httpx.AsyncClient
) -> None:
    """Of an alias that is new, and of one at revision 1; 412 changes nothing, and is no 5xx whatever is sent."""
    of_new = await put(exam, 2, f"{ALIASES}/fresh", **headers)
    await put(exam, 1)
    of_old = await put(exam, 2, **headers)

    assert (of_new.status_code, of_old.status_code) == (new, old)
    assert (await exam.get(LIVE)).json()["version"] == (2 if old == 200 else 1)
    assert (await exam.get(f"{ALIASES}/fresh")).status_code == (200 if new == 201 else 404)


async def test_every_change_of_an_alias_is_guarded(exam: httpx.AsyncClient) -> None:
    """Deletion and rollback too; several lines of a header are one list."""
    await put(exam, 1)
    await put(exam, 2)
    stale = {"if-match": '"1"'}

    assert (await exam.delete(LIVE, headers=stale)).status_code == 412
    assert (await exam.post(f"{LIVE}/rollback", headers=stale)).status_code == 412
    assert (await exam.get(LIVE)).headers["etag"] == '"2"'
    two_lines = [("if-match", '"1"'), ("if-match", '"2"')]
    assert (await exam.post(f"{LIVE}/rollback", headers=two_lines)).headers["etag"] == '"3"'
    assert (await exam.delete(LIVE, headers={"if-match": '"3"'})).status_code == 204


@pytest.mark.parametrize("path", [LIVE, "/models/exam/snapshot", "/models/exam/card", "/models/exam/diagram.svg"])
async def test_who_has_what_a_tag_names_is_not_sent_it_again(path: str, exam: httpx.AsyncClient) -> None:
    """Several lines of a header are one list, too; * is whatever there is (RFC 9110, section 13.1.2)."""
    await put(exam, 1)
    whole = await exam.get(path)
    tag = whole.headers["etag"]

    for lines in ([tag], ['"other"', f"W/{tag}"], ['"a, b", ' + tag], ["*"]):
        known = await exam.get(path, headers=[("if-none-match", line) for line in lines])
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    for line in ('"other"', "*, *", tag.strip('"')):
        assert (await exam.get(path, headers={"if-none-match": line})).content == whole.content
    if path != LIVE:
        nobody = await exam.get(path.replace("exam", "nobody"), headers={"if-none-match": "*"})
        assert nobody.status_code == 404


async def test_what_an_alias_points_to_is_not_deleted(exam: httpx.AsyncClient) -> None:
    """409 names the alias and the remedy, which works; the alias alone never deletes its model."""
    await put(exam, 2)

    for path in ("/models/exam/versions/2", "/models/exam@live"):
        refused = await problem(exam, path, b"", "DELETE")
        assert (refused["status"], refused["type"]) == (409, "/problems/version-in-use")
        assert f"DELETE {LIVE}" in refused["detail"]
    await exam.delete(LIVE)
    assert (await exam.delete("/models/exam/versions/2")).status_code == 204
    assert (await exam.get("/models/exam")).json()["versions"] == [1, 3]


async def test_a_model_comes_back_without_aliases_and_rules(exam: httpx.AsyncClient) -> None:
    """What was deleted with it stays deleted; numbers and revisions go on."""
    await put(exam, 1)
    await exam.patch("/models/exam", json={"keep_last": 3})
    await exam.delete("/models/exam")
    await train(exam)

    model = (await exam.get("/models/exam")).json()

    assert (model["version"], model["aliases"], model["keep_last"]) == (4, {}, None)
    assert (await put(exam, 4)).headers["etag"] == '"3"'


async def test_old_versions_expire_by_a_rule(exam: httpx.AsyncClient, settings: Settings) -> None:
    """At once, and with each training; files go too, and what an alias points to stays."""
    await put(exam, 1, f"{ALIASES}/champion")

    answer = await exam.patch("/models/exam", content=b'{"keep_last": 1}')
    await train(exam, 2)
    model = (await exam.get("/models/exam")).json()

    assert answer.json() == {"model": "exam", "keep_last": 1, "expired": [2]}
    assert (model["versions"], model["keep_last"]) == ([1, 5], 1)
    assert sorted(path.name for path in (settings.models / "exam").iterdir()) == ["1.safetensors", "5.safetensors"]
    assert (await exam.patch("/models/exam", json={"keep_last": None})).json()["expired"] == []
    await train(exam)
    assert (await exam.get("/models/exam")).json()["versions"] == [1, 5, 6]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"version=1", 400),
        (b'{"version": 1, "version": 2}', 400),
        (b'{"version": NaN}', 400),
        (b'{"version": 1, "why": "\\ud800"}', 400),
        (b"\xff", 400),
        (b"[1]", 422),
        (b"{}", 422),
        (b'{"version": null}', 422),
        (b'{"version": "1"}', 422),
        (b'{"version": 1.5}', 422),
        (b'{"version": true}', 422),
        (b'{"version": 0}', 422),
        (b'{"version": -1}', 422),
        (b'{"version": 1000000000}', 422),
        (b'{"version": %s}' % (b"9" * 5000), 400),
        (b'{"version": 999999999}', 404),
        (b'{"version": 1, "verison": 1}', 422),
        (b'{"version": 1, "why": "a\\u0000b"}', 422),
        (b'{"version": 1, "who": "%s"}' % (b"w" * 201), 422),
        (b'{"version": 1, "why": 7}', 422),
        (b'{"version": 1, "why": "%s"}' % (b"w" * 100_000), 413),
        (b"[" * 10_000, 400),
    ],
)
async def test_a_body_that_makes_no_sense_is_one_clear_answer(
    body: bytes, status: int, exam: httpx.AsyncClient
) -> None:
    """Whatever it says of its type; nothing is made of it."""
    answer = await problem(exam, LIVE, body, "PUT")

    assert answer["status"] == status
    assert (await exam.get(LIVE)).status_code == 404


async def test_a_whole_number_may_be_written_with_a_point(exam: httpx.AsyncClient) -> None:
    """As JSON Schema has it, and as some languages write all their numbers."""
    answer = await exam.put(LIVE, content=b'{"version": 1.0}')

    assert (answer.status_code, answer.json()["version"]) == (201, 1)


@pytest.mark.parametrize("body", [b"[]", b'{"to": 0}', b'{"to": 99999999999}', b'{"to": "1"}', b'{"version": 1}'])
async def test_a_rollback_to_nowhere_is_refused(body: bytes, exam: httpx.AsyncClient) -> None:
    """As any request that does not fit."""
    await put(exam, 1)

    assert (await problem(exam, f"{LIVE}/rollback", body))["status"] == 422


@pytest.mark.parametrize(
    "body", [b"{}", b'{"keep_last": 0}', b'{"keep_last": 1e9}', b'{"keep_last": 1, "tags": {}}', b"null"]
)
async def test_a_change_of_a_model_that_makes_no_sense_changes_nothing(body: bytes, exam: httpx.AsyncClient) -> None:
    """What is not known is named; a model that is not there is not found."""
    assert (await problem(exam, "/models/exam", body, "PATCH"))["status"] == 422
    for name in ("nothing", "exam@live", "A", "a%00"):
        assert (await problem(exam, f"/models/{name}", b'{"keep_last": 1}', "PATCH"))["status"] == 404
    assert (await exam.get("/models/exam")).json()["versions"] == [1, 2, 3]


@pytest.mark.parametrize("word", ["7", "LIVE", "a%00", "x" * 64, "x" * 5000, "%C3%A9", "a..b", "con", "a@b", "%F0%9F"])
async def test_a_word_that_can_be_no_alias_is_refused(word: str, exam: httpx.AsyncClient) -> None:
    """422 where it is to be made, with what one may be called; 404 where it is asked for."""
    made = await problem(exam, f"{ALIASES}/{word}", b'{"version": 1}', "PUT")

    assert made["status"] == 422
    assert "1 to 63" in made["detail"]
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/history"), ("POST", "/rollback")):
        assert (await problem(exam, f"{ALIASES}/{word}{path}", b"", method))["status"] == 404
    assert (await problem(exam, "/predict", {"model": f"exam@{word}", "X": [1]}))["status"] == 404


@pytest.mark.parametrize("path", ["/models/nothing/aliases", "/models/exam@live/aliases", "/models/a%00/aliases"])
async def test_only_a_model_has_aliases(path: str, exam: httpx.AsyncClient) -> None:
    """An alias has none, and what is not there neither; nor does a version belong to an alias."""
    await put(exam, 1)

    for method, route in (("GET", ""), ("PUT", "/live"), ("GET", "/live"), ("DELETE", "/live"), ("GET", "/x/history")):
        assert (await problem(exam, path + route, b'{"version": 1}', method))["status"] == 404
    for rest in ("/versions/1", "/versions/1/predict"):
        method = "POST" if rest.endswith("predict") else "GET"
        assert (await problem(exam, f"/models/exam@live{rest}", b'{"X": [1]}', method))["status"] == 404


async def test_a_training_whose_version_is_gone_already_is_a_job(exam: httpx.AsyncClient) -> None:
    """As others of its name may have made it expire: 202 tells that it succeeded, and with which version."""
    key = {"idempotency-key": "once"}
    first = await exam.post("/train", json=QUICK, headers=key)
    await exam.patch("/models/exam", json={"keep_last": 1})
    await train(exam)

    again = await exam.post("/train", json=QUICK, headers=key)

    assert (first.status_code, again.status_code) == (201, 202)
    assert (again.json()["status"], again.json()["version"]) == ("succeeded", 4)


async def test_answers_never_fail_while_versions_expire(exam: httpx.AsyncClient) -> None:
    """With one version kept, a bare name always has one that answers, however soon it goes."""
    await exam.patch("/models/exam", json={"keep_last": 1})
    seen = set()
    for _ in range(5):
        await train(exam)
        seen.add(await answering(exam, "exam"))
        listed = (await exam.get("/models")).json()["models"]
        assert [model["model"] for model in listed] == ["exam"]

    assert seen == {4, 5, 6, 7, 8}
