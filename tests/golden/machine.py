"""The kind of machine that answers: what of it decides on the last bits of a sum."""

import platform
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info


def kind() -> dict[str, Any]:
    """Name the version of NumPy, its instructions, and the kernels of the BLAS that it multiplies matrices with."""
    libraries = [each for each in threadpool_info() if each["user_api"] == "blas"]
    own = [each for each in libraries if "numpy" in each["filepath"]] or libraries  # another package may bring its own
    return {
        "machine": platform.machine(),
        "numpy": np.__version__,
        "instructions": np.show_config(mode="dicts")["SIMD Extensions"].get("found", []),
        "blas": sorted(f"{each['internal_api']} {each['version']} {each.get('architecture')}" for each in own),
    }
