"""Layout: what the files of a store are called."""

import re

INCOMING = ".incoming"
DATASETS = ".datasets"  # no model can be called this
RESTORING = ".restoring"  # where a backup lies that is not restored to its end
DATASET_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
DELETED = "deleted"
SNAPSHOT = re.compile(r"([1-9][0-9]{0,8})\.(safetensors|deleted)", re.ASCII)


def snapshot_file(version: int, kind: str = "safetensors") -> str:
    """Give the name of a version's file."""
    return f"{version}.{kind}"
