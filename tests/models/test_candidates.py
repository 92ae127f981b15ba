"""Defaults: what is chosen for a table where the user leaves it open, and why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.config import TrainingConfig
from app.engine.control import Control
from app.engine.network import Architecture
from app.errors import UnsuitableTarget
from app.models.defaults import MOST_BINS, Problem, candidates, labels_of, problem_of, rows_held_out
from app.models.learning import learn
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from tests.models.tables import EXAM, blobs, columns, mixed, recipe, saddle, shops, wave


def chosen(problem: Problem, **training: Any) -> list[tuple[Any, ...]]:
    """List optimizer, members and layers of each candidate."""
    found = [each.recipe for each in candidates(Recipe(training=TrainingConfig(**training)), problem)]
    return [(each.training.optimizer, each.training.members, each.network.hidden) for each in found]


@pytest.mark.parametrize(
    ("problem", "wanted"),
    [
        (Problem(3, 2, 1), [("levenberg_marquardt", 1, (3,))]),
        (Problem(9, 2, 4), [("levenberg_marquardt", 1, (3,))]),
        (Problem(3, 2, 1, 2), [("lbfgs", 1, (8,))]),
        (Problem(3, 2, 2, multilabel=True), [("lbfgs", 1, (8,))]),
        (Problem(20, 2, 1), [("levenberg_marquardt", 8, (4,)), ("adam", 16, (64, 64))]),
        (Problem(200, 2, 1), [("levenberg_marquardt", 8, (8, 8)), ("adam", 16, (64, 64))]),
        (Problem(1000, 50, 2), [("levenberg_marquardt", 8, (10, 10)), ("adam", 8, (64, 64))]),
        (Problem(1001, 50, 2), [("adam", 8, (64, 64))]),
        (Problem(1000, 51, 2), [("adam", 8, (64, 64))]),
        (Problem(200, 2, 1, embedded=True), [("adam", 16, (64, 64))]),
        (Problem(200, 2, 1, 3), [("adam", 16, (64, 64))]),
        (Problem(200, 2, 3, multilabel=True), [("adam", 16, (64, 64))]),
        (Problem(20_000, 2, 1), [("adam", 4, (128, 128))]),
    ],
)
def test_rows_columns_and_task_decide(problem: Problem, wanted: list[tuple[Any, ...]]) -> None:
    """Few rows are learnt exactly, small tables of numbers by second derivatives if that is better, others by adam."""
    assert chosen(problem) == wanted


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"optimizer": "rmsprop"}, [("rmsprop", 1, (16,))]),
        ({"optimizer": "rmsprop", "members": 3}, [("rmsprop", 3, (16,))]),
        ({"optimizer": "levenberg_marquardt"}, [("levenberg_marquardt", 1, (8, 8))]),
        ({"optimizer": "lbfgs"}, [("lbfgs", 1, (8,))]),
        ({"members": 2}, [("levenberg_marquardt", 2, (8, 8)), ("adam", 2, (64, 64))]),
        ({"loss": "mae"}, [("adam", 16, (64, 64))]),
        ({"l2": 0.1}, [("adam", 16, (64, 64))]),
        ({"learning_rate": 0.1}, [("adam", 16, (64, 64))]),
        ({"batch_size": 10}, [("adam", 16, (64, 64))]),
        ({"clip_norm": 1.0}, [("adam", 16, (64, 64))]),
        ({"dropout": 0.3}, [("adam", 16, (64, 64))]),
    ],
)
def test_what_the_user_sets_is_what_is_tried(settings: dict[str, Any], wanted: list[tuple[Any, ...]]) -> None:
    """An optimizer that is named is the only one, and of one network; its settings are only for it."""
    assert chosen(Problem(200, 2, 1), **settings) == wanted


def test_a_sentence_says_what_was_chosen_and_why() -> None:
    """For every way to choose."""
    plain = [each.sentence for each in candidates(Recipe(), Problem(200, 2, 1))]
    linear = candidates(recipe(hidden=(), optimizer="momentum"), Problem(200, 2, 1))[0].sentence

    assert plain == [
        (
            "8 networks with 8 and 8 hidden units, trained by levenberg_marquardt: "
            "answers rows it has not seen better than adam does."
        ),
        (
            "16 networks with 64 and 64 hidden units, trained by adam: "
            "200 rows, each judged by members that have not seen it."
        ),
    ]
    assert linear == "1 network with no hidden units, trained by momentum: as set."
    assert candidates(Recipe(training=TrainingConfig(learning_rate=0.1)), Problem(9, 2, 1))[0].reason == (
        "its settings were given"
    )
    assert "of numbers can be learnt exactly" in learn(EXAM, Recipe()).report.choice
    assert "can be spared to judge by" in candidates(Recipe(), Problem(3, 2, 1, 2))[0].reason


def test_a_smooth_surface_is_learnt_by_second_derivatives() -> None:
    """Without noise eight small networks answer rows they have not seen best."""
    model = learn(saddle(120), Recipe())

    assert model.recipe.training.optimizer == "levenberg_marquardt"
    assert (model.report.metrics["validation"]["r2"] or 0) > 0.999
    assert model.report.choice.startswith("8 networks")


def test_a_noisy_surface_is_learnt_by_an_ensemble() -> None:
    """Half of what there is cannot be learnt; the training that is told about is the one that runs to its end."""
    told: list[int] = []

    model = learn(
        saddle(200, noise=1.0), Recipe(), control=Control(on_epoch=lambda progress: told.append(progress.epoch))
    )

    assert model.recipe.training.optimizer == "adam"
    assert model.recipe.training.members == 16
    assert told == list(range(1, model.report.epochs + 1))


@pytest.mark.parametrize("few", [5, 300, 20_000])
@pytest.mark.parametrize("labels", [0, 2, 3])
def test_nothing_is_left_open(few: int, labels: int) -> None:
    """All that a training or an answer asks for is there, in every candidate, and fits the rows."""
    for each in candidates(Recipe(), Problem(few, 4, 1, labels)):
        training, network = each.recipe.training, each.recipe.network
        unset = {name for name, value in vars(training).items() if value is None}
        assert unset <= {"patience", "clip_norm", "class_weight"}
        assert None not in vars(network).values()
        assert each.recipe.scaling.features is not None
        assert 1 <= (training.batch_size or 0) <= few - rows_held_out(few, training.validation or 0.0)


@pytest.mark.parametrize(
    ("rows", "epochs", "batch_size", "precision"),
    [(3, 2000, 3, "float64"), (256, 2000, 256, "float64"), (6400, 200, 64, "float32")],
)
def test_epochs_and_batches_of_a_single_network_follow_the_rows(
    rows: int, epochs: int, batch_size: int, precision: str
) -> None:
    """Small tables are seen whole and often, large ones in batches and less often."""
    training = candidates(recipe(optimizer="adam", validation=0.0), Problem(rows, 2, 1))[0].recipe.training

    assert (training.epochs, training.batch_size, training.precision) == (epochs, batch_size, precision)
    assert (training.learning_rate, training.beta2, training.dropout) == (0.02, 0.999, 0.0)


@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_rates_of_epochs_and_batches_take_what_is_left_to_learn_from(validation: float) -> None:
    """A batch is never larger than the rows that are learnt from."""
    given = recipe(optimizer="adam", validation=validation, batch_size=1000)

    training = candidates(given, Problem(200, 2, 1))[0].recipe.training

    assert training.batch_size == 200 * (1 - validation)


@pytest.mark.parametrize(("rows", "bins"), [(100, 8), (5000, 18), (100_000, 64)])
def test_bins_grow_with_the_table_and_shrink_with_its_columns(rows: int, bins: int) -> None:
    """As many as have rows enough, as long as they do not make the network too wide."""
    narrow, wide, widest = (
        candidates(Recipe(), Problem(rows, columns_, 1, numbers=columns_))[-1].recipe.scaling
        for columns_ in (2, MOST_BINS // 4, MOST_BINS)
    )

    assert (narrow.features, narrow.clip, narrow.bins) == ("robust", 3.0, bins)
    assert wide.bins == 4
    assert (widest.features, widest.bins) == ("robust", None)


def test_a_chosen_scaling_is_taken_alone() -> None:
    """Neither clipping nor bins come with it unless they were asked for; without it, what was asked for wins."""
    plain, own = Scaling(features="standard"), Scaling(bins=5, clip=7.0)

    scaled = [candidates(Recipe(scaling=each), Problem(5000, 2, 1))[0].recipe.scaling for each in (plain, own)]

    assert (scaled[0].features, scaled[0].clip, scaled[0].bins) == ("standard", None, None)
    assert (scaled[1].features, scaled[1].clip, scaled[1].bins) == ("robust", 7.0, 5)


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "relu", "elu", "softplus", "silu", "leaky_relu"])
def test_bounded_outputs_get_a_target_they_can_reach(output: str) -> None:
    """The target's scaler is chosen to fit the output activation."""
    model = learn(EXAM, Recipe(network=Architecture(hidden=(3,), output_activation=output)))

    assert model.recipe.scaling.target == ("standard" if output == "leaky_relu" else "minmax")


