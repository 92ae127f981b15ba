"""Devices: where the arithmetic is done.

All of the engine is written for NumPy's functions, which hand arrays of another library to that library; so a device is
no more than the way there and back.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from app.engine.arrays import Array


@dataclass(frozen=True)
class Device:
    """`send` takes an array of NumPy to the device, `fetch` brings one back."""

    send: Callable[[Array], Array]
    fetch: Callable[[Array], Array]


def _cuda() -> Device:
    import cupy  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - heavy, and not always there

    cupy.cuda.runtime.getDeviceCount()  # raises where there is no GPU
    return Device(cupy.asarray, cupy.asnumpy)


DEVICES: dict[str, Callable[[], Device]] = {"cpu": lambda: Device(np.asarray, np.asarray), "cuda": _cuda}


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries, which takes longer than a small training


def one_blas_thread() -> AbstractContextManager[object]:
    """Hold BLAS to one thread: how it shares out a product among several would decide the last bits of the sums."""
    limited: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limited
