"""References: the words by which clients point at models (`exam`, `exam/3`)."""

import re
import secrets
from typing import NamedTuple

from app.errors import Fault, InvalidRequest, ModelNotFound, VersionNotFound

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
# What some file systems, or the protocols of existing clients, keep for themselves.
RESERVED = {"stats", "con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}


class Reference(NamedTuple):
    """A model and, where one is named, a version of it."""

    name: str
    version: int | None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read `name` or `name/version`; raise ModelNotFound or VersionNotFound for what can be neither."""
        name, slash, version = text.partition("/")
        if not is_name(name):
            raise ModelNotFound(name)
        if slash and not VERSION.fullmatch(version):
            raise VersionNotFound(name, version)
        return cls(name, int(version) if slash else None)


def is_name(name: str) -> bool:
    """Whether a model can be called this: only such words ever reach the file system."""
    return bool(NAME.fullmatch(name)) and ".." not in name and name.split(".", maxsplit=1)[0] not in RESERVED


def require_name(name: str) -> None:
    """Raise InvalidRequest unless a model can be called this."""
    if not is_name(name):
        message = (
            "A model's name has 1 to 63 of a-z, 0-9, dot, dash and underscore, begins with a letter or digit, has no "
            "two dots in a row and is none of the reserved words."
        )
        raise InvalidRequest(message, [Fault('a name such as "exam" or "exam-2026"', field="name")])


def new_name() -> str:
    """Make a name for a model that was given none."""
    return f"model-{secrets.token_hex(4)}"
