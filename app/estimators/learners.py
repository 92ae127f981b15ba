"""Where an estimator learns and answers: in this process, or in a service.

Both take a matrix and a target of numbers, (rows, targets), or of classes by their numbers, and give the scores of
rows: numbers (rows, targets), or probabilities (rows, classes).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from app.client import Client
from app.engine.device import one_blas_thread
from app.errors import BadTable, NetletError
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from app.store.snapshot import decode, encode
from app.tables.table import require_names

Numbers: TypeAlias = NDArray[np.float64]
RECIPE = TypeAdapter(Recipe)


@dataclass(frozen=True)
class Problem:
    """What is to be learnt."""

    X: Numbers
    y: Numbers
    """(rows, targets), or the numbers of the classes, (rows,)."""
    columns: Sequence[str]
    weights: Numbers | None
    settings: Mapping[str, Any]
    """Of the training, as `POST /train` takes them."""

    @property
    def has_classes(self) -> bool:
        """Whether classes are to be told apart."""
        return self.y.ndim == 1


class Learnt(Protocol):
    """What came of it."""

    def scores(self, X: Numbers) -> Numbers:
        """Answer rows."""


@dataclass(frozen=True)
class LearntHere:
    """A model of this process."""

    model: Model

    @classmethod
    def of(cls, problem: Problem) -> "LearntHere":
        """Learn; raise ValueError for what cannot be learnt as set."""
        y = problem.y
        rows = TrainingRows(
            columns=tuple(Column(name) for name in _kept(problem.columns)),
            targets=("y",) if problem.has_classes else tuple(f"y{place + 1}" for place in range(y.shape[1])),
            X=problem.X,
            y=tuple(int(number) for number in y) if problem.has_classes else y,
            weights=problem.weights,
        )
        task = "classification" if problem.has_classes else "regression"
        try:
            recipe = RECIPE.validate_json(to_json({"task": task, **_set(problem.settings)}))
            with one_blas_thread():
                return cls(learn(rows, recipe))
        except ValidationError as error:
            detail = error.errors()[0]
            message = f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
            raise ValueError(message) from None
        except NetletError as error:
            raise ValueError(str(error)) from error

    def __reduce__(self) -> tuple[Callable[[bytes], "LearntHere"], tuple[bytes]]:
        """Be pickled as a snapshot, which is plain data."""
        return read_back, (encode(self.model),)

    def scores(self, X: Numbers) -> Numbers:
        """Answer rows; raise ValueError for those that lie too far outside of what was learnt."""
        try:
            with one_blas_thread():
                return np.asarray(self.model.scores(X), dtype=np.float64)
        except NetletError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True)
class LearntThere:
    """A model of a service."""

    url: str
    api_key: str | None
    reference: str
    classes: int

    @classmethod
    def of(cls, problem: Problem, url: str, api_key: str | None, name: str | None) -> "LearntThere":
        """Have a service learn; raises as `Client.train` does."""
        task, y = ("classification", problem.y.astype(int)) if problem.has_classes else ("regression", problem.y)
        with Client(url, api_key=api_key) as client:
            model = client.train(
                X=problem.X,
                y=y[:, 0].tolist() if y.ndim > 1 and y.shape[1] == 1 else y.tolist(),
                columns=list(problem.columns),
                weights=None if problem.weights is None else problem.weights.tolist(),
                task=task,
                **_set({**problem.settings, "name": name}),
            )
        return cls(url, api_key, model.reference, len(np.unique(y)) if problem.has_classes else 0)

    def scores(self, X: Numbers) -> Numbers:
        """Answer rows; raises as `Client.predict` does."""
        with Client(self.url, api_key=self.api_key) as client:
            told = client.predict(self.reference, X=X, proba=bool(self.classes))
        if told.probabilities is not None:
            return np.array([[row[str(label)] for label in range(self.classes)] for row in told.probabilities])
        return np.asarray(told.predictions, dtype=np.float64).reshape(len(X), -1)


def read_back(data: bytes) -> LearntHere:
    """Give what was pickled; raise Damage unless it is that to the last bit."""
    return LearntHere(decode(data)[0])


def _kept(columns: Sequence[str]) -> Sequence[str]:
    """Give the names of columns as a snapshot can keep them: x1, x2, … where some are none."""
    try:
        require_names(columns)
    except BadTable:
        return [f"x{place + 1}" for place in range(len(columns))]
    return columns


def _set(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is left to be chosen."""
    return {name: value for name, value in settings.items() if value is not None and value != "auto"}