@pytest.mark.parametrize(
    ("settings", "labels", "message"),
    [
        ({"network": {"output_activation": "tanh"}}, ("a", "b", "a"), "Classes need output_activation"),
        ({"network": {"output_activation": "sigmoid"}}, ("a", "b", "c"), "tells two classes apart; the target has 3"),
        ({}, ("a", "a", "a"), "one class only"),
        ({"training": {"loss": "binary_cross_entropy"}}, ("a", "b", "c"), "needs output_activation|two classes"),
        ({"training": {"loss": "categorical_cross_entropy"}, "network": {"output_activation": "sigmoid"}},
         ("a", "b", "a"), "needs output_activation softmax, not sigmoid"),
        ({"network": {"output_activation": "sigmoid"}, "scaling": {"target": "standard"}}, None, "answers lie between"),
        ({"scaling": {"target": "minmax", "target_maximum": 100.0}}, None, "goes with scaling.target maximum"),
        ({"training": {"loss": "poisson"}, "network": {"output_activation": "exponential"}}, ("a", "b", "a"),
         "Classes need"),
        ({"training": {"loss": "gaussian_nll"}, "network": {"output_activation": "sigmoid"}}, ("a", "b", "a"),
         "needs output_activation identity"),
        ({"training": {"optimizer": "levenberg_marquardt"}}, ("a", "b", "a"), "makes squares small, not binary"),
        ({"training": {"optimizer": "levenberg_marquardt", "loss": "mae"}}, None, "makes squares small, not mae"),
    ],
)  # fmt: skip
def test_settings_that_contradict_the_target_are_refused(
    settings: dict[str, dict[str, Any]], labels: tuple[str, ...] | None, message: str
) -> None:
    """Each says what contradicts what, before anything is trained."""
    contradicting = Recipe(
        network=Architecture(**settings.get("network", {})),
        training=TrainingConfig(**settings.get("training", {})),
        scaling=Scaling(**settings.get("scaling", {})),
    )

    with pytest.raises(UnsuitableTarget, match=message):
        learn(EXAM if labels is None else replace(EXAM, y=labels), contradicting)


