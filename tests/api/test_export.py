"""Taking a model away over HTTP."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.preprocessing import StandardScaler

from app.export.formats import FORMATS
from app.settings import Settings
from tests.api.problem import problem
from tests.conftest import TUTORIAL, client_of
from tests.export.graphs import WORDS, X, Y, classifier, dense, graph, regressor
from tests.export.tables import people

ENDINGS = {"onnx": "onnx", "python": "py", "javascript": "mjs", "json": "json"}


async def trained(client: httpx.AsyncClient, **request: Any) -> None:
    (await client.post("/train", json=request)).raise_for_status()


@pytest.mark.parametrize("form", FORMATS)
async def test_a_model_leaves_in_every_form(client: httpx.AsyncClient, form: str) -> None:
    """With what it was tried on, in what, and how far it was off; by its name and by its version alike."""
    await trained(client, **TUTORIAL)

    answer = await client.get("/models/exam/export", params={"format": form})

    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="exam_1.{ENDINGS[form]}"'
    assert answer.headers["content-type"].split(";")[0] == FORMATS[form].media_type
    assert answer.headers["x-model"] == "exam/1"
    assert float(answer.headers["x-max-difference"]) <= 1e-9
    assert int(answer.headers["x-checked-rows"]) > 20
    assert answer.headers["x-checked-by"]
    again = await client.get("/models/exam/versions/1/export", params={"format": form})
    assert again.content == answer.content


async def test_a_program_answers_the_tutorials_question(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Hours in, points out: 90.35 for somebody who studies 4 hours and sleeps 8."""
    await trained(client, **TUTORIAL)
    text = (await client.get("/models/exam/export", params={"format": "python"})).text
    (tmp_path / "exam_1.py").write_text(text, encoding="utf-8")

    program = "import exam_1; print(exam_1.predict([{'hours_slept': 8, 'hours_studied': 4}, [4, 8]]))"
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )

    assert json.loads((await run.communicate())[0]) == pytest.approx([90.35334158360055] * 2)


async def test_a_table_with_all_kinds_of_columns_leaves_too(client: httpx.AsyncClient) -> None:
    """Dates, gaps, texts, true and false; with what netlet itself chooses for it."""
    await trained(client, name="people", rows=people(), target="score", training={"epochs": 2})

    for form in FORMATS:
        answer = await client.get("/models/people/export", params={"format": form})
        assert answer.status_code == 200, answer.text
        assert float(answer.headers["x-max-difference"]) <= 1e-5


async def test_what_cannot_be_exported_is_said(client: httpx.AsyncClient) -> None:
    """A form that there is not is 422 with those that there are; no model 404."""
    await trained(client, **TUTORIAL)

    unknown = await problem(client, "/models/exam/export?format=pickle", b"", "GET")
    unnamed = await problem(client, "/models/exam/export", b"", "GET")
    nobody = await problem(client, "/models/other/export?format=json", b"", "GET")
    never = await problem(client, "/models/exam/versions/2/export?format=json", b"", "GET")

    assert (unknown["status"], unnamed["status"]) == (422, 422)
    assert "onnx" in unknown["errors"][0]["expected"]
    assert (nobody["type"], never["type"]) == ("/problems/model-not-found", "/problems/version-not-found")


async def test_texts_are_no_longer_than_other_answers(settings: Settings) -> None:
    """413 says what has no such bound; ONNX is sent."""
    async with client_of(settings.model_copy(update={"most_answers": 8})) as client:
        await trained(client, **TUTORIAL)

        too_large = await problem(client, "/models/exam/export?format=python", b"", "GET")

        assert (too_large["status"], too_large["type"]) == (413, "/problems/export-too-large")
        assert "format=onnx" in too_large["detail"]
        assert (await client.get("/models/exam/export", params={"format": "onnx"})).status_code == 200


async def test_nobody_waits_longer_than_they_said(client: httpx.AsyncClient) -> None:
    """504 after the seconds of the header."""
    await trained(client, **TUTORIAL)

    late = await client.get(
        "/models/exam/export", params={"format": "python"}, headers={"x-request-timeout": "0.000001"}
    )

    assert (late.status_code, late.json()["type"]) == (504, "/problems/deadline")


