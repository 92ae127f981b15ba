"""Rows as a program has them, and a real service: what they mean arrives, and what is no table is said."""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from app.client import Client, NotUsable
from tests.conftest import ROWS

PAIRS = np.random.default_rng(0).random((30_000, 2))
LONG = np.random.default_rng(1).random((30_000, 4))


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


def test_long_arrays_go_as_arrow_and_mean_the_same(client: Client) -> None:
    """Weights go with them, and what is missing stays missing."""
    generator = np.random.default_rng(0)
    X, y, weights = generator.random((30_000, 4)), generator.random(30_000), generator.random(30_000)
    X[5, 2] = math.nan
    settings: Any = {"training": {"epochs": 1}, "network": {"hidden": [4]}}

    short = client.train(X=X.tolist(), y=y.tolist(), weights=weights.tolist(), name="long", **settings)
    long = client.train(X=X, y=y, weights=weights, name="long", **settings)

    assert short.report.loss == long.report.loss
    assert short.report.fingerprint == long.report.fingerprint


@pytest.mark.parametrize(
    ("table", "target"),
    [
        ({"X": LONG, "y": PAIRS}, ["y1", "y2"]),
        ({"X": LONG, "y": PAIRS.tolist()}, ["y1", "y2"]),
        ({"X": LONG, "y": pd.DataFrame(PAIRS, columns=["b", "c"])}, ["b", "c"]),
        ({"X": LONG, "y": pa.table({"b": PAIRS[:, 0], "c": PAIRS[:, 1]})}, ["b", "c"]),
        ({"X": LONG, "y": PAIRS, "target": ["b", "c"]}, ["b", "c"]),
        ({"X": LONG[:9], "y": PAIRS[:9]}, ["y1", "y2"]),
        ({"X": LONG[:9], "y": PAIRS[:9], "columns": ["y1", "y2", "y", "z"]}, ["y1_", "y2_"]),
        ({"X": LONG, "y": PAIRS, "columns": ["y1", "y", "z", "weights"], "weights": PAIRS[:, 0]}, ["y1_", "y2"]),
        ({"X": LONG, "y": PAIRS[:, :1], "columns": ["y", "b", "c", "d"]}, "y_"),
        ({"X": pd.DataFrame(LONG[:9], columns=["y", "b", "c", "d"]), "y": PAIRS[:9, 0]}, "y_"),
        ({"X": LONG[:9], "y": PAIRS[:9, 0], "columns": ["y", "b", "c", "d"]}, "y_"),
        ({"X": LONG[:9], "y": [*PAIRS[:9, 0]]}, "y"),
    ],
)
def test_targets_have_names_that_are_free(client: Client, table: dict[str, Any], target: str | list[str]) -> None:
    """Several are a column each, in long tables and short ones; all columns of the rows are learnt from."""
    model = client.train(name="targets", training={"epochs": 1}, network={"hidden": [2]}, **table)

    answers = client.predict("targets", X=LONG[:7]).to_numpy()

    assert model.target == target
    assert len(model.columns) == 4
    assert answers.shape == ((7,) if isinstance(target, str) else (7, 2))


def test_several_targets_are_the_same_however_they_are_sent(client: Client) -> None:
    """A long table leaves as Arrow, a list as JSON: the same networks, and answers in the order of the targets."""
    settings: Any = {"name": "order", "training": {"epochs": 1}, "network": {"hidden": [4]}}
    long = client.train(X=LONG, y=PAIRS, **settings)
    short = client.train(X=LONG.tolist(), y=PAIRS.tolist(), **settings)

    assert long.report.fingerprint == short.report.fingerprint
    assert (
        client.predict(long.reference, X=LONG[:9]).to_numpy() == client.predict(short.reference, X=LONG[:9]).to_numpy()
    ).all()


def test_a_target_that_is_a_column_already_is_refused(client: Client) -> None:
    """A name that somebody chose is not changed: else the answer would be learnt from itself."""
    frame = pd.DataFrame(ROWS)

    with pytest.raises(NotUsable, match="score is a column"):
        client.train(X=frame, y=frame["score"])


def test_values_of_any_library_are_what_they_mean(client: Client) -> None:
    """Numbers of NumPy, dates, decimals and what is missing, in rows that are dicts."""
    rows = [
        {
            "a": np.float32(row),
            "b": date(2026, 1, 1 + row),
            "c": Decimal("1.5") * row,
            "d": pd.NA if row else "x",
            "y": row,
        }
        for row in range(9)
    ]
    rows += [{"a": math.nan, "b": pd.NaT, "c": np.int64(3), "d": "y", "y": 1}]

    model = client.train(rows, "y", name="kinds", training={"epochs": 1})

    assert [(column.kind, column.missing) for column in model.columns] == [
        ("integer", True),
        ("date", True),
        ("number", False),
        ("category", True),
    ]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2020, 1, 2, 3, 30),  # noqa: DTZ001 - as many tables have them
        datetime(2020, 1, 2, 5, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(2020, 1, 2, 4, 23, 28, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
        pd.Timestamp("2020-01-02 03:30:00.000000009"),
        pd.Timestamp("2020-01-02 04:30", tz="Europe/Berlin"),
        np.datetime64("2020-01-02T03:30:00", "ns"),
        np.datetime64("2020-01-02T03:30", "m"),
    ],
)
def test_a_moment_keeps_its_time_of_day(client: Client, moment: Any) -> None:
    """Whatever library it is of: the service learns the hour, in UTC, as from the same moment in a file."""
    late = [{"when": moment, "y": 1}, {"when": "2021-05-06", "y": 2}]

    model = client.train(late, "y", name="moments", training={"epochs": 1})

    assert (model.columns[0].kind, model.columns[0].lowest) == ("date", "2020-01-02T03:30:00")


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j])
def test_what_no_table_can_hold_is_not_sent(client: Client, value: object) -> None:
    """What it is, is said before anything is sent."""
    for rows in ([{"a": value, "b": 1}], [{"a": value, "b": math.nan}], [{"a": math.nan, "b": value}]):
        with pytest.raises(NotUsable, match=f"{type(value).__name__} cannot be sent"):
            client.train(rows, "b")


def test_no_end_is_no_number(client: Client) -> None:
    """It is said before anything is sent."""
    with pytest.raises(NotUsable, match="infinite"):
        client.train([{"a": math.inf, "b": 1}], "b")


@pytest.mark.parametrize(
    "table",
    [
        {"X": pd.DataFrame({"a": [1, object()]}), "y": [1, 2]},
        {"X": pd.DataFrame({"a": [1, 2]}), "y": [1, 2, 3]},
        {"X": pd.DataFrame({"a": [1, 2]}), "y": [[1, 2], [3]]},
        {"X": pd.DataFrame({"a": [1, 2]}), "y": [[1, 2], [3, 4]], "target": "b"},
        {"X": pd.DataFrame([[1, 2]], columns=["a", "a"]), "y": [1]},
        {"X": np.ones((60_000, 2)), "columns": ["a"], "y": np.ones(60_000)},
        {"X": pd.DataFrame({"a": [1, 2]}), "y": [1, 2], "weights": [1, 1], "weight": "a"},
    ],
)
def test_what_is_no_table_is_said_in_words_of_the_client(client: Client, table: dict[str, Any]) -> None:
    """Not in those of the library that would have written it."""
    with pytest.raises(NotUsable):
        client.train(**table)
