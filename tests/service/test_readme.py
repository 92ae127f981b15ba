"""What README and models/README say is true, because it is run."""

import json
import re
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from app.api.problems import KINDS
from app.main import create_app
from app.settings import Settings
from tests import metrics_table, settings_table
from tests.conftest import StartServer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "models" / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_every_curl_command_of_the_readme_works(start_server: StartServer, tmp_path: Path) -> None:
    """Pasted in order into a shell, each answers with JSON that is no problem, a file, or README's table."""
    server = start_server()
    commands = [block for block in blocks(README, "sh") if "curl" in block]
    script = (
        "\n".join(commands)
        .replace("localhost:8000", server.url)
        .replace("curl ", "curl -sS --fail-with-body -w '\\n' ")
        .replace("python3 ", f"{quote(sys.executable)} ")
    )

    run = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False, cwd=tmp_path)  # noqa: S607

    assert run.returncode == 0, run.stdout + run.stderr
    (table,) = blocks(README, "csv")
    assert table in run.stdout
    answers = [json.loads(answer) for answer in run.stdout.replace(table, "").splitlines() if answer]
    told = "\n".join(commands)
    assert len(answers) == told.count("curl ") - 1 - told.count(" -o ") + told.count("python3 exam")


def test_the_answer_that_the_readme_prints_is_the_answer(start_server: StartServer) -> None:
    """(4, 8) scores what README says, field by field."""
    promised = json.loads(blocks(README, "json")[0])
    tutorial, question = (json.loads(body) for body in re.findall(r"-d '(.*?)'\n", blocks(README, "sh")[1], re.DOTALL))

    with start_server().client() as client:
        client.post("/train", json=tutorial).raise_for_status()
        answer = client.post("/predict", json=question).json()

    assert answer == promised | {"predictions": pytest.approx(promised["predictions"], abs=1e-9)}


def test_a_snapshot_can_be_read_as_its_documentation_says(start_server: StartServer, tmp_path: Path) -> None:
    """The example with safetensors and NumPy alone computes the served answer."""
    with start_server().client() as client:
        client.post("/train", json=json.loads(re.findall(r"-d '(.*?)'\n", README, re.DOTALL)[0])).raise_for_status()

    run = subprocess.run(
        [sys.executable, "-c", blocks(FORMAT, "python")[0]], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert "['hours_studied', 'hours_slept'] [[90.3533" in run.stdout, run.stderr


def test_every_setting_is_in_the_readme_and_none_beside() -> None:
    """Name, default, meaning and choices are as the code has them."""
    assert re.findall(r"^\| `(?:network|training|scaling)\..*|^\| `NETLET_.*", README, re.MULTILINE) == list(
        settings_table.rows()
    )


def test_every_metric_is_in_the_readme_and_none_beside() -> None:
    """Name, kind, labels and meaning are as the code has them."""
    assert re.findall(r"^\| `(?:netlet|process)_.*", README, re.MULTILINE) == list(metrics_table.rows())


def test_every_route_is_in_the_readme_and_none_beside() -> None:
    """README's table and the OpenAPI document list the same."""
    document = create_app(Settings(executor="thread")).openapi()
    served = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}

    told = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", README.split("## Routes")[1].split("## Set")[0]))

    assert told == served | {"GET /docs", "GET /openapi.json"}


def test_every_kind_of_problem_has_a_page_of_its_own() -> None:
    """No two errors share a slug, so that a problem's type leads to its explanation."""
    slugs = [kind.slug for kind in KINDS.values()]

    assert len(set(slugs)) == len(slugs)
