"""What netlet promises of models and of checkpoints, held against all that power cuts may leave of them.

`python -m tests.crashes.protocols` explores more of it than the tests do, and prints how many states that were.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from app.engine.control import Checkpoint
from app.errors import NetletError
from app.jobs.checkpoints import Checkpoints
from app.models.learning import learn
from app.store.adoption import adopt
from app.store.catalogue import Catalogue, Unit
from app.store.layout import INCOMING
from app.store.references import Reference
from app.store.schema import metadata, models, versions
from app.store.store import ModelStore
from tests.conftest import held, wait_until
from tests.crashes.disk import DATABASE, Committed, Disk, Recorder, Site, Told, Tree
from tests.models.controls import noting
from tests.models.tables import EXAM, recipe

Broken = tuple[str, Site] | None
ORDER = "order"
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - folders of their own in it; no disk waits


class Saved(NamedTuple):
    """A version was acknowledged."""

    name: str
    version: int


class Deleted(NamedTuple):
    """A model, or one version of it, was acknowledged to be gone."""

    name: str
    version: int | None


class Asked(NamedTuple):
    """A model, or one version of it, is about to be deleted: it may be there, or gone."""

    name: str
    version: int | None


class Written(NamedTuple):
    """A checkpoint was acknowledged; one of epoch 0 stands for none being needed any more."""

    epoch: int


class State(NamedTuple):
    """What a power cut leaves, how many transactions there were, and what had been told."""

    tree: Tree
    commits: int
    told: tuple[Any, ...]
    rotten: str = ""
    """A file that was on the disk, and that the disk has damaged."""


class Protocol:
    """What was done in a folder, and what must be true of it after a power cut."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def faults(self, state: State, folder: Path) -> Iterator[str]:
        """Say what is wrong with a state that lies in a folder."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what was held."""


