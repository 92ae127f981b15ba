"""References to models as paths: `exam`, `exam/3`, `exam@live`; other names as parts of a path."""

from urllib.parse import quote

from app.client.errors import NotUsable

STEPS = {".", ".."}
"""What leads from one path to another, whoever reads it on its way."""


def part(name: str, safe: str = "") -> str:
    """Write a name as one part of a path; raise NotUsable for what would be another path, or cannot be written."""
    if name not in STEPS:
        try:
            return quote(name, safe=safe)
        except UnicodeEncodeError:  # what was read in another encoding than it has
            pass
    message = f"{name!r} is no name: it cannot stand in an address."
    raise NotUsable(message)


def path_of(reference: str) -> str:
    """Give the path of what a reference means."""
    name, slash, version = reference.partition("/")
    path = f"/models/{part(name, '@')}"
    return f"{path}/versions/{part(version)}" if slash else path


def path_of_alias(name: str, alias: str) -> str:
    """Give the path of an alias of a model."""
    return f"/models/{part(name)}/aliases/{part(alias)}"
