"""Rows that hold what no table can, and a real service: what they are is said, or they mean what they are."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.client import Client, DoesNotFit, NotUsable
from app.client.predictions import ROWS_AT_ONCE
from tests.conftest import ROWS


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([{"a": np.timedelta64(5, "ns"), "y": 1}], "timedelta64"),
        ([{"a": math.nan, "b": np.timedelta64(5, "ns"), "y": 1}], "timedelta64"),
        ([{"a": b"ab", "y": 1}], "bytes"),
        ([{"a": math.nan, "b": b"ab", "y": 1}], "bytes"),
        ([{"a": np.clongdouble(1), "y": 1}], "clongdouble"),
        ([{("a", "b"): 1, "y": 1}], "names"),
        ([{"a": "\udcff", "y": 1}], "encoding"),
        (({"a": 1, "y": 1} for _ in range(3)), "generator"),
        (pd.DataFrame({"a": pd.period_range("2024-01", periods=2, freq="M"), "y": [1, 2]}), "column a holds periods"),
    ],
)
def test_what_a_service_would_take_for_something_else_is_not_sent(client: Client, rows: Any, named: str) -> None:
    """Spans of time, octets and periods would be bare numbers; the others nothing that can be written."""
    with pytest.raises(NotUsable, match=f"(?i){named}"):
        client.train(rows, "y")


@pytest.mark.parametrize("array", [np.zeros((2, 2), "m8[ns]"), np.zeros((60_000, 2), "m8[ns]"), np.zeros((2, 2), "S3")])
def test_arrays_of_what_is_no_number_are_not_sent(client: Client, array: Any) -> None:
    """However long they are."""
    with pytest.raises(NotUsable, match="ndarray cannot be sent"):
        client.train(X=array, y=range(len(array)))


@pytest.mark.parametrize("kind", [">f8", ">i4", "g", "f2"])
@pytest.mark.parametrize("length", [9, 60_000])
def test_numbers_of_any_size_and_order_are_numbers(client: Client, kind: str, length: int) -> None:
    """As JSON and as Arrow."""
    X = (np.arange(2 * length).reshape(length, 2) % 90).astype(kind)

    model = client.train(X=X, y=range(length), training={"epochs": 1, "members": 1}, network={"hidden": [2]})

    assert model.columns[0].highest == X[:, 0].max()


@pytest.mark.parametrize("rows", [ROWS, pd.DataFrame(ROWS)])
def test_a_table_is_not_left_out_beside_another(client: Client, rows: Any) -> None:
    """Neither in a training nor in a question, be it short or long."""
    long = [{"a": 1}] * (ROWS_AT_ONCE + 1)

    with pytest.raises(NotUsable, match="not both"):
        client.train(rows, "score", X=[[1, 2]])
    for asked in (rows, long, pd.DataFrame(long)):
        with pytest.raises(NotUsable, match="not both"):
            client.predict("exam", asked, X=[[1, 2]])


def test_lists_without_an_end_are_not_sent(client: Client) -> None:
    """Nor is it tried for ever."""
    endless: list[Any] = [math.nan]
    endless.append(endless)

    for rows in (endless, endless[1:]):
        with pytest.raises(NotUsable, match="without an end"):
            client.predict("exam", rows)


@pytest.mark.parametrize("rows", [5, np.array(5.0)])
def test_what_has_no_length_is_no_table(client: Client, rows: Any) -> None:
    """The service says so, as of any other body."""
    with pytest.raises(DoesNotFit):
        client.predict("exam", rows)


def test_settings_are_numbers_of_any_library_beside_any_table(client: Client) -> None:
    """In the address as in a body."""
    settings: Any = {"epochs": np.int64(2), "learning_rate": np.float32(0.5), "optimizer": "adam"}

    models = [client.train(rows, "score", training=settings) for rows in (ROWS, pd.DataFrame(ROWS))]

    assert [model.training["epochs"] for model in models] == [2, 2]
