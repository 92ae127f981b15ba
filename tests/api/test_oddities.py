"""What people's tables hold: one rule for each oddity, whatever the format."""

import io
import json
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.models.recipe import TASKS
from app.tables.kinds import KINDS
from tests.api.problem import problem

QUICK: dict[str, Any] = {"optimizer": "lbfgs", "epochs": 3}
FINITE = "a number between -1e100 and 1e100"
CLASS = "a class: text, true or false, or a whole number"


async def column_of(client: httpx.AsyncClient, cells: list[Any]) -> dict[str, Any]:
    """Train on one column, and give its description."""
    rows = [{"a": cell, "y": number} for number, cell in enumerate(cells)]
    body = {"name": "exam", "rows": rows, "target": "y", "training": QUICK}
    response = await client.post("/train", json=body)
    assert response.status_code == 201, response.text
    (column,) = response.json()["columns"]
    described: dict[str, Any] = column
    return described


@pytest.mark.parametrize(
    ("oddity", "cells", "told"),
    [
        ("empty text is missing", [1, "", 3], {"kind": "integer", "missing_share": 1 / 3}),
        ("null is missing", [1, None, 3], {"kind": "integer", "missing_share": 1 / 3}),
        ("NA is missing", ["x", "NA", "y"], {"kind": "category", "levels": ["x", "y"], "missing_share": 1 / 3}),
        ("the text NaN is missing", [1, "NaN", 3], {"kind": "integer", "missing_share": 1 / 3}),
        ("so are N/A, nan and null", [1, "N/A", "nan", "null"], {"kind": "integer", "missing_share": 0.75}),
        ("None and - are texts", ["None", "-"], {"kind": "category", "levels": ["-", "None"]}),
        ("spaces around a number", ["  7 ", 8], {"kind": "integer", "lowest": 7.0}),
        ("spaces around a text", [" b", "b "], {"kind": "category", "levels": ["b"]}),
        ("spaces alone are missing", ["  ", 1], {"missing_share": 0.5}),
        ("text that is a number", ["7", "-3.5", "1e3", ".5"], {"kind": "number", "lowest": -3.5, "highest": 1000.0}),
        ("leading zeros and a plus", ["007", "+1"], {"kind": "integer", "lowest": 1.0, "highest": 7.0}),
        ("no hexadecimals, no underscores", ["0x1F", "1_000"], {"kind": "category"}),
        ("2^53+1 is the nearest number", [2**53 + 1, 0], {"kind": "integer", "highest": 2.0**53}),
        ("true and false", [True, False], {"kind": "boolean", "levels": [False, True]}),
        ("true and false as texts", ["true", "FALSE", "True"], {"kind": "boolean"}),
        ("yes and no are texts", ["yes", "no"], {"kind": "category", "levels": ["no", "yes"]}),
        ("0 and 1 are numbers", [0, 1], {"kind": "integer"}),
        ("all missing", [None, "", "NA"], {"kind": "number", "missing_share": 1.0, "lowest": None, "example": None}),
        ("constant", [5, 5], {"lowest": 5.0, "highest": 5.0}),
        ("letters of all scripts", ["höher", "日本", "🙂"], {"levels": ["höher", "日本", "🙂"]}),
        ("dates", ["2024-02-29", "2024-12-31"], {"kind": "date", "lowest": "2024-02-29", "highest": "2024-12-31"}),
        ("moments", ["2024-02-29T12:30", "2024-03-01 00:00:01"], {"kind": "date", "lowest": "2024-02-29T12:30:00"}),
        ("a time zone", ["2024-02-29T12:30+02:00"], {"kind": "date", "lowest": "2024-02-29T10:30:00"}),
        ("other dates are texts", ["29.2.2024", "1/2/24"], {"kind": "category"}),
        ("numbers among texts are texts", ["a", "b", 1], {"kind": "category", "levels": ["1", "a", "b"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_oddity_is_read_by_its_rule(
    oddity: str, cells: list[Any], told: dict[str, Any], client: httpx.AsyncClient
) -> None:
    """The same in a file as in JSON, down to the description."""
    column = await column_of(client, cells)

    assert column.items() >= told.items(), oddity
    texts = ["" if cell is None else str(cell) for cell in cells]
    content = "\n".join(["a,y", *(f'"{text}",{number}' for number, text in enumerate(texts))]).encode()
    response = await client.post(
        "/train",
        params={"target": "y", "training": json.dumps(QUICK)},
        content=content,
        headers={"content-type": "text/csv"},
    )
    assert response.json()["columns"] == [column]


@pytest.mark.parametrize(
    ("oddity", "cells", "faults"),
    [
        ("a slip among numbers", [1, 2, "three"], [(2, 'text "three"', "a number")]),
        ("a decimal comma in JSON", [1.5, 2.5, "3,5"], [(2, 'text "3,5"', "a number")]),
        ("truth among numbers", [1, 2, True], [(2, "true", "a number")]),
        ("a list", [1, 2, [3]], [(2, "a list", "a number")]),
        ("an object", ["a", {}, "b"], [(1, "an object", "text")]),
        ("a year that is not", ["2024-02-29", "0000-01-01"], [(1, 'text "0000-01-01"', "a date such as 2024-12-31")]),
        ("a day that is not", ["2024-02-29", "2023-02-29"], [(1, 'text "2023-02-29"', "a date such as 2024-12-31")]),
        (
            "a moment before the first year",
            ["2024-02-29", "0001-01-01T00:00+14:00"],
            [(1, 'text "0001-01-01T00:00+14:00"', "a date such as 2024-12-31")],
        ),
        ("1e999 as text", [1, 2, "1e999"], [(2, 'text "1e999"', "a number")]),
        ("a number that squares too high", [1, 2, 1e101], [(2, "a number beyond 1e100", FINITE)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_cell_that_does_not_fit_is_named(
    oddity: str, cells: list[Any], faults: list[tuple[int, str, str]], client: httpx.AsyncClient
) -> None:
    """By its row, what was there and what belongs there."""
    rows = [{"a": cell, "y": number} for number, cell in enumerate(cells)]

    answer = await problem(client, "/train", {"rows": rows, "target": "y"})

    assert answer["status"] == 422, oddity
    assert [(fault["row"], fault["got"], fault["expected"]) for fault in answer["errors"]] == faults


@pytest.mark.parametrize(
    ("oddity", "body", "problem_is", "hint"),
    [
        ("NaN", b'{"rows": [{"a": NaN, "y": 1}], "target": "y"}', (400, "not-a-number"), "not what their column needs"),
        ("Infinity", b'{"rows": [{"a": -Infinity, "y": 1}], "target": "y"}', (400, "not-a-number"), "column"),
        ("1e999", b'{"rows": [{"a": 1e999, "y": 1}], "target": "y"}', (400, "not-a-number"), "column"),
        (
            "NaN among texts",
            b'{"rows": [{"a": "b", "y": 1}, {"a": NaN, "y": 1}], "target": "y"}',
            (400, "not-a-number"),
            "",
        ),
        (
            "1e999 as a class",
            b'{"rows": [{"a": 1, "y": "b"}, {"a": 2, "y": 1e999}], "target": "y"}',
            (400, "not-a-number"),
            "",
        ),
        (
            "a target called in_range",
            b'{"rows": [{"a": 1, "in_range": 1}], "target": "in_range"}',
            (422, "table"),
            "another name",
        ),
        (
            "a key twice",
            b'{"rows": [{"a": 1, "a": 2, "y": 1}], "target": "y"}',
            (400, "duplicate-key"),
            "Send each key once",
        ),
        (
            "a setting twice",
            b'{"rows": [{"a": 1, "y": 1}], "target": "a", "target": "y"}',
            (400, "duplicate-key"),
            "once",
        ),
        ("no rows", b'{"rows": [], "target": "y"}', (422, "table"), "no rows"),
        ("no table", b'{"target": "y"}', (422, "validation"), "Send a table"),
        (
            "one class only",
            b'{"rows": [{"a": 1, "y": "x"}, {"a": 2, "y": "x"}], "target": "y"}',
            (422, "target"),
            "two",
        ),
        (
            "a gap in the target",
            b'{"rows": [{"a": 1, "y": 1}, {"a": 2, "y": null}], "target": "y"}',
            (422, "table"),
            "",
        ),
        ("Parquet without its type", b"PAR1....", (400, "malformed-json"), "application/vnd.apache.parquet"),
        ("CSV without its type", b"a,y\n1,2\n", (400, "malformed-json"), "text/csv"),
        ("a hundred thousand brackets", b"[" * 100_000, (400, "malformed-json"), ""),
        (
            "a date to predict",
            b'{"rows": [{"a": 1, "y": "2024-01-01"}], "target": "y"}',
            (422, "target"),
            "number in its",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_request_that_cannot_be_is_refused(
    oddity: str, body: bytes, problem_is: tuple[int, str], hint: str, client: httpx.AsyncClient
) -> None:
    """With a slug of its own and a word on what to do."""
    answer = await problem(client, "/train", body)

    status, slug = problem_is
    assert (answer["status"], answer["type"]) == (status, f"/problems/{slug}"), oddity
    assert hint in answer["detail"]


@pytest.mark.parametrize(
    ("oddity", "content", "column", "kind"),
    [
        ("a decimal comma", "a;y\n1,5;1\n2,5;2\n", "a", "number"),
        ("names in quotes, with a delimiter", '"a,b",y\n1,1\n2,2\n', "a,b", "integer"),
        ("names of all scripts", "höhe,y\n1,1\n2,2\n", "höhe", "integer"),
        ("a byte order mark", "\ufeffa,y\n1,1\n2,2\n", "a", "integer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_files_of_spreadsheets_are_understood(
    oddity: str, content: str, column: str, kind: str, client: httpx.AsyncClient
) -> None:
    """Without being told how they are written."""
    headers = {"content-type": "text/csv"}

    response = await client.post("/train?target=y", content=content.encode(), headers=headers)

    assert [(told["name"], told["kind"]) for told in response.json()["columns"]] == [(column, kind)], oddity


async def test_a_slip_among_decimal_commas_is_a_slip(client: httpx.AsyncClient) -> None:
    """The column is still one of numbers."""
    content = b"a;y\n1,5;1\n2,5;2\nzwei;3\n"

    response = await client.post("/train?target=y", content=content, headers={"content-type": "text/csv"})

    assert response.status_code == 422
    assert response.json()["errors"] == [{"row": 2, "column": "a", "got": 'text "zwei"', "expected": "a number"}]


async def test_one_row_is_learnt(client: httpx.AsyncClient) -> None:
    """And answered as it was."""
    await column_of(client, [5])

    answer = (await client.post("/predict", json={"model": "exam", "rows": [{"a": 5}]})).json()

    assert answer["predictions"] == [0.0]


async def test_a_constant_target_is_learnt_with_a_warning(client: httpx.AsyncClient) -> None:
    """The answer is about its value."""
    body = {"name": "exam", "rows": [{"a": 1, "y": 7}, {"a": 2, "y": 7}], "target": "y"}

    answer = (await client.post("/train", json=body)).json()

    assert "Target y has one value only" in answer["report"]["warnings"][0]


async def test_a_kind_can_be_stated(client: httpx.AsyncClient) -> None:
    """A number that stands for a category is one; in a file it keeps its zeros."""
    rows = b"zip,y\n007,1\n010,2\n"

    response = await client.post(
        '/train?target=y&name=exam&kinds={"zip":"category"}', content=rows, headers={"content-type": "text/csv"}
    )

    assert response.json()["columns"][0]["levels"] == ["007", "010"]
    wrong = await problem(client, "/train", {"rows": [{"a": 1, "y": 1}], "target": "y", "kinds": {"z": "category"}})
    assert wrong["errors"][0]["field"] == "kinds"


async def test_a_target_of_digits_can_be_kept_as_it_is(client: httpx.AsyncClient) -> None:
    """Where its kind is stated; else 007 is the number 7."""
    rows = b"a,code\n1,007\n2,007\n3,7\n4,7\n"

    response = await client.post(
        '/train?target=code&kinds={"code":"category"}', content=rows, headers={"content-type": "text/csv"}
    )

    assert response.json()["labels"] == ["007", "7"]


async def test_large_numbers_that_stand_for_categories_stay_apart(client: httpx.AsyncClient) -> None:
    """Digit by digit, also beyond 2^53, in JSON and in Arrow."""
    ids = [2**53, 2**53 + 1, 2**53, 2**53 + 1]
    rows = [{"id": id_, "y": number} for number, id_ in enumerate(ids)]
    body = {"rows": rows, "target": "y", "kinds": {"id": "category"}, "training": QUICK}

    answer = (await client.post("/train", json=body)).json()

    assert answer["columns"][0]["levels"] == ["9007199254740992", "9007199254740993"]
    sink = io.BytesIO()
    parquet.write_table(pa.table({"id": ids, "y": [0.0, 1.0, 2.0, 3.0]}), sink)
    params = {"target": "y", "kinds": '{"id":"category"}', "training": json.dumps(QUICK)}
    headers = {"content-type": "application/vnd.apache.parquet"}
    response = await client.post("/train", params=params, content=sink.getvalue(), headers=headers)
    assert response.json()["sha256"] == answer["sha256"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", [None, *TASKS])
async def test_a_target_of_any_kind_is_learnt_or_refused(
    kind: str, task: str | None, client: httpx.AsyncClient
) -> None:
    """Whatever it is stated to be, whatever it holds, whatever is to be learnt of it."""
    held: list[list[Any]] = [[0, 1], [0.5, 1.5], ["0", "1"], ["a", "b"], [True, False], ["2024-01-01", "2024-01-02"]]
    for cells in held:
        rows = [{"a": row, "y": cells[row % 2]} for row in range(8)]
        request = {"rows": rows, "target": "y", "task": task, "kinds": {"y": kind}, "training": QUICK}

        answer = await client.post("/train", json=request)

        assert answer.status_code in {201, 422}, (cells, answer.text)


@pytest.mark.parametrize("setting", ["training", "network", "tags", "kinds"])
async def test_a_key_twice_in_an_object_of_the_address_is_one_too_many(setting: str, client: httpx.AsyncClient) -> None:
    """There as in a body."""
    address = httpx.QueryParams({"target": "y", setting: '{"a": 1, "a": 2}'})

    told = await problem(client, f"/train?{address}", [{"a": 1, "y": 1}, {"a": 2, "y": 2}])

    assert (told["status"], told["type"]) == (400, "/problems/duplicate-key")
    assert told["errors"][0]["field"] == "address"
