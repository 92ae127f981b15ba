"""Requests that are made up from the OpenAPI document; `python -m tests.faults.made_up` makes up many more."""

import pytest

from tests.faults import made_up

FEWEST = 200  # cases: each operation with a key, without one and with a wrong one


@pytest.mark.timeout(300)
def test_no_example_of_the_document_is_answered_but_as_it_says() -> None:
    """By all checks of schemathesis: no 5xx, no status, header or form that the document lacks, no way past keys."""
    found = made_up.run(1, 1, phases="examples")

    assert found.is_good, found.told
    assert found.cases > FEWEST
    assert {200, 401} <= found.answers["POST /predict"].keys()
    assert {201, 401} <= found.answers["POST /train"].keys()
