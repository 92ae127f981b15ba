"""Same rows, settings and seed: the same bytes, whatever does the work."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from app.engine.network import Architecture
from app.engine.sharding import SHARD, Helpers
from app.models.learning import learn
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.measuring import unmeasured
from tests.models.tables import blobs, ensemble, recipe, saddle, shops, wave

WIDE = Architecture(hidden=(128, 96))
LARGE: dict[str, Any] = {"batch_size": 2 * SHARD + 100, "epochs": 2}


def trainings() -> dict[str, tuple[TrainingRows, Recipe]]:
    """One of each kind, with products large enough to be shared out among threads."""
    rows = saddle(2 * SHARD + 700)
    return {
        "gradient": (rows, replace(recipe(**LARGE), network=WIDE)),
        "ensemble": (rows, replace(ensemble(**LARGE), network=WIDE)),
        "lbfgs": (rows, replace(recipe(optimizer="lbfgs", epochs=3), network=WIDE)),
        "levenberg_marquardt": (saddle(400), recipe(optimizer="levenberg_marquardt", hidden=(12, 10), epochs=5)),
    }


def digest(kind: str, threads: Executor | None = None) -> str:
    """Condense a training's parameters, curve and answers."""
    rows, given = trainings()[kind]
    model = learn(rows, given, helpers=Helpers(threads))
    parts = model.parameters, model.history.loss, model.scores(rows.X)
    return sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@pytest.mark.parametrize("kind", trainings())
def test_threads_change_no_byte(kind: str) -> None:
    """None, one and two of them learn the same from batches that are shared out among them."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        assert digest(kind) == digest(kind, one) == digest(kind, two)


def test_threads_of_blas_change_no_byte() -> None:
    """Two processes with one and two threads for their matrix products agree on every kind of training."""
    script = "from tests.models.test_reproducible import digest, trainings\nprint(*map(digest, trainings()))"

    one, two = (
        subprocess.run(
            [sys.executable, "-c", script],
            env=unmeasured() | {"OPENBLAS_NUM_THREADS": count},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()
        for count in ("1", "2")
    )

    assert len(one) == len(trainings())
    assert one == two


def classes() -> tuple[TrainingRows, Recipe]:
    return blobs(3, rows=60), replace(recipe(epochs=3, precision="float64"), network=Architecture(hidden=(33, 7)))


COMPANIES: dict[str, Callable[[], tuple[TrainingRows, Recipe]]] = {
    "one network in float64": lambda: (wave(60), recipe(epochs=3, precision="float64")),
    "eight networks in float32 with bins": lambda: (saddle(60), ensemble(epochs=3, members=8)),
    "classes": classes,
    "embeddings": lambda: (shops(60), ensemble(epochs=3)),
    "a single embedded column": lambda: (shops(60), recipe(epochs=3, scaling=Scaling(features="standard", one_hot=2))),
}


@pytest.mark.parametrize("company", COMPANIES)
def test_a_row_scores_the_same_bits_alone_and_in_any_batch(company: str) -> None:
    """In batches of 1 to 257 rows, wherever the row stands among whatever others."""
    rows, given = COMPANIES[company]()
    model = learn(rows, given)
    rng = np.random.default_rng(0)
    X = rows.X[rng.integers(0, 60, 257)]
    X[:, 0] += rng.standard_normal(257)
    alone = np.concatenate([model.scores(row[np.newaxis]) for row in X])

    for count in range(1, 258):
        chosen = rng.permutation(257)[:count]

        assert model.scores(X[chosen]).tobytes() == alone[chosen].tobytes()
