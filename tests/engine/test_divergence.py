"""Divergence: a loss that overflows ends the training, and the error says where."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.network import Architecture, Network
from app.engine.training import descend
from app.errors import Diverged
from app.models.ensemble import deal
from app.models.learning import learn
from app.models.preprocessing import Scaling
from tests.engine.courses import all_rows, course_of
from tests.models.tables import EXAM, ensemble, recipe, wave

WILD: dict[str, Any] = {"optimizer": "gradient_descent", "learning_rate": 1e6}


def straight(*, hidden: tuple[int, ...] | None = None, **training: Any) -> Any:
    """Make a recipe of a network that grows without bound."""
    return replace(recipe(**(WILD | training)), network=Architecture(hidden=hidden, activation="identity"))


def test_clipping_tames_a_rate_that_diverges() -> None:
    """What overflows without clip_norm stays finite with it."""
    fast: dict[str, Any] = {"learning_rate": 50.0, "epochs": 200}

    with pytest.raises(Diverged):
        learn(wave(), straight(**fast))
    model = learn(wave(), straight(**fast, clip_norm=0.01))

    assert np.isfinite(model.parameters).all()


def test_divergence_names_epoch_layer_rate_and_last_loss() -> None:
    """The error carries what a user needs to mend it."""
    with pytest.raises(Diverged, match="epoch") as caught:
        learn(EXAM, straight(hidden=(4, 4), schedule="constant"))

    assert caught.value.epoch >= 2
    assert 1 <= caught.value.layer <= 3
    assert caught.value.learning_rate == 1e6
    assert caught.value.last_loss is not None


def test_divergence_in_the_first_epoch_has_no_last_loss() -> None:
    """Mini-batches can overflow before an epoch is over; the layer named is one that is not finite."""
    with pytest.raises(Diverged, match="no epoch had a finite loss") as caught:
        learn(wave(), straight(hidden=(4, 4), batch_size=1, epochs=1, validation=0.0))

    assert caught.value.epoch == 1
    assert caught.value.last_loss is None


@pytest.mark.parametrize("validation", [0.0, 0.5])
def test_divergence_in_the_last_step_is_found(validation: float) -> None:
    """Weights that overflow in the very last step are not kept."""
    with pytest.raises(Diverged):
        learn(wave(100), straight(hidden=(9,) * 30, batch_size=50, epochs=1, validation=validation))


def test_one_member_that_diverges_is_enough() -> None:
    """An ensemble is as finite as its least finite member."""
    with pytest.raises(Diverged):
        learn(wave(60), replace(ensemble(learning_rate=1e6, optimizer="gradient_descent", dropout=0.0, epochs=60),
                                network=Architecture(hidden=(4,), activation="identity")))  # fmt: skip


def test_a_validation_loss_that_overflows_is_divergence() -> None:
    """A held-out row far beyond the others: refused, never stored."""
    rows = wave(100)
    shape = Architecture(hidden=(8,), activation="silu")
    quick: dict[str, Any] = {"epochs": 5, "validation": 0.5, "scaling": Scaling(features="robust")}

    for optimizer in ("adam", "lbfgs"):
        given = replace(recipe(optimizer=optimizer, **quick), network=shape)
        far = rows.X.copy()
        far[deal(np.asarray(rows.y)[:, 0], 1, 50, np.random.default_rng(0)).judged[0, 0]] = 1e100
        with pytest.raises(Diverged):
            learn(replace(rows, X=far), given)


@pytest.mark.parametrize(
    ("parameters", "layer"), [([1e200, 1.0, 1.0], 1), ([1.0, 1e200, 1.0], 2), ([1.0, 1.0, 1e200], 3)]
)
def test_divergence_names_the_layer_that_overflows(parameters: list[float], layer: int) -> None:
    """Huge weights in one of three layers."""
    network = Network((1, 1, 1, 1), "identity", "identity", bias=False)
    X = np.full((2, 1), 1e200)
    course = course_of(network, np.array([parameters]), epochs=1)

    with np.errstate(all="ignore"), pytest.raises(Diverged) as caught:
        descend(course, all_rows(X, X))

    assert (caught.value.layer, caught.value.epoch) == (layer, 1)


def test_a_loss_that_overflows_behind_finite_layers_is_the_last_layers() -> None:
    """Answers of 1e200 are finite, their squares are not."""
    network = Network((1, 1, 1), "identity", "identity", bias=False)
    X = np.full((2, 1), 1e200)

    with np.errstate(all="ignore"), pytest.raises(Diverged) as caught:
        descend(course_of(network, np.array([[1.0, 1.0]]), epochs=1), all_rows(X, 0 * X))

    assert caught.value.layer == 2
