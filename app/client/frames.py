"""Tables that leave as Arrow, which is shorter than JSON: data frames of any library, and long arrays of numbers."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from app.client.errors import NotUsable
from app.client.sending import Table

MANY_CELLS = 100_000
"""From so many on, arrays of numbers are sent as Arrow."""
MATRIX = 2
NUMBERS = "fiub"
"""Kinds of NumPy's types: floats, integers and truths."""
LONGEST = 8
"""Bytes of a number."""
PERIODS = "pandas.period"


def framed(rows: Any, given: dict[str, Any]) -> Table | None:  # noqa: ANN401 - of any library
    """Make an Arrow stream of a data frame, or of long arrays of numbers; None for what JSON says as well.

    What is in the stream is taken out of what is given beside it, and named instead. Raises NotUsable for what is no
    table.
    """
    features: Any = given.get("X") if rows is None else rows
    is_frame = hasattr(features, "__arrow_c_stream__")
    if not is_frame and (rows is not None or not _is_long(features)):
        return None
    import pyarrow as pa  # noqa: PLC0415 - only who has frames, or long arrays, waits for it

    try:
        columns = pa.table(features) if is_frame else _of_numbers(features, _names(given, features.shape[1]))
        given.pop("X", None)
        _require_values(columns)
        for name, values in _beside(given, columns.column_names):
            columns = columns.append_column(name, pa.array(values))
    except NotUsable:
        raise
    except (TypeError, ValueError, pa.ArrowException) as error:
        message = f"That is no table of columns, each of its own name and of values of one kind ({error})."
        raise NotUsable(message) from error
    file = BytesIO()
    with pa.ipc.new_stream(file, columns.schema) as stream:
        stream.write_table(columns)
    return Table(file, "application/vnd.apache.arrow.stream", file.tell())


def _of_numbers(X: Any, names: list[str]) -> Any:  # noqa: ANN401 - an array and a table
    """Make columns of an array, of numbers as Arrow has them: of 64 bits at most, in this machine's order."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    usual = X.dtype.newbyteorder("=")
    return pa.table([*X.astype("float64" if usual.itemsize > LONGEST else usual, copy=False).T], names=names)


def _require_values(columns: Any) -> None:  # noqa: ANN401 - of Arrow's
    """Raise NotUsable for a column of pandas' periods, of which a service would see numbers that mean nothing alone."""
    for field in columns.schema:
        if getattr(field.type, "extension_name", "") == PERIODS:
            message = f"Column {field.name} holds periods, which cannot be sent; to_timestamp() makes dates of them."
            raise NotUsable(message)


def name_targets(given: dict[str, Any]) -> None:
    """Say how targets of JSON are called where a column has a name that the service would give them."""
    taken, y = given.get("columns") or (), given.get("y")
    if y is None or given.get("target") is not None or {*taken}.isdisjoint(_usual(_width(y))):
        return
    names = _free_names(_width(y), taken)
    given["target"] = names if len(names) > 1 else names[0]


def _beside(given: dict[str, Any], taken: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Give what belongs to the rows as columns, and say how they are called where that is not said yet."""
    if (y := given.pop("y", None)) is not None:
        answers = _apart(y)
        names = _names_of(y, given.get("target"), len(answers), taken)
        if twice := [name for name in names if name in taken]:
            message = f"{twice[0]} is a column of the rows already; target may name y otherwise."
            raise NotUsable(message)
        given["target"] = names if len(names) > 1 else names[0]
        taken = [*taken, *names]
        yield from zip(names, answers, strict=True)
    if (weights := given.pop("weights", None)) is not None:
        if "weight" in given:
            message = "Weights are a column of the rows or a list, not both."
            raise NotUsable(message)
        given["weight"] = _free("weights", taken)
        yield given["weight"], weights


def _apart(y: Any) -> list[Any]:  # noqa: ANN401 - of any library
    """Take several targets apart."""
    if hasattr(y, "columns"):
        return [y[name] for name in _columns_of(y)]
    if hasattr(y, "ndim"):
        return [*y.T] if y.ndim == MATRIX else [y]
    return [*map(list, zip(*y, strict=True))] if _is_nested(y) else [y]


def _width(y: Any) -> int:  # noqa: ANN401 - of any library
    """Count the targets of each row."""
    if getattr(y, "ndim", 1) == MATRIX:
        return int(y.shape[1])
    return len(y[0]) if _is_nested(y) else 1


def _is_nested(y: object) -> bool:
    return isinstance(y, Sequence) and len(y) > 0 and isinstance(y[0], list | tuple)


def _columns_of(y: Any) -> list[Any]:  # noqa: ANN401 - a data frame of any library
    """Name the columns of a data frame."""
    return [*getattr(y, "column_names", y.columns)]


def _names_of(y: Any, target: str | Sequence[str] | None, count: int, taken: Sequence[str]) -> list[str]:  # noqa: ANN401 - of any library
    """Give the names of targets: those that were said, else their own, else the service's or what is free."""
    own = _columns_of(y) if hasattr(y, "columns") else [getattr(y, "name", None)]
    if target is None:
        return _free_names(count, taken) if None in own else [str(name) for name in own]
    names = [target] if isinstance(target, str) else [*target]
    if len(names) != count:
        message = f"y has {count} columns, and target {len(names)} names: each column needs one."
        raise NotUsable(message)
    return names


def _free_names(count: int, taken: Sequence[str]) -> list[str]:
    return [_free(name, taken) for name in _usual(count)]


def _usual(count: int) -> list[str]:
    """Give the names that a service gives targets."""
    return ["y"] if count == 1 else [f"y{place}" for place in range(1, count + 1)]


def _free(name: str, taken: Sequence[str]) -> str:
    """Give a name that nobody chose another end where a column has it."""
    while name in taken:
        name += "_"
    return name


def _is_long(X: Any) -> bool:  # noqa: ANN401 - whatever was given
    """Tell whether these are many numbers in an array of NumPy's."""
    return getattr(X, "size", 0) > MANY_CELLS and getattr(X, "ndim", 0) == MATRIX and X.dtype.kind in NUMBERS


def _names(given: dict[str, Any], count: int) -> list[str]:
    """Name columns as the service does."""
    named: list[str] | None = given.pop("columns", None)
    return [f"x{place}" for place in range(1, count + 1)] if named is None else named
