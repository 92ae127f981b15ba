"""pyarrow, loaded with the first table that needs it: a service that is asked for JSON goes without.

It takes half of the time and memory that a server begins with otherwise.
"""

from importlib import import_module
from threading import Lock
from typing import Any

IMPORTING = Lock()  # two threads that import parts of a package at once, and its whole, may get it half made


class _Later:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
        with IMPORTING:
            import_module("pyarrow")
            value = getattr(import_module(self._name), name)
        setattr(self, name, value)  # the next time it is found at once
        return value


pa: Any = _Later("pyarrow")
pc: Any = _Later("pyarrow.compute")
csv: Any = _Later("pyarrow.csv")
ipc: Any = _Later("pyarrow.ipc")
parquet: Any = _Later("pyarrow.parquet")
