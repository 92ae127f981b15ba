"""Taking a model away over HTTP."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.export.formats import FORMATS
from app.settings import Settings
from tests.api.problem import problem
from tests.conftest import TUTORIAL, client_of
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
