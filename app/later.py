"""Modules that are loaded when they are needed first: a service that is not asked for what they do goes without."""

from importlib import import_module
from threading import Lock
from typing import Any

IMPORTING: dict[str, Lock] = {}  # two threads that import a package and a part of it at once may get it half made


class Later:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as a module's names are
        package = self._name.partition(".")[0]
        with IMPORTING.setdefault(package, Lock()):
            import_module(package)
            value = getattr(import_module(self._name), name)
        setattr(self, name, value)  # the next time it is found at once
        return value
