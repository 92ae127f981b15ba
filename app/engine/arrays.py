"""Shapes as types: the same word means the same length wherever it stands."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Float64

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]
else:
    Array = np.ndarray

Features: TypeAlias = Float64[Array, "samples features"]
Targets: TypeAlias = Float64[Array, "samples outputs"]
Scores: TypeAlias = Float64[Array, "samples answers"]
HeldOutFeatures: TypeAlias = Float64[Array, "held_out features"]
HeldOutTargets: TypeAlias = Float64[Array, "held_out outputs"]
Units: TypeAlias = Float64[Array, "samples units"]
Inputs: TypeAlias = Float64[Array, "samples inputs"]
Weights: TypeAlias = Float64[Array, "inputs units"]
Biases: TypeAlias = Float64[Array, "units"]  # noqa: F821 - a shape, not a name
Parameters: TypeAlias = Float64[Array, "parameters"]  # noqa: F821 - a shape, not a name
Matrix: TypeAlias = Float64[Array, "samples columns"]
Row: TypeAlias = Float64[Array, "columns"]  # noqa: F821 - a shape, not a name
Curve: TypeAlias = Float64[Array, "_"]  # noqa: F821 - a shape, not a name

Randomness: TypeAlias = np.random.Generator | np.random.RandomState
