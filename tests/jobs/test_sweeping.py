"""Sweeps: one setting, several values, the same first weights, and the best of them."""

from dataclasses import replace

import numpy as np
import pytest

from app.engine.training import History
from app.errors import Cancelled, Diverged
from app.jobs import orders
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.jobs.sweeping import NOT_TRIED, swept
from app.jobs.work import Workplace, train_and_save
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.sweep import MOST_POINTS, Sweep, best, run_of
from app.store import memories, snapshot
from app.store.layout import INCOMING
from app.store.store import ModelStore
from tests.models.tables import EXAM, recipe, wave

ROWS = wave(150)
SWEPT = Order(
    name="exam",
    rows=ROWS,
    recipe=recipe(epochs=5, batch_size=16, optimizer="momentum"),
    sweep=Sweep("learning_rate", (1e6, 0.0001, 0.02)),
)


def test_each_value_is_what_it_would_be_alone_and_the_best_is_kept(store: ModelStore) -> None:
    """Bit for bit, with what its optimizer remembers; the curves of all are told, and why one came to nothing."""
    saved = train_and_save(orders.encode(SWEPT), Workplace(store.root), Note(store.root / "note"))

    model, _ = snapshot.decode((store.root / INCOMING / saved.aside).read_bytes())
    alone = learn(ROWS, replace(SWEPT.recipe, training=replace(SWEPT.recipe.training, learning_rate=0.02)))
    assert model.parameters.tobytes() == alone.parameters.tobytes()
    assert saved.memory is not None
    memory = memories.decode((store.root / INCOMING / saved.memory).read_bytes(), saved.sha256)
    assert memory.epoch == 5
    sweep = model.report.sweep
    assert sweep is not None
    assert (sweep.setting, [run.value for run in sweep.runs]) == ("learning_rate", [1e6, 0.0001, 0.02])
    diverged, slow, kept = sweep.runs
    assert (diverged.loss, "diverged in epoch" in str(diverged.fault)) == ((), True)
    assert (slow.kept, kept.kept) == (False, True)
    assert kept.loss == tuple(alone.history.loss)
    assert kept.validation_loss == tuple(alone.history.validation_loss)
    assert slow.loss != kept.loss


def test_all_begin_with_the_same_weights() -> None:
    """The first batch sees the same loss, whatever the rate."""
    sweep = Sweep("learning_rate", (0.1, 0.001))
    how = recipe(epochs=1, optimizer="gradient_descent")

    model, _ = swept(sweep, how, lambda variant, _before: learn(EXAM, variant), lambda: False)

    assert model.report.sweep is not None
    first, second = model.report.sweep.runs
    assert first.loss == second.loss


def test_where_all_diverge_the_training_does() -> None:
    """The first tells why."""
    sweep = Sweep("learning_rate", (1e6, 9e5))

    with pytest.raises(Diverged, match="1e\\+06"):
        swept(sweep, SWEPT.recipe, lambda variant, _before: learn(ROWS, variant), lambda: False)


@pytest.mark.parametrize("keeps", [True, False])
def test_who_cancels_has_the_best_so_far_or_nothing(keeps: bool) -> None:
    """What was not tried is said so."""
    tried: list[int] = []

    def one(variant: Recipe, before: int) -> Model:
        tried.append(before)
        if len(tried) > 1:
            raise Cancelled
        return learn(ROWS, variant)

    sweep = Sweep("learning_rate", (0.01, 0.02, 0.03))
    if not keeps:
        with pytest.raises(Cancelled):
            swept(sweep, SWEPT.recipe, one, lambda: False)
        return

    model, number = swept(sweep, SWEPT.recipe, one, lambda: True)

    assert (number, tried) == (0, [0, 5])
    assert model.report.sweep is not None
    assert [run.fault for run in model.report.sweep.runs] == [None, NOT_TRIED, NOT_TRIED]


def test_held_out_rows_choose_where_there_are_some() -> None:
    """Else the rows that were learnt."""
    curve = np.array([1.0, 0.5])
    histories = [History(curve, np.array([0.9, 0.3])), History(curve, np.array([0.2, 0.8]))]

    assert best(histories, [0.1, 0.5]) == 1
    assert best([History(curve, np.empty(0))] * 2, [0.1, 0.5]) == 0


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    """So many points at most."""
    run = run_of(1, History(np.arange(5000.0), np.empty(0)), is_kept=False)

    assert (len(run.epochs), run.epochs[0], run.epochs[-1]) == (MOST_POINTS, 1, 5000)
    assert run.loss == tuple(epoch - 1.0 for epoch in run.epochs)
    assert run.validation_loss is None


def test_a_sweep_comes_back_from_the_disk_as_it_was(store: ModelStore) -> None:
    """As an order, and in the report of a model."""
    order = replace(SWEPT, sweep=Sweep("optimizer", ("adam", "rmsprop")))
    assert orders.decode(orders.encode(order)).sweep == order.sweep
    model, _ = swept(
        Sweep("epochs", (2, 3)), SWEPT.recipe, lambda variant, _before: learn(ROWS, variant), lambda: False
    )

    after = store.load("exam", store.publish("exam", model)).model

    assert after.report.sweep == model.report.sweep
