"""The two estimators."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from app.estimators.learners import Learnt, LearntHere, LearntThere, Numbers, Problem

FEWEST_CLASSES = 2


def _weights(sample_weight: ArrayLike, X: Numbers) -> Numbers:
    """Read how much each row counts; raise ValueError for negative numbers, or where no row does."""
    given = np.asarray(sample_weight)
    if given.size and not given.any():
        message = "All weights are zero, so that no row counts: one at least is to be above 0."
        raise ValueError(message)
    weights: Numbers = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return weights


class _Netlet(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both have in common.

    `network`, `training` and `scaling` are as `POST /train` takes them: dicts of settings, or "auto". With `url` a
    service learns and answers (`api_key` opens it, `name` is what the model is called there), else this process does.
    NaN is a missing value.
    """

    def __init__(
        self,
        *,
        network: Any = "auto",  # noqa: ANN401 - settings of any kind
        training: Any = "auto",  # noqa: ANN401 - as above
        scaling: Any = None,  # noqa: ANN401 - as above
        url: str | None = None,
        api_key: str | None = None,
        name: str | None = None,
    ) -> None:
        self.network, self.training, self.scaling = network, training, scaling
        self.url, self.api_key, self.name = url, api_key, name

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's own
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _learn(self, X: Numbers, y: Numbers, sample_weight: ArrayLike | None) -> None:
        weights = None if sample_weight is None else _weights(sample_weight, X)
        names = getattr(self, "feature_names_in_", [f"x{place + 1}" for place in range(X.shape[1])])
        settings = {"network": self.network, "training": self.training, "scaling": self.scaling}
        problem = Problem(X, y, [str(name) for name in names], weights, settings)
        self.learnt_: Learnt = (
            LearntHere.of(problem) if self.url is None else LearntThere.of(problem, self.url, self.api_key, self.name)
        )

    def _scores(self, X: ArrayLike) -> Numbers:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self.learnt_.scores(rows)


class NetletRegressor(MultiOutputMixin, RegressorMixin, _Netlet):  # type: ignore[misc]  # scikit-learn has no types
    """Learns numbers, one a row or several."""

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from rows (rows, columns) and their targets, (rows,) or (rows, targets)."""
        rows, targets = validate_data(
            self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", multi_output=True, y_numeric=True
        )
        targets = np.asarray(targets, dtype=np.float64)
        self._is_flat = targets.ndim == 1
        self._learn(rows, targets.reshape(len(rows), -1), sample_weight)
        return self

    def predict(self, X: ArrayLike) -> Numbers:
        """Answer rows, in the form that the targets had."""
        scores = self._scores(X)
        return scores[:, 0] if self._is_flat else scores


class NetletClassifier(ClassifierMixin, _Netlet):  # type: ignore[misc]  # scikit-learn has no types
    """Tells classes apart."""

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from rows (rows, columns) and their classes, (rows,), of any kind that sorts."""
        rows, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < FEWEST_CLASSES:
            message = f"There is only one class, {self.classes_[0]!r}: at least two are needed to be told apart."
            raise ValueError(message)
        self._learn(rows, numbers.astype(np.float64), sample_weight)
        return self

    def predict_proba(self, X: ArrayLike) -> Numbers:
        """Give the probability of each class, in the order of `classes_`: (rows, classes)."""
        return self._scores(X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the likeliest class of each row."""
        scores = self._scores(X)
        likeliest: NDArray[Any] = self.classes_[scores.argmax(axis=1)]
        return likeliest
