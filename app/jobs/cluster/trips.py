"""Trips: trainings in two halves, the first of which another machine does, without the store.

What travels is plain: an order there, snapshots and what optimizers remember back.
"""

import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from app import __version__
from app.engine.sharding import BLOCK, SHARD
from app.errors import BucketAway, DatasetDamaged, DatasetNotFound, StorageError, StorageFull, Unforeseen
from app.jobs import orders
from app.jobs.checkpoints import bring
from app.jobs.grouping import LearntGroups, SavedGroups, save_some
from app.jobs.progress import Note
from app.jobs.work import (
    Trained,
    Workplace,
    read,
    retrain,
    save,
    train,
    train_and_save,
    train_groups,
    train_groups_and_save,
)
from app.models.model import Model
from app.store import memories, snapshot
from app.store.document import Damage
from app.store.remote import NOTHING, Remote
from app.store.saving import Saved
from app.telemetry.current import telling

NO_FOLDER = (
    "This training reads its dataset while it learns, and {} is not there on the node {}: "
    "mount it at the same path on all nodes of the cluster, keep files in S3, or train on fewer rows."
)
NO_BUCKET = (
    "The node {} cannot read the dataset from the bucket: it needs the way there and `AWS_*` variables of its own. "
    "Its log has the reason."
)
NO_SPACE = (
    "The disk of the node {} is full, where it copies the dataset to ({}). Give it more space, or set its TMPDIR."
)
VERSIONS = {"netlet": __version__, "numpy": np.__version__, "python": platform.python_version()}
"""Of what decides about the bits of a model: all machines of a cluster have the same."""


def unfit(words: str) -> RuntimeError:
    """Say what is wrong with a node, which no setting of a training can help; the log has the words."""
    error = RuntimeError(words)
    error.add_note(words)
    return error


def other_versions(versions: Mapping[str, str]) -> RuntimeError:
    """Say that this node has other versions than a server."""
    return unfit(f"The node {platform.node()} has {VERSIONS}, the server {versions}.")


class Packed(NamedTuple):
    """What was learnt: a snapshot, and what the optimizer remembers, if it does."""

    snapshot: bytes
    memory: bytes | None


class PackedGroups(NamedTuple):
    """What was learnt of some groups: snapshots, or why there is none."""

    begin: int
    names: tuple[str, ...]
    outcomes: list[bytes | str]
    is_last: bool


@dataclass(frozen=True)
class Trip:
    """What is called on another machine, and what is made here of its answer, called with that and what both know."""

    away: Callable[..., Any]
    home: Callable[..., Any] | None = None


def train_and_pack(order: bytes, workplace: Workplace, note: Note, facts: Mapping[str, str] | None = None) -> Packed:
    """Train what was ordered, and give it as bytes; raise StorageError where it takes a dataset that is not there."""
    with _naming_the_node(workplace):
        model, memory = train(order, workplace, note, facts)
    data, sha256 = snapshot.encode_sound(model)
    return Packed(data, None if memory is None else memories.encode(memory, sha256))


@contextmanager
def _naming_the_node(workplace: Workplace) -> Iterator[None]:
    """Say where a dataset could not be read, and what is missing there."""
    node = platform.node()
    try:
        yield
    except BucketAway as error:
        raise BucketAway(NO_BUCKET.format(node)) from error
    except StorageFull as error:
        raise StorageFull(NO_SPACE.format(node, tempfile.gettempdir())) from error
    except (StorageError, DatasetNotFound, DatasetDamaged) as error:
        if workplace.bucket is None and not workplace.root.is_dir():
            raise StorageError(NO_FOLDER.format(workplace.root, node)) from error
        if isinstance(error, StorageError):
            message = f"On the node {node}: {error}"
            raise StorageError(message) from error
        raise


def unpack_and_save(packed: Packed, workplace: Workplace, note: Note, facts: Mapping[str, str] | None = None) -> Saved:
    """Save that aside, as whoever had trained here would have."""
    model, document = snapshot.decode(packed.snapshot)
    memory = None if packed.memory is None else memories.decode(packed.memory, document.sha256)
    return save(Trained(model, memory), workplace, note, facts)


