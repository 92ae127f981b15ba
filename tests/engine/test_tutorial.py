"""The tutorial's numbers, reproduced."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from app.errors import UnsuitableTarget
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.presets import PRESETS
from tests.models.tables import EXAM
from tests.tutorial import Y, score, trained


def tutorial_model(seed: int = 0, **training: Any) -> Model:
    settings = PRESETS["tutorial"] | {"training": PRESETS["tutorial"]["training"] | {"seed": seed} | training}
    return learn(EXAM, TypeAdapter(Recipe).validate_python(settings, strict=False))


@pytest.mark.parametrize("seed", [0, 42])
def test_preset_equals_the_program_to_the_tenth_digit(seed: int) -> None:
    """The preset's weights and answers are those of the 60-line program."""
    model, program = tutorial_model(seed), trained(seed)

    W1, W2 = (layer.W[0] for layer in model.network.layers(model.parameters))

    np.testing.assert_allclose(W1, program.W1, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(W2, program.W2, rtol=1e-10, atol=1e-10)
    assert model.scores(np.array([[4.0, 8.0]]))[0, 0] == pytest.approx(score(program, 4, 8), abs=1e-10)


def test_preset_equals_the_program_on_a_table_that_it_overshoots() -> None:
    """On many rows a rate of 1 jumps about; like the program, the preset keeps the last weights, not the best."""
    rng = np.random.default_rng(4)
    hours, scores = rng.uniform(1, 9, (40, 2)), rng.uniform(5, 95, (40, 1))
    settings = TypeAdapter(Recipe).validate_python(PRESETS["tutorial"], strict=False)

    model = learn(replace(EXAM, X=hours, y=scores), settings)

    program = trained(0, 1000, hours, scores)
    assert min(model.history.loss) < model.report.loss
    assert model.report.kept_epochs == (1000,)
    np.testing.assert_allclose(model.network.layers(model.parameters)[1].W[0], program.W2, rtol=1e-10)


def test_known_answers_for_seed_0() -> None:
    """After 1,000 epochs the rows answer 89.9187, 87.3125, 89.618, and (4, 8) answers 90.3533."""
    answers = tutorial_model().scores(np.array([[2, 9], [1, 5], [3, 6], [4, 8.0]]))[:, 0]

    np.testing.assert_allclose(answers, [89.9187, 87.3125, 89.618, 90.3533], atol=1e-4)


def test_unscaled_hours_never_come_back() -> None:
    """The commonest mistake, feeding raw hours, answers 95.97 on average; scaled ones answer 88.93 to 93.64."""
    answers = [tutorial_model(seed).scores(np.array([[4.0, 8.0]]))[0, 0] for seed in (2,)]
    program = [score(trained(seed), 4, 8) for seed in range(200)]

    np.testing.assert_allclose(answers, program[2:3], atol=1e-10)
    assert min(program) == pytest.approx(88.93, abs=0.01)
    assert max(program) == pytest.approx(93.64, abs=0.01)
    assert np.mean(program) == pytest.approx(90.94, abs=0.01)


def test_loss_goes_on_falling() -> None:
    """Plain gradient descent is near 2e-4 (mean square) after 1,000 epochs and well below it after 1,500."""
    short, long = tutorial_model(), tutorial_model(epochs=1_500)

    assert 2e-4 < 2 * short.report.loss / 3 < 2.5e-4
    assert long.report.loss < 0.95 * short.report.loss


def test_scores_beyond_the_maximum_are_refused() -> None:
    """A sigmoid cannot answer more than the target's maximum, and the error says so."""
    recipe = TypeAdapter(Recipe).validate_python(PRESETS["tutorial"], strict=False)

    with pytest.raises(UnsuitableTarget, match=r"Scaled, the target runs from 1\.06 to 1\.12, but sigmoid"):
        learn(replace(EXAM, y=Y + 20), recipe)


@pytest.mark.parametrize("tens", range(10))
def test_defaults_learn_the_tutorial_rows_exactly_for_every_seed(tens: int) -> None:
    """Of 100 seeds each reaches a mean square below 1e-10 in units of y/100, within a hundred steps."""
    for seed in range(10 * tens, 10 * tens + 10):
        model = learn(EXAM, Recipe(training=replace(Recipe().training, seed=seed)))

        mse = model.report.metrics["training"]["mse"]
        assert mse is not None
        assert mse / 100**2 < 1e-10
        assert model.report.stopped == "converged"
        assert model.report.epochs < 100
