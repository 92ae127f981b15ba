"""Models that leave a real service and come in again: export, import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.client import Client
from tests.client.fake_service import Answer, serving
from tests.commands.running import netlet
from tests.export import graphs


def test_a_model_leaves_and_comes_in_again(
    url: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the name that the service gives it, which is printed; what is there already is not replaced by that."""
    monkeypatch.chdir(tmp_path)

    snapshot = netlet(url, "export", name)
    again = netlet(url, "export", name)
    over = netlet(url, "export", name, "-o", f"{name}-1.safetensors", "-q")
    program = netlet(url, "export", f"{name}/1", "--format", "python", "-o", "exam.py")
    document = netlet(url, "export", name, "--format", "json", "-o", "-")
    came = netlet(url, "import", f"{name}-1.safetensors", "--name", f"{name}-in", "-q")

    assert (snapshot.code, snapshot.out) == (0, f"{name}-1.safetensors\n")
    assert (again.code, again.out) == (2, "")
    assert (over.code, over.err) == (0, "")
    assert "checked on" in program.err
    assert subprocess.run([sys.executable, "exam.py"], capture_output=True, check=False).returncode == 0
    assert json.loads(document.out)
    assert came.out == f"{name}-in/1\n"


CHECKED = (("x-model", "exam/1"), ("x-max-difference", "0"), ("x-checked-rows", "3"), ("x-checked-by", "node"))


@pytest.mark.parametrize("told", ["../../exam.js", "/exam.js", "..\\exam.js", "C:exam.js", "exam.js"])
def test_a_service_names_a_file_but_no_folder(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it tells, the file is written to where the command runs."""
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    answer = Answer(200, "data", headers=(("content-disposition", f'attachment; filename="{told}"'), *CHECKED))

    with serving([answer]) as (url, _):
        ran = netlet(url, "export", "exam", "--format", "javascript")

    assert (ran.code, ran.out) == (0, "exam.js\n")
    assert [path.relative_to(here).name for path in tmp_path.rglob("*.js")] == ["exam.js"]


@pytest.mark.parametrize("told", ["", "..", "../", ".bashrc", "a/.bashrc", "exam\t.js"])
def test_what_is_no_name_of_a_file_names_none(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written, and a service that tells such is none."""
    monkeypatch.chdir(tmp_path)
    answer = Answer(200, "data", headers=(("content-disposition", f'attachment; filename="{told}"'), *CHECKED))

    with serving([answer]) as (url, _):
        ran = netlet(url, "export", "exam", "--format", "javascript")

    assert (ran.code, ran.out) == (5, "")
    assert "is no name of a file" in ran.err
    assert not [*tmp_path.iterdir()]


def test_a_model_whose_name_leads_elsewhere_names_no_file_there(
    url: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is named by the model, as the service tells its name: of that too only the end counts."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with Client(url) as client:
        model = client.model(name).raw

    for told, out in (("../exam", ()), ("../.exam", ()), ("../exam", ("-o", "named"))):
        answers = [Answer(200, json.dumps(model | {"model": told, "version": 1})), Answer(200, "data")]
        with serving(answers) as (fake, _):
            netlet(fake, "export", name, *out)

    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {
        "here",
        "here/exam-1.safetensors",
        "here/named",
    }


def test_a_network_of_another_program_comes_in(url: str, tmp_path: Path) -> None:
    """With the names that are given."""
    path = tmp_path / "network.onnx"
    path.write_bytes(graphs.regressor())
    names = [word for column in ("a", "b", "c") for word in ("--column", column)]

    ran = netlet(url, "import", str(path), "--name", "network", *names, "--target", "d", "--json")

    assert [column["name"] for column in ran.objects[0]["columns"]] == ["a", "b", "c"]
