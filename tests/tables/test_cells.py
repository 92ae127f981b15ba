"""What is wrong with cells, collected over any number of rows."""

import pytest

from app.errors import BadTable, NonFiniteNumber
from app.tables.cells import Faults


@pytest.mark.parametrize(("unfit", "error"), [(0, NonFiniteNumber), (5, BadTable)])
def test_numbers_that_are_not_finite_are_named_so_if_nothing_else_is_told(unfit: int, error: type[BadTable]) -> None:
    """However many follow what is told; rows count from the first of all."""
    faults = Faults()
    for before, cell in [(0, "x")] * unfit + [(100, float("inf"))] * 50:
        faults.before = before
        faults.add_cell(cell, "a number", row=1, column="a")

    with pytest.raises(BadTable) as refused:
        faults.raise_any("Some cells are not numbers.")

    assert type(refused.value) is error
    assert refused.value.total == unfit + 50
    assert [fault.row for fault in refused.value.faults] == [1] * unfit + [101] * (20 - unfit)
