"""What binary bodies claim to hold, checked before anything is made of it: above all the header of npy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.errors import BadTable, Fault, MalformedTable


@contextmanager
def said_to_be(what: str) -> Iterator[None]:
    """Turn what pyarrow and NumPy say of damaged bytes into MalformedTable; what the disk says passes through."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        reason = str(error).split("\n", 1)[0][:100]
        message = f"The body is not {what}: {reason}."
        raise MalformedTable(message, [Fault(what, field="body")]) from None


class Layout(NamedTuple):
    """Where the numbers of an array lie, shape (rows, columns)."""

    shape: tuple[int, int]
    order: Literal["C", "F"]
    dtype: np.dtype[np.generic]
    offset: int

    def names(self, given: tuple[str, ...] | None) -> tuple[str, ...]:
        """Name the columns, x1, x2, … where no names are given; raise BadTable if those are not as many."""
        width = self.shape[1]
        names = given or tuple(f"x{number}" for number in range(1, width + 1))
        if len(names) != width:
            message = f"The array has {width} columns, but there are {len(names)} names."
            raise BadTable(message, [Fault(f"{width} names", got=str(len(names)), field="columns")])
        return names


def npy_layout(stream: BinaryIO, length: int) -> Layout:
    """Read the header of an array of numbers or truths; raise MalformedTable if so long a body cannot hold it."""
    with said_to_be("npy"):
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = reader(stream)
    if dtype.kind not in "fiub" or len(shape) not in {1, 2}:
        message = f"The array is of {dtype} in {len(shape)} dimensions. Send numbers, a row each, in two."
        raise MalformedTable(message[:200], [Fault("numbers in rows and columns", field="body")])
    claimed, follow = int(np.prod(shape, dtype=object)) * dtype.itemsize, length - stream.tell()
    if claimed != follow:
        message = f"The array's header speaks of {claimed} bytes, but {follow} follow."
        raise MalformedTable(message, [Fault("as many bytes as the header says", field="body")])
    rows, width = (*shape, 1)[:2]
    return Layout((rows, width), "F" if in_columns else "C", dtype, stream.tell())


def plain_dtype(dtype: npt.DTypeLike) -> np.dtype[np.generic]:
    """Give a type in this machine's order of bytes."""
    return np.dtype(dtype).newbyteorder("=")
