"""TensorFlow Serving's V1 and MLflow's invocations: rows in every form that their clients send."""

from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.conftest import ROWS, client_of

X = [[4, 8], [1, 5]]
RECORDS = [{"hours_slept": slept, "hours_studied": studied} for studied, slept in X]
SPLIT = {
    "columns": ["hours_slept", "hours_studied"],
    "index": [7, 9],
    "data": [[slept, studied] for studied, slept in X],
}
BY_NAME = {"hours_studied": [4, 1], "hours_slept": [[8], [5]]}
CSV = b"hours_slept,hours_studied\n8,4\n5,1\n"


@pytest.fixture
async def exam(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Train the only model."""
    response = await client.post("/train", json={"name": "exam", "rows": ROWS, "target": "score"})
    assert response.status_code == 201
    return client


async def own(client: httpx.AsyncClient) -> dict[str, Any]:
    return {"predictions": (await client.post("/predict", json={"model": "exam", "X": X})).json()["predictions"]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": SPLIT},
        {"dataframe_records": RECORDS},
        {"instances": X},
        {"instances": RECORDS},
        {"inputs": X},
        {"inputs": BY_NAME},
        {"inputs": X, "params": {"temperature": 1}},
    ],
)
async def test_mlflows_clients_send_rows_in_many_forms(exam: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """All are answered with the same numbers, at the address of the server or of a model."""
    for address in ("/invocations", "/invocations?model=exam", "/models/exam/invocations"):
        response = await exam.post(address, json=body)
        assert response.status_code == 200, response.text
        assert response.json() == await own(exam)


async def test_mlflows_clients_send_csv_too(exam: httpx.AsyncClient) -> None:
    """By its Content-Type; a CSV that is called nothing is no JSON."""
    response = await exam.post("/invocations", content=CSV, headers={"content-type": "text/csv; charset=utf-8"})
    assert response.json() == await own(exam)
    assert (await exam.post("/invocations", content=CSV)).status_code == 400


async def test_one_of_several_models_has_to_be_named(exam: httpx.AsyncClient) -> None:
    """With none or two in the store, /invocations says so; a name that is none is not found."""
    await exam.post("/train", json={"name": "other", "rows": ROWS, "target": "score"})
    response = await exam.post("/invocations", json={"instances": X})
    assert response.status_code == 422
    assert "/invocations?model=exam" in response.json()["detail"]
    assert (await exam.post("/invocations?model=nope", json={"instances": X})).status_code == 404


async def test_pings_tell_that_it_is_there(exam: httpx.AsyncClient) -> None:
    """The server, and each model as a server of its own."""
    for path in ("/ping", "/health", "/models/exam/ping", "/models/exam/health"):
        response = await exam.get(path)
        assert (response.status_code, response.content) == (200, b"{}\n")
    assert (await exam.get("/models/nope/ping")).status_code == 404


async def test_v1_predicts(exam: httpx.AsyncClient) -> None:
    """Instances that are lists or objects; the name may be that of an alias."""
    await exam.put("/models/exam/aliases/best", json={"version": 1})
    for body in ({"instances": X}, {"instances": RECORDS}, {"signature_name": "serving_default", "inputs": BY_NAME}):
        for name in ("exam", "exam@best"):
            response = await exam.post(f"/v1/models/{name}:predict", json=body)
            assert response.status_code == 200, response.text
            assert response.json() == await own(exam)
    assert (await exam.get("/v1/models")).json() == {"models": ["exam"]}
    assert (await exam.get("/v1/models/exam")).json() == {"name": "exam", "ready": True}
    assert (await exam.get("/")).json() == {"status": "alive"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "an object"),
        (b"{}", "instances"),
        (b'{"instances": [[1, 2]], "instances": [[3, 4]]}', "twice"),
        (b'{"instances": [[1, 2]], "inputs": [[3, 4]]}', "one of them"),
        (b'{"instances": [[1, 2]], "instanecs": 1}', "instanecs"),
        (b'{"instances": {"hours_studied": [1, 2], "hours_slept": [1]}}', "all as long"),
        (b'{"instances": {}}', "all as long"),
        (b'{"instances": 5}', "a list of rows"),
        (b'{"instances": [[1]]}', "row 0"),
        (b'{"instances": [[1, "x"]]}', "column hours_slept"),
        (b'{"instances": []}', "no rows"),
        (b'{"instances": [[NaN, 1]]}', "NaN"),
        (b'{"instances": [{"hours_studied": 1}]}', "hours_slept"),
    ],
)
async def test_v1_refuses_in_one_sentence(exam: httpx.AsyncClient, body: bytes, said: str) -> None:
    """400 and an `error`, which KServe's client shows."""
    response = await exam.post("/v1/models/exam:predict", content=body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert said in response.json()["error"]


@pytest.mark.parametrize(
    "split",
    [
        [],
        {"columns": ["a"]},
        SPLIT | {"more": 1},
        SPLIT | {"columns": "ab"},
        SPLIT | {"columns": [1, 2]},
        SPLIT | {"data": 1},
    ],
)
async def test_a_split_table_has_columns_and_data(exam: httpx.AsyncClient, split: object) -> None:
    """And perhaps an index, which means nothing here."""
    response = await exam.post("/invocations", json={"dataframe_split": split})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_v1_explains(exam: httpx.AsyncClient) -> None:
    """What each column adds to what the middle of the trained ranges is answered with; dates have one share."""
    middle = (await exam.post("/predict", json={"model": "exam", "X": [[2, 7]]})).json()["predictions"][0]
    answers = (await own(exam))["predictions"]

    response = await exam.post("/v1/models/exam:explain", json={"instances": [*X, [2, 7]]})

    explained = response.json()["explanations"]
    assert [each["prediction"] for each in explained] == [*answers, middle]
    for each in explained:
        assert each["baseline"] == middle
        assert sum(each["contributions"].values()) == pytest.approx(each["prediction"] - middle, abs=1e-9)
    assert explained[-1]["contributions"] == {"hours_studied": 0.0, "hours_slept": 0.0}

    rows = [
        {"day": f"2026-0{number}-01", "colour": "red" if number % 3 else "blue", "kind": "a" if number > 4 else "b"}
        for number in range(1, 9)
    ]
    await exam.post("/train", json={"name": "kinds", "rows": rows, "target": "kind", "training": {"epochs": 5}})
    response = await exam.post(
        "/v1/models/kinds:explain", json={"instances": [{"day": "2026-08-02", "colour": "blue"}]}
    )
    (each,) = response.json()["explanations"]
    assert set(each["contributions"]) == {"day", "colour"}
    assert set(each["baseline"]) == {"a", "b"}
    for shares in each["contributions"].values():
        assert sum(shares.values()) == pytest.approx(0.0, abs=1e-9)


async def test_too_many_explanations_are_refused(settings: Settings) -> None:
    """Each takes many answers, which are counted before they are computed."""
    async with client_of(settings.model_copy(update={"most_answers": 8})) as client:
        await client.post("/train", json={"name": "exam", "rows": ROWS, "target": "score"})
        for rows, status in ((2, 200), (3, 413)):
            response = await client.post("/v1/models/exam:explain", json={"instances": X[:1] * rows})
            assert response.status_code == status


@pytest.mark.parametrize("rows", [{"hours_studied": [], "hours_slept": []}, []])
async def test_no_rows_are_no_request(exam: httpx.AsyncClient, rows: object) -> None:
    """In whatever form they are not there."""
    for verb in ("predict", "explain"):
        response = await exam.post(f"/v1/models/exam:{verb}", json={"inputs": rows})
        assert response.status_code == 400
        assert "no rows" in response.json()["error"]


async def test_explanations_of_very_many_columns_are_counted_before(client: httpx.AsyncClient) -> None:
    """They would take minutes, of which nothing else bounds one."""
    rows = [[(row * column) % 7 for column in range(4000)] for row in range(3)]
    request = {"name": "wide", "X": rows, "y": [1.5, 2.5, 3.5], "network": {"hidden": []}, "training": {"epochs": 1}}
    assert (await client.post("/train", json=request)).status_code == 201

    response = await client.post("/v1/models/wide:explain", json={"instances": rows[:1]})

    assert response.status_code == 413
    assert "8002 rows of 4000 columns" in response.json()["error"]


async def test_a_row_that_cannot_be_explained_is_named(client: httpx.AsyncClient) -> None:
    """Its answer can be told, and those of its mixtures with the middle cannot."""
    X = [[number % 5, number % 7] for number in range(30)]
    training = {"optimizer": "adam", "epochs": 2, "members": 1}
    network = {"hidden": [1], "activation": "exponential"}
    y = [number / 3 for number in range(30)]
    await client.post("/train", json={"name": "steep", "X": X, "y": y, "network": network, "training": training})
    weights = (await client.get("/models/steep/weights")).json()
    (first,), (second,) = weights["members"][0]["layers"][0]["W"]
    scale = [column["scale"] for column in weights["inputs"]]
    row = [1e5 * second * scale[0], -1e5 * first * scale[1]]  # each far away, and their effects cancel out
    assert (await client.post("/predict", json={"model": "steep", "X": [row]})).status_code == 200

    response = await client.post("/v1/models/steep:explain", json={"instances": [*X[:4], row]})

    assert response.status_code == 400
    assert "row 4" in response.json()["error"]
