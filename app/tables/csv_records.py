"""Records: how the lines below a CSV's header are read, by columns that are known by their positions."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.tables.arrow import csv, pa
from app.tables.dialect import Dialect
from app.tables.texts import Arrow

BLOCK = 2**20
LONGEST_RECORD = 32 * 2**20
TRUE = ("true", "True", "TRUE")
FALSE = ("false", "False", "FALSE")

Types = Mapping[int, Arrow]
InvalidRow = Callable[[Any], str]


class Tail:
    """A stream whose last pieces are kept while it is read: any record lies within two, so also the last one.

    `has_nul` is whether a NUL byte has been read.
    """

    closed = False  # what a reader asks a file

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        self.stream = stream
        self.pieces: deque[bytes] = deque(maxlen=3)
        self.has_nul = False

    def read(self, size: int) -> bytes:
        """Give the next bytes."""
        piece: bytes = self.stream.read(size)
        if piece:
            self.pieces.append(piece)
            self.has_nul = self.has_nul or b"\0" in piece
        return piece


@dataclass(frozen=True)
class Records:
    """What is below the header: `stream` opens it anew as UTF-8; `quoted` is whether cells may hold line ends.

    Columns go by position, since names may be there twice.
    """

    stream: Callable[[], Any]
    dialect: Dialect
    names: tuple[str, ...]
    missing: Sequence[str]
    quoted: bool = True

    def table(self, types: Types, *, only: Collection[int] = ()) -> Arrow:
        """Read all, or only some columns; what has no type gets the one that all its cells have.

        Raises pa.ArrowInvalid for what is not so.
        """
        return _in_blocks(lambda block: csv.read_csv(self.stream(), **self._options(types, block, only)))

    def first_types(self) -> Sequence[Arrow]:
        """Tell the types that the first block has; raises pa.ArrowInvalid where it is no CSV."""
        schema = _in_blocks(lambda block: csv.open_csv(self.stream(), **self._options({}, block)).schema)
        return tuple(schema.types)

    def batches(
        self, types: Types, *, only: Collection[int] = (), block: int, invalid: InvalidRow | None = None
    ) -> Iterator[Arrow]:
        """Read block by block, in one thread; what has no type comes as text that is not checked.

        Raises pa.ArrowInvalid where it goes wrong.
        """
        options = self._options(types, block, only, invalid, rest=pa.binary(), threads=False)
        with csv.open_csv(self.stream(), **options) as reader:
            yield from reader

    def _options(
        self,
        types: Types,
        block: int,
        only: Collection[int] = (),
        invalid: InvalidRow | None = None,
        *,
        rest: Arrow | None = None,
        threads: bool = True,
    ) -> dict[str, Any]:
        return {
            "read_options": csv.ReadOptions(
                column_names=[str(index) for index in range(len(self.names))],
                block_size=block,
                use_threads=threads,  # only without them is it told which row is wrong
            ),
            "parse_options": csv.ParseOptions(
                delimiter=self.dialect.delimiter, newlines_in_values=self.quoted, invalid_row_handler=invalid
            ),
            "convert_options": csv.ConvertOptions(
                column_types={str(index): type_ for index, type_ in types.items()},
                default_column_type=rest,
                null_values=list(self.missing),
                true_values=TRUE,
                false_values=FALSE,
                decimal_point=self.dialect.decimal,
                strings_can_be_null=True,
                include_columns=[str(index) for index in only],
            ),
        }


def _in_blocks(read: Callable[[int], Any]) -> Any:  # noqa: ANN401 - what was read
    """Read in blocks that are small, and in larger ones only if a record asks for it."""
    try:
        return read(BLOCK)
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise
    return read(LONGEST_RECORD)
