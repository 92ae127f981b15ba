"""Beginning: what a service takes before it is asked for more."""

import subprocess
import sys

import numpy as np

from app.engine.arrays import Cells

FOR_LATER = {"alembic", "cattrs", "jaxtyping", "numpy.random", "pyarrow", "simdjson"}


def test_a_service_begins_without_what_only_trainings_tables_and_checks_need() -> None:
    """Together they would take as much memory again as is left, and as much time."""
    program = f"import app.server, sys; print({FOR_LATER!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "set()"


def test_shapes_of_arrays_can_be_checked() -> None:
    """They are types to whoever has imported jaxtyping before, as its plugin for tests does."""
    assert Cells is not np.ndarray
