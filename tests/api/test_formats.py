"""Tables in and answers out, in every format."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, ipc, parquet
from starlette.datastructures import Headers

from app.api.accepting import form_of_answer
from app.tables.formats import FORMATS
from tests.api.problem import problem
from tests.tables.forms import FORMS, Cells, as_csv, as_parquet, as_stream

TABLE: Cells = {
    "hours": [1.0, 2.5, None, 4.0, 5.0, 6.0],
    "course": ["art", "law", "art", "sea", None, "law"],
    "paid": [True, False, True, True, False, None],
    "since": ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"],
    "passed": ["yes", "no", "yes", "yes", "no", "=1+1"],
}
QUESTIONS = {name: cells for name, cells in TABLE.items() if name != "passed"}
QUICK = {"optimizer": "adam", "epochs": 5}
READERS: dict[str, Any] = {
    "csv": lambda content: csv.read_csv(io.BytesIO(content)),
    "ndjson": lambda content: pa.Table.from_pylist([json.loads(line) for line in content.splitlines()]),
    "parquet": lambda content: parquet.read_table(io.BytesIO(content)),
    "arrow_stream": lambda content: ipc.open_stream(content).read_all(),
    "arrow_file": lambda content: ipc.open_file(content).read_all(),
}


async def trained(client: httpx.AsyncClient, form: str = "JSON") -> dict[str, Any]:
    media_type, write = FORMS[form]
    params = {"target": "passed", "name": "exam", "training": json.dumps(QUICK)}
    response = await client.post("/train", params=params, content=write(TABLE), headers={"content-type": media_type})
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_every_format_trains_the_same_model(client: httpx.AsyncClient) -> None:
    """The same file to the last byte, as its SHA-256 tells."""
    digests = {form: (await trained(client, form))["sha256"] for form in FORMS}

    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("form", FORMS)
async def test_every_format_is_answered_alike(form: str, client: httpx.AsyncClient) -> None:
    """In JSON, if the client asks for that: the same bits."""
    await trained(client)
    media_type, write = FORMS[form]
    plain = (await client.post("/models/exam/predict?proba=true", content=FORMS["JSON"][1](QUESTIONS))).json()

    headers = {"content-type": media_type, "accept": "application/json"}
    answer = await client.post("/models/exam/predict?proba=true", content=write(QUESTIONS), headers=headers)

    assert answer.json() == plain


@pytest.mark.parametrize("form", READERS)
async def test_answers_come_in_the_form_that_is_asked_for(form: str, client: httpx.AsyncClient) -> None:
    """A column named like the target, whether the row is in range, and a probability for each label."""
    await trained(client)
    plain = (await client.post("/models/exam/predict?proba=true", content=FORMS["JSON"][1](QUESTIONS))).json()

    answer = await client.post(
        "/models/exam/predict?proba=true",
        content=as_csv(QUESTIONS),
        headers={"content-type": "text/csv", "accept": FORMATS[form].media_types[0]},
    )

    table = READERS[form](answer.content)
    assert answer.headers["content-type"].split(";")[0] == FORMATS[form].media_types[0]
    answers = table.column("passed").to_pylist()
    assert [label.lstrip("'") for label in answers] == plain["predictions"]
    assert table.column("in_range").to_pylist() == plain["in_range"]
    for label in ("yes", "no", "=1+1"):
        shares = [row[label] for row in plain["probabilities"]]
        assert table.column(f"probability_{label}").to_pylist() == shares


async def test_a_table_is_answered_with_a_table(client: httpx.AsyncClient) -> None:
    """In its own form, where any will do, as with curl."""
    await trained(client)
    headers = {"content-type": "text/csv", "accept": "*/*"}

    answer = await client.post("/models/exam/predict", content=as_csv(QUESTIONS), headers=headers)

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == '"passed","in_range"'
    assert answer.text.count("\n") == 7


async def test_no_text_of_an_answer_runs_in_a_spreadsheet(client: httpx.AsyncClient) -> None:
    """A label that begins like a formula gets an apostrophe in CSV; other forms have it as it is."""
    rows = {"X": [[1], [2], [3], [4]], "y": ["=1+1", "=1+1", "@x", "@x"], "name": "exam", "training": {"epochs": 50}}
    (await client.post("/train", json=rows)).raise_for_status()
    headers = {"content-type": "text/csv"}

    answer = await client.post("/models/exam/predict", content=b"x1\n1\n4\n", headers=headers)

    assert [line.split(",")[0] for line in answer.text.splitlines()[1:]] == ['"\'=1+1"', '"\'@x"']


async def test_arrays_of_numbers_are_tables(client: httpx.AsyncClient) -> None:
    """An npy body has columns x1, x2, … or those that the address names."""
    sink = io.BytesIO()
    np.save(sink, np.array([[1.0, 5, 2], [2, 4, 3], [3, 1, 9]]))
    headers = {"content-type": "application/x-npy"}

    plain = await client.post("/train?target=x3&name=plain", content=sink.getvalue(), headers=headers)
    named = await client.post(
        "/train?target=c&name=named&columns=a&columns=b&columns=c", content=sink.getvalue(), headers=headers
    )

    assert [column["name"] for column in plain.json()["columns"]] == ["x1", "x2"]
    assert [column["name"] for column in named.json()["columns"]] == ["a", "b"]
    asked = io.BytesIO()
    np.save(asked, np.asfortranarray(np.array([[1, 5], [3, 1]], dtype=">i4")))
    answer = await client.post("/models/plain/predict", content=asked.getvalue(), headers=headers)
    assert np.load(io.BytesIO(answer.content))[:, 0] == pytest.approx([2, 9], abs=1e-2)


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("media_type", "content", "status", "hint"),
    [
        ("application/x-npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (68719476736,)}"), 422, "bytes"),
        (
            "application/x-npy",
            npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}", b"x" * 8),
            422,
            "numbers",
        ),
        (
            "application/x-npy",
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1)}", b"x" * 8),
            422,
            "two",
        ),
        ("application/x-npy", b"\x93NUMPY", 422, "npy"),
        ("application/x-npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), "), 422, "npy"),
        ("application/x-npy", npy("{'descr': '<f8', \0"), 422, "npy"),
        ("application/x-npy", b"PK\x03\x04", 422, "npy"),
        ("application/vnd.apache.parquet", as_parquet(TABLE)[:-7], 422, "Parquet"),
        ("application/vnd.apache.parquet", b"", 422, "Parquet"),
        ("application/vnd.apache.arrow.stream", as_stream(TABLE)[:200], 422, "Arrow stream"),
        ("application/vnd.apache.arrow.file", as_stream(TABLE), 422, "Arrow file"),
        ("application/x-ndjson", b'{"a": 1, "passed": 1}\n\n{"a": 2, "passed": }\n', 400, "Line 3"),
        ("application/x-ndjson", b'{"a": 1, "a": 2, "passed": 1}\n', 400, "twice"),
        ("application/x-ndjson", b"", 422, "no rows"),
        ("application/x-ndjson", b'{"a": 1}, {"a": 2}\n', 400, "line"),
        ("text/csv", b"a,passed\n1,2\n3\n", 422, ""),
        ("text/csv", b"a,passed\n", 422, "no rows"),
        ("text/csv", b"a,a,passed\n1,2,3\n", 422, "same name"),
        ("text/csv", b"a,passed,passed\n1,2,3\n1,4,5\n", 422, "same name"),
        ("text/csv", b",passed\n1,2\n", 422, "printable"),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_refused(
    media_type: str, content: bytes, status: int, hint: str, client: httpx.AsyncClient
) -> None:
    """Before anything is made of it, and in words."""
    response = await client.post("/train?target=passed", content=content, headers={"content-type": media_type})

    assert response.status_code == status, response.text
    assert hint in response.json()["detail"]
    assert len(response.content) < 4096


async def test_columns_of_lists_are_refused(client: httpx.AsyncClient) -> None:
    """Arrow can have them; a network cannot."""
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": pa.array([[1.0], [2.0]]), "y": [1.0, 2.0]}), sink)

    response = await client.post(
        "/train?target=y", content=sink.getvalue(), headers={"content-type": "application/vnd.apache.parquet"}
    )

    assert response.status_code == 422
    assert response.json()["errors"][0]["column"] == "a"


@pytest.mark.parametrize(
    ("accept", "content_type", "form"),
    [
        ("*/*", "application/json", None),
        ("", "text/csv", "csv"),
        ("application/json", "text/csv", None),
        ("text/csv;q=0.5, application/json", "text/csv", None),
        ("application/json;q=0.1, text/csv", "", "csv"),
        ("text/*", "", "csv"),
        ("application/*", "application/x-npy", "npy"),
        ("image/png, */*;q=0.1", "application/parquet", "parquet"),
        ("application/x-ndjson;q=nonsense, text/csv;q=0.1", "", "csv"),
    ],
)
def test_the_form_of_an_answer_follows_accept(accept: str, content_type: str, form: str | None) -> None:
    """The best liked one that there is; the body's own where all are alike."""
    assert form_of_answer(Headers({"accept": accept, "content-type": content_type})) == form


