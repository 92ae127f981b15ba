"""Beginning: what a service takes before it is asked for more."""

import json
import py_compile
import socket
import subprocess
import sys
from importlib.machinery import SourcelessFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from app.docstrings import docstrings_of
from app.engine.arrays import Cells
from app.jobs.executors import PRELOADED

FOR_LATER = {
    "alembic",
    "cattrs",
    "jaxtyping",
    "matplotlib",
    "numpy.random",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "simdjson",
}
FOR_SERVICES = {"alembic", "fastapi", "httpx", "matplotlib", "onnx", "pyarrow", "simdjson", "sqlalchemy", "uvicorn"}


def test_a_service_begins_without_what_only_trainings_tables_and_checks_need() -> None:
    """Together they would take as much memory again as is left, and as much time."""
    program = f"import app.server, sys; print({FOR_LATER!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "set()"


def test_a_training_process_begins_without_what_only_services_need() -> None:
    """The first training waits for it."""
    program = f"import sys; import {', '.join(PRELOADED)}; print({FOR_SERVICES!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "set()"


def test_shapes_of_arrays_can_be_checked() -> None:
    """They are types to whoever has imported jaxtyping before, as its plugin for tests does."""
    assert Cells is not np.ndarray


def test_openapi_goes_without_docstrings_that_are_not_there() -> None:
    """Python leaves them out where it is asked to (-OO)."""
    imports = "from app.main import create_app; from app.settings import Settings"
    program = f"{imports}; print(len(create_app(Settings()).openapi()))"
    run = subprocess.run([sys.executable, "-OO", "-c", program], capture_output=True, text=True, check=True)

    assert int(run.stdout) >= 4


def test_openapi_goes_without_sources_that_are_not_there(tmp_path: Path) -> None:
    """Only what was compiled may be installed."""
    source, compiled = tmp_path / "made.py", tmp_path / "made.pyc"
    source.write_text('class Made:\n    x: int\n    """Told."""\n', encoding="utf-8")
    py_compile.compile(str(source), cfile=str(compiled))
    source.unlink()
    specification = spec_from_file_location(
        "app.made", compiled, loader=SourcelessFileLoader("app.made", str(compiled))
    )
    assert specification is not None
    module = module_from_spec(specification)
    sys.modules["app.made"] = module
    SourcelessFileLoader("app.made", str(compiled)).exec_module(module)

    assert docstrings_of(module.Made) == {}
    del sys.modules["app.made"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_variable_that_is_nearly_a_setting_is_told(workers: str, environment: dict[str, str]) -> None:
    """A service that keeps its models elsewhere than where they should be says so when it begins; others are silent."""
    known = {"NETLET_URL": "http://127.0.0.1:1", "NETLET_KEY": "k", "NETLET_SKIP_WEB": "1"}
    cluster = {"NETLET_SERVICE_HOST": "10.0.0.1", "NETLET_PORT_8000_TCP": "tcp://10.0.0.1:8000"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = subprocess.run(
            [sys.executable, "-m", "app.cli", "serve", "--workers", workers, "--port", str(taken.getsockname()[1])],
            env=environment | known | cluster | {"NETLET_MODEL": "/data", "NETLET_CACHE_BYTE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    told = [json.loads(line)["message"] for line in run.stderr.splitlines() if line.startswith("{")]
    assert told == [
        "NETLET_CACHE_BYTE is no setting; is it NETLET_CACHE_BYTES?",
        "NETLET_MODEL is no setting; is it NETLET_MODELS?",
    ]
    assert "Cannot listen on" in run.stderr
