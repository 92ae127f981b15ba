"""The house rules that no other tool checks."""

import ast
import json
import logging
import pickle
import re
from pathlib import Path

import pytest

from app import errors
from app.demo import Demo
from app.faults import Fault
from app.models.learning import learn
from app.telemetry import JsonLines
from tests.check import CHECKS
from tests.conftest import DATABASES, FILES
from tests.models.tables import EXAM, recipe

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
MODULES = sorted(APP.rglob("*.py"))
BANNED_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "requests"}
BANNED_NAMES = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(APP)))
def test_nothing_here_can_run_what_it_reads(module: Path) -> None:
    """No module imports a format that runs code, calls an interpreter, or lets NumPy read pickles."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                assert not {alias.name.split(".")[0] for alias in names} & BANNED_MODULES
            case ast.ImportFrom(module=str(source)):
                assert source.split(".")[0] not in BANNED_MODULES
            case ast.Call(func=ast.Name(id=name)):
                assert name not in BANNED_NAMES
            case ast.keyword(arg="allow_pickle"):
                pytest.fail("allow_pickle")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(APP)))
def test_files_and_functions_stay_small(module: Path) -> None:
    """No file over 400 lines, no function over 50."""
    text = module.read_text(encoding="utf-8")

    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


@pytest.mark.parametrize("database", DATABASES[1:] + FILES[1:])
def test_what_is_about_one_database_or_files_elsewhere_is_run_there(database: str) -> None:
    """By a check of `make test`: wherever else its tests are skipped, and nobody would notice."""
    about = {path for path in ROOT.glob("tests/*/test_*.py") if f'.only_on("{database}")' in path.read_text("utf-8")}
    checks = [[ROOT / word for word in words] for words in CHECKS.values() if database in words]

    assert about
    assert not {path for path in about if not any({path, path.parent} & {*words} for words in checks)}


def test_the_engine_is_read_in_one_sitting() -> None:
    """No more than 2,000 lines for networks and their learning by gradients."""
    lines = sum(module.read_text(encoding="utf-8").count("\n") for module in (APP / "engine").glob("*.py"))

    assert 1000 < lines <= 2000


@pytest.mark.parametrize(
    "error",
    [
        errors.Diverged(epoch=3, layer=1, learning_rate=0.5, last_loss=None),
        errors.BadTable("text", [Fault("a number", row=1)], 7),
        errors.VersionNotFound("exam", 3),
        errors.SnapshotDamaged("exam", 3, "cut short", previous=2),
        errors.StorageFull("text"),
    ],
)
def test_errors_travel_between_processes_with_all_they_know(error: errors.NetletError) -> None:
    """Text and data are the same on the other side."""
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - as multiprocessing does between our own processes

    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_log_lines_are_json_with_what_is_known() -> None:
    """Time, level, message; the request's id and the kind of the exception, without its words, where there are any."""
    error = ValueError("boom")
    record = logging.LogRecord("netlet", logging.ERROR, "", 0, "failed %d", (7,), (ValueError, error, None))
    record.request_id = "abc"

    line = json.loads(JsonLines().format(record))

    assert (line["level"], line["message"], line["request_id"]) == ("error", "failed 7", "abc")
    assert line["exception"] == "builtins.ValueError\n"
    assert "\n" not in JsonLines().format(record)


def test_a_demonstration_that_fails_stops_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens: one line says so, and the exit code is 1."""
    stopped: list[bool] = []
    demo = Demo("http://127.0.0.1:9", lambda: stopped.append(True))

    demo.run()

    assert (demo.exit_code, stopped) == (1, [True])
    assert "The demonstration failed" in capsys.readouterr().out


def test_learning_needs_nobody_to_listen() -> None:
    """The engine works without a callback, a service or a store."""
    assert learn(EXAM, recipe(epochs=1)).report.rows == 3


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "models" / "README.md"], ids=lambda page: page.name
)
def test_a_row_of_a_table_is_a_line(page: Path) -> None:
    """A second line would end the table, or be a row of its own."""
    lines = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE).splitlines()

    broken = [line for line in lines if line.startswith("|") and not line.endswith("|")]

    assert broken == []