async def test_an_answer_that_nobody_takes_is_refused(client: httpx.AsyncClient) -> None:
    """With the forms that there are."""
    await trained(client)

    response = await client.post("/models/exam/predict", content=b"[]", headers={"accept": "image/png"})

    assert (response.status_code, response.json()["type"]) == (406, "/problems/not-acceptable")
    assert "text/csv" in response.json()["detail"]


async def test_a_setting_that_is_none_is_named(client: httpx.AsyncClient) -> None:
    """In the address as in a body."""
    answer = await problem(client, "/train?targt=y", [{"a": 1, "y": 2}])

    assert answer["errors"] == [{"field": "targt", "expected": "no such setting; is it target?"}]


async def test_several_targets_are_named_one_by_one(client: httpx.AsyncClient) -> None:
    """And answered in a column each."""
    rows = [{"a": number, "u": number, "v": -number} for number in range(5)]
    (await client.post("/train?target=u&target=v&name=exam", json=rows)).raise_for_status()

    answer = await client.post("/models/exam/predict", content=b"a\n1\n2\n", headers={"content-type": "text/csv"})

    assert answer.text.splitlines()[0] == '"u","v","in_range"'


async def test_columns_are_found_by_name(client: httpx.AsyncClient) -> None:
    """In any order; one that is missing, or that there is none of, is named; more are fine if told so."""
    await trained(client)
    turned = dict(reversed(QUESTIONS.items()))
    headers = {"content-type": "text/csv"}
    plain = await client.post("/models/exam/predict", content=as_csv(QUESTIONS), headers=headers)

    assert (await client.post("/models/exam/predict", content=as_csv(turned), headers=headers)).text == plain.text
    fewer = as_csv({name: cells for name, cells in QUESTIONS.items() if name != "paid"})
    missing = (await client.post("/models/exam/predict", content=fewer, headers=headers)).json()
    assert missing["errors"] == [{"column": "paid", "got": "nothing", "expected": "this column too"}]
    more = as_csv(QUESTIONS | {"hour": [1] * 6})
    extra = (await client.post("/models/exam/predict", content=more, headers=headers)).json()
    assert extra["errors"] == [{"column": "hour", "expected": "no such column; is it hours?"}]
    ignored = await client.post("/models/exam/predict?ignore_extra=true", content=more, headers=headers)
    assert ignored.text == plain.text
    rows = [{"hour": 1, "passed": "?"} | row for row in json.loads(FORMS["JSON"][1](QUESTIONS))]
    answer = await client.post("/models/exam/predict", json={"rows": rows, "ignore_extra": True})
    assert len(answer.json()["predictions"]) == 6


