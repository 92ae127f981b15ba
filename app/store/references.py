"""References: the words by which clients point at models (`exam`, `exam/3`, `exam@live`)."""

import re
import secrets
from typing import NamedTuple

from app.errors import AliasNotFound, InvalidRequest, ModelNotFound, VersionNotFound
from app.faults import Fault

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
RULE = "has 1 to 63 of a-z, 0-9, dot, dash and underscore, begins with a letter or digit, has no two dots in a row"
VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
HIGHEST = 999_999_999  # version, or revision of an alias, that a client can name
LIVE = "live"  # the alias that a bare name means
# What some file systems, or the protocols of existing clients, keep for themselves.
RESERVED = {"stats", "con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}


class Reference(NamedTuple):
    """A model and, where one is named, a version or an alias of it."""

    name: str
    version: int | None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read `name`, `name/version` or `name@alias`.

        Raises ModelNotFound, VersionNotFound or AliasNotFound for what can be none of them.
        """
        name, slash, version = text.partition("/")
        name, at, alias = (name, "", "") if slash else name.partition("@")
        if not is_name(name):
            raise ModelNotFound(name)
        if slash and not VERSION.fullmatch(version):
            raise VersionNotFound(name, version)
        if at and not is_alias(alias):
            raise AliasNotFound(name, alias)
        return cls(name, int(version) if slash else None, alias or None)


class Pointer(NamedTuple):
    """An alias, by its model's name and its own."""

    name: str
    alias: str

    @classmethod
    def parse(cls, name: str, alias: str) -> "Pointer":
        """Take two words; raise ModelNotFound or AliasNotFound for what can be neither."""
        if not is_name(name):
            raise ModelNotFound(name)
        if not is_alias(alias):
            raise AliasNotFound(name, alias)
        return cls(name, alias)


def is_name(name: str) -> bool:
    """Whether a model can be called this: only such words ever reach the file system."""
    return bool(NAME.fullmatch(name)) and ".." not in name and name.split(".", maxsplit=1)[0] not in RESERVED


def is_alias(alias: str) -> bool:
    """Whether an alias can be called this: as a model can, but not what looks like a version."""
    return is_name(alias) and not alias.isdecimal()


def require_alias(alias: str) -> None:
    """Raise InvalidRequest unless an alias can be called this."""
    if not is_alias(alias):
        message = f"An alias {RULE}, is none of the reserved words and more than digits."
        raise InvalidRequest(message, [Fault('a word such as "live" or "champion"', field="alias")])


def require_name(name: str) -> None:
    """Raise InvalidRequest unless a model can be called this."""
    if not is_name(name):
        message = f"A model's name {RULE} and is none of the reserved words."
        raise InvalidRequest(message, [Fault('a name such as "exam" or "exam-2026"', field="name")])


def new_name() -> str:
    """Make a name for a model that was given none."""
    return f"model-{secrets.token_hex(4)}"
