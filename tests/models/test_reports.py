"""Reports: what is measured, and on which rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.network import Network
from app.models.ensemble import deal
from app.models.learning import learn
from app.models.metrics import regression_metrics
from app.models.recipe import Recipe
from tests.models.tables import EXAM, blobs, ensemble, recipe, saddle, wave

HELD_OUT: dict[str, Any] = {"epochs": 5, "validation": 0.3, "keep_best": False, "members": 1}


def test_a_report_counts_rows_parameters_and_epochs() -> None:
    """Parameters of all members; those of one for each row."""
    model = learn(wave(60), ensemble())

    report = model.report
    assert report.rows == 60
    assert report.rows_held_out == 60
    assert report.parameters == 3 * model.network.size
    assert report.parameters_per_row == model.network.size / 60
    assert report.epochs == len(model.history.loss) == len(model.history.validation_loss)
    assert len(report.kept_epochs) == 3
    assert report.choice.startswith("3 networks with 6 and 5 hidden units, trained by adam")


def test_rows_held_out_from_one_network_change_nothing_but_what_is_measured_on_them() -> None:
    """Neither weights nor scales nor ranges nor edges of bins rest on them."""
    rows = wave(100)
    held_out = deal(np.asarray(rows.y)[:, 0], 1, 30, np.random.default_rng(0)).judged[0]
    far = rows.X.copy()
    far[held_out] *= 7

    first, second = (learn(replace(rows, X=X), recipe(**HELD_OUT)) for X in (rows.X, far))

    assert second.parameters.tobytes() == first.parameters.tobytes()
    assert second.encoder.scaler.scale.tobytes() == first.encoder.scaler.scale.tobytes()
    assert second.encoder.highest.tobytes() == first.encoder.highest.tobytes()
    assert second.report.loss == first.report.loss
    assert second.report.metrics["validation"] != first.report.metrics["validation"]


@pytest.mark.parametrize("members", [1, 3])
def test_validation_rests_on_answers_of_members_that_have_not_seen_the_row(members: int) -> None:
    """Worked out anew, from which rows change a member if their target is changed by next to nothing."""
    settings: dict[str, Any] = {"epochs": 3, "validation": 0.3, "keep_best": False, "members": members}
    settings |= {"scaling": replace(Recipe().scaling, features="standard", target_maximum=100.0)}
    rows = wave(20)
    model = learn(rows, recipe(**settings))
    seen = np.empty((members, 20), dtype=bool)
    for row in range(20):
        y = np.array(rows.y)
        y[row] += 1e-7
        other = learn(replace(rows, y=y), recipe(**settings))
        seen[:, row] = (other.parameters != model.parameters).any(axis=1)

    scores = np.ma.masked_array(model.member_scores(rows.X)[..., 0], seen)
    known = ~seen.all(axis=0)

    assert ((~seen).sum(axis=1) == 6).all()
    assert known.sum() == model.report.rows_held_out == min(20, 6 * members)
    answers = np.asarray(scores.mean(axis=0))[known][:, np.newaxis]
    wanted = regression_metrics(answers, np.array(rows.y)[known])
    assert model.report.metrics["validation"] == pytest.approx(wanted)
    assert model.report.metrics["training"] == pytest.approx(regression_metrics(model.scores(rows.X), np.array(rows.y)))


@pytest.mark.parametrize(("members", "share", "counted"), [(1, 0.25, 15), (2, 0.2, 24), (3, 1 / 3, 60)])
def test_a_confusion_matrix_counts_the_rows_held_out(members: int, share: float, counted: int) -> None:
    """Each label as often as it was held out; of all rows where none were."""
    settings: dict[str, Any] = {"epochs": 5, "optimizer": "adam", "members": members}

    held_out = learn(blobs(3), recipe(validation=share, **settings)).report
    learnt = learn(blobs(3), recipe(validation=0.0, **settings)).report

    assert held_out.confusion_matrix is not None
    assert learnt.confusion_matrix is not None
    assert np.sum(held_out.confusion_matrix) == held_out.rows_held_out == counted
    assert np.sum(held_out.confusion_matrix, axis=1).tolist() == [held_out.rows_held_out / 3] * 3
    assert np.sum(learnt.confusion_matrix, axis=1).tolist() == [20] * 3
    assert learnt.rows_held_out == 0
    assert learn(EXAM, recipe(epochs=1)).report.confusion_matrix is None


def test_the_loss_is_that_of_the_kept_weights_on_the_rows_learnt_from() -> None:
    """In scaled units."""
    rows = saddle(40)
    model = learn(rows, recipe(epochs=9, validation=0.0, precision="float64"))

    assert model.target is not None
    mse = model.report.metrics["training"]["mse"]
    assert mse is not None
    assert model.report.loss == pytest.approx(mse / model.target.scale[0] ** 2)


def test_first_weights_are_drawn_after_the_rows_are_dealt() -> None:
    """From one stream; without rows held out the weights come first, as in the tutorial."""
    still: dict[str, Any] = {"optimizer": "gradient_descent", "learning_rate": 1e-300, "epochs": 1}

    model = learn(EXAM, recipe(seed=3, **still))

    first = Network((2, 8, 1), "silu", "identity", bias=True)
    drawn = first.initialize("glorot", 1, np.random.default_rng(3), model.encoder.encode(EXAM.X))
    np.testing.assert_allclose(model.parameters, drawn, rtol=1e-12, atol=1e-12)
