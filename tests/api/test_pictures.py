"""Pictures of a model by URL."""

import json
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from app.api.problems import KINDS
from app.errors import PicturesNotInstalled
from app.pictures.kinds import PICTURES
from tests.api.problem import problem
from tests.conftest import TUTORIAL

CLASSES = {"name": "side", "X": [[x, -x] for x in range(40)], "y": ["up" if x > 19 else "down" for x in range(40)]}
QUICK = {"optimizer": "adam", "epochs": 5, "validation": 0.5}


@pytest.fixture
async def exam(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A service with the tutorial's network, and one of classes."""
    for request in (TUTORIAL, CLASSES | {"training": QUICK}):
        (await client.post("/train", json=request)).raise_for_status()
    return client


async def shown(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


async def test_a_picture_can_be_had_as_svg_png_and_data(exam: httpx.AsyncClient) -> None:
    """Each says what it is; nothing in an SVG can run, whatever its names are."""
    data = await shown(exam, "/models/exam/response.json?column=hours_studied")
    svg = await exam.get("/models/exam/response.svg?column=hours_studied")
    png = await exam.get("/models/exam/response.png?width=400")

    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.headers["content-security-policy"].startswith("default-src 'none'")
    root = ET.fromstring(svg.content)  # noqa: S314 - it is our own
    assert root.findtext("{http://www.w3.org/2000/svg}desc") == data["alt"]
    assert png.headers["content-type"] == "image/png"
    assert int.from_bytes(png.content[16:20]) == 400


async def test_its_numbers_are_those_of_predict(exam: httpx.AsyncClient) -> None:
    """The same rows have the same answers to the last bit."""
    data = await shown(exam, "/models/exam/response.json?column=hours_studied")

    rows = [{"hours_studied": x, "hours_slept": data["held"]["hours_slept"]} for x in data["x"]]
    answer = await exam.post("/predict", json={"model": "exam", "rows": rows})

    assert data["answers"]["score"] == answer.json()["predictions"]
    assert data["trained"] == [1, 3]


@pytest.mark.parametrize("picture", ["learning-curve", "diagram", "predicted", "residuals", "response", "surface"])
async def test_the_tutorials_network_has_this_picture(picture: str, exam: httpx.AsyncClient) -> None:
    """By its name, and by its version: they are the same."""
    for form in ("svg", "json"):
        named, fixed = [await exam.get(f"/models/exam{part}/{picture}.{form}") for part in ("", "/versions/1")]

        assert (named.status_code, fixed.status_code) == (200, 200), named.text
        assert named.content == fixed.content


async def test_a_picture_is_sent_once(exam: httpx.AsyncClient) -> None:
    """Of a version it may be kept, of a name it is asked for again; who has it is told no more than that."""
    fixed, named = [await exam.get(f"/models/exam{part}/diagram.svg") for part in ("/versions/1", "")]
    assert (fixed.headers["cache-control"], named.headers["cache-control"]) == ("max-age=86400", "no-cache")

    known = {"if-none-match": f'"other", W/{named.headers["etag"]}'}
    again = await exam.get("/models/exam/diagram.svg", headers=known)
    other = await exam.get("/models/exam/diagram.svg?width=500", headers=known)

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", named.headers["etag"])
    assert other.status_code == 200
    (await exam.post("/train", json=TUTORIAL | {"training": {"seed": 3}})).raise_for_status()
    assert (await exam.get("/models/exam/diagram.svg", headers=known)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "slug", "said"),
    [
        ("exam/portrait.svg", 404, "picture-not-found", "learning-curve, diagram"),
        ("exam/diagram.gif", 404, "picture-not-found", ".svg, .png or .json"),
        ("nobody/diagram.svg", 404, "model-not-found", "GET /models"),
        ("exam/versions/9/diagram.svg", 404, "version-not-found", "no version 9"),
        ("exam/calibration.svg", 404, "no-picture", "takes 20 rows"),
        ("side/residuals.svg", 404, "no-picture", "Ask for predicted, or calibration"),
        ("exam/response.svg?column=hours", 422, "validation", "Name one of those"),
        ("exam/surface.svg?x=hours_slept&y=hours_slept", 422, "validation", "names one twice"),
        ("side/surface.svg?answer=left", 422, "validation", "Name one of those"),
        ("exam/diagram.svg?member=2", 422, "validation", "1 networks"),
        ("exam/diagram.svg?column=hours_slept", 422, "validation", "no choice of"),
        ("exam/diagram.svg?colour=red", 422, "validation", "parameter"),
        ("exam/diagram.svg?width=100000", 422, "validation", "parameter"),
        ("exam/response.svg?level=1", 422, "validation", "parameter"),
    ],
)
async def test_what_cannot_be_drawn_is_said(
    path: str, status: int, slug: str, said: str, exam: httpx.AsyncClient
) -> None:
    """With what there is instead."""
    answer = await problem(exam, f"/models/{path}", b"", "GET")

    assert (answer["status"], answer["type"]) == (status, f"/problems/{slug}")
    assert said in answer["detail"]


async def test_a_column_that_is_not_there_is_told_with_those_that_are(exam: httpx.AsyncClient) -> None:
    """And which was probably meant."""
    answer = await problem(exam, "/models/exam/response.svg?column=hours_sleep", b"", "GET")

    (fault,) = answer["errors"]
    assert fault["field"] == "column"
    assert fault["expected"] == "one of: hours_studied, hours_slept; is it hours_slept?"


async def test_a_column_in_which_a_name_is_markup_is_escaped(client: httpx.AsyncClient) -> None:
    """Sent by somebody, and opened by somebody else."""
    name = "<img src=x onerror=alert(1)>"
    rows = [{name: x, "y": x} for x in range(5)]
    (await client.post("/train", json={"name": "odd", "rows": rows, "target": "y"})).raise_for_status()

    svg = (await client.get("/models/odd/response.svg")).text

    assert "<img" not in svg
    assert "&lt;img src=x" in svg


async def test_pictures_are_described(exam: httpx.AsyncClient) -> None:
    """OpenAPI has their forms, their questions and what is in each."""
    document = await shown(exam, "/openapi.json")

    operation = document["paths"]["/models/{name}/{picture}.{form}"]["get"]
    assert {"image/svg+xml", "image/png", "application/json"} <= set(operation["responses"]["200"]["content"])
    assert {each.get("name") for each in operation["parameters"]} >= {"picture", "form", "column", "x", "y", "width"}
    assert {"LearningCurve", "Surface"} <= document["components"]["schemas"].keys()
    assert all(name in json.dumps(operation["parameters"]) for name in PICTURES)


def test_a_service_without_the_library_says_that_it_is_not_installed() -> None:
    """Which is no fault of who asks."""
    assert KINDS[PicturesNotInstalled].status == 501