@pytest.mark.parametrize(
    "moments",
    [
        pa.array([2**62], pa.timestamp("us")),
        pa.array([2**60], pa.timestamp("s")),
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    ],
    ids=str,
)
async def test_moments_beyond_the_calendar_are_faults(moments: Any, client: httpx.AsyncClient) -> None:
    """Named by row and column, in training and in a column of numbers."""
    headers = {"content-type": "application/vnd.apache.arrow.stream"}

    def body(**columns: Any) -> bytes:
        sink = io.BytesIO()
        table = pa.table(columns)
        with ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()

    learnt = await client.post("/train?target=y", content=body(a=moments, y=[1.0]), headers=headers)
    (await client.post("/train", json={"name": "exam", "X": [[1], [2]], "y": [1, 2]})).raise_for_status()
    asked = await client.post("/models/exam/predict", content=body(x1=moments), headers=headers)

    assert (learnt.status_code, learnt.json()["errors"][0]["row"]) == (422, 0)
    assert (asked.status_code, asked.json()["errors"][0]["expected"]) == (422, "a number")


async def test_a_short_file_of_long_texts_is_refused(client: httpx.AsyncClient) -> None:
    """A text that is there once but stands in many rows is measured before it is written out."""
    coded = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), pa.array(["x" * 60_000]))
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 400), pa.array(["x" * 2**20]))
    headers = {"content-type": "application/vnd.apache.parquet"}

    for column, status in ((coded, 413), (long, 422)):
        sink = io.BytesIO()
        parquet.write_table(pa.table({"a": column, "y": [1.0] * len(column)}), sink)
        response = await client.post("/train?target=y", content=sink.getvalue(), headers=headers)
        assert response.status_code == status, response.text


