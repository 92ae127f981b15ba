"""What is wrong with a CSV that does not become columns, by row and column."""

import re
from collections.abc import Sequence
from typing import Any

from app.errors import BadTable, InputError, MalformedTable
from app.faults import MOST_FAULTS, Fault
from app.tables.arrow import pa, pc
from app.tables.cells import NUMBER, Faults, count, describe
from app.tables.csv_records import LONGEST_RECORD, Records
from app.tables.csv_text import Text, last_lines, leaves_quote_open
from app.tables.texts import Arrow, lengths

MOST_COUNTED = 1_000_000  # a microsecond each
TEXTS = ("is_string", "is_large_string", "is_string_view")  # what of pyarrow's types knows them
CLOSED = "a quote that is closed"
UNFIT = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error to (\w+): invalid value '(.*)'", re.DOTALL)
KINDS = {"double": NUMBER, "bool": "true or false", "null": "nothing, as in all rows"}


def unfit_records(records: Records, block: int = LONGEST_RECORD) -> MalformedTable:
    """Read once more, slowly, to find records that are not as long as the header, and the first that never ends.

    The first are told, and up to a million are counted.
    """
    faults = Faults()

    def note(record: Any) -> str:  # noqa: ANN401 - pyarrow has no types
        if faults.total >= MOST_FAULTS:
            faults.total += 1
            return "skip" if faults.total < MOST_COUNTED else "error"
        is_open = leaves_quote_open(record.text.encode(), records.dialect.delimiter)
        expected = CLOSED if is_open else count(record.expected_columns, "field")
        faults.add(expected, got=count(record.actual_columns, "field"), row=record.number - 1)
        return "skip"

    rows = 0
    try:
        for batch in records.batches({}, only=(0,), block=block, invalid=note):
            rows += batch.num_rows
    except pa.ArrowInvalid:
        if faults.total >= MOST_COUNTED:
            return _unequal(records, faults)
        row = rows + faults.total
        message = f"Row {row} is longer than {block} bytes. Is a quote not closed?"
        return MalformedTable(message, [*faults.first[: MOST_FAULTS - 1], Fault(CLOSED, row=row)], faults.total + 1)
    return _unequal(records, faults)


def _unequal(records: Records, faults: Faults) -> MalformedTable:
    width = count(len(records.names), "field")
    message = f"Some rows do not have {width}, one for each column. Is the delimiter another, or a quote not closed?"
    return MalformedTable(message, faults.first, faults.total)


def unfit_cell(records: Records, error: Exception) -> InputError | None:
    """Name the cell that is not of its column's type, if that is what the error says."""
    found = UNFIT.search(str(error))
    if found is None:
        return None
    column, row, kind, got = found.groups()
    fault = Fault(KINDS.get(kind, "text"), got=describe(got), row=int(row) - 1, column=records.names[int(column)])
    return BadTable("Some cells are not what their column needs.", [fault])


def require_closed(text: Text, records: Records, table: Arrow, *, before: int = 0) -> None:
    """Raise MalformedTable if the last record ends within a quote: the reader takes the end of the text for its end.

    `table` are the last rows, `before` the number of those before them; `text` holds at least the last.
    """
    last = [column[-1].as_py() for column in table.columns]
    ends_line = text.endswith((b"\n", b"\r"))
    if ends_line and not (isinstance(last[-1], str) and last[-1].endswith(("\n", "\r"))):
        return
    line_end = "\n" if b"\n" in text else "\r"
    record = last_lines(text, 1 + sum(cell.count(line_end) for cell in last if isinstance(cell, str)))
    if ends_line and not record.endswith(b'"' + last[-1].encode().replace(b'"', b'""')):
        return  # the line ends are the cell's own, within closed quotes
    if leaves_quote_open(record, records.dialect.delimiter):
        message = "The last row ends within a quote."
        raise MalformedTable(message, [Fault(CLOSED, row=before + table.num_rows - 1, column=records.names[-1])])


def require_short_cells(columns: Sequence[Any], names: Sequence[str], longest: int) -> None:
    """Raise BadTable for the first text of more than `longest` bytes in columns of pyarrow, coded or not.

    Columns of JSON values are passed over: their texts were looked at in the body.
    """
    for name, column in zip(names, columns, strict=True):
        if not isinstance(column, list) and longest_text(column) > longest:
            coded = pa.types.is_dictionary(column.type)
            texts = column.dictionary if coded else column
            place = pc.index(pc.greater(lengths(texts), longest), value=True).as_py()
            row = pc.index(column.indices, value=place).as_py() if coded else place
            message = f"A text has more than {longest} bytes, the most that a cell may have."
            got = describe(texts[place].as_py())
            raise BadTable(message, [Fault("a shorter text", got=got, row=row, column=name)])


def longest_text(column: Arrow) -> int:
    """Count the bytes of a column's longest text, or of the longest that a code stands for; 0 where it has no texts."""
    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not any(getattr(pa.types, is_text)(texts.type) for is_text in TEXTS):
        return 0
    return pc.max(lengths(texts)).as_py() or 0


def is_shared(kind: Arrow) -> bool:
    """Tell whether rows of a column may share their texts, so that a few bytes each are many."""
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string_view(kind))
