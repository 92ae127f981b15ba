"""Metrics, against what is counted by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.metrics import (
    area_under_curve,
    calibration_error,
    classification_metrics,
    confusion_matrix,
    multilabel_metrics,
    regression_metrics,
)


def test_regression_metrics_have_their_textbook_values() -> None:
    """Errors of 1, 0 and 2; R² compares with answering the mean."""
    metrics = regression_metrics(np.array([[1.0], [2.0], [5.0]]), np.array([[0.0], [2.0], [7.0]]))

    assert metrics["mse"] == pytest.approx(5 / 3)
    assert metrics["rmse"] == pytest.approx(np.sqrt(5 / 3))
    assert metrics["mae"] == pytest.approx(1.0)
    assert metrics["r2"] == pytest.approx(1 - 5 / 26)


def test_r2_is_the_mean_over_the_outputs() -> None:
    """Each output is compared with its own mean."""
    y = np.array([[0.0, 0.0], [0.2, 100.0]])

    assert regression_metrics(y + np.array([0.1, 0.0]), y)["r2"] == pytest.approx((0 + 1) / 2)


def test_r2_of_a_target_that_never_varies_is_unknown() -> None:
    """There is nothing to explain, even if another target does vary."""
    assert regression_metrics(np.ones((2, 1)), np.ones((2, 1)))["r2"] is None
    assert regression_metrics(np.eye(2), np.array([[1.0, 1.0], [1.0, 2.0]]))["r2"] is None


def test_log_loss_of_certainty_in_the_wrong_class_is_finite() -> None:
    """A probability of 0 counts as 1e-15."""
    metrics = classification_metrics(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))

    assert metrics["log_loss"] == pytest.approx(-np.log(1e-15))


def test_classification_metrics_have_their_textbook_values() -> None:
    """Two of the first class, one right at 0.8 and one wrong at 0.4; one of the second, right at 0.7."""
    metrics = classification_metrics(np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]]), np.eye(2)[[0, 0, 1]])

    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.4) + np.log(0.7)) / 3)
    assert metrics["auc"] == 1.0
    assert metrics["calibration_error"] == pytest.approx((0.2 + 0.6 + 0.3) / 3)


def test_classes_without_rows_are_left_out() -> None:
    """Of three labels the last has no rows: neither its recall nor its area is known; with one label left, none is."""
    three = classification_metrics(np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.3]]), np.eye(3)[[0, 1]])
    one = classification_metrics(np.array([[0.6, 0.4], [0.7, 0.3]]), np.eye(2)[[0, 0]])

    assert three["balanced_accuracy"] == 0.5
    assert three["auc"] == pytest.approx((1 + 0) / 2)
    assert one["balanced_accuracy"] == 1.0
    assert one["auc"] is None


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([0.1, 0.2, 0.8, 0.9], 1.0),
        ([0.9, 0.8, 0.2, 0.1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], 0.5),
        ([0.1, 0.5, 0.5, 0.9], (1 + 0.5 + 1 + 1) / 4),
        ([0.3, 0.6, 0.3, 0.6], (0.5 + 1 + 0 + 0.5) / 4),
    ],
)
def test_the_area_under_the_curve_counts_ties_half(scores: list[float], area: float) -> None:
    """Two rows of the class are the last."""
    assert area_under_curve(np.array(scores), np.array([0.0, 0.0, 1.0, 1.0])) == pytest.approx(area)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=20))
def test_the_area_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    """For any scores, however often they are equal."""
    inside, outside = ([score for score, of_class in rows if of_class is wanted] for wanted in (True, False))
    pairs = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]

    area = area_under_curve(np.array([row[0] for row in rows]) / 4, np.array([float(row[1]) for row in rows]))

    assert area == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_calibration_error_weighs_the_gaps_of_ten_bins_by_their_rows() -> None:
    """Gaps in one bin make up for each other, in several they add up; certainty is in the last bin."""
    confidence, right = np.array([0.62, 0.68, 0.85, 0.95, 1.0]), np.array([1.0, 0.0, 1.0, 0.0, 1.0])

    error = calibration_error(confidence, right)

    assert error == pytest.approx((abs(1.30 - 1) + abs(0.85 - 1) + abs(1.95 - 1)) / 5)


def test_a_confusion_matrix_has_truth_in_its_rows_and_answers_in_its_columns() -> None:
    """Two of the first class, one of them taken for the third."""
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.1, 0.7], [0.3, 0.4, 0.3]])

    assert confusion_matrix(probabilities, np.eye(3)[[0, 0, 1]]) == ((1, 0, 1), (0, 1, 0), (0, 0, 0))


def test_several_yes_or_no_targets_are_measured_one_by_one() -> None:
    """Means over the targets where they are known; a row matches only if all its targets do."""
    probabilities = np.array([[0.9, 0.2], [0.6, 0.3], [0.1, 0.4], [0.8, 0.1]])
    y = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])

    metrics: dict[str, Any] = multilabel_metrics(probabilities, y)

    assert metrics["accuracy"] == pytest.approx((3 / 4 + 1) / 2)
    assert metrics["balanced_accuracy"] == pytest.approx(((1 + 1 / 2) / 2 + 1) / 2)
    assert metrics["exact_match"] == pytest.approx(3 / 4)
    assert metrics["auc"] == 1.0  # of the first target; the second has nothing to tell apart
    logs = np.log([0.9, 0.4, 0.9, 0.8, 0.8, 0.7, 0.6, 0.9])
    assert metrics["log_loss"] == pytest.approx(-logs.mean())


def test_what_is_known_of_no_target_is_unknown() -> None:
    """All rows say no."""
    assert multilabel_metrics(np.array([[0.1], [0.2]]), np.zeros((2, 1)))["auc"] is None
