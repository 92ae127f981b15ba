"""Another device: all arithmetic on arrays stays where they were sent, and gives the same bytes."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.engine.control import Checkpoint
from app.engine.device import DEVICES, Device
from app.engine.network import Architecture
from app.models.learning import Start, learn
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.controls import noting, resuming, told
from tests.models.tables import EXAM, blobs, ensemble, mixed, recipe, saddle


class Elsewhere(np.ndarray[Any, Any]):
    """An array that is not in this machine's memory, as CuPy's are: it does not mix with those that are.

    Numbers may be mixed in, and any array may say which elements are meant.
    """

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        out = settings.get("out", ())
        where = 1 if method == "at" else None
        _require_elsewhere([value for place, value in enumerate(inputs) if place != where], out)
        result = getattr(ufunc, method)(*map(_here, inputs), **{name: _here(value) for name, value in settings.items()})
        return out[0] if out and out[0] is not None else _elsewhere(result)

    def __array_function__(self, function: Any, _types: Any, arguments: Any, settings: Any) -> Any:
        _require_elsewhere(arguments, settings.values())
        result = function(*map(_here, arguments), **{name: _here(value) for name, value in settings.items()})
        return settings["out"] if settings.get("out") is not None else _elsewhere(result)

    def __setitem__(self, key: Any, value: Any) -> None:
        _require_elsewhere([value])
        self.view(np.ndarray)[_here(key)] = _here(value)


def _require_elsewhere(*groups: Any) -> None:
    for value in (value for group in groups for value in group):
        if isinstance(value, tuple | list):
            _require_elsewhere(value)
        elif isinstance(value, np.ndarray) and value.ndim and not isinstance(value, Elsewhere):
            message = f"an array of shape {value.shape} is here, not there"
            raise TypeError(message)


def _here(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_here, value))
    return value.view(np.ndarray) if isinstance(value, Elsewhere) else value


def _elsewhere(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_elsewhere(part) for part in value]
    return value.view(Elsewhere) if isinstance(value, np.ndarray) else value


@pytest.fixture
def fetched() -> Iterator[list[tuple[int, ...]]]:
    """Add the device `elsewhere`; give the shapes of the arrays that were fetched from it."""
    shapes: list[tuple[int, ...]] = []

    def fetch(array: Any) -> Any:
        assert isinstance(array, Elsewhere)
        shapes.append(array.shape)
        return array.view(np.ndarray).copy()

    DEVICES["elsewhere"] = lambda: Device(lambda array: np.array(array).view(Elsewhere), fetch)
    yield shapes
    del DEVICES["elsewhere"]


PLAIN = Architecture(hidden=(6, 5), activation="tanh")
CASES: dict[str, tuple[TrainingRows, Recipe]] = {
    "ensemble with bins, dropout and input scale": (saddle(60), ensemble(l2=0.01, clip_norm=1.0)),
    "embeddings and gaps": (mixed(60), ensemble()),
    "weights and classes": (blobs(3, rows=30), ensemble(class_weight="balanced")),
    "adamw, judged by what it learns from": (EXAM, recipe(optimizer="adamw", epochs=9, patience=2)),
    "lbfgs": (mixed(40), recipe(optimizer="lbfgs", members=2, l2=0.01, epochs=15)),
    "levenberg_marquardt": (saddle(40), recipe(optimizer="levenberg_marquardt", members=2, epochs=15)),
    "levenberg_marquardt, exactly": (EXAM, Recipe()),
    "levenberg_marquardt of few rows": (
        saddle(12),
        replace(recipe(optimizer="levenberg_marquardt", epochs=15), network=PLAIN),
    ),
    "gaussian": (saddle(30), recipe(loss="gaussian_nll", epochs=5)),
    "softmax inside": (saddle(30), replace(recipe(epochs=5), network=replace(PLAIN, activation="softmax"))),
}


@pytest.mark.parametrize("case", CASES)
def test_training_elsewhere_gives_the_same_bytes(case: str, fetched: list[tuple[int, ...]]) -> None:
    """Nothing is worked out here that belongs there, whatever is trained and however."""
    rows, given = CASES[case]

    there, here = (learn(rows, given, device=device) for device in ("elsewhere", "cpu"))

    assert type(there.parameters) is np.ndarray
    assert there.parameters.tobytes() == here.parameters.tobytes()
    assert there.report == here.report
    assert there.history.loss.tobytes() == here.history.loss.tobytes()
    assert fetched[-1] == here.parameters.shape


def test_a_training_that_was_left_elsewhere_is_gone_on_with_here(fetched: list[tuple[int, ...]]) -> None:
    """And the other way round: checkpoints are NumPy's arrays wherever they are made."""
    rows, asked = saddle(60), ensemble()
    checkpoints: list[Checkpoint] = []

    undisturbed = told(learn(rows, asked, device="elsewhere", control=noting(checkpoints)))

    assert {type(array) for checkpoint in checkpoints for array in checkpoint.arrays.values()} == {np.ndarray}
    for device in ("elsewhere", "cpu"):
        assert told(learn(rows, asked, device=device, control=resuming(checkpoints[1]))) == undisturbed
    assert fetched