def test_embeddings_are_not_learnt_by_levenberg_marquardt() -> None:
    """Neither where it is asked for, nor where it would be chosen; with an input for each level they are none."""
    with pytest.raises(UnsuitableTarget, match=r"learns no embeddings\. Raise scaling\.one_hot"):
        learn(shops(40), recipe(optimizer="levenberg_marquardt", scaling=Scaling(one_hot=5)))

    model = learn(shops(40), recipe(optimizer="levenberg_marquardt", epochs=3, scaling=Scaling(one_hot=10)))

    assert model.network.embeddings == ()


def test_yes_or_no_targets_take_sigmoids_only() -> None:
    """Their probabilities do not sum to 1."""
    rows = replace(EXAM, targets=("p", "q"), y=np.eye(2)[[0, 1, 0]], multilabel=True)

    with pytest.raises(UnsuitableTarget, match="yes-or-no targets need output_activation sigmoid, not softmax"):
        learn(rows, Recipe(network=Architecture(output_activation="softmax")))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Recipe(), None),
        (Recipe(task="classification"), True),
        (Recipe(task="multilabel"), True),
        (Recipe(task="regression", network=Architecture(output_activation="softmax")), False),
        (Recipe(network=Architecture(output_activation="softmax")), True),
        (Recipe(training=TrainingConfig(loss="binary_cross_entropy")), True),
        (Recipe(training=TrainingConfig(loss="mse")), None),
    ],
)
def test_settings_tell_whether_numbers_are_classes(given: Recipe, wanted: bool | None) -> None:
    """The task decides; else softmax or a cross entropy do."""
    assert given.wants_labels is wanted


@pytest.mark.parametrize("rows", [mixed(), shops(40), blobs(3), EXAM])
@pytest.mark.parametrize("one_hot", [0, 5, 20])
def test_a_problem_counts_the_inputs_that_there_will_be(rows: TrainingRows, one_hot: int) -> None:
    """Numbers, levels and the widths of embeddings, but for bins and marks of what is missing."""
    problem = problem_of(rows, labels_of(rows), one_hot)
    scaling = Scaling(features="standard", one_hot=one_hot)

    model = learn(rows, recipe(hidden=(2,), optimizer="adam", epochs=1, scaling=scaling))

    assert problem.inputs == model.network.sizes[0] - model.encoder.missing.sum()
    assert problem.embedded == bool(model.network.embeddings)
    assert problem.numbers == len(model.encoder.numbers)
    assert (problem.rows, problem.targets, problem.labels) == (len(rows.X), 1, len(model.labels))


def test_settings_of_a_model_train_it_again() -> None:
    """A completed recipe, fed back, gives the same model: nothing was chosen that is not told."""
    for rows, given in ((wave(), recipe(epochs=30)), (EXAM, Recipe()), (blobs(3), Recipe())):
        model = learn(rows, given)

        again = learn(rows, model.recipe)

        assert again.recipe == model.recipe
        assert again.parameters.tobytes() == model.parameters.tobytes()


@pytest.mark.parametrize(("rows", "held_out"), [(99, 0), (100, 10)])
def test_a_single_network_holds_rows_out_from_a_hundred_on(rows: int, held_out: int) -> None:
    """A tenth, where there are enough."""
    assert learn(wave(rows), recipe(epochs=1, members=1)).report.rows_held_out == held_out


@pytest.mark.parametrize(
    ("rows", "share", "held_out"), [(10, 0.25, 2), (10, 0.9, 9), (1, 0.9, 0), (8, 1 / 8, 1), (7, 1.0, 6)]
)
def test_one_row_at_least_is_left_to_learn_from(rows: int, share: float, held_out: int) -> None:
    """However large the share."""
    assert rows_held_out(rows, share) == held_out


def test_a_column_of_two_levels_is_one_input() -> None:
    """Whatever `one_hot` says."""
    rows = replace(EXAM, columns=(*columns("a"), Column("pair", ("no", "yes"))))

    assert problem_of(rows, (), 0).inputs == 2
