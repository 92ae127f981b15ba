"""Tensors of the Open Inference Protocol V2: named arrays, in JSON or as octets behind it."""

import struct
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.errors import BadTable, InvalidRequest
from app.faults import Fault
from app.tables.arrow import pa
from app.tables.texts import Arrow

NUMBERS = {
    f"{kind}{8 * size}": f"<{code}{size}"
    for kind, code, size in (
        *(("UINT", "u", size) for size in (1, 2, 4, 8)),
        *(("INT", "i", size) for size in (1, 2, 4, 8)),
        *(("FP", "f", size) for size in (2, 4, 8)),
    )
}
"""Datatypes of numbers, and what NumPy calls them."""
TRUTHS, TEXTS = "BOOL", "BYTES"
DATATYPES = [TRUTHS, TEXTS, *NUMBERS]
LENGTH = struct.Struct("<I")  # before each text

Octets = npt.NDArray[Any]


class Tensor(NamedTuple):
    """One that came: its name, datatype and shape, and its values in a row: a list of JSON's, or an array."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[Any] | Octets

    def column(self, index: int = 0, width: int = 1) -> list[Any] | Arrow:
        """Give the cells of one of so many columns: as JSON has them, or as an array of pyarrow."""
        cells = self.values[index::width]
        return cells if isinstance(cells, list) else pa.array(np.ascontiguousarray(cells))


def from_json(name: str, datatype: str, shape: Sequence[int], data: list[Any]) -> Tensor:
    """Take values in JSON, nested as the shape is or in a row; raise BadTable for too many or too few."""
    values, depth = data, 1
    while values and depth < len(shape) and all(isinstance(value, list) for value in values):
        values, depth = [inner for value in values for inner in value], depth + 1
    _require_count(name, shape, len(values))
    return Tensor(name, datatype, tuple(shape), values)


def from_octets(name: str, datatype: str, shape: Sequence[int], octets: memoryview) -> Tensor:
    """Take the values of a tensor as octets; raise BadTable where they are too many, too few, or no texts."""
    if datatype == TEXTS:
        texts = _texts(name, octets)
        _require_count(name, shape, len(texts))
        return Tensor(name, datatype, tuple(shape), texts)
    dtype = np.dtype("u1" if datatype == TRUTHS else NUMBERS[datatype])
    if len(octets) != prod(shape) * dtype.itemsize:
        message = f"Input {name} of shape {list(shape)} has {prod(shape) * dtype.itemsize} bytes as {datatype}."
        raise BadTable(message, [Fault("as many bytes", got=str(len(octets)), column=name)])
    values = np.frombuffer(octets, dtype)
    return Tensor(name, datatype, tuple(shape), values != 0 if datatype == TRUTHS else values)


def _texts(name: str, octets: memoryview) -> list[str]:
    texts, at = [], 0
    try:
        while at < len(octets):
            (length,) = LENGTH.unpack_from(octets, at)
            at += LENGTH.size + length
            if at > len(octets):
                raise _not_texts(name)
            texts.append(str(octets[at - length : at], "utf-8"))
    except (struct.error, UnicodeDecodeError):
        raise _not_texts(name) from None
    return texts


def _not_texts(name: str) -> BadTable:
    message = f"The octets of input {name} are not BYTES: each text in UTF-8 after its length, 4 bytes little-endian."
    return BadTable(message, [Fault("texts and their lengths", column=name)])


def _require_count(name: str, shape: Sequence[int], count: int) -> None:
    if count != prod(shape):
        message = f"Input {name} of shape {list(shape)} has {prod(shape)} values."
        raise BadTable(message, [Fault("as many values", got=str(count), column=name)])


class Output(NamedTuple):
    """A tensor that is answered: (rows, width) values in a row, as the list that JSON has, or as octets."""

    name: str
    datatype: str
    width: int
    values: npt.NDArray[Any] | list[Any]

    def listed(self) -> list[Any]:
        """Give the values for JSON."""
        return self.values if isinstance(self.values, list) else self.values.reshape(-1).tolist()

    def octets(self) -> bytes:
        """Give the values as they are laid out in binary."""
        if self.datatype == TEXTS:
            texts = [str(value).encode() for value in self.values]
            return b"".join(part for text in texts for part in (LENGTH.pack(len(text)), text))
        return np.ascontiguousarray(
            self.values, dtype="u1" if self.datatype == TRUTHS else NUMBERS[self.datatype]
        ).tobytes()


def require_datatype(name: str, datatype: str) -> None:
    """Raise InvalidRequest for a datatype that is none of those of tables."""
    if datatype not in DATATYPES:
        message = f"Input {name} has a datatype that no table has. Those are: {', '.join(DATATYPES)}."
        raise InvalidRequest(message, [Fault("one of them", got=datatype[:20], column=name)])
