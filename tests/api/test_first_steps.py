"""First steps: what people send in their first five minutes is answered with what to send instead."""

from typing import Any

import httpx
import pytest

from tests.api.problem import problem
from tests.conftest import TUTORIAL

FORM = (
    b"--------------------------1f0c\r\n"
    b'Content-Disposition: form-data; name="file"; filename="grades.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\nhours,passed\n1,no\n\r\n--------------------------1f0c--\r\n"
)
CSV = "text/csv"


@pytest.mark.parametrize(
    ("path", "body", "kind", "words"),
    [
        ("/train", b"", "", "The body is not JSON: it is empty."),
        ("/train", b" \n", "", "The body is not JSON: it is empty."),
        ("/train", FORM, "multipart/form-data; boundary=1f0c", "curl --data-binary @FILE"),
        ("/train?target=passed", b"hours,passed1,no2,yes", CSV, "--data-binary keeps them"),
        ("/train?target=passed", b",hours,passed\n0,1,no\n1,2,yes\n", CSV, "to_csv(index=False)"),
        ("/train", {"rows": [[1, 2], [2, 3]], "target": "b"}, "", 'lists with "columns"'),
        ("/predict", {"model": "nothing", "X": [4, 8]}, "", "There is no model nothing."),
        ("/predict", {"model": "no model\n", "X": [4, 8]}, "", "There is no model of that name."),
        ("/predict", {"model": "m" * 41, "X": [4, 8]}, "", "There is no model of that name."),
    ],
)
async def test_the_answer_says_what_to_do(
    path: str, body: Any, kind: str, words: str, client: httpx.AsyncClient
) -> None:
    """Nothing at all, a form with a file, a file without line ends, the index of a data frame, rows without names."""
    answer = await problem(client, path, body, kind=kind)

    assert words in answer["detail"]


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("/train/batch", {"rows": [{"x": 1}]}, {"field": "group_by", "got": "nothing", "expected": "a value"}),
        ("/train", {"rows": {"x": 1}, "target": "x"}, {"field": "rows", "got": "an object", "expected": "a list"}),
        (
            "/train",
            [{"x": 1}],
            {"field": "body", "got": "a list", "expected": "an object that has the rows in it, as "},
        ),
        ("/predict", [4, 8], {"field": "body", "got": "a list", "expected": "an object that has the rows in it, as "}),
        (
            "/models/exam/predict",
            {"hours": 4},
            {"field": "hours", "expected": 'no such setting; the values of a row stand in "rows"'},
        ),
        (
            "/train",
            {"X": [1], "y": [1], "sweep": {"epochs": [1]}},
            {"field": "sweep.epochs", "got": "a list", "expected": "at least 2 items"},
        ),
        ("/train?wait=long", {}, {"field": "query.wait", "got": 'text "long"', "expected": "a number"}),
    ],
)
async def test_a_fault_is_told_in_the_words_of_its_sender(
    path: str, body: Any, fault: dict[str, Any], client: httpx.AsyncClient
) -> None:
    """A list and not an array; what is missing is missing; values of a row that stand alone are none of settings."""
    (await client.post("/train", json=TUTORIAL)).raise_for_status()

    told = (await problem(client, path, body))["errors"][0]

    assert {**told, "expected": told["expected"][: len(fault["expected"])]} == fault


async def test_a_word_for_a_choice_of_the_address_is_told_the_choices(client: httpx.AsyncClient) -> None:
    """As one in the body is."""
    answer = await problem(client, "/jobs?state=done", b"", "GET")

    (fault,) = answer["errors"]
    assert fault["expected"] == "'queued', 'running', 'succeeded', 'failed' or 'cancelled'"


async def test_texts_that_look_like_numbers_are_learnt_with_a_warning(client: httpx.AsyncClient) -> None:
    """Nothing is refused, and nobody has to find out by himself why the model is a poor one; a stated kind is meant."""
    table = "\n".join(["price,y", *(f"${price}.50,{price}" for price in range(12))]).encode()

    first, stated = [
        (await client.post(f"/train?target=y{kinds}", content=table, headers={"content-type": CSV})).json()
        for kinds in ("", '&kinds={"price":"category"}')
    ]

    (warning,) = first["report"]["warnings"]
    assert warning.startswith('Column price holds texts such as "$0.50", which are learnt as categories.')
    assert stated["report"]["warnings"] == []
