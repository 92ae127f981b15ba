"""Shapes as types: the same word means the same length wherever it stands; `...` are members, tiles, or nothing."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Integer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.floating[Any]]
    Float64Array: TypeAlias = Array
    IntegerArray: TypeAlias = npt.NDArray[np.intp]
else:
    Array = Float64Array = IntegerArray = np.ndarray

Cells: TypeAlias = Float64[Float64Array, "samples columns"]
Row: TypeAlias = Float64[Float64Array, "columns"]  # noqa: F821 - a shape, not a name
Targets: TypeAlias = Float64[Float64Array, "samples targets"]
Scores: TypeAlias = Float64[Float64Array, "samples answers"]
SampleWeights: TypeAlias = Float64[Float64Array, "samples"]  # noqa: F821 - a shape, not a name
Curve: TypeAlias = Float64[Float64Array, "_"]  # noqa: F821 - a shape, not a name

Features: TypeAlias = Float[Array, "... samples features"]
Inputs: TypeAlias = Float[Array, "... samples inputs"]
Units: TypeAlias = Float[Array, "... samples units"]
Outputs: TypeAlias = Float[Array, "... samples outputs"]
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

Randomness: TypeAlias = np.random.Generator | np.random.RandomState
