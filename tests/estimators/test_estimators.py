"""netlet as scikit-learn's programs use it."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from app.estimators import NetletClassifier, NetletRegressor
from app.store.document import Damage
from tests.conftest import Server, StartServer

EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": "Each network holds rows out to be judged by: a row that is there "
    "twice may be learnt by one and judge another, which one that weighs twice as much cannot.",
}
"""Checks of scikit-learn that are not met, and why."""
QUICK = {"optimizer": "adam", "epochs": 100}


@parametrize_with_checks(  # type: ignore[untyped-decorator]  # scikit-learn has no types
    [NetletRegressor(), NetletClassifier()], expected_failed_checks=lambda _estimator: EXCUSED
)
def test_scikit_learns_own_checks_pass(estimator: Any, check: Callable[[Any], None]) -> None:
    """All of them, but for those that are excused."""
    check(estimator)


def test_it_is_a_step_of_a_pipeline_and_is_searched_for_settings() -> None:
    """Settings are parameters like any other's."""
    X, y = load_iris(return_X_y=True)
    steps = make_pipeline(make_column_transformer((StandardScaler(), [0, 1, 2, 3])), NetletClassifier(training=QUICK))
    search = GridSearchCV(steps, {"netletclassifier__network": [{"hidden": [2]}, {"hidden": [16]}]}, cv=3)

    search.fit(X, y)

    assert search.best_score_ > 0.9
    assert search.best_estimator_.predict_proba(X).sum(axis=1) == pytest.approx(1)


def test_it_is_pickled_as_plain_data_and_answers_the_same() -> None:
    """The model is a snapshot; one that was changed on the way is refused."""
    X, y = load_iris(return_X_y=True)
    learnt = NetletClassifier(training=QUICK).fit(X, y)
    kept = pickle.dumps(learnt)

    assert (pickle.loads(kept).predict_proba(X) == learnt.predict_proba(X)).all()  # noqa: S301 - our own
    with pytest.raises(Damage):
        pickle.loads(kept.replace(b"pcg64", b"pcg46"))  # noqa: S301 - our own


@pytest.mark.parametrize("odd", ["", "a\n", "a" * 129, "y", "y1"])
def test_columns_of_any_name_are_learnt_from_and_kept(odd: str) -> None:
    """Names that a snapshot cannot have are no hindrance here: only scikit-learn looks at them."""
    X, y = load_iris(return_X_y=True)
    frame = pd.DataFrame(X, columns=["one", odd, "other", "more"])
    plain = NetletRegressor(training=QUICK).fit(X[:, :3], X[:, 3])
    learnt = NetletRegressor(training=QUICK).fit(frame.iloc[:, :3], X[:, 3])
    classes = NetletClassifier(training=QUICK).fit(frame, y)

    back = pickle.loads(pickle.dumps((learnt, classes)))  # noqa: S301 - our own

    assert (back[0].predict(frame.iloc[:, :3]) == plain.predict(X[:, :3])).all()
    assert (back[1].predict_proba(frame) == classes.predict_proba(frame)).all()


@pytest.mark.parametrize(("weights", "told"), [([1, -1, 1], "Negative"), ([0, 0, 0], "All weights are zero")])
@pytest.mark.parametrize("estimator", [NetletRegressor(training=QUICK), NetletClassifier(training=QUICK)])
def test_weights_that_cannot_be_are_value_errors(estimator: Any, weights: list[float], told: str) -> None:
    """As a service has it: none is negative, and one at least is above 0."""
    with pytest.raises(ValueError, match=told):
        estimator.fit([[1.0], [2.0], [3.0]], [0, 1, 0], sample_weight=weights)


def test_defaults_learn_what_there_is_to_learn() -> None:
    """As well as is known of these tables."""
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(NetletRegressor(), X, y, cv=3).mean() > 0.4


def test_a_missing_value_is_one() -> None:
    """NaN in a column, in training and in questions."""
    X, y = load_iris(return_X_y=True)
    X = X.copy()
    X[::7, 2] = np.nan

    assert NetletClassifier(training=QUICK).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("settings", [{"training": {"epochs": -1}}, {"network": {"hiden": [3]}}])
def test_settings_that_there_are_not_are_value_errors(settings: dict[str, Any]) -> None:
    """Named, with what is wrong."""
    with pytest.raises(ValueError, match=r"training|network"):
        NetletRegressor(**settings).fit([[1.0], [2.0]], [1.0, 2.0])


@pytest.fixture
def server(start_server: StartServer) -> Server:
    return start_server()


def test_a_service_learns_and_answers_the_same(server: Server) -> None:
    """With `url`, to the last bit; the model is kept there under its name."""
    X, y = load_iris(return_X_y=True)
    words = np.array(["one", "two", "three"])[y]
    here = NetletClassifier(training=QUICK).fit(X, words)
    there = NetletClassifier(training=QUICK, url=server.url, name="iris").fit(X, words)
    numbers = NetletRegressor(training=QUICK, url=server.url, name="two").fit(X[:, :2], X[:, 2:])

    assert (there.predict_proba(X) == here.predict_proba(X)).all()
    assert (there.predict(X) == here.predict(X)).all()
    assert (
        numbers.predict(X[:, :2]) == NetletRegressor(training=QUICK).fit(X[:, :2], X[:, 2:]).predict(X[:, :2])
    ).all()
    with server.client() as client:
        assert [model["model"] for model in client.get("/models").json()["models"]] == ["iris", "two"]