async def test_a_network_of_another_program_comes_in(client: httpx.AsyncClient) -> None:
    """201 with the model, which answers at once, and how far it is off; again it is 200 and the same version."""
    data = classifier(WORDS, StandardScaler())
    names = {"columns": ["a", "b", "c"], "target": "level"}

    first = await client.put("/models/other/onnx", params=names, content=data)
    again = await client.put("/models/other/onnx", params=names, content=data)
    answer = await client.post("/models/other/predict", json={"rows": [{"a": 5, "b": 4, "c": 3}], "proba": True})

    assert (first.status_code, first.headers["location"]) == (201, "/models/other/versions/1")
    assert float(first.headers["x-max-difference"]) <= 1e-5
    assert (int(first.headers["x-checked-rows"]), first.headers["x-checked-by"].split()[0]) == (256, "onnxruntime")
    assert [column["name"] for column in first.json()["columns"]] == ["a", "b", "c"]
    assert first.json()["labels"] == ["high", "low", "middle"]
    assert first.json()["report"]["choice"].startswith("Brought in from ONNX")
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert sum(answer.json()["probabilities"][0].values()) == pytest.approx(1)
    assert answer.json()["in_range"] == [True]


async def test_what_came_in_is_a_model_like_others(client: httpx.AsyncClient) -> None:
    """All that looks into it works; it leaves again, and learns on."""
    (await client.put("/models/other/onnx", content=regressor(Y[:, 0], StandardScaler()))).raise_for_status()

    for path in ("", "/history", "/weights", "/schema", "/openapi.json", "/snapshot", "/export?format=onnx"):
        assert (await client.get(f"/models/other{path}")).status_code == 200, path
    rows = {"X": X[:20].tolist(), "y": Y[:20, 0].tolist(), "training": {"epochs": 2}}
    learnt = await client.post("/models/other/train", json=rows)
    assert (learnt.status_code, learnt.json()["report"]["rows"]) == (201, 20)
    assert learnt.json()["report"]["imported"] is None


async def test_what_is_no_network_is_refused(client: httpx.AsyncClient) -> None:
    """422 names the operator, or says that it is no ONNX at all; no name is left."""
    sine = graph(*dense("in", "z", 3, 2), ("Sin", ["z"], "out"))

    no_onnx = await problem(client, "/models/other/onnx", b"{}", "PUT")
    unknown = await problem(client, "/models/other/onnx", sine, "PUT")
    unnamed = await problem(client, "/models/other/onnx?columns=a", regressor(), "PUT")
    misspelt = await problem(client, "/models/other/onnx?column=a", regressor(), "PUT")

    assert (no_onnx["status"], no_onnx["type"]) == (422, "/problems/onnx")
    assert (unknown["status"], unknown["type"]) == (422, "/problems/onnx-unsupported")
    assert "operator Sin." in unknown["detail"]
    assert (unnamed["status"], misspelt["status"]) == (422, 422)
    assert (await client.get("/models/other")).status_code == 404


async def test_without_onnx_all_else_works(tmp_path: Path) -> None:
    """501 says how to install it; Python leaves all the same."""
    program = f"""
import asyncio, sys
sys.modules["onnx"] = None
from pathlib import Path
from app.settings import Settings
from tests.conftest import TUTORIAL, client_of

async def main():
    async with client_of(Settings(models=Path({str(tmp_path / "models")!r}), executor="thread")) as client:
        await client.post("/train", json=TUTORIAL)
        answers = [await client.get("/models/exam/export?format=" + form) for form in ("onnx", "python")]
        answers.append(await client.put("/models/other/onnx", content=b"x"))
        print([answer.status_code for answer in answers], answers[0].json()["detail"])

asyncio.run(main())
"""
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    told = (await run.communicate())[0].decode()

    assert "[501, 200, 501]" in told
    assert "pip install 'netlet[onnx]'" in told
