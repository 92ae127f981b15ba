"""Measuring: how many threads may work, and how long they do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from time import process_time
from typing import TypeVar

from threadpoolctl import threadpool_limits

Result = TypeVar("Result")


@contextmanager
def limited_to(threads: int) -> Iterator[None]:
    """Give netlet and the peers the same number of threads for their arithmetic."""
    if find_spec("torch"):
        import_module("torch").set_num_threads(threads)
    with threadpool_limits(limits=threads):
        yield


def cpu_seconds(work: Callable[[], Result]) -> tuple[Result, float]:
    """Give what a call returns and the seconds of processor time it took, those of all threads together."""
    began = process_time()
    result = work()
    return result, process_time() - began
