"""Shapes as types: the same word means the same length wherever it stands; `...` are members, tiles, or nothing."""

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING or "jaxtyping" in sys.modules:  # whoever checks shapes has it by now; whoever serves needs none of it
    from jaxtyping import Float, Float64, Integer, UInt8
else:

    class _Array:
        def __class_getitem__(cls, of: tuple[type, str]) -> type:
            return of[0]

    Float = Float64 = Integer = UInt8 = _Array

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.floating[Any]]
    Float64Array: TypeAlias = Array
    IntegerArray: TypeAlias = npt.NDArray[np.intp]
    Octets: TypeAlias = npt.NDArray[np.uint8]
    Randomness: TypeAlias = np.random.Generator | np.random.RandomState
else:
    Array = Float64Array = IntegerArray = Octets = np.ndarray
    Randomness = object  # NumPy imports its random numbers when they are first asked for

Cells: TypeAlias = Float64[Float64Array, "samples columns"]
SomeCells: TypeAlias = Float64[Float64Array, "_ columns"]
Row: TypeAlias = Float64[Float64Array, "columns"]  # noqa: F821 - a shape, not a name
Targets: TypeAlias = Float64[Float64Array, "samples targets"]
Scores: TypeAlias = Float64[Float64Array, "samples answers"]
Bounds: TypeAlias = Float64[Float64Array, "samples targets 2"]
SampleWeights: TypeAlias = Float64[Float64Array, "samples"]  # noqa: F821 - a shape, not a name
PerRow: TypeAlias = Float64[Float64Array, "samples"]  # noqa: F821 - a shape, not a name
Curve: TypeAlias = Float64[Float64Array, "_"]  # noqa: F821 - a shape, not a name

Features: TypeAlias = Float[Array, "... samples features"]
Inputs: TypeAlias = Float[Array, "... samples inputs"]
Units: TypeAlias = Float[Array, "... samples units"]
Outputs: TypeAlias = Float[Array, "... samples outputs"]
Answers: TypeAlias = Float[Array, "... samples answers"]
Truth: TypeAlias = Float[Array, "... samples truths"]
RowWeights: TypeAlias = Float[Array, "... samples 1"]
Weights: TypeAlias = Float[Array, "members inputs units"]
Biases: TypeAlias = Float[Array, "members 1 units"]
Parameters: TypeAlias = Float[Array, "members parameters"]
PerMember: TypeAlias = Float[Array, "members"]  # noqa: F821 - a shape, not a name
Memory: TypeAlias = Float[Array, "vectors parameters"]
Vector: TypeAlias = Float[Array, "_"]  # noqa: F821 - a shape, not a name
Index: TypeAlias = Integer[IntegerArray, "_"]  # noqa: F821 - a shape, not a name
Indices: TypeAlias = Integer[IntegerArray, "members rows"]
HeldOut: TypeAlias = Integer[IntegerArray, "members held_out"]

Bytes: TypeAlias = UInt8[Octets, "bytes"]
