"""Names: the answer or the column of a model that a picture is asked for by name."""

from collections.abc import Sequence

from app.errors import InvalidRequest
from app.faults import Fault
from app.models.model import Model
from app.models.table import Column, Source
from app.tables.answered import class_names
from app.tables.cells import closest

MOST_NAMED = 8


def answer_named(model: Model, name: str | None, usual: int = 0) -> int:
    """Find a target, or for classes a label, as JSON has it; raise InvalidRequest where there is none."""
    return usual if name is None else _place("answer", name, class_names(model))


def column_named(model: Model, field: str, name: str | None, usual: int = 0) -> int:
    """Find a column as the engine has it; raise InvalidRequest where there is none."""
    return usual if name is None else _place(field, name, [column.name for column in model.columns])


def source_of(model: Model, column: Column) -> Source | None:
    """Find what a column was sent as, where that is known."""
    return next((source for source in model.sources if column.name in source.columns), None)


def listed(names: Sequence[str]) -> str:
    """List some names in words."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _place(field: str, name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    message = f"The model has nothing of the name that the address gives as {field}. Name one of those it has."
    raise InvalidRequest(message, [Fault(f"one of: {listed(names)}", name, field=field, instead=closest(name, names))])
