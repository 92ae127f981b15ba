"""The lane: predictions that are answered in front of the application, byte for byte as it would answer them."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.api.lanes import (
    LAST,
    TABLES,
    Both,
    bodies_of,
    first_of,
    request,
    serving,
    statuses_of,
    transcript,
)

EXAM = request({"model": "exam", "X": [[4, 8]]}, x_request_id="exam")


@pytest.fixture
async def both(settings: Settings) -> AsyncIterator[Both]:
    async with serving(settings) as both:
        await both.train("exam")
        yield both


def several(model: str) -> list[dict[str, Any]]:
    """Ask a model in all ways that are plain."""
    rows = [{key: value for key, value in row.items() if key != "y"} for row in TABLES[model].get("rows", [])]
    if not rows:
        lists = [row if isinstance(row, list) else [row] for row in TABLES[model]["X"]]
        one = lists[0] if len(lists[0]) > 1 else lists
        return [{"X": one}, {"X": lists}, {"X": [lists[1]]}, {"rows": one}, {"rows": lists * 40}, {"X": lists * 400}]
    plain = [row for row in rows if None not in row.values()]
    values = [[*row.values()] for row in plain]
    asked: list[dict[str, Any]] = [{part: value} for part in ("X", "rows") for value in (values[0], values[:1])]
    return [*asked, {"rows": [dict(reversed(plain[1].items()))]}, *({"rows": [row]} for row in plain)]


@pytest.mark.parametrize("models", [[*TABLES][:5], [*TABLES][5:]], ids=",".join)
async def test_plain_predictions_never_reach_the_application(models: list[str], settings: Settings) -> None:
    """Named in the body, with its version or an alias, or in the path: the answer is the same to the byte."""
    async with serving(settings) as both:
        for model in models:
            await both.train(model)
            await both.change("PUT", f"/models/{model}/aliases/best", {"version": 1})
            ways: list[tuple[str, dict[str, Any]]] = [
                (f"/models/{model}/predict", {}),
                (f"/models/{model}/versions/1/predict", {}),
                *(("/predict", {"model": name}) for name in (model, f"{model}/1", f"{model}@best")),
            ]
            await both.alike(*(request(named | {"X": [1]}, path) for path, named in ways), LAST)  # so they are known
            for asked in several(model):
                sent = [request(named | asked, path) for path, named in ways]
                sent += [request(asked | named, path) for path, named in ways if named]
                before = both.reached
                answer = await both.alike(*sent, LAST)
                assert statuses_of(answer) == [200] * len(sent) + [404], asked
                assert both.reached == before + 1, asked  # which was the last


async def test_long_and_wide_rows_of_numbers_are_plain_too(both: Both) -> None:
    """Up to what others would feel; beyond it the application answers the same."""
    rng = random.Random(0)
    rows = [[rng.uniform(-9, 9), rng.randrange(-(2**60), 2**60)] for _ in range(4000)]
    reached = []
    for count in (1, 7, 8, 9, 64, 65, 1000, 2000, 4000):
        for asked in ({"X": rows[:count]}, {"rows": [dict(zip("ba", row, strict=True)) for row in rows[:count]]}):
            before = both.reached
            answer = await both.alike(request({"model": "exam"} | asked), LAST)
            assert len(bodies_of(answer)[0]["predictions"]) == count
            reached.append(both.reached - before - 1)
    assert reached[:14] == [0] * 14
    assert reached[-1] == 1


async def test_numbers_may_be_written_in_any_way(both: Both) -> None:
    """Huge and tiny, with many digits or none; and so may the rest of the body."""
    for number in ("-0", "-0.0", "1E2", "1e-400", "9007199254740993", "18446744073709551616", "1" * 99, "1e100"):
        for text in ("[[{}, 1]]", "[{}, 1]", "[[1, {0}], [{0}, 2]]"):
            await both.alike(request(f'{{"model":"exam","X":{text.format(number)}}}'.encode()), LAST)
    for body in (
        b' \n{"X"\t: [ [4,8 ] ]\r\n, "model":"exam"} \n',
        b'{"m\\u006fdel": "ex\\u0061m", "\\u0058": [[4, 8]]}',
    ):
        before = both.reached
        answer = await both.alike(request(body), LAST)
        assert (statuses_of(answer), both.reached) == ([200, 404], before + 1)


BAD = [
    b"{",
    b"[]",
    b"null",
    b'"exam"',
    b"[[4, 8]]",
    b'{"model": "exam"}',
    b'{"X": [[4, 8]]}',
    b'{"model": null, "X": [[4, 8]]}',
    b'{"model": 1, "X": [[4, 8]]}',
    b'{"model": "exam", "X": [[4, 8]]} {}',
    b'{"model": "exam", "X": [[4, 8]],}',
    b'{"model": "exam", "X": [[4, 8]]}\0',
    b'\xef\xbb\xbf{"model": "exam", "X": [[4, 8]]}',
    b'\xef\xbb\xbf{"model": "exam", "X": [4, 8]}',
    b'{"model": "exam", "X": [[4, 8]], "model": "exam"}',
    b'{"model": "exam", "X": [[4, 8]], "X": [[4, 8]]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": 8, "a": 5}]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": {"a": 4, "a": 5}}]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": 8}, {"a": 4, "b": 8, "b": 8}]}',
    b'{"model": "exam", "X": [[4, NaN]]}',
    b'{"model": "exam", "X": [[4, -Infinity]]}',
    b'{"model": "exam", "X": [[4, 1e400]]}',
    b'{"model": "exam", "X": [[4, 1e101]]}',
    b'{"model": "exam", "X": [4, 1e101]}',
    b'{"model": "exam", "X": [4, 1' + b"0" * 400 + b"]}",
    b'{"model": "exam", "X": [[04, 8]]}',
    b'{"model": "exam", "X": [[4, "8"]]}',
    b'{"model": "exam", "rows": [[4, "8"]]}',
    b'{"model": "exam", "X": ["4", 8]}',
    b'{"model": "exam", "X": [[4, true]]}',
    b'{"model": "exam", "X": [true, 8]}',
    b'{"model": "exam", "X": [[4, null]]}',
    b'{"model": "exam", "X": [[4, 8], [4]]}',
    b'{"model": "exam", "X": [[4, 8], 4]}',
    b'{"model": "exam", "X": [4, [4, 8]]}',
    b'{"model": "exam", "X": [[4, [8, 1]], 4]}',
    b'{"model": "exam", "X": [[4, [8]]]}',
    b'{"model": "exam", "X": [[[4, 8]]]}',
    b'{"model": "exam", "X": [[4]]}',
    b'{"model": "exam", "X": [4]}',
    b'{"model": "exam", "X": [4, 8, 1]}',
    b'{"model": "exam", "X": [[4, 8, 1]]}',
    b'{"model": "exam", "X": [[]]}',
    b'{"model": "exam", "X": []}',
    b'{"model": "exam", "X": {}}',
    b'{"model": "exam", "X": [{"a": 4, "b": 8}]}',
    b'{"model": "exam", "X": 4}',
    b'{"model": "exam", "rows": [{"a": 4}]}',
    b'{"model": "exam", "rows": [{"a": 4, "c": 8}]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": 8, "c": 8}]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": 8, "y": 8}]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": 8}, [4, 8]]}',
    b'{"model": "exam", "rows": [[4, 8], {"a": 4, "b": 8}]}',
    b'{"model": "exam", "rows": [{"a": 4, "b": 8}, {"a": 4}]}',
    b'{"model": "exam", "rows": [[4, 8]], "X": [[4, 8]]}',
    b'{"model": "exam", "X": [[4, 8]], "proba": true}',
    b'{"model": "exam", "X": [[4, 8]], "proba": false}',
    b'{"model": "exam", "X": [[4, 8]], "columns": ["b", "a"]}',
    b'{"model": "exam", "X": [[4, 8]], "timeout": 5}',
    b'{"model": "exam", "X": [[4, 8]], "Proba": false}',
    b'{"model": "exam", "X": [[4, 8]], "model\\u0000": "one"}',
    b'{"model": "exam", "X": [[4, 8]], "rows": null}',
    b'{"model": "none", "X": [[4, 8]]}',
    b'{"model": "exam/2", "X": [[4, 8]]}',
    b'{"model": "exam/01", "X": [[4, 8]]}',
    b'{"model": "exam@best", "X": [[4, 8]]}',
    b'{"model": "EXAM", "X": [[4, 8]]}',
    b'{"model": " exam", "X": [[4, 8]]}',
    b'{"model": "exam\\u0000", "X": [[4, 8]]}',
    b'{"model": "exam\\ud800", "X": [[4, 8]]}',
    b'{"model": "exam\xff", "X": [[4, 8]]}',
    b'{"model": "steep", "X": [[1e99]]}',
    b'{"model": "steep", "X": [[1], [1e99]]}',
    b'{"model": "gaps", "X": [1, null]}',
    b'{"model": "gaps", "rows": [{"a": null, "b": 1}]}',
    b'{"model": "kinds", "X": [1, "w", true]}',
    b'{"model": "kinds", "X": [1, "x", 1]}',
    b'{"model": "kinds", "X": ["x", 1, true]}',
    b'{"model": "kinds", "rows": [1, " x ", "true"]}',
    b'{"model": "kinds", "rows": [{"n": "1", "c": "NA", "t": null}]}',
]


async def test_what_is_wrong_with_a_body_is_told_by_the_application(both: Both) -> None:
    """Or what is only unusual: the same problem, or the same answer; also with the model in the path."""
    for model in ("steep", "gaps", "kinds"):
        await both.train(model)
    await both.alike(EXAM, LAST)
    for body in BAD:
        before = both.reached
        await both.alike(request(body), EXAM, LAST)
        assert both.reached == before + 2, body
        await both.alike(request(body, "/models/exam/predict"), EXAM, LAST)


async def test_long_bodies_are_judged_as_short_ones(both: Both) -> None:
    """What is wrong is the same behind many rows that are right."""
    rows = b"[5, 6], " * 500
    for body in BAD:
        if b"[[4" in body and len(body) < 200:
            await both.alike(request(body.replace(b"[[4", b"[" + rows + b"[4")), LAST)


def version_in(answer: bytes) -> int:
    """Tell which version the first answer is of; 0 if it is of none."""
    version: int = bodies_of(answer)[0].get("version", 0)
    return version


async def test_what_changes_is_seen_by_the_next_request(both: Both) -> None:
    """New and deleted versions, and aliases made, moved and deleted, with names that were at hand before."""
    names = ("exam", "exam/1", "exam/2", "exam@best", "exam@live")
    changes: list[tuple[str, str, Any, list[int]]] = [
        ("GET", "", None, [2, 1, 2, 0, 0]),
        ("PUT", "/aliases/best", {"version": 1}, [2, 1, 2, 1, 0]),
        ("PUT", "/aliases/best", {"version": 2}, [2, 1, 2, 2, 0]),
        ("PUT", "/aliases/live", {"version": 1}, [1, 1, 2, 2, 1]),
        ("DELETE", "/aliases/best", None, [1, 1, 2, 0, 1]),
        ("DELETE", "/aliases/live", None, [2, 1, 2, 0, 0]),
        ("DELETE", "/versions/2", None, [1, 1, 0, 0, 0]),
        ("DELETE", "", None, [0, 0, 0, 0, 0]),
    ]
    asked = [request({"model": name, "X": [[4, 8]]}) for name in names]
    await both.alike(*asked, LAST)
    await both.train("exam", training={"optimizer": "adam", "epochs": 1})

    for method, path, body, versions in changes:
        await both.change(method, f"/models/exam{path}", body)
        for _ in range(2):
            assert [version_in(await both.alike(sent, LAST)) for sent in asked] == versions, (method, path)


async def test_many_at_once_get_each_its_own_answer(both: Both) -> None:
    """Of several models, some that overflow, some that are wrong, some of several rows: as if they were alone."""
    for model in ("steep", "two", "words"):
        await both.train(model)
    bodies: list[dict[str, Any]] = [{"model": "exam", "X": [[number, 8]]} for number in range(6)]
    bodies += [{"model": "steep", "X": [[number]]} for number in (1, 1e99, 2, 3, 1e98)]
    bodies += [{"model": "two", "X": [number, 1]} for number in range(3)]
    bodies += [{"model": "words", "X": [[1, 2], [2, 1]]}]
    bodies += [{"model": "exam", "X": [[1, "x"]]}, {"model": "none", "X": [[1, 2]]}]
    sent = [request(body, x_request_id=str(number)) for number, body in enumerate(bodies)]
    alone = [await both.alike(each, LAST) for each in sent]
    rng = random.Random(5)
    assert [statuses_of(answer)[0] for answer in alone[6:11]] == [200, 422, 200, 200, 422]

    for _ in range(8):
        order = rng.sample(range(len(sent)), 16)
        together = await asyncio.gather(*(transcript(both.lane, [sent[place], LAST]) for place in order))
        assert together == [alone[place] for place in order]


@pytest.mark.parametrize(("room", "reached"), [(2**20, [2, 1, 1]), (0, [2, 2, 2])])
async def test_a_model_is_at_hand_once_it_was_asked_for(room: int, reached: list[int], settings: Settings) -> None:
    """The first request after a restart loads it; one that memory has no room for is always the application's."""
    async with serving(settings) as both:
        await both.train("exam")
    async with serving(settings.model_copy(update={"cache_bytes": room})) as both:
        found, answers = [], set()
        for _ in range(3):
            before = both.reached
            answers.add(await transcript(both.lane, [EXAM, LAST]))
            found.append(both.reached - before)
        assert found == reached
        assert answers == {await transcript(both.plain, [EXAM, LAST])}


