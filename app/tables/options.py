"""Options: how a body that is a table is to be read, and what all readers ask of it."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tokenize import TokenError

from app.errors import MalformedTable
from app.faults import Fault
from app.tables.arrow import pa, pc
from app.tables.bounds import Bounds
from app.tables.dialect import SAMPLE, Dialect, detect
from app.tables.table import Table, require_rows
from app.tables.texts import Arrow

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
WITH_COMMA = r"^(\s*[+-]?[0-9]*),([0-9]+([eE][+-]?[0-9]+)?\s*)$"


@dataclass(frozen=True)
class Options:
    """How a body is to be read, where it does not say so itself."""

    columns: tuple[str, ...] | None = None
    """Names, for a format that has none."""
    texts: Collection[str] = ()
    """Columns whose cells are texts, whatever they look like."""
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    bounds: Bounds = field(default_factory=Bounds)

    def dialect(self, beginning: bytes) -> Dialect:
        """Tell the dialect of a CSV that begins so; raises BadTable as `detect` does."""
        return detect(beginning[:SAMPLE], encoding=self.encoding, delimiter=self.delimiter, decimal=self.decimal)


@contextmanager
def said_to_be(what: str) -> Iterator[None]:
    """Turn what pyarrow and NumPy say of damaged bytes into MalformedTable."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, SyntaxError, TokenError) as error:  # the last are of npy's header
        reason = str(error).split("\n", 1)[0][:100]
        message = f"The body is not {what}: {reason}."
        raise MalformedTable(message, [Fault(what, field="body")]) from None


def table_of(names: Sequence[str], columns: Sequence[Arrow]) -> Table:
    """Make a table of columns, less the index that pandas writes beside them; raise BadTable if they have no rows."""
    kept = [index for index, name in enumerate(names) if not PANDAS_INDEX.fullmatch(name)]
    require_rows(kept and columns[kept[0]])
    return Table(tuple(names[index] for index in kept), [columns[index] for index in kept])


def with_points(cells: Arrow) -> Arrow:
    """Write numbers with a decimal comma that stand among texts as other formats do."""
    return pc.replace_substring_regex(cells, WITH_COMMA, r"\1.\2") if pa.types.is_string(cells.type) else cells
