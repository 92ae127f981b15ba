"""Kinds of targets: classes, several numbers, yes or no, quantiles, counts, numbers with a variance."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.models.learning import learn, outputs_for
from app.models.recipe import Recipe
from app.models.table import Label, TrainingRows
from app.tables.answered import in_words
from tests.models.tables import EXAM, blobs, columns, ensemble, recipe, wave
from tests.tutorial import X


def test_several_targets_are_learnt_together() -> None:
    """Each row answers with a list, in the units of each target."""
    rows = wave(60, outputs=3)
    model = learn(rows, recipe(optimizer="lbfgs", epochs=100))

    answers = in_words(model, model.scores(rows.X[:2]))

    assert (model.report.metrics["training"]["r2"] or 0) > 0.99
    np.testing.assert_allclose(np.array(answers), np.array(rows.y)[:2], atol=3)
    assert outputs_for(model.recipe, 3, 0) == 3


@pytest.mark.parametrize(("classes", "output"), [(2, "sigmoid"), (2, "softmax"), (4, "softmax")])
def test_classes_are_learnt(classes: int, output: str) -> None:
    """Labels come back as they were sent, with probabilities that sum to 1."""
    rows = blobs(classes)

    model = learn(rows, Recipe(network=Architecture(output_activation=output)))

    scores = model.scores(rows.X)
    assert model.labels == tuple("abcd"[:classes])
    assert in_words(model, scores) == list(rows.y)
    assert scores.shape == (60, classes)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-6)
    assert model.network.sizes[-1] == outputs_for(model.recipe, 1, classes) == (1 if output == "sigmoid" else classes)


@pytest.mark.parametrize("loss", ["mse", "quadratic", "mae", "huber"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_classes_can_be_learnt_with_losses_of_numbers(loss: str, output: str) -> None:
    """A sigmoid with a squared error, as in the textbook, is a classifier too."""
    config = TrainingConfig(loss=loss, optimizer="adam", learning_rate=0.01, epochs=100)

    model = learn(blobs(2), Recipe(network=Architecture(output_activation=output), training=config))

    assert model.report.metrics["training"]["accuracy"] == 1.0


def test_true_and_false_and_whole_numbers_are_labels_too() -> None:
    """What was sent comes back, with its type."""
    given: tuple[tuple[Label, ...], ...] = ((True, False, True), (7, 3, 7))
    for labels in given:
        model = learn(replace(EXAM, y=labels), Recipe(task="classification"))

        assert in_words(model, model.scores(X)) == list(labels)
        assert model.labels == tuple(sorted(set(labels)))


def several_questions(rows: int = 60) -> TrainingRows:
    """Two yes-or-no targets, which are both yes, one or none of them."""
    rng = np.random.default_rng(2)
    cells = rng.uniform(-1, 1, (rows, 2))
    return TrainingRows(columns("a", "b"), ("left", "low"), cells, 1.0 * (cells < 0), multilabel=True)


def test_several_yes_or_no_targets_are_learnt() -> None:
    """Each row answers with a list of true and false, and a probability for each, which need not sum to 1."""
    rows = several_questions()
    model = learn(rows, recipe(optimizer="lbfgs", epochs=50))

    scores = model.scores(rows.X)

    assert (model.recipe.task, model.recipe.network.output_activation) == ("multilabel", "sigmoid")
    assert model.recipe.training.loss == "binary_cross_entropy"
    assert (model.report.metrics["training"]["exact_match"] or 0) > 0.95
    answers: Any = in_words(model, scores)
    assert answers[0] == [bool(score > 0.5) for score in scores[0]]
    assert {type(answer) for row in answers for answer in row} == {bool}
    assert not np.allclose(scores.sum(axis=1), 1.0)
    assert model.report.confusion_matrix is None


def spread(rows: int = 200) -> TrainingRows:
    """Numbers around a line, three times as far on its right as on its left."""
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (rows, 1))
    noise = np.where(x > 0, 3.0, 1.0) * rng.standard_normal((rows, 1))
    return TrainingRows(columns("x"), ("y",), x, 100 + 10 * x + noise)


def test_quantiles_are_learnt_by_their_level() -> None:
    """About nine in ten rows lie below the 0.9 quantile and one in ten below the 0.1, which lies below it."""
    rows = spread()
    low, high = (
        learn(rows, recipe(loss="quantile", quantile=level, hidden=(8,), epochs=300, validation=0.0)).scores(rows.X)
        for level in (0.1, 0.9)
    )

    y = np.asarray(rows.y)
    assert (low < high).all()
    assert np.mean(y < low) == pytest.approx(0.1, abs=0.05)
    assert np.mean(y < high) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_mean_is_learnt_together_with_its_variance(optimizer: str) -> None:
    """Two outputs for each target, of which the answer is the first, in the user's units."""
    rows = spread()
    rows = replace(rows, targets=("y", "z"), y=np.asarray(rows.y) * [1.0, -1.0])
    model = learn(rows, recipe(loss="gaussian_nll", optimizer=optimizer, epochs=200, validation=0.0))

    answers = model.scores(np.array([[-0.5], [0.5]]))
    _, a = model.network.outputs(model.parameters, model.encoder.encode(np.array([[-0.5], [0.5]])))

    assert model.network.sizes[-1] == outputs_for(model.recipe, 2, 0) == 4
    np.testing.assert_allclose(answers, [[95, -95], [105, -105]], atol=1.0)
    assert model.target is not None
    deviations = np.exp(0.5 * a[0, :, 2]) * model.target.scale[0]
    assert deviations[0] == pytest.approx(1.0, rel=0.5)
    assert deviations[1] == pytest.approx(3.0, rel=0.5)


@pytest.mark.parametrize("given", [recipe(loss="poisson", optimizer="lbfgs"), ensemble(loss="poisson", epochs=30)])
def test_counts_are_learnt_as_positive_rates(given: Recipe) -> None:
    """Scaled without moving their zero, so that no answer is negative."""
    rng = np.random.default_rng(6)
    x = rng.uniform(-1, 1, (200, 1))
    counts = rng.poisson(np.exp(1 + x)) * 1.0

    model = learn(TrainingRows(columns("x"), ("visits",), x, counts), given)

    rates = model.scores(x)
    assert model.recipe.network.output_activation == "exponential"
    assert model.recipe.scaling.target == "maximum"
    assert (rates > 0).all()
    assert np.corrcoef(rates[:, 0], np.exp(1 + x[:, 0]))[0, 1] > 0.95
    assert rates.mean() == pytest.approx(counts.mean(), rel=0.15)


def test_a_target_is_divided_by_its_maximum_if_that_is_known() -> None:
    """Scores of 100 at most are learnt as shares of 100."""
    model = learn(EXAM, replace(recipe(epochs=1), scaling=replace(Recipe().scaling, target_maximum=100.0)))

    assert model.target is not None
    assert (model.target.center.tolist(), model.target.scale.tolist()) == ([0.0], [100.0])
    assert model.recipe.scaling.target == "maximum"
