"""Blocks: what is learnt of a dataset that is too long for memory."""

from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.errors import BadTable, DatasetDamaged, UnsuitableTarget
from app.tables.blocks import Blocks, Plan
from app.tables.draws import DatasetFile, Draw
from app.tables.reading import Likeness
from app.tables.sent import Sent

ROWS, GROUP = 2000, 300
NOTHING = "nothing can be learnt from it"
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
    draw = Draw.all_of(DatasetFile(file), seed=0).few(drawn)
    few = draw.few(at_hand)
    sent = Sent(table=DatasetFile(file).read(few), target=target, weight="weight")
    return Blocks(file, Plan("id", Likeness.of(sent, None, None), draw, few))


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
    assert blocks.notes == tuple(f"Column day.{part} has one value only: {NOTHING}." for part in ("year", "month"))


def test_what_has_one_value_in_all_rows_is_told() -> None:
    """Not what has one at hand only, nor what has another at hand only; of a date it is told by its parts."""
    first: dict[str, list[Any]] = {"number": [0] * ROWS, "day": ["2024-01-01"] * ROWS, "y": [7.5] * ROWS}
    whole = Draw.all_of(DatasetFile(BytesIO(_written(COLUMNS))), 0)
    at_hand = whole.few(100).place(0)
    elsewhere = next(row for row in range(ROWS) if row not in {whole.few(100).place(at) for at in range(100)})

    alike, here, there = (
        blocks_of(COLUMNS | first | {"number": [int(row == other) for row in range(ROWS)]}).notes
        for other in (None, at_hand, elsewhere)
    )

    assert alike == (f"Column number has one value only: {NOTHING}.", *here)
    assert here == there
    assert [note.split(" has one value only")[0] for note in here] == [
        *(f"Column day.{part}" for part in ("year", "month", "day", "weekday")),
        "Target y",
    ]


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
    whole = Draw.all_of(DatasetFile(BytesIO(_written(COLUMNS | {"number": numbers}))), 0)
    few = whole.few(50)
    unseen = [row for row in bad if row not in {few.place(at) for at in range(50)}]

    with pytest.raises(BadTable) as error:
        blocks_of(COLUMNS | {"number": numbers}, at_hand=50)

    assert [fault.row for fault in error.value.faults] == unseen[:20]
    assert error.value.total == len(unseen)


def test_groups_in_which_no_row_counts_are_learnt_too() -> None:
    """As many rows of weight 0 as a table has may stand together."""
    blocks = blocks_of(COLUMNS | {"weight": [int(row < 1000) for row in range(ROWS)]})

    weights = [part.weights for part in blocks.blocks(np.random.default_rng(0))]

    assert blocks.count == ROWS - 100
    assert sum(float(part.sum()) for part in weights if part is not None) > 900


def test_a_table_is_refused_if_only_rows_at_hand_count() -> None:
    """The column of the weights is named, and no row, for none is to blame."""
    whole = Draw.all_of(DatasetFile(BytesIO(_written(COLUMNS))), 0)
    at_hand = whole.few(100).place(7)

    with pytest.raises(BadTable, match="All rows that would be learnt weigh 0") as error:
        blocks_of(COLUMNS | {"weight": [int(row == at_hand) for row in range(ROWS)]})

    assert [(fault.row, fault.column) for fault in error.value.faults] == [(None, "weight")]


def test_a_table_without_a_row_to_learn_is_refused() -> None:
    """Each has a class of its own."""
    with pytest.raises(UnsuitableTarget, match="No row can be learnt"):
        blocks_of(COLUMNS | {"kind": [f"k{row}" for row in range(ROWS)]}, target="kind", at_hand=900, drawn=950)


def test_long_texts_come_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their bytes, however few cells they are."""
    monkeypatch.setattr("app.tables.blocks.BLOCK_BYTES", 1)

    assert len(list(blocks_of(COLUMNS).blocks(np.random.default_rng(0)))) == 7


def test_a_file_that_changes_while_it_is_read_is_damage() -> None:
    """However sound it was when it was opened."""
    file = BytesIO()
    parquet.write_table(pa.table(COLUMNS), file, row_group_size=GROUP)
    draw = Draw.all_of(DatasetFile(file), seed=0)
    opened = DatasetFile(file, "id")
    file.seek(4)
    file.write(b"\xff" * (len(file.getvalue()) // 2))

    with pytest.raises(DatasetDamaged, match="changed since"):
        opened.read(draw)


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

    note, *_ = blocks.notes
    assert note.startswith("2 rows left out")
    assert sum(len(part.X) for part in blocks.blocks(np.random.default_rng(0))) == blocks.count == ROWS - 102
