"""Memories: what the optimizer of a version remembers, in a file beside the snapshot that nothing but going on needs.

`models/README.md` describes the format. Where the file is missing or damaged, a training goes on without it.
"""

import hashlib
import json
import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from app.engine.control import Checkpoint
from app.errors import StorageError
from app.store.document import Damage
from app.store.files import opened, read
from app.store.layout import snapshot_file
from app.store.remote import NOTHING, Remote
from app.store.snapshot import BLANK, KEY, LENGTH_BYTES, header_end

FORMAT = 1
LARGEST_SHARE = 4  # times as long as the snapshot: optimizers remember two numbers for each parameter at most
MEMORY = "memory.safetensors"
"""The end of the file's name, after the version."""
KINDS = ("safetensors", MEMORY)
"""The files of a version, by the ends of their names."""


def encode(memory: Checkpoint, model: str) -> bytes:
    """Write what belongs to the snapshot of this SHA-256; equal memories give equal bytes."""
    document = {"sha256": BLANK, "format": FORMAT, "model": model, "epoch": memory.epoch, "facts": memory.facts}
    blank: bytes = save(memory.arrays, metadata={KEY: json.dumps(document, allow_nan=False)})
    return blank.replace(BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def decode(data: bytes, model: str) -> Checkpoint:
    """Read what `encode` wrote; raise Damage if it is not that to the last bit, or another snapshot's."""
    try:
        document = json.loads(json.loads(data[LENGTH_BYTES : header_end(data)])["__metadata__"][KEY])
        blank = data.replace(document["sha256"].encode(), BLANK.encode(), 1)
        if hashlib.sha256(blank).hexdigest() == document["sha256"] and document["format"] == FORMAT:
            memory = Checkpoint(document["epoch"], load(data), document["facts"])
        else:
            memory = None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"it cannot be read ({type(error).__name__})"
        raise Damage(message) from error
    if memory is None:
        message = "its SHA-256 or its format is not the right one"
        raise Damage(message)
    if document["model"] != model:
        message = "it belongs to another snapshot"
        raise Damage(message)
    return memory


def find(root: Path, name: str, version: int, remote: Remote = NOTHING) -> bytes | None:
    """Read a version's file as it is, no further than one can be long; None where there is none that can be read."""
    try:
        if remote.is_there and not all(remote.fetch(root / name / snapshot_file(version, kind)) for kind in KINDS):
            return None
        with opened(root / name) as folder:
            most = LARGEST_SHARE * os.stat(snapshot_file(version), dir_fd=folder, follow_symlinks=False).st_size
            return read(snapshot_file(version, MEMORY), within=folder, most=most)[0]
    except (OSError, StorageError):
        return None