async def test_the_charset_of_a_body_is_its_encoding(client: httpx.AsyncClient) -> None:
    """As its Content-Type says."""
    content = "stadt,y\nŁódź,1\nŻary,2\n".encode("iso-8859-2")

    response = await client.post(
        "/train?target=y", content=content, headers={"content-type": "text/csv; charset=iso-8859-2"}
    )

    assert response.json()["columns"][0]["levels"] == ["Łódź", "Żary"]


async def test_texts_are_not_answered_as_numbers(client: httpx.AsyncClient) -> None:
    """An npy question to a classifier of texts is told to ask for another form."""
    (await client.post("/train", json={"name": "exam", "X": [[1], [2]], "y": ["a", "b"]})).raise_for_status()
    sink = io.BytesIO()
    np.save(sink, np.array([[1.0]]))
    headers = {"content-type": "application/x-npy"}

    refused = await client.post("/models/exam/predict", content=sink.getvalue(), headers=headers)
    answer = await client.post(
        "/models/exam/predict", content=sink.getvalue(), headers=headers | {"accept": "application/json"}
    )

    json_refused = await client.post(
        "/predict", json={"model": "exam", "X": [1]}, headers={"accept": "application/x-npy"}
    )

    for problem_ in (refused, json_refused):
        assert (problem_.status_code, problem_.json()["errors"][0]["field"]) == (422, "accept")
    assert answer.json()["predictions"] == ["a"]


async def test_the_index_of_pandas_is_no_column(client: httpx.AsyncClient) -> None:
    """It is written beside the columns of a frame that was filtered."""
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": [1.0, 2.0], "y": [1.0, 2.0], "__index_level_0__": [5, 9]}), sink)

    response = await client.post(
        "/train?target=y", content=sink.getvalue(), headers={"content-type": "application/vnd.apache.parquet"}
    )

    assert [column["name"] for column in response.json()["columns"]] == ["a"]


@pytest.mark.parametrize(
    "query", ["name=a&name=b", 'kinds={"a":"number"}&kinds={}', "rows=[]", "task=regression&task=x"]
)
async def test_a_setting_that_would_be_lost_is_refused(query: str, client: httpx.AsyncClient) -> None:
    """One that comes twice, or that belongs to the table."""
    answer = await problem(client, f"/train?target=y&{query}", [{"a": 1, "y": 2}])

    assert answer["errors"][0]["expected"] == "each setting once, beside the table"


async def test_points_and_commas_are_told_apart_by_column(client: httpx.AsyncClient) -> None:
    """Of a semicolon file with both, each column is one of numbers."""
    content = b"a;v;y\n1,5;3.5;1\n2,5;3.6;2\n"

    response = await client.post("/train?target=y", content=content, headers={"content-type": "text/csv"})

    assert [(column["kind"], column["lowest"]) for column in response.json()["columns"]] == [
        ("number", 1.5),
        ("number", 3.5),
    ]
