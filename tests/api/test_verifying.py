"""A version is trained again from its record, and its weights are compared."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.api.problem import problem
from tests.conftest import TUTORIAL

CSV = "course,hours,w,score\n" + "".join(
    f"{course},{hours},{1 + hours % 3},{10 * hours + 5 * (course == 'law')}\n"
    for course in ("law", "art", "golf", "chess")
    for hours in range(30)
)


async def dataset(client: httpx.AsyncClient) -> str:
    response = await client.post("/datasets", content=CSV, headers={"content-type": "text/csv"})
    return str(response.json()["dataset"])


async def trained(client: httpx.AsyncClient, path: str = "/train", **request: Any) -> None:
    response = await client.post(path, json=request)
    assert response.status_code == 201, response.text


async def verified(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.post(path)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"weight": "w", "kinds": {"hours": "category"}},
        {"training": {"optimizer": "adam", "epochs": 7, "seed": 5, "validation": 0.2}},
        {"sweep": {"l2": [0.0, 0.1]}, "training": {"optimizer": "lbfgs", "epochs": 9}},
        {"target": ["score", "hours"], "training": {"members": 3, "epochs": 3}},
    ],
)
async def test_the_record_gives_the_same_weights(how: dict[str, Any], client: httpx.AsyncClient) -> None:
    """To the last bit, whatever was set: weights of rows, kinds, a sweep, several targets."""
    await trained(client, name="courses", dataset=await dataset(client), **{"target": "score"} | how)

    for path in ("/models/courses/verify", "/models/courses/versions/1/verify"):
        answer = await verified(client, path)
        assert (answer["verified"], answer["largest_difference"]) == (True, 0.0)
        assert answer["weights_sha256"] == answer["retrained_sha256"]
    assert (await client.get("/models/courses")).json()["versions"] == [1]
    assert len((await client.get("/jobs")).json()["jobs"]) == 1


async def test_a_version_that_went_on_is_verified_from_where_it_began(client: httpx.AsyncClient) -> None:
    """With what the optimizer remembered; once that version is gone, it cannot be."""
    how: dict[str, Any] = {"optimizer": "adam", "epochs": 4}
    name = await dataset(client)
    await trained(client, name="courses", dataset=name, target="score", training=how)
    await trained(client, "/models/courses/train", dataset=name)

    assert (await verified(client, "/models/courses/versions/2/verify"))["verified"] is True

    (await client.delete("/models/courses/versions/1")).raise_for_status()
    answer = await problem(client, "/models/courses/verify", b"")
    assert (answer["status"], answer["type"]) == (409, "/problems/not-verifiable")
    assert "began with was deleted" in answer["detail"]


async def test_a_training_that_was_bounded_is_bounded_again(client: httpx.AsyncClient) -> None:
    """By as many epochs as it had."""
    how = {"optimizer": "adam", "epochs": 50}
    request = {"name": "courses", "dataset": await dataset(client), "target": "score", "training": how}
    (await client.post("/train?max_epochs=3", json=request)).raise_for_status()

    assert (await verified(client, "/models/courses/verify"))["verified"] is True


async def test_without_its_rows_a_version_cannot_be_verified(client: httpx.AsyncClient) -> None:
    """They were never kept, or are deleted: each is said, with the remedy."""
    await trained(client, "/train", **TUTORIAL)
    name = await dataset(client)
    await trained(client, name="courses", dataset=name, target="score", training={"epochs": 2})
    (await client.delete(f"/datasets/{name}")).raise_for_status()

    kept, deleted = [await problem(client, f"/models/{model}/verify", b"") for model in ("exam", "courses")]

    assert "POST /datasets" in kept["detail"]
    assert "was deleted" in deleted["detail"]


async def test_rows_that_are_others_today_are_told(client: httpx.AsyncClient) -> None:
    """By their fingerprint; a version whose rows have none was learnt piece by piece, and cannot be verified."""
    await trained(client, name="courses", dataset=await dataset(client), target="score", training={"epochs": 2})
    parts = client._transport.app.state.parts  # type: ignore[attr-defined]  # noqa: SLF001
    stored = await parts.loaded.find("courses")
    for name, fingerprint, reason in (("others", "0" * 64, "other rows"), ("pieces", None, "piece by piece")):
        report = replace(stored.model.report, fingerprint=fingerprint)
        parts.store.publish(name, replace(stored.model, report=report))

        answer = await problem(client, f"/models/{name}/verify", b"")

        assert (answer["status"], reason in answer["detail"]) == (409, True)


async def test_weights_that_are_others_are_told(client: httpx.AsyncClient) -> None:
    """A file whose record says another seed than it was trained with does not verify."""
    await trained(client, name="courses", dataset=await dataset(client), target="score", training={"epochs": 2})
    parts = client._transport.app.state.parts  # type: ignore[attr-defined]  # noqa: SLF001
    stored = await parts.loaded.find("courses")
    recipe = stored.model.recipe
    forged = replace(stored.model, recipe=replace(recipe, training=replace(recipe.training, seed=9)))
    parts.store.publish("forged", forged)

    answer = await verified(client, "/models/forged/verify")

    assert answer["verified"] is False
    assert answer["largest_difference"] > 0
    assert answer["weights_sha256"] != answer["retrained_sha256"]


async def test_whatever_answers_rest_on_is_compared(client: httpx.AsyncClient) -> None:
    """Scaling, levels and figures that somebody changed in a file are named, though its weights are the same."""
    await trained(client, name="courses", dataset=await dataset(client), target="score", training={"epochs": 2})
    parts = client._transport.app.state.parts  # type: ignore[attr-defined]  # noqa: SLF001
    model = (await parts.loaded.find("courses")).model
    course, *others = model.columns
    changed = {
        "target.scale": replace(model, target=replace(model.target, scale=2 * model.target.scale)),
        "columns": replace(model, columns=(replace(course, levels=course.levels[::-1]), *others)),
        "report.metrics": replace(model, report=replace(model.report, metrics={"training": {"r2": 1.0}})),
    }
    for what, forged in changed.items():
        parts.store.publish("forged", forged)

        answer = await verified(client, "/models/forged/verify")

        assert (answer["verified"], answer["differs"], answer["largest_difference"]) == (False, [what], 0.0)


async def test_a_client_may_leave_too_little_time(client: httpx.AsyncClient) -> None:
    """Then the training is ended, and the answer says so."""
    how = {"optimizer": "adam", "epochs": 200_000}
    request = {"name": "courses", "dataset": await dataset(client), "target": "score", "training": how}
    (await client.post("/train?max_epochs=2000", json=request)).raise_for_status()

    response = await client.post("/models/courses/verify", headers={"x-request-timeout": "0.05"})

    assert response.status_code == 504
    assert (await client.get("/readyz")).status_code == 200