def train_groups_and_pack(
    order: bytes, workplace: Workplace, note: Note, facts: Mapping[str, str], group: int
) -> PackedGroups:
    """Train some groups, and give their models as bytes; what nobody could read again is not among them."""
    begin, names, outcomes, is_last = train_groups(order, workplace, note, facts, group)
    return PackedGroups(begin, names, [_packed(outcome) for outcome in outcomes], is_last)


def unpack_and_save_groups(
    packed: PackedGroups, workplace: Workplace, note: Note, facts: Mapping[str, str], **_group: int
) -> SavedGroups:
    """Save those aside."""
    begin, names, outcomes, is_last = packed
    unpacked = [snapshot.decode(outcome)[0] if isinstance(outcome, bytes) else outcome for outcome in outcomes]
    with telling(**facts):
        return save_some(LearntGroups(begin, names, unpacked, is_last), workplace.root, note)


def _packed(outcome: Model | str) -> bytes | str:
    if isinstance(outcome, str):
        return outcome
    try:
        return snapshot.encode_sound(outcome).data
    except (Damage, ValidationError):
        return Unforeseen.usual


TRIPS: dict[Callable[..., Any], Trip] = {
    train_and_save: Trip(train_and_pack, unpack_and_save),
    train_groups_and_save: Trip(train_groups_and_pack, unpack_and_save_groups),
    retrain: Trip(retrain),
}


class Call(NamedTuple):
    """A function of an importable module, and what it is called with."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    @property
    def trip(self) -> Trip:
        """What is done of it where."""
        return TRIPS.get(self.function, Trip(self.function))

    @property
    def note(self) -> Note | None:
        """Where it tells how far it is; None where it is no training."""
        return next((each for each in self.arguments if isinstance(each, Note)), None)

    @property
    def remote(self) -> Remote:
        """What is behind the store's folder."""
        return next((each.remote for each in self.arguments if isinstance(each, Workplace)), NOTHING)


def call_of(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
    """Tell what is called, whatever was given to it beforehand."""
    inner: Any = function
    while isinstance(inner, partial):
        inner, arguments, keywords = inner.func, inner.args + arguments, inner.keywords | keywords
    return Call(inner, arguments, keywords)


@dataclass(frozen=True)
class Luggage:
    """A call on its way to another machine, with all that it needs from this one."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    """Of a training, without the note, which has another place there."""
    keywords: dict[str, Any]
    word: str | None
    """What the files of this attempt are called by; None where it is no training."""
    wish: bytes
    checkpoints: dict[str, bytes]
    """Of earlier attempts, by the names of their files."""
    memory: int
    """The most that it may take, in bytes."""
    key: bytes
    """Under which its wishes are found from now on."""
    versions: dict[str, str]

    @property
    def nodes(self) -> int:
        """How many nodes it takes."""
        return next((each.nodes for each in self.arguments if isinstance(each, Workplace)), 1)


def packed(call: Call, memory: int, key: bytes, nodes: int = 1) -> Luggage:
    """Take along what a call needs, and share it out among nodes where its batches are large; raise OrderDamaged."""
    note = call.note
    if note is None:
        return Luggage(call.trip.away, call.arguments, call.keywords, None, b"", {}, memory, key, VERSIONS)
    order, workplace, *others = (each for each in call.arguments if each is not note)
    data = read(order, call.remote)
    nodes = nodes if nodes > 1 and _is_shared(data) else 1
    there = replace(
        workplace,
        root=workplace.root.absolute(),
        remote=NOTHING,
        bucket=workplace.remote.address,  # which is no secret: whoever is there has keys of his own
        nodes=nodes,
    )
    arguments = (data, there, *others)
    wish = note.wish_path.read_bytes()
    bring(note.checkpoints, call.remote)
    left = _files(note.checkpoints)
    return Luggage(call.trip.away, arguments, call.keywords, note.word, wish, left, memory, key, VERSIONS)


def _is_shared(order: bytes) -> bool:
    """Tell whether an order asks for batches that are summed in more than one block, and has the rows for them."""
    what = orders.decode(order)
    return min(what.recipe.training.batch_size or 0, what.count) > BLOCK * SHARD


def _files(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder, but those that go away meanwhile."""
    found: dict[str, bytes] = {}
    try:
        for path in sorted(folder.iterdir()):
            found[path.name] = path.read_bytes()
    except OSError:
        pass
    return found
