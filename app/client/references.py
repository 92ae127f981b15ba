"""References to models as paths: `exam`, `exam/3`, `exam@live`."""

from urllib.parse import quote


def path_of(reference: str) -> str:
    """Give the path of what a reference means."""
    name, slash, version = reference.partition("/")
    path = f"/models/{quote(name, safe='@')}"
    return f"{path}/versions/{quote(version, safe='')}" if slash else path


def path_of_alias(name: str, alias: str) -> str:
    """Give the path of an alias of a model."""
    return f"/models/{quote(name, safe='')}/aliases/{quote(alias, safe='')}"
