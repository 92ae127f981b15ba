"""The house rules that no other tool checks."""

import ast
import json
import logging
import pickle
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from app import errors
from app.demo import Demo
from app.engine.learning import learn
from app.jobs.jobs import Jobs
from app.jobs.work import Order
from app.telemetry import JsonLines
from tests.engine.test_learning import EXAM, recipe

APP = Path(__file__).resolve().parents[2] / "app"
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


@pytest.mark.parametrize(
    "error",
    [
        errors.Diverged(epoch=3, layer=1, learning_rate=0.5, last_loss=None),
        errors.BadTable("text", [errors.Fault("a number", row=1)], 7),
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
    """Time, level, message; the request's id and the exception where there are any."""
    error = ValueError("boom")
    record = logging.LogRecord("netlet", logging.ERROR, "", 0, "failed %d", (7,), (ValueError, error, None))
    record.request_id = "abc"

    line = json.loads(JsonLines().format(record))

    assert (line["level"], line["message"], line["request_id"]) == ("error", "failed 7", "abc")
    assert "ValueError: boom" in line["exception"]
    assert "\n" not in JsonLines().format(record)


class Broken(Executor):
    """An executor whose calls end as told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """End at once."""
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), errors.TrainingTooLong),
        (MemoryError(), errors.OutOfMemory),
        (ValueError("bug"), errors.Unforeseen),
        (BrokenProcessPool("gone"), errors.WorkerLost),
    ],
)
async def test_whatever_ends_a_training_becomes_its_jobs_error(
    error: Exception, kind: type[errors.NetletError], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job fails with a reason; what was not foreseen is logged with its traceback."""
    jobs = Jobs(Broken(error), tmp_path, at_once=1, most_waiting=1)

    job = jobs.submit(Order(name="exam", rows=EXAM, recipe=recipe()))
    await jobs.wait(job, 10)
    await jobs.close()

    assert job.status == "failed"
    assert isinstance(job.error, kind)
    assert ("ValueError: bug" in caplog.text) is isinstance(error, ValueError)


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
