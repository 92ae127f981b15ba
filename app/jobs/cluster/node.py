"""What happens on a node of the cluster: a training in a process of its own, whose files here are sent as they grow."""

import fcntl
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

from app.errors import StorageError
from app.jobs.cluster.desk import opened
from app.jobs.cluster.mirror import Piece, Watch
from app.jobs.cluster.trips import VERSIONS, Luggage, other_versions
from app.jobs.executors import ProcessExecutor
from app.jobs.progress import WISHED, Note
from app.store.files import own_folder, storage_errors

NAMESPACE = b"netlet"  # of wishes, in what Ray keeps for all nodes
DEVICES = "CUDA_VISIBLE_DEVICES"  # which Ray sets for each task
SECONDS_BETWEEN_LOOKS = 0.1  # more would cost trainings a noticeable part of their processor
PLACE, REMEDY = "The folder for temporary files", "Give it more space, or set TMPDIR there."

_kept: dict[tuple[int, str], ProcessExecutor] = {}
"""The process for trainings that this worker of Ray has, by the memory and the GPUs that it may use."""


class Begun(NamedTuple):
    """Where a call begins."""

    node: str
    """As Ray calls it."""


class End(NamedTuple):
    """How a call ended."""

    result: object
    error: BaseException | None


def travelled(luggage: Luggage) -> Iterator[Begun | list[Piece] | End]:
    """Do a call here: say at once where it begins, then what is new, then how it ended. Runs as a task of Ray."""
    import ray  # noqa: PLC0415 - only nodes have it

    if luggage.versions != VERSIONS:
        yield End(None, other_versions(luggage.versions))
        return
    yield Begun(ray.get_runtime_context().get_node_id())
    if luggage.word is None:
        future = _process(luggage.memory).submit(luggage.function, *luggage.arguments, **luggage.keywords)
        yield _end_of(future)
        return
    with ExitStack() as opening:
        try:
            with storage_errors(PLACE, REMEDY):
                note = _unpacked(luggage, opening.enter_context(_scratch()), luggage.word)
        except StorageError as error:
            yield End(None, type(error)(f"On the node {platform.node()}: {error}"))
            return
        yield from _trained(luggage, note)


def _trained(luggage: Luggage, note: Note) -> Iterator[list[Piece] | End]:
    order, workplace, *others = luggage.arguments
    watch = Watch(note)
    with ExitStack() as opening:
        opening.enter_context(_listening(note, luggage))
        desk = opening.enter_context(opened(note.path.parent, workplace.nodes, workplace.threads))
        process = _process(luggage.memory)
        call = (luggage.function, order, replace(workplace, sharers=desk), note, *others)
        future = process.submit(_on, os.environ.get(DEVICES), *call, **luggage.keywords)
        while not wait([future], SECONDS_BETWEEN_LOOKS).done:
            if pieces := watch.pieces():
                yield pieces
        yield watch.pieces()
        yield _end_of(future)


def _on(devices: str | None, function: Callable[..., Any], *arguments: object, **keywords: object) -> object:
    """Call a function that sees the GPUs which are its own, and no others."""
    if devices is not None:
        os.environ[DEVICES] = devices
    return function(*arguments, **keywords)


def _end_of(future: "Future[Any]") -> End:
    error = future.exception()
    return End(None, error) if error is not None else End(future.result(), None)


def _unpacked(luggage: Luggage, folder: Path, word: str) -> Note:
    note = Note(folder / f"{word}.note")
    note.wish_path.write_bytes(luggage.wish)
    if luggage.checkpoints:
        note.checkpoints.mkdir()
    for name, data in luggage.checkpoints.items():
        (note.checkpoints / name).write_bytes(data)
    return note


def _process(memory: int) -> ProcessExecutor:
    """Give the process for trainings, which is kept for the next; one that has used other GPUs ends."""
    key = (memory, os.environ.get(DEVICES, ""))
    if key not in _kept:
        vars(sys.modules["__main__"]).pop("__file__", None)  # or each would begin by reading Ray's program, and Ray
        for other in [*_kept]:
            _kept.pop(other).shutdown()
        _kept[key] = ProcessExecutor(1, memory)
    return _kept[key]


@contextmanager
def _listening(note: Note, luggage: Luggage) -> Iterator[None]:
    """Write down here what is wished there."""
    is_over = Event()
    Thread(target=_listen, args=(note, luggage, is_over), daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _listen(note: Note, luggage: Luggage, is_over: Event) -> None:
    from ray.experimental import internal_kv  # noqa: PLC0415 - only nodes have it

    heard = luggage.wish
    while not is_over.wait(SECONDS_BETWEEN_LOOKS):
        wished = b""
        with suppress(Exception):  # whatever keeps Ray from telling ends the training soon, or passes
            wished = internal_kv._internal_kv_get(luggage.key, namespace=NAMESPACE)  # noqa: SLF001 - of the whole module
        if wished and wished != heard:  # whatever its annotation says, there may be none
            heard = wished
            letter, _, until = WISHED.unpack(wished)
            note.ask(letter)
            note.hold(until)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder that is locked for as long as it is needed; remove those of workers that were killed."""
    parent = own_folder("netlet-ray")
    with _locked(parent, fcntl.LOCK_EX):
        for other in parent.iterdir():
            _remove_if_left(other)
        folder = Path(tempfile.mkdtemp(dir=parent))
        own = os.open(folder, os.O_RDONLY)
        fcntl.flock(own, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(own)


def _remove_if_left(folder: Path) -> None:
    try:
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # it is in use
        pass


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
