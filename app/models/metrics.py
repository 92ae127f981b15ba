"""Metrics: how good answers are, in the user's units."""

from typing import TypeAlias

import numpy as np

from app.engine.arrays import Scores, Vector

Metrics: TypeAlias = dict[str, float | None]

SMALLEST_PROBABILITY = 1e-15
BINS = 10


def regression_metrics(answers: Scores, y: Scores) -> Metrics:
    """Measure answers against true values, both (samples, targets) in the user's units.

    `r2` is averaged over the targets; it is None where a target never varies, since nothing can be explained.
    """
    error = answers - y
    mse = float(np.mean(error**2))
    spread = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    r2 = float(np.mean(1.0 - (error**2).sum(axis=0) / spread)) if np.all(spread > 0) else None
    return {"mse": mse, "rmse": mse**0.5, "mae": float(np.mean(np.abs(error))), "r2": r2}


def classification_metrics(probabilities: Scores, y: Scores) -> Metrics:
    """Measure class probabilities, shape (samples, labels), against one-hot true labels of the same shape.

    What a class has no rows for is left out of `balanced_accuracy`, and of `auc`, the mean over the labels of one
    against the rest (None if there is nothing to tell apart).
    """
    likelihood = np.clip((probabilities * y).sum(axis=1), SMALLEST_PROBABILITY, 1.0)
    right = probabilities.argmax(axis=1) == y.argmax(axis=1)
    rows = y.sum(axis=0)
    recalls = (y * right[:, np.newaxis]).sum(axis=0)[rows > 0] / rows[rows > 0]
    areas = [area_under_curve(*pair) for pair in zip(probabilities.T, y.T, strict=True)]
    known = [area for area in areas if area is not None]
    return {
        "accuracy": float(np.mean(right)),
        "balanced_accuracy": float(np.mean(recalls)),
        "log_loss": float(0.0 - np.mean(np.log(likelihood))),
        "auc": float(np.mean(known)) if known else None,
        "calibration_error": calibration_error(probabilities.max(axis=1), right.astype(np.float64)),
    }


def multilabel_metrics(probabilities: Scores, y: Scores) -> Metrics:
    """Measure the probabilities of yes, shape (samples, targets), against 0 and 1: each measure's mean over targets.

    `exact_match` is the share of rows with all targets right.
    """
    each = [
        classification_metrics(np.stack((1.0 - p, p), axis=1), np.stack((1.0 - t, t), axis=1))
        for p, t in zip(probabilities.T, y.T, strict=True)
    ]
    metrics: Metrics = {}
    for name in each[0]:
        known = [value for value in (metric[name] for metric in each) if value is not None]
        metrics[name] = float(np.mean(known)) if known else None
    right = (probabilities > 0.5) == (y > 0.5)  # noqa: PLR2004 - more likely than not
    return metrics | {"exact_match": float(np.mean(right.all(axis=1)))}


def area_under_curve(scores: Vector, y: Vector) -> float | None:
    """Compute how often a row of the class scores above one that is not (Mann, Whitney 1947); ties count half."""
    positive = y > 0.5  # noqa: PLR2004 - y is 0 or 1
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return None
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - 0.5 * (times - 1))[place]
    return float((ranks[positive].sum() - 0.5 * count * (count + 1)) / (count * others))


def calibration_error(confidence: Vector, right: Vector) -> float:
    """Compute by how much confidence and accuracy differ in ten equal bins, weighted by rows (Naeini et al. 2015)."""
    bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def confusion_matrix(probabilities: Scores, y: Scores) -> tuple[tuple[int, ...], ...]:
    """Count rows by true label (rows of the matrix) and answered label (columns)."""
    labels = y.shape[1]
    pairs = y.argmax(axis=1) * labels + probabilities.argmax(axis=1)
    counts = np.bincount(pairs, minlength=labels * labels).reshape(labels, labels)
    return tuple(tuple(row) for row in counts.tolist())
