"""NDJSON from a file: blocks of whole lines, each a table with the columns of the first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import BadTable, Fault, MalformedBody
from app.tables.cells import describe, rows_after
from app.tables.json_text import parse_lines
from app.tables.table import Table, from_arrays, from_records

BLOCK = 2**20
LONGEST_LINE = 32 * 2**20


def line_tables(path: Path, columns: tuple[str, ...] | None) -> Iterator[Table]:
    """Read a file as tables of some rows each; raise as `parse_lines`, `from_records` and `from_arrays` do."""
    first_line, before = 1, 0
    in_lists: bool | None = None
    for block in line_blocks(path):
        rows = parse_lines(block, first_line=first_line)
        first_line += len(block.splitlines())
        if not rows:
            continue
        if in_lists is None:
            in_lists = isinstance(rows[0], list)
        with rows_after(before):
            table = _lists(rows, columns) if in_lists else from_records(rows, columns, given="the first has")
        columns, before = table.columns, before + len(rows)
        yield table


def _lists(rows: list[Any], columns: tuple[str, ...] | None) -> Table:
    """Read rows that are lists; raise BadTable where the first is a bare value, which stands for no row here."""
    if not isinstance(rows[0], list | dict):
        message = "Some rows are no lists, as the first is."
        raise BadTable(message, [Fault("a list of values", got=describe(rows[0]), row=0)])
    return from_arrays(rows, columns)


def line_blocks(path: Path) -> Iterator[bytes]:
    """Give a file in pieces that end with a line; raise MalformedBody for a line that never does."""
    left = b""
    with path.open("rb") as file:
        while piece := file.read(BLOCK):
            end = piece.rfind(b"\n") + 1
            if end:
                yield left + piece[:end]
                left = piece[end:]
            else:
                left += piece
            if len(left) > LONGEST_LINE:
                message = f"A line has more than {LONGEST_LINE} bytes. NDJSON has a row a line."
                raise MalformedBody(message)
    if left:
        yield left