ROWS = {"model": "exam", "X": [[4, 8], [1, 2], [3, 3]]}
OBJECTS = {"model": "exam", "rows": [{"a": 4, "b": 8}, {"a": 1, "b": 2}]}
BARE = {"model": "exam", "X": [4, 8]}


LIMITS: list[tuple[str, int, list[dict[str, Any]]]] = [
    ("predict_bytes", len(str(ROWS)), [ROWS]),
    ("most_rows", 3, [ROWS]),
    ("most_rows", 2, [OBJECTS, BARE, {"model": "one", "X": [4, 8]}]),
    ("most_cells", 6, [ROWS]),
    ("most_cells", 4, [OBJECTS]),
    ("most_cells", 2, [BARE, {"model": "one", "X": [4, 8]}]),
    ("most_columns", 2, [ROWS, OBJECTS, BARE]),
    ("most_answers", 3, [ROWS]),
    ("most_answers", 2, [OBJECTS, {"model": "two", "X": [1, 2]}, {"model": "words", "X": [1, 2]}]),
    ("longest_cell", 1, [{"model": "kinds", "X": [1, "x", True]}, {"model": "kinds", "rows": [[1, "y", False]]}]),
    ("json_depth", 4, [ROWS, OBJECTS, BARE]),
]


@pytest.mark.parametrize(("limit", "most", "bodies"), LIMITS)
async def test_limits_hold_alike(limit: str, most: int, bodies: list[dict[str, Any]], settings: Settings) -> None:
    """For what is as long as it may be, and for what is longer by one."""
    async with serving(settings) as both:
        for model in {body["model"] for body in bodies}:
            await both.train(model)
    for number in (most - 1, most):
        try:
            limited = Settings.model_validate(settings.model_dump() | {limit: number})
        except ValidationError:
            continue  # less than can be set
        async with serving(limited) as both:
            for body in bodies:
                sent = request(body)
                answer = await both.alike(sent, request({"model": body["model"], "X": [1]}), sent, LAST)
                assert number == most - 1 or statuses_of(answer)[::2] == [200, 200], body


async def test_a_body_that_announces_too_much_is_refused_before_it_comes(settings: Settings) -> None:
    """Nobody waits for it."""
    async with serving(settings.model_copy(update={"predict_bytes": 100})) as both:
        for length in (500_000, 101):
            head = request(b"").replace(b"content-length: 0", b"content-length: %d" % length)
            plain, lane = [await first_of(port, head) for port in (both.plain, both.lane)]
            assert statuses_of(plain) == [413]
            assert lane == plain, length


async def test_what_is_said_beside_rows_is_little(both: Both) -> None:
    """More than that is refused before each part is looked at, whatever the rows are."""
    many = {f"x{number}": number for number in range(200)}
    for rows in ([4, 8], [[4, 8]], [[4, 8]] * 500):
        answer = bodies_of(await both.alike(request({"model": "exam", "X": rows} | many), LAST))[0]
        assert (answer["status"], answer["type"]) == (422, "/problems/too-many-keys")
