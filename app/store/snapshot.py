"""Snapshots: a model as bytes, and back. `models/README.md` describes the format for readers without netlet.

A snapshot is a safetensors file. Its arrays are the tensors; everything else is one JSON document in the file's
metadata. Reading one runs nothing that is in it.
"""

import hashlib
import json
import platform
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json
from safetensors import SafetensorError
from safetensors.numpy import load, save

from app import __version__
from app.models.model import Model
from app.store.arrays import Arrays, arrays_of, model_from
from app.store.document import FORMAT, Damage, Document
from app.store.parts import require_each_key_once, require_few_parts

KEY = "netlet"
BLANK = "0" * 64
LENGTH_BYTES = 8  # a safetensors file begins with its header's length
LONGEST_HEADER = 100_000_000  # the library reads no longer one
LARGEST_FILE = 2**40


class NewerFormat(Exception):
    """These bytes are in a format that this netlet does not know."""

    def __init__(self, found: int) -> None:
        super().__init__(f"format {found}")
        self.found = found


class Encoded(NamedTuple):
    """A snapshot, and the SHA-256 that it says of itself."""

    data: bytes
    sha256: str


def encode(model: Model) -> bytes:
    """Write a model as a safetensors file; equal models give equal bytes."""
    return _encoded(_document_of(model), arrays_of(model)).data


def encode_sound(model: Model) -> Encoded:
    """Do the same; raise Damage for a model that nobody could read again, since its parts contradict each other."""
    document, arrays = _document_of(model), arrays_of(model)
    model_from(document, arrays)
    return _encoded(document, arrays)


def _document_of(model: Model) -> Document:
    return Document(
        sha256=BLANK,
        format=FORMAT,
        libraries={"netlet": __version__, "numpy": np.__version__, "python": platform.python_version()},
        columns=model.columns,
        sources=model.sources,
        targets=model.targets,
        labels=model.labels,
        recipe=model.recipe,
        report=model.report,
        temperature=model.temperature,
        near=model.neighbours.near,
        reach=model.neighbours.reach,
        tags=model.tags,
        description=model.description,
        dataset=model.dataset,
        continued_from=model.continued_from,
        weight=model.weight,
        kinds=model.kinds,
    )


def _encoded(document: Document, arrays: Arrays) -> Encoded:
    blank = save(arrays, metadata={KEY: document.model_dump_json()})
    sha256 = hashlib.sha256(blank).hexdigest()
    return Encoded(blank.replace(BLANK.encode(), sha256.encode(), 1), sha256)


def decode(data: bytes) -> tuple[Model, Document]:
    """Read what `encode` wrote; raise Damage if it is not that to the last bit, else NewerFormat."""
    document = read_document(data)
    if hashlib.sha256(data.replace(document.sha256.encode(), BLANK.encode(), 1)).hexdigest() != document.sha256:
        message = "its SHA-256 does not match its bytes"
        raise Damage(message)
    try:
        return model_from(document, load(data)), document
    except (SafetensorError, KeyError, ValueError) as error:
        message = f"its arrays cannot be read ({type(error).__name__})"
        raise Damage(message) from error


def read_document(data: bytes) -> Document:
    """Read the JSON document from the beginning of a snapshot, without checking the rest."""
    end = header_end(data)
    if len(data) < max(end, LENGTH_BYTES + 1):
        message = "it is cut short, or no safetensors file"
        raise Damage(message)
    try:
        header = data[LENGTH_BYTES:end]
        require_few_parts(header)
        text = from_json(header)["__metadata__"][KEY]
        require_few_parts(text.encode())
        for said in (header, text.encode()):
            require_each_key_once(said)
        return _document(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"its header cannot be read ({type(error).__name__})"
        raise Damage(message) from error


def _document(text: str) -> Document:
    """Read a document; one that this release cannot read may be of another format."""
    try:
        return Document.model_validate_json(text)
    except ValidationError:
        found = json.loads(text)["format"]
        if isinstance(found, int) and found > FORMAT:
            raise NewerFormat(found) from None
        if isinstance(found, int) and found < FORMAT:
            message = f"it has format {found}, which no release of netlet has ever written"
            raise Damage(message) from None
        raise


def header_end(beginning: bytes) -> int:
    """Tell from the first bytes of a snapshot where its header ends, or would have to end at the latest."""
    return LENGTH_BYTES + min(int.from_bytes(beginning[:LENGTH_BYTES], "little"), LONGEST_HEADER)


def size(beginning: bytes) -> int:
    """Tell from a snapshot's header how long the file is; raise Damage if it does not say."""
    try:
        require_few_parts(beginning[LENGTH_BYTES:])
        header = from_json(beginning[LENGTH_BYTES:])
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        return len(beginning) + min(max(0, *map(int, ends)), LARGEST_FILE)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        message = f"its header cannot be read ({type(error).__name__})"
        raise Damage(message) from error