def test_a_model_is_trained_on_elsewhere(fetched: list[tuple[int, ...]]) -> None:
    """With the memory that its optimizer had here."""
    last: list[Checkpoint] = []
    model = learn(saddle(60), ensemble(), control=noting(last))
    start = Start(model, last[-1].memory)

    there, here = (learn(saddle(40), model.recipe, device=device, start=start) for device in ("elsewhere", "cpu"))

    assert told(there) == told(here)
    assert fetched


@pytest.mark.parametrize(
    "mix",
    [
        lambda array: array + np.ones(3),
        lambda array: np.concatenate((array, np.ones(3))),
        lambda array: np.add.at(array, np.array([0]), np.ones(1)),
        lambda array: array.__setitem__(slice(None), np.ones(3)),
    ],
)
def test_arrays_elsewhere_do_not_mix_with_those_here(mix: Callable[[Any], object]) -> None:
    """The double refuses what CuPy refuses, or the test above would prove nothing."""
    array = np.zeros(3).view(Elsewhere)

    with pytest.raises(TypeError, match="is here, not there"):
        mix(array)

    assert isinstance(np.where(array > 0, array, 2.0), Elsewhere)
    assert isinstance(array[np.array([0, 1])] * np.float64(2), Elsewhere)


def cuda(*, gpus: bool) -> Device:
    """The device that CuPy makes, with a stand-in for it on a machine with GPUs or without."""

    def count() -> int:
        if not gpus:
            message = "no CUDA-capable device is detected"
            raise RuntimeError(message)
        return 1

    library = ModuleType("cupy")
    runtime = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=count))
    vars(library).update(asarray=lambda array: array + 1, asnumpy=lambda array: array - 1, cuda=runtime)
    sys.modules["cupy"] = library
    try:
        return DEVICES["cuda"]()
    finally:
        del sys.modules["cupy"]


def test_cupy_is_imported_where_it_is_chosen() -> None:
    """And asked to send and to fetch."""
    device = cuda(gpus=True)

    assert device.send(np.ones(2)).tolist() == [2.0, 2.0]
    assert device.fetch(np.ones(2)).tolist() == [0.0, 0.0]


def test_a_gpu_that_is_not_there_is_noticed_at_once() -> None:
    """Not only by the first training."""
    with pytest.raises(RuntimeError, match="no CUDA"):
        cuda(gpus=False)


def test_where_the_processor_is_asked_for_arrays_stay_as_they_are() -> None:
    """Sending and fetching cost nothing there."""
    device, array = DEVICES["cpu"](), np.ones(3)

    assert device.send(array) is array
    assert device.fetch(array) is array
