"""Looking at what is there: models, versions, curves, weights, jobs, health, documentation."""

import asyncio
import json
import re
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from app.engine.activations import ACTIVATIONS
from app.opening import store_of
from app.settings import Settings
from app.store import checking
from tests.api.problem import problem
from tests.conftest import ROWS, TUTORIAL, client_of
from tests.export.graphs import regressor

OCTETS, ONNX = "application/octet-stream", "application/onnx"

QUICK: dict[str, Any] = {"X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1}}


async def trained(client: httpx.AsyncClient, **request: Any) -> dict[str, Any]:
    response = await client.post("/train", json=request)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_model_is_described_by_its_newest_version(client: httpx.AsyncClient) -> None:
    """With all versions listed; each version can be described alone."""
    await trained(client, name="exam", description="first", **QUICK)
    await trained(client, name="exam", tags={"class": "5b"}, **QUICK)

    model = (await client.get("/models/exam")).json()
    first = (await client.get("/models/exam/versions/1")).json()

    assert (model["version"], model["versions"], model["tags"]) == (2, [1, 2], {"class": "5b"})
    assert (first["version"], first["description"], "versions" in first) == (1, "first", False)


async def test_versions_and_models_can_be_deleted(client: httpx.AsyncClient) -> None:
    """204; then the next older version is the newest; then nothing is there, and numbers go on."""
    await trained(client, name="exam", **QUICK)
    await trained(client, name="exam", **QUICK)

    assert (await client.delete("/models/exam/versions/2")).status_code == 204
    assert (await client.get("/models/exam")).json()["versions"] == [1]
    assert (await client.post("/predict", json={"model": "exam/2", "X": [1]})).status_code == 404
    assert (await client.delete("/models/exam")).status_code == 204
    assert (await client.get("/models/exam")).status_code == 404
    assert (await client.post("/predict", json={"model": "exam", "X": [1]})).status_code == 404
    assert (await trained(client, name="exam", **QUICK))["version"] == 3


async def test_a_damaged_version_is_named_and_the_rest_is_served(settings: Settings) -> None:
    """503 with the reason and the version to use instead; other models and versions answer."""
    async with client_of(settings.model_copy(update={"cache_bytes": 0})) as client:
        for _ in range(2):
            await trained(client, **TUTORIAL)
        await trained(client, name="other", **QUICK)
        (settings.models / "exam" / "2.safetensors").write_bytes(b"not a snapshot")

        damaged = await client.post("/predict", json={"model": "exam", "X": [4, 8]})
        listed = (await client.get("/models")).json()["models"]

        assert damaged.status_code == 503
        assert damaged.json()["type"] == "/problems/corrupt"
        assert "exam/2 is damaged" in damaged.json()["detail"]
        assert "exam/1" in damaged.json()["detail"]
        assert damaged.headers["retry-after"]
        assert [bool(model["damage"]) for model in listed] == [True, False]
        for reference in ("exam/1", "other"):
            columns = 2 if reference == "exam/1" else 1
            answer = await client.post("/predict", json={"model": reference, "X": [1] * columns})
            assert answer.status_code == 200


async def test_history_has_a_loss_for_every_epoch(client: httpx.AsyncClient) -> None:
    """Thinned to so many points, first and last always there; validation where rows were held out."""
    await trained(client, **TUTORIAL)
    rows = [[value] for value in range(40)]
    await trained(client, name="long", X=rows, y=[1] * 20 + [2] * 20, training={"epochs": 7, "validation": 0.5})

    whole = (await client.get("/models/exam/history")).json()
    thin = (await client.get("/models/exam/versions/1/history", params={"max_points": 3})).json()
    one = (await client.get("/models/exam/history", params={"max_points": 1})).json()
    none = await client.get("/models/exam/history", params={"max_points": 0})
    held_out = (await client.get("/models/long/history")).json()

    assert whole["epochs"] == list(range(1, 1001))
    assert all(later < earlier for earlier, later in zip(whole["loss"], whole["loss"][1:], strict=False))
    assert whole["validation_loss"] is None
    assert thin["epochs"] == [1, 501, 1000]
    assert thin["loss"] == [whole["loss"][epoch - 1] for epoch in thin["epochs"]]
    assert one["epochs"] == [1]
    assert none.status_code == 422
    assert len(held_out["validation_loss"]) == len(held_out["loss"]) == 7


def made_by_hand(entry: dict[str, Any], value: float) -> float:
    if entry["made"] == "bin":
        return float(2 * np.clip((value - entry["begins"]) / entry["width"], 0, 1) - 1)
    scaled = (value - entry["center"]) / entry["scale"]
    return float(scaled / np.sqrt(1 + (scaled / entry["clip"]) ** 2) if entry["clip"] else scaled)


MEMBERS = {"training": {"optimizer": "adam", "members": 2, "epochs": 3}, "scaling": {"bins": 2, "clip": 2.0}}


@pytest.mark.parametrize("asked", [{"preset": "tutorial"}, {}, MEMBERS])
async def test_answers_can_be_computed_by_hand_from_the_weights(asked: Any, client: httpx.AsyncClient) -> None:
    """Make the inputs, run each member's layers, average, scale out: the served answer."""
    await trained(client, name="exam", rows=ROWS, target="score", **asked)
    weights = (await client.get("/models/exam/weights")).json()

    row = {"hours_studied": 4.0, "hours_slept": 8.0}
    inputs = np.array([[made_by_hand(entry, row[entry["column"]]) for entry in weights["inputs"]]])
    answers = []
    for member in weights["members"]:
        a = inputs
        for layer in member["layers"]:
            a = a @ np.array(layer["W"]) + np.array(layer["b"] or 0.0)
            ACTIVATIONS[layer["activation"]].apply(a, np.empty_like(a))
        answers.append(a * weights["target"]["scale"] + weights["target"]["center"])
    by_hand = np.mean(answers, axis=0)

    answer = (await client.post("/predict", json={"model": "exam", "X": [4, 8]})).json()
    assert answer["predictions"] == pytest.approx(by_hand[0], rel=1e-12)
    assert (await client.get("/models/exam/versions/1/weights")).json() == weights


async def test_weights_of_a_classifier_have_no_target_scaler(client: httpx.AsyncClient) -> None:
    """Its last layer gives probabilities."""
    await trained(client, name="pass", X=[[1], [2]], y=["no", "yes"], training={"epochs": 1})

    assert (await client.get("/models/pass/weights")).json()["target"] is None


async def test_a_training_that_takes_longer_is_a_job(client: httpx.AsyncClient) -> None:
    """202 with a Location; the job tells how far it is, then which version it became."""
    response = await client.post("/train", params={"wait": 0}, json=TUTORIAL)
    assert response.status_code == 202
    location = response.headers["location"]
    assert location == f"/jobs/{response.json()['job']}"

    job = response.json()
    while job["status"] in {"queued", "running"}:
        job = (await client.get(location)).json()

    assert (job["status"], job["model"], job["version"]) == ("succeeded", "exam", 1)
    assert (job["epoch"], job["epochs"]) == (1000, 1000)
    assert job["loss"] == pytest.approx(0.000322, abs=1e-6)
    assert job["ended"] > job["created"]
    assert job["history"]["epochs"][-1] == 1000
    assert (await client.get("/jobs")).json()["jobs"] == [job | {"history": None}]


async def test_a_training_that_fails_later_tells_why_in_its_job(settings: Settings) -> None:
    """What would have been the problem is the job's error."""
    wild = {"optimizer": "gradient_descent", "learning_rate": 1e6}
    body = {"rows": ROWS, "target": "score", "training": wild, "network": {"activation": "identity"}}
    async with client_of(settings.model_copy(update={"trainings_at_once": 1})) as client:
        await client.post("/train", params={"wait": 0}, json=TUTORIAL)  # the next one has to wait for this
        job = (await client.post("/train", params={"wait": 0}, json=body)).json()
        while job["status"] in {"queued", "running"}:
            job = (await client.get(f"/jobs/{job['job']}")).json()

    assert job["status"] == "failed"
    assert "diverged in epoch" in job["error"]
    assert job["version"] is None


async def test_a_training_that_converges_early_is_told_to_its_last_epoch(client: httpx.AsyncClient) -> None:
    """The job says what the model says."""
    model = await trained(client, rows=ROWS, target="score")

    job = (await client.get("/jobs")).json()["jobs"][0]

    assert model["report"]["stopped"] == "converged"
    assert job["epoch"] == model["report"]["epochs"] < job["epochs"]


async def test_jobs_are_listed_newest_first(client: httpx.AsyncClient) -> None:
    """As many as asked for."""
    for name in ("a", "b", "c"):
        await trained(client, name=name, **QUICK)

    assert [job["model"] for job in (await client.get("/jobs", params={"limit": 2})).json()["jobs"]] == ["c", "b"]


async def test_health(client: httpx.AsyncClient, settings: Settings) -> None:
    """Live as long as the process runs, ready as long as the store can be written."""
    assert (await client.get("/livez")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ok"}

    (settings.models / ".incoming").rmdir()

    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 503


async def test_a_service_without_room_for_models_is_not_ready(settings: Settings) -> None:
    """503 with what to do, while it lives; a reserve that no disk has stands for a full one."""
    async with client_of(settings.model_copy(update={"reserve_bytes": 2**80})) as client:
        answer = await problem(client, "/readyz", b"", "GET")

        assert (await client.get("/livez")).status_code == 200

    assert (answer["status"], answer["type"]) == (503, "/problems/storage")
    assert "bytes free. Delete models or datasets" in answer["detail"]


async def test_a_store_that_vanished_is_a_503(client: httpx.AsyncClient, settings: Settings) -> None:
    """Nothing is acknowledged that was not saved."""
    (settings.models / ".incoming").rmdir()

    response = await client.post("/train", json=QUICK)

    assert response.status_code == 503
    assert response.json()["type"] == "/problems/storage"


async def test_a_service_holds_blas_to_one_thread(settings: Settings) -> None:
    """As long as it answers, so that a row's answer has the same bits on every machine; not a moment longer."""

    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        async with client_of(settings):
            assert threads() == {1}
        assert threads() == before == {2}


async def test_every_answer_carries_a_request_id(client: httpx.AsyncClient) -> None:
    """The caller's own if it is a plain word, else a new one."""
    own = await client.get("/livez", headers={"x-request-id": "abc-1"})
    odd = await client.get("/nothing", headers={"x-request-id": "a b\tc"})

    assert own.headers["x-request-id"] == "abc-1"
    assert odd.headers["x-request-id"] not in {"", "a b\tc"}
    assert own.headers["x-content-type-options"] == "nosniff"


async def test_every_example_of_the_openapi_document_works(client: httpx.AsyncClient, settings: Settings) -> None:
    """Pasted in the document's order, each body and path is answered with a documented success.

    What makes several models comes last: some of the others are about the only one.
    """
    document = (await client.get("/openapi.json")).json()
    tried, snapshot = 0, b""
    operations = [(path, method, op) for path, ops in document["paths"].items() for method, op in ops.items()]
    turn = {"/train": 0, "/train/batch": 2}
    for path, method, operation in sorted(operations, key=lambda item: (turn.get(item[0], 1), item[1] == "delete")):
        if "{job_id}" in path or "{dataset}" in path or path.endswith("/verify"):  # which needs a dataset
            continue
        query = {}
        for parameter in operation.get("parameters", []):
            if parameter.get("in") == "path":
                path = path.replace("{" + parameter["name"] + "}", parameter["schema"]["examples"][0])  # noqa: PLW2901
            elif parameter.get("required"):
                query[parameter["name"]] = parameter["schema"]["examples"][0]
        if (settings.models / "exam" / "1.safetensors").exists():
            snapshot = (settings.models / "exam" / "1.safetensors").read_bytes()
        content = operation.get("requestBody", {}).get("content", {})
        body = content.get("application/json", {}).get("example")
        file = next((data for kind, data in {OCTETS: snapshot, ONNX: regressor()}.items() if kind in content), None)
        if method == "delete":
            settings.models.joinpath("exam", "1.deleted").unlink(missing_ok=True)
            settings.models.joinpath("exam", "1.safetensors").write_bytes(snapshot)
            with closing(store_of(settings)) as store:
                store.open()
                checking.take_in(store)
        sent = file if body is None else json.dumps(body)
        response = await client.request(method, path, params=query, content=sent)
        assert str(response.status_code) in operation["responses"], (method, path, response.text)
        assert response.status_code < 300, (method, path, response.text)
        tried += 1
    assert tried >= 15


async def test_the_openapi_document_is_complete(client: httpx.AsyncClient) -> None:
    """Every reference leads somewhere; settings show bounds, choices and meanings."""
    response = await client.get("/openapi.json")
    components = response.json()["components"]
    schemas = components["schemas"]

    for kind, name in re.findall(r'"#/components/(\w+)/([\w.]+)"', response.text):
        assert name in components[kind]
    assert all(parameter["description"] for parameter in components["parameters"].values())
    rate = schemas["TrainingConfig"]["properties"]["learning_rate"]
    assert rate["anyOf"][0] == {"exclusiveMinimum": 0, "maximum": 1e6, "type": "number"}
    assert "adamw" in schemas["TrainingConfig"]["properties"]["optimizer"]["anyOf"][0]["enum"]
    assert all("description" in field for field in schemas["TrainingConfig"]["properties"].values())


async def test_too_many_waiting_trainings_are_refused(settings: Settings) -> None:
    """429 with Retry-After, as long as one has the only place and another waits for it."""
    async with client_of(settings.model_copy(update={"trainings_at_once": 1, "most_waiting": 1})) as client:
        statuses, refused = [], None
        for _ in range(3):
            response = await client.post("/train", params={"wait": 0, "paused": "true"}, json=TUTORIAL)
            statuses.append(response.status_code)
            refused = response

    assert statuses == [202, 202, 429]
    assert refused is not None
    assert refused.headers["retry-after"] == "5"


async def test_the_list_of_models_survives_deletions_meanwhile(client: httpx.AsyncClient) -> None:
    """A model that goes while the list is made is left out; the rest is listed."""
    for name in ("a", "b"):
        await trained(client, name=name, **QUICK)
    stop = asyncio.Event()

    async def churn() -> None:
        while not stop.is_set():
            await client.delete("/models/a")
            await trained(client, name="a", **QUICK)

    churning = asyncio.create_task(churn())
    for _ in range(50):
        response = await client.get("/models")
        assert response.status_code == 200
        assert "b" in [model["model"] for model in response.json()["models"]]
    stop.set()
    await churning
