"""Blocks: what is learnt of a dataset that is too long for memory."""

from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.errors import BadTable
from app.tables.blocks import Blocks, Plan
from app.tables.parquet_files import Draw, opened, read
from app.tables.reading import Likeness, Sent

ROWS, GROUP = 2000, 300
COLUMNS: dict[str, list[Any]] = {
    "number": list(range(ROWS)),
    "kind": ["ab"[row % 2] for row in range(ROWS)],
    "day": [f"2024-01-{1 + row % 28:02}" for row in range(ROWS)],
    "weight": [1 + row % 3 for row in range(ROWS)],
    "y": [row / 2 for row in range(ROWS)],
}


def blocks_of(columns: dict[str, list[Any]], *, at_hand: int = 100, drawn: int = ROWS, target: str = "y") -> Blocks:
    """Write a dataset of several groups, and plan to learn from so many of its rows."""
    file = BytesIO()
    parquet.write_table(pa.table(columns), file, row_group_size=GROUP)
    draw = Draw.all_of(opened(file), seed=0).few(drawn)
    few = draw.few(at_hand)
    sent = Sent(table=read(opened(file), few), target=target, weight="weight")
    return Blocks(file, Plan(Likeness.of(sent, None, None), draw, few))


@pytest.mark.parametrize("drawn", [ROWS, 1500])
def test_each_row_that_is_not_at_hand_is_given_once(drawn: int) -> None:
    """Whatever the order of the blocks, with everything that belongs to it."""
    blocks = blocks_of(COLUMNS, drawn=drawn)
    rng = np.random.default_rng(0)
    orders = []

    for _ in range(3):
        parts = list(blocks.blocks(rng))
        numbers = np.concatenate([part.X[:, 0] for part in parts])
        orders.append(numbers.tolist())
        at_hand = blocks.plan.likeness.at_hand.X[:, 0]
        assert len(set(numbers) | set(at_hand)) == len(numbers) + len(at_hand) == drawn
        assert len(numbers) == blocks.count
        for part in parts:
            number = part.X[:, 0]
            assert [column.name for column in part.columns][:2] == ["number", "kind"]
            assert (part.X[:, 1] == number % 2).all()
            assert (part.X[:, 4] == 1 + number % 28).all()  # day.day
            assert part.weights is not None
            assert (part.weights == 1 + number % 3).all()
            assert isinstance(part.y, np.ndarray)
            assert (part.y[:, 0] == number / 2).all()

    assert orders[0] != orders[1]
    assert blocks.notes == ()


def test_a_block_has_as_many_groups_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """At least one."""
    blocks = blocks_of(COLUMNS)
    lengths = []
    for cells in (1, 3000, 10**6):
        monkeypatch.setattr("app.tables.blocks.BLOCK_CELLS", cells)
        lengths.append(len(list(blocks.blocks(np.random.default_rng(0)))))

    assert lengths == [7, 3, 1]


def test_cells_that_do_not_fit_are_named_where_they_stand_in_the_dataset() -> None:
    """All of them are counted before anything is learnt, wherever they are."""
    numbers = [str(number) for number in range(ROWS)]
    bad = [row for row in range(0, ROWS, 97) if row]
    for row in bad:
        numbers[row] = "x"
    whole = Draw.all_of(opened(BytesIO(_written(COLUMNS | {"number": numbers}))), 0)
    few = whole.few(50)
    unseen = [row for row in bad if row not in {few.place(at) for at in range(50)}]

    with pytest.raises(BadTable) as error:
        blocks_of(COLUMNS | {"number": numbers}, at_hand=50)

    assert [fault.row for fault in error.value.faults] == unseen[:20]
    assert error.value.total == len(unseen)


def _written(columns: dict[str, list[Any]]) -> bytes:
    file = BytesIO()
    parquet.write_table(pa.table(columns), file, row_group_size=GROUP)
    return file.getvalue()


@pytest.mark.parametrize(
    ("changed", "target"),
    [({"kind": [*["a", "b"] * (ROWS // 2 - 1), "c", "d"]}, "kind"), ({"number": [*range(ROWS - 2), None, None]}, "y")],
    ids=["a rare class", "a rare gap"],
)
def test_what_the_rows_at_hand_say_nothing_of_is_left_out(changed: dict[str, list[Any]], target: str) -> None:
    """It is said how many rows that were."""
    blocks = blocks_of(COLUMNS | changed, target=target)

    (note,) = blocks.notes
    assert note.startswith("2 rows left out")
    assert sum(len(part.X) for part in blocks.blocks(np.random.default_rng(0))) == blocks.count == ROWS - 102
