"""Who learns the same tables: netlet with its defaults, and the libraries people would take instead.

Each is a row of `CONTESTANTS`. A library is imported when it is asked to learn; one that is not installed is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from app.engine.config import TrainingConfig
from app.models.learning import learn
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from benchmarks.tables import Matrix

Answering: TypeAlias = Callable[[Matrix], Matrix]
"""Answers rows: numbers (rows, 1), or probabilities (rows, labels) with the labels in order."""
Learning: TypeAlias = Callable[[TrainingRows, int], Answering]
"""Learns rows from a seed."""
Estimator: TypeAlias = Any  # the peers have no types

NO_LEVEL = -2.0  # stands for an empty cell of a column with levels where NaN is not taken

NETLET = "netlet"
HIST_GRADIENT_BOOSTING = "HistGradientBoosting"
REALMLP = "RealMLP-TD"


@dataclass(frozen=True)
class Contestant:
    """One way to learn a table, and the package it needs."""

    needs: str
    learn: Learning
    is_network: bool = True


def netlet(rows: TrainingRows, seed: int) -> Answering:
    """Learn as netlet does where the user sets nothing."""
    return learn(rows, Recipe(training=TrainingConfig(seed=seed))).scores


def mlp_default(rows: TrainingRows, seed: int) -> Answering:
    """Learn with scikit-learn's MLP as it comes, numbers as they are."""
    return _learnt(_pipeline(rows, _of(rows, "sklearn.neural_network", "MLP")(random_state=seed), scaled=False), rows)


def mlp_standardised(rows: TrainingRows, seed: int) -> Answering:
    """Learn with scikit-learn's MLP as its users are told to: everything standardised, stopped early."""
    mlp = _of(rows, "sklearn.neural_network", "MLP")(random_state=seed, early_stopping=True, max_iter=1000)
    estimator = _pipeline(rows, mlp, scaled=True)
    if not isinstance(rows.y, tuple):
        scaler = import_module("sklearn.preprocessing").StandardScaler()
        estimator = import_module("sklearn.compose").TransformedTargetRegressor(estimator, transformer=scaler)
    return _learnt(estimator, rows)


def hist_gradient_boosting(rows: TrainingRows, seed: int) -> Answering:
    """Learn with scikit-learn's histogram gradient boosting: trees, which are what tables are usually given to."""
    boosting = _of(rows, "sklearn.ensemble", "HistGradientBoosting")
    return _learnt(boosting(random_state=seed, categorical_features=_places(rows.columns, levels=True) or None), rows)


def realmlp(rows: TrainingRows, seed: int) -> Answering:
    """Learn with RealMLP-TD (Holzmüller et al. 2024): one network with defaults tuned on 118 tables."""
    suffix = "Classifier" if isinstance(rows.y, tuple) else "Regressor"
    network = getattr(import_module("pytabkit"), f"RealMLP_TD_{suffix}")(device="cpu", n_threads=1, random_state=seed)
    impute = import_module("sklearn.impute").SimpleImputer
    numbers, levels = _places(rows.columns, levels=False), _places(rows.columns, levels=True)
    filled = import_module("sklearn.compose").ColumnTransformer(
        [
            ("numbers", impute(keep_empty_features=True), numbers),
            ("levels", impute(strategy="constant", fill_value=NO_LEVEL), levels),
        ]
    )
    estimator = import_module("sklearn.pipeline").Pipeline([("filled", filled), ("network", network)])
    return _learnt(estimator, rows, network__cat_indicator=[False] * len(numbers) + [True] * len(levels))


CONTESTANTS: dict[str, Contestant] = {
    NETLET: Contestant("app", netlet),
    "sklearn MLP default": Contestant("sklearn", mlp_default),
    "sklearn MLP standardised": Contestant("sklearn", mlp_standardised),
    HIST_GRADIENT_BOOSTING: Contestant("sklearn", hist_gradient_boosting, is_network=False),
    REALMLP: Contestant("pytabkit", realmlp),
}


def is_installed(package: str) -> bool:
    """Tell whether a package could be imported."""
    return find_spec(package) is not None


def _of(rows: TrainingRows, module: str, name: str) -> Estimator:
    """Find the class of a scikit-learn estimator for numbers or for labels."""
    return getattr(import_module(module), f"{name}{'Classifier' if isinstance(rows.y, tuple) else 'Regressor'}")


def _places(columns: Sequence[Column], *, levels: bool) -> list[int]:
    return [place for place, column in enumerate(columns) if bool(column.levels) == levels]


def _pipeline(rows: TrainingRows, estimator: Estimator, *, scaled: bool) -> Estimator:
    """Put before an estimator what it cannot do itself: fill gaps, scale numbers, turn levels into columns."""
    preprocessing, join = import_module("sklearn.preprocessing"), import_module("sklearn.pipeline").make_pipeline
    imputer = import_module("sklearn.impute").SimpleImputer(keep_empty_features=True)
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = import_module("sklearn.compose").ColumnTransformer(
        [
            (
                "numbers",
                join(imputer, preprocessing.StandardScaler()) if scaled else imputer,
                _places(rows.columns, levels=False),
            ),
            ("levels", encoder, _places(rows.columns, levels=True)),
        ]
    )
    return join(columns, estimator)


def _learnt(estimator: Estimator, rows: TrainingRows, **arguments: object) -> Answering:
    """Train an estimator and give what answers; labels are passed as their place in order."""
    if isinstance(rows.y, tuple):
        _, y = np.unique(np.array(rows.y), return_inverse=True)
        estimator.fit(rows.X, y, **arguments)
        return lambda X: _matrix(estimator.predict_proba(X))
    estimator.fit(rows.X, rows.y[:, 0], **arguments)
    return lambda X: _matrix(estimator.predict(X))


def _matrix(answers: npt.ArrayLike) -> Matrix:
    matrix = np.asarray(answers, dtype=np.float64)
    return matrix if matrix.ndim > 1 else matrix[:, None]