class OpenAlready(Catalogue):
    """A catalogue that many stores use, one after the other."""

    def open(self, fill: Callable[[Unit], object] = lambda _unit: None, *, alone: bool = True) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Models(Protocol):
    """Saves, some of them in one transaction, and deletions."""

    def __init__(self, base: Path, broken: Broken = None, *, length: int = 8, seed: int = 1) -> None:
        super().__init__(Recorder(base, broken))
        self.rng = Random(seed)
        self.images: list[bytes] = [b""]
        self.files: dict[tuple[str, int], bytes] = {}
        self.live: set[tuple[str, int]] = set()
        self.catalogues: dict[int, OpenAlready] = {}
        self.listed: dict[int, set[tuple[str, int]]] = {}
        self.found: dict[Tree, tuple[set[tuple[str, int]], dict[str, int]]] = {}
        self.room = Path(tempfile.mkdtemp(prefix="netlet-catalogues-", dir=FAST))
        self.memory = create_engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(self.memory)
        root = base / "new" / "models"
        store = ModelStore(root, Catalogue(root))
        event.listen(store.catalogue.writer, "commit", lambda _connection: self.recorder.commit())
        with closing(store), self.recorder.recording(), ThreadPoolExecutor(3) as pool:
            store.open()
            self._image(root)
            (root / "exam").mkdir()  # somebody made it, and died before it was synced
            for turn in range(length):
                if turn % 3 == 2:
                    self._delete(store, self.rng.choice(sorted(self.live)))
                else:
                    self._save(store, pool, self.rng.choices(("exam", "other"), k=1 + self.rng.randrange(3)))

    def _save(self, store: ModelStore, pool: ThreadPoolExecutor, names: list[str]) -> None:
        """Save several at once: while the catalogue is busy, all wait for the same transaction."""
        made = [learn(EXAM, recipe(hidden=(2,), epochs=2, seed=self.rng.randrange(2**20))) for _ in names]
        saving = []
        with held(store):
            for name, model in zip(names, made, strict=True):
                saving.append(pool.submit(store.publish, name, model))
                wait_until(lambda: store.catalogue.waiting.qsize() == len(saving))
        numbers = [saved.result() for saved in saving]
        self._image(store.root, after=2)
        for name, number in zip(names, numbers, strict=True):
            self.files[name, number] = (store.root / name / f"{number}.safetensors").read_bytes()
            self.live.add((name, number))
            self.recorder.tell(Saved(name, number))

    def _delete(self, store: ModelStore, one: tuple[str, int]) -> None:
        """Delete a version, or its model as a whole."""
        name, version = one
        chosen = self.rng.choice((version, version, None))
        self.recorder.tell(Asked(name, chosen))
        store.delete(Reference(name, chosen))
        self._image(store.root)
        self.recorder.tell(Deleted(name, chosen))
        self.live -= {each for each in self.live if each[0] == name and chosen in (None, each[1])}

    def _image(self, root: Path, *, after: int = 1) -> None:
        """Keep the database as it is after so many transactions, of which only the last changed it."""
        with closing(sqlite3.connect(root / DATABASE)) as connection:
            image = connection.serialize()
        self.images += [self.images[-1]] * (after - 1) + [image]
        assert sum(isinstance(step, Committed) for step in self.recorder.steps) == len(self.images) - 1

    def faults(self, state: State, folder: Path) -> Iterator[str]:
        """With the catalogue and without it: nothing that was told is untrue, and nothing is there by halves."""
        root = folder / "new" / "models"
        if state.commits and not root.is_dir():
            yield "the store is lost"
        elif state.commits:
            catalogue = self._catalogue(state.commits)
            with closing(ModelStore(root, catalogue)) as store:
                store.open()
                yield from self._faults_of_listed(state, store)
            yield from self._faults_without_catalogue(state, root)

    def _catalogue(self, commits: int) -> OpenAlready:
        if commits not in self.catalogues:
            root = self.room / str(commits)
            root.mkdir()
            (root / DATABASE).write_bytes(self.images[commits])
            catalogue = OpenAlready(root)
            Catalogue.open(catalogue)
            self.catalogues[commits] = catalogue
            rows = catalogue.read(versions.select())
            self.listed[commits] = {(row.name, row.version) for row in rows}
        return self.catalogues[commits]

    def _faults_of_listed(self, state: State, store: ModelStore) -> Iterator[str]:
        there, gone = promised(state.told)
        listed = self.listed[state.commits]
        yield from (f"{missing} is not listed" for missing in there - listed if not state.rotten)
        yield from (f"{deleted} is listed" for deleted in gone & listed)
        lies = dict(state.tree)
        for name, version in sorted(listed):
            is_whole = lies.get(f"new/models/{name}/{version}.safetensors") == self.files[name, version]
            if not is_whole and self._is_given_out(store, name, version):
                yield f"{name}/{version} is another than was saved"
            if not is_whole and not state.rotten:
                yield f"{name}/{version} is damaged"

    def _is_given_out(self, store: ModelStore, name: str, version: int) -> bool:
        try:
            store.load(name, version)
        except NetletError:
            return False
        return True

    def _faults_without_catalogue(self, state: State, root: Path) -> Iterator[str]:
        """Make it anew from the files, as is done where it is lost."""
        there, gone = promised(state.told)
        found, highest = self._adopted(state, root)
        yield from (f"{missing} is not found by its file" for missing in there - found)
        yield from (f"{deleted} came back" for deleted in gone & found)
        for name, version in there | gone:
            if highest.get(name, 0) < version:
                yield f"the number of {name}/{version} would be given again"

    def _adopted(self, state: State, root: Path) -> tuple[set[tuple[str, int]], dict[str, int]]:
        """Find all versions, and each model's highest number, in a catalogue of its own."""
        seen = tuple(each for each in state.tree if INCOMING not in each[0])
        if seen not in self.found:
            with self.memory.connect() as connection:
                adopt(root, Unit(connection))
                found = {(row.name, row.version) for row in connection.execute(versions.select())}
                self.found[seen] = found, {row.name: row.highest for row in connection.execute(models.select())}
        return self.found[seen]

    def close(self) -> None:
        """Remove the catalogues."""
        for catalogue in self.catalogues.values():
            Catalogue.close(catalogue)
        self.memory.dispose()
        shutil.rmtree(self.room)


def promised(told: tuple[Any, ...]) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """Say which versions must be there after what was told, and which must not."""
    there: set[tuple[str, int]] = set()
    asked: set[tuple[str, int]] = set()
    gone: set[tuple[str, int]] = set()
    for fact in told:
        match fact:
            case Saved():
                there.add((fact.name, fact.version))
            case Asked():
                asked = {one for one in there if one[0] == fact.name and fact.version in (None, one[1])}
                there -= asked
            case Deleted():
                gone |= asked
    return there, gone


