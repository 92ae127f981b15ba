"""Checkpoints: a training that was left and gone on with comes to the same bytes as one that was not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.engine.config import GENERATORS
from app.engine.control import Checkpoint, Control, Progress, random_state, set_random_state
from app.engine.network import Architecture
from app.engine.optimizers import OPTIMIZERS
from app.engine.schedules import SCHEDULES
from app.engine.sharding import SHARD, Helpers
from app.errors import Diverged
from app.models.learning import learn
from app.models.recipe import Recipe
from app.solvers.solving import SOLVERS
from tests.models.controls import kept, noting, resuming, told
from tests.models.tables import EXAM, blobs, ensemble, mixed, recipe, saddle, shops, wave
from tests.models.test_streaming import parted, table

ROWS = wave(40, noise=0.5)
ALL_AT_ONCE: dict[str, Any] = {"members": 2, "batch_size": 16, "dropout": 0.3, "input_scale": True, "l2": 0.01}


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_ends_the_same_from_every_checkpoint(optimizer: str, generator: str) -> None:
    """Weights, curves and report, whichever epoch it was left after; making checkpoints changes nothing either."""
    asked = recipe(optimizer=optimizer, generator=generator, epochs=5, learning_rate=0.05, **ALL_AT_ONCE)
    checkpoints: list[Checkpoint] = []

    undisturbed = told(learn(ROWS, asked))

    assert told(learn(ROWS, asked, control=noting(checkpoints))) == undisturbed
    assert [checkpoint.epoch for checkpoint in checkpoints] == [1, 2, 3, 4, 5]
    for checkpoint in checkpoints:
        assert told(learn(ROWS, asked, control=resuming(checkpoint))) == undisturbed


SETTINGS = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(list(OPTIMIZERS)),
        "generator": st.sampled_from(list(GENERATORS)),
        "schedule": st.sampled_from(list(SCHEDULES)),
        "decay_epochs": st.just(2),
        "epochs": st.integers(2, 7),
        "learning_rate": st.sampled_from([0.01, 0.2]),
        "batch_size": st.sampled_from([7, 16, 100]),
        "members": st.integers(1, 3),
        "validation": st.sampled_from([0.0, 0.3]),
        "patience": st.none() | st.integers(1, 2),
        "keep_best": st.booleans(),
        "dropout": st.sampled_from([0.0, 0.4]),
        "input_scale": st.booleans(),
        "parametrization": st.sampled_from(["standard", "ntk"]),
        "precision": st.sampled_from(["float64", "float32"]),
        "clip_norm": st.none() | st.just(0.5),
        "hidden": st.sampled_from([(), (8,), (6, 5)]),
    }
)


def outcome(asked: Recipe, control: Control) -> object:
    """All that a training comes to, be it an error."""
    try:
        return told(learn(ROWS, asked, control=control))
    except Diverged as error:
        return str(error)


@given(drawn=SETTINGS, data=st.data())
@settings(max_examples=60)
def test_whatever_is_set_is_gone_on_with(drawn: dict[str, Any], data: st.DataObject) -> None:
    """Left after any of its epochs, and again after a later one; also one that diverges."""
    asked = recipe(**drawn)
    checkpoints: list[Checkpoint] = []
    undisturbed = outcome(asked, noting(checkpoints))
    assume(checkpoints)
    first = data.draw(st.sampled_from(checkpoints))
    later: list[Checkpoint] = []

    once = outcome(asked, replace(noting(later), resume=kept(first)))
    twice = outcome(asked, resuming(data.draw(st.sampled_from([first, *later]))))

    assert once == twice == undisturbed
    assert len(checkpoints) == first.epoch + len(later)


TABLES: dict[str, Callable[[], tuple[Any, Recipe]]] = {
    "all that is chosen": lambda: (saddle(60, noise=1.0), Recipe()),
    "classes that count alike": lambda: (blobs(3, rows=30), ensemble(class_weight="balanced")),
    "gaps and embeddings": lambda: (mixed(60), ensemble()),
    "many categories": lambda: (shops(60, levels=30), recipe(epochs=4)),
}


@pytest.mark.parametrize("name", TABLES)
def test_whatever_is_learnt_is_gone_on_with(name: str) -> None:
    """Labels, gaps, embeddings; and where two ways are tried, the first is tried again."""
    rows, asked = TABLES[name]()
    checkpoints: list[Checkpoint] = []
    undisturbed = told(learn(rows, asked, control=noting(checkpoints)))

    resumed = learn(rows, asked, control=resuming(checkpoints[len(checkpoints) // 2]))

    assert told(resumed) == undisturbed


@pytest.mark.parametrize("members", [1, 2])
def test_a_streamed_training_is_gone_on_with(members: int) -> None:
    """The blocks come in the order in which they would have come."""
    asked = recipe(hidden=(6,), epochs=3, members=members, batch_size=500, dropout=0.2)
    checkpoints: list[Checkpoint] = []
    at_hand, more = parted(table())
    undisturbed = told(learn(at_hand, asked, more=more, control=noting(checkpoints)))
    _, again = parted(table())

    resumed = learn(at_hand, asked, more=again, control=resuming(checkpoints[0]))

    assert told(resumed) == undisturbed
    assert again.passes == more.passes[1:]


@pytest.mark.parametrize("left_with", [1, 2])
def test_another_number_of_threads_may_go_on(left_with: int) -> None:
    """One begins and two end, or the other way round."""
    rows = saddle(2 * SHARD + 700)
    asked = replace(ensemble(batch_size=2 * SHARD + 100, epochs=3), network=Architecture(hidden=(32, 16)))
    checkpoints: list[Checkpoint] = []
    with ThreadPoolExecutor(2) as two:
        undisturbed = told(
            learn(rows, asked, helpers=Helpers(two if left_with > 1 else None), control=noting(checkpoints))
        )

        resumed = learn(rows, asked, helpers=Helpers(None if left_with > 1 else two), control=resuming(checkpoints[0]))

    assert told(resumed) == undisturbed


def test_the_epochs_that_are_told_go_on_where_they_were() -> None:
    """Only those that are new."""
    checkpoints: list[Checkpoint] = []
    first: list[Progress] = []
    later: list[Progress] = []
    learn(EXAM, recipe(epochs=5), control=replace(noting(checkpoints), on_epoch=first.append))

    learn(EXAM, recipe(epochs=5), control=Control(resume=checkpoints[1], on_epoch=later.append))

    assert later == first[2:]


def test_a_checkpoint_belongs_to_whoever_it_was_handed_to() -> None:
    """Going on from it, twice, does not change it."""
    checkpoints: list[Checkpoint] = []
    asked = ensemble(epochs=4)
    learn(ROWS, asked, control=noting(checkpoints))
    before = {name: array.tobytes() for name, array in checkpoints[0].arrays.items()}

    models = [learn(ROWS, asked, control=Control(resume=checkpoints[0])) for _ in range(2)]

    assert told(models[0]) == told(models[1])
    assert {name: array.tobytes() for name, array in checkpoints[0].arrays.items()} == before


def test_whether_a_checkpoint_is_due_is_asked_with_why_training_ends() -> None:
    """None while it goes on, so that the last may be kept, or spared."""
    asked: list[str | None] = []

    def is_due(stopped: str | None) -> bool:
        asked.append(stopped)
        return stopped is not None

    checkpoints: list[Checkpoint] = []
    learn(EXAM, recipe(epochs=3), control=Control(is_due=is_due, save=checkpoints.append))

    assert asked == [None, None, "epochs"]
    assert [checkpoint.epoch for checkpoint in checkpoints] == [3]


@pytest.mark.parametrize("optimizer", SOLVERS)
def test_a_solver_takes_all_its_steps_again(optimizer: str) -> None:
    """Its checkpoints only say how many there were."""
    asked = recipe(optimizer=optimizer, members=2, validation=0.3, epochs=6)
    checkpoints: list[Checkpoint] = []
    undisturbed = told(learn(ROWS, asked, control=noting(checkpoints)))

    assert [checkpoint.epoch for checkpoint in checkpoints] == list(range(1, len(checkpoints) + 1))
    assert not any(checkpoint.arrays for checkpoint in checkpoints)
    assert told(learn(ROWS, asked, control=resuming(checkpoints[-1]))) == undisturbed


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_goes_on_where_it_stood(generator: str) -> None:
    """Also between the two normal numbers that the older one makes at a time."""
    first, second = (GENERATORS[generator](seed) for seed in (1, 2))
    first.standard_normal(3)

    set_random_state(second, random_state(first))

    assert first.standard_normal(5).tolist() == second.standard_normal(5).tolist()
    np.testing.assert_array_equal(first.permutation(9), second.permutation(9))
