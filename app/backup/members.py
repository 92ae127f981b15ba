"""Members: what a backup may hold, each called as in a store; `.backup/` has what is no file there.

What tar unpacks of a backup is a store whose catalogue is lost: netlet makes it anew, without jobs, aliases and keys.
"""

import re
from typing import NamedTuple

from app.errors import BackupDamaged
from app.jobs.checkpoints import FILE as CHECKPOINT
from app.jobs.folder import FOLDER as JOBS
from app.store.dataset_document import LARGEST as LONGEST_DOCUMENT
from app.store.layout import DATASET_ID, DATASETS
from app.store.memories import MEMORY
from app.store.references import NAME, VERSION, is_name
from app.store.schema import metadata
from app.store.snapshot import LARGEST_FILE

OWN = ".backup"
LONGEST_CHECKPOINT = 2**33 - 1  # whose name is long, which a tar has no room for beside a greater length
MANIFEST, SUMS = f"{OWN}/manifest.json", f"{OWN}/SHA256SUMS"
NO_FILES = {"stores", "leaving"}  # tables that are about one place
TABLES = tuple(table for table in metadata.sorted_tables if table.name not in NO_FILES)
"""Each after those that its rows refer to."""


class Kind(NamedTuple):
    """Members of one kind: what they are called, and how long one may be."""

    pattern: re.Pattern[str]
    most: int


def _kind(pattern: str, most: int) -> Kind:
    return Kind(re.compile(pattern, re.ASCII), most)


_SNAPSHOTS = rf"(?P<model>{NAME.pattern})/{VERSION.pattern}"
_DATASETS = rf"{re.escape(DATASETS)}/{DATASET_ID.pattern}"
_JOBS = rf"{re.escape(JOBS)}/[0-9a-f]{{16}}"
KINDS = (
    _kind(re.escape(MANIFEST), 2**16),
    _kind(re.escape(SUMS), 2**30),
    _kind(rf"{re.escape(OWN)}/[a-z_]{{1,30}}\.jsonl", LARGEST_FILE),
    _kind(rf"{_SNAPSHOTS}\.safetensors", LARGEST_FILE),
    _kind(rf"{_SNAPSHOTS}\.{re.escape(MEMORY)}", LARGEST_FILE),
    _kind(rf"{_DATASETS}\.parquet", LARGEST_FILE),
    _kind(rf"{_DATASETS}\.json", LONGEST_DOCUMENT),
    _kind(rf"{_JOBS}\.order", LARGEST_FILE),
    _kind(rf"{_JOBS}-[1-9][0-9]{{0,2}}\.note", 2**24),
    _kind(rf"{_JOBS}\.checkpoints/{CHECKPOINT.pattern}", LONGEST_CHECKPOINT),
)


def rows_of(table: str) -> str:
    """Tell which member has the rows of a table."""
    return f"{OWN}/{table}.jsonl"


def require_member(name: str, size: int) -> None:
    """Raise BackupDamaged for what no backup holds, or not as long as that."""
    for kind in KINDS:
        if match := kind.pattern.fullmatch(name):
            if not is_name(match.groupdict().get("model", "exam")):
                break
            if size > kind.most:
                message = f"its member {name} is longer than one can be"
                raise BackupDamaged(message)
            return
    message = f"it holds something that no backup does ({name[:100]!a})"
    raise BackupDamaged(message)