class TrainingStates(Protocol):
    """Checkpoints of one training, one after the other, and their end."""

    def __init__(self, base: Path, broken: Broken = None) -> None:
        super().__init__(Recorder(base, broken))
        made: list[Checkpoint] = []
        learn(EXAM, recipe(hidden=(2,), epochs=6), control=noting(made))
        self.made = {checkpoint.epoch: checkpoint for checkpoint in made}
        folder = base / "job.checkpoints"
        with self.recorder.recording():
            for checkpoint in made:
                Checkpoints(folder, ORDER).write(checkpoint)
                self.recorder.tell(Written(checkpoint.epoch))
            self.recorder.tell(Written(0))
            Checkpoints(folder, ORDER).clear()

    def faults(self, state: State, folder: Path) -> Iterator[str]:
        """The last that was acknowledged is there, or a later one; the one before it where the disk damaged that."""
        last = state.told[-1].epoch if state.told else 0
        loaded = Checkpoints(folder / "job.checkpoints", ORDER).load()
        if loaded is None:
            if last > (1 if state.rotten else 0):
                yield f"the checkpoint of epoch {last} is lost"
            return
        made = self.made.get(loaded.epoch)
        if made is None or _bits(made) != _bits(loaded):
            yield f"the checkpoint of epoch {loaded.epoch} is another than was written"
        elif last and loaded.epoch < last - bool(state.rotten):
            yield f"the checkpoint of epoch {last} is lost; that of {loaded.epoch} is there"


def _bits(checkpoint: Checkpoint) -> Any:
    return {name: array.tobytes() for name, array in checkpoint.arrays.items()}, checkpoint.facts


def states_of(protocol: Protocol, rng: Random) -> Iterator[State]:
    """Give each state that a power cut may leave, once; and with it each that damage to one file may make of it."""
    disk = Disk(protocol.recorder.root, protocol.recorder.folders)
    seen: set[State] = set()
    commits, told = 0, ()
    for step in protocol.recorder.steps:
        disk.take(step)
        commits += isinstance(step, Committed)
        told += (step.fact,) if isinstance(step, Told) else ()
        for tree in disk.states(rng):
            state = State(tree, commits, told)
            if state not in seen:
                seen.add(state)
                yield state
        if isinstance(step, Told):
            yield from _rotten(State(tuple(next(disk.states(rng))), commits, told))


def _rotten(state: State) -> Iterator[State]:
    """Damage each file in turn: cut short, zeros from the middle on, one bit flipped."""
    for index, (path, data) in enumerate(state.tree):
        if data and path.endswith(".safetensors"):
            half = len(data) // 2
            for bad in (data[:half], data[:half] + bytes(len(data) - half), _flipped(data, len(data) - 3)):
                tree = (*state.tree[:index], (path, bad), *state.tree[index + 1 :])
                yield state._replace(tree=tree, rotten=path)


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def lie(tree: Tree, folder: str) -> None:
    """Lay a state down in a folder."""
    os.mkdir(folder)  # noqa: PTH102 - thousands of states are laid down: pathlib takes longer than the disk
    for path, data in tree:
        if data is None:
            os.mkdir(f"{folder}/{path}")  # noqa: PTH102
        else:
            descriptor = os.open(f"{folder}/{path}", os.O_WRONLY | os.O_CREAT)
            os.write(descriptor, data)
            os.close(descriptor)


def explore(protocol: Protocol, room: Path, rng: Random, *, first: bool = False) -> tuple[int, list[str]]:
    """Look at every state; count them, and say what is wrong with any, or with the first."""
    count, said = 0, []
    for state in states_of(protocol, rng):
        count += 1
        folder = room / "state"
        lie(state.tree, str(folder))
        try:
            faults = list(protocol.faults(state, folder))
        except Exception as error:  # noqa: BLE001 - whatever it is, a power cut must not lead to it
            faults = [repr(error)]
        said += [f"after {state.told[-1:]}{state.rotten}: {fault}" for fault in faults]
        shutil.rmtree(folder)
        if first and said:
            break
    return count, said


PROTOCOLS: tuple[Callable[[Path, Broken], Protocol], ...] = (Models, TrainingStates)


def main() -> int:
    """Explore more and longer histories of models, and that of checkpoints."""
    total, wrong = 0, 0
    histories: list[Callable[..., Protocol]] = [partial(Models, length=24, seed=seed) for seed in range(8)]
    for make in [*histories, TrainingStates]:
        with (
            tempfile.TemporaryDirectory(dir=FAST) as base,
            tempfile.TemporaryDirectory(dir=FAST) as room,
            closing(make(Path(base))) as protocol,
        ):
            count, said = explore(protocol, Path(room), Random(1))
        total, wrong = total + count, wrong + len(said)
        print(f"{count} states, {len(said)} violations", *sorted(set(said))[:9], sep="\n")  # noqa: T201 - a runner prints
    print(f"{total} states in all, {wrong} violations")  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(main())
