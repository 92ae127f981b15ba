"""Layout: what the files of a store are called."""

import re

INCOMING = ".incoming"
DELETED = "deleted"
SNAPSHOT = re.compile(r"([1-9][0-9]{0,8})\.(safetensors|deleted)", re.ASCII)


def snapshot_file(version: int, kind: str = "safetensors") -> str:
    """Give the name of a version's file."""
    return f"{version}.{kind}"
