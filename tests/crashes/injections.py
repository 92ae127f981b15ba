"""Faults at every system call of a save: strace makes the N-th one fail, or kills the process there.

`python -m tests.crashes.injections` tries all of them and prints what was found; `--some 40` tries as many, evenly
chosen. It forks one process for each, so that nothing has to be imported again.
"""

import argparse
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from app.engine.control import Checkpoint
from app.errors import NetletError
from app.jobs.checkpoints import Checkpoints
from app.jobs.folder import JobFolder
from app.models.learning import learn
from app.models.model import Model
from app.store import checking
from app.store.catalogue import Catalogue
from app.store.layout import INCOMING
from app.store.references import Reference
from app.store.snapshot import decode, encode
from app.store.store import ModelStore
from tests.conftest import names_in, wait_until
from tests.crashes.protocols import FAST, ORDER
from tests.models.controls import noting
from tests.models.tables import EXAM, recipe

CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "unlink", "unlinkat", "mkdir", "ftruncate")
ENDINGS = {
    "EIO": "error=EIO:when={}",
    "EIO for ever": "error=EIO:when={}+",
    "ENOSPC": "error=ENOSPC:when={}",
    "ENOSPC for ever": "error=ENOSPC:when={}+",
    "EDQUOT": "error=EDQUOT:when={}",
    "KILL": "signal=KILL:when={}",
    "EIO, and nothing is renamed from then on": "error=EIO:when={}",
}
ROUND = ("exam", "exam", "new", "exam/1", "exam/3", "exam")
"""What is done: a name is saved, a reference deleted. The first version is there already."""
CLEAN = {"StorageError", "StorageFull", "SnapshotDamaged", "ModelNotFound", "VersionNotFound"}


MOST_SECONDS = 60


class Fault(NamedTuple):
    """What fails, and how."""

    call: str
    ending: str
    number: int


def learnt() -> tuple[list[Model], list[Checkpoint]]:
    """Make models to be saved, and checkpoints."""
    made: list[Checkpoint] = []
    models = [learn(EXAM, recipe(hidden=(2,), epochs=2, seed=seed)) for seed in range(len(ROUND))]
    learn(EXAM, recipe(hidden=(2,), epochs=3), control=noting(made))
    return models, made


MODELS, MADE = learnt()


class Teller:
    """Says what is done, by a call of the system that is not made to fail."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __call__(self, what: str, *facts: object) -> None:
        """Say one thing."""
        os.writev(self.descriptor, [json.dumps([what, *facts]).encode() + b"\n"])

    def trying(self, what: str, do: Callable[..., Any], *given: object) -> None:
        """Do something; say that it is begun, and what it came to."""
        self(f"begun {what}")
        try:
            self(what, do(*given))
        except NetletError as error:
            self(f"refused {what}", type(error).__name__)
        except Exception:  # noqa: BLE001 - told, and found to be wrong there
            self("unclean", traceback.format_exc())


def use(root: Path, tell: Teller) -> None:
    """Save, delete, write checkpoints and an order down."""
    store = ModelStore(root, Catalogue(root))
    tell.trying("open", store.open)
    for number, word in enumerate(ROUND):
        if "/" in word:
            tell.trying(f"delete {word}", store.delete, Reference.parse(word))
        else:
            tell.trying(f"save {word} {number}", store.publish, word, MODELS[number])
    folder = JobFolder(root)
    tell.trying("folder", folder.open)
    tell.trying("order", folder.keep_order, "a" * 16, b"order" * 1000)
    for checkpoint in MADE:
        checkpoints = Checkpoints(root / ".jobs" / "b.checkpoints", ORDER)
        tell.trying(f"checkpoint {checkpoint.epoch}", checkpoints.write, checkpoint)
    tell.trying("close", store.close)


def verify(root: Path, told: list[list[Any]], tell: Teller) -> None:
    """Open the store as who comes next does, and say what is wrong."""
    for fact in told:
        if fact[0] == "unclean" or (fact[0].startswith("refused") and fact[1] not in CLEAN):
            tell(" ".join(fact))
    with closing(ModelStore(root, Catalogue(root))) as store:
        store.open()
        for fault in [*_faults_of_models(store, told), *_faults_of_jobs(root, told), *_faults_of_use(store)]:
            tell(fault)


def _faults_of_models(store: ModelStore, told: list[list[Any]]) -> Iterator[str]:
    saved, asked, gone = {("exam", 1): ""}, set(), set()
    for what, *facts in told:
        kind, _, rest = what.partition(" ")
        name, _, number = rest.partition(" ")
        if kind == "save":
            saved[name, facts[0]] = decode(encode(MODELS[int(number)]))[1].sha256
        if what.startswith("begun delete"):
            asked.add(number)
        if kind == "delete":
            gone.add(rest)
    listed = {(name, version) for name in names_in(store) for version in store.versions(name)}
    for (name, version), sha256 in saved.items():
        reference = f"{name}/{version}"
        if (name, version) not in listed and reference not in asked:
            yield f"{reference} is lost"
        if (name, version) in listed and sha256 not in ("", store.load(name, version).sha256):
            yield f"{reference} is another"
        if (name, version) in listed and reference in gone:
            yield f"{reference} came back"
    yield from checking.damaged(store)
    if left := os.listdir(store.root / INCOMING):  # noqa: PTH208 - to be printed
        yield f"{left} were left behind"


def _faults_of_jobs(root: Path, told: list[list[Any]]) -> Iterator[str]:
    done = {fact[0] for fact in told}
    if "order" in done and JobFolder(root).order("a" * 16).read_bytes() != b"order" * 1000:
        yield "the order is lost"
    last = max((int(what.split()[1]) for what in done if what.startswith("checkpoint")), default=0)
    loaded = Checkpoints(root / ".jobs" / "b.checkpoints", ORDER).load()
    if last > (loaded.epoch if loaded else 0):
        yield f"checkpoint {last} is lost"
    if loaded and loaded.arrays["parameters"].tobytes() != MADE[loaded.epoch - 1].arrays["parameters"].tobytes():
        yield f"checkpoint {loaded.epoch} is another"


def _faults_of_use(store: ModelStore) -> Iterator[str]:
    """Save and delete, as if nothing had been."""
    highest = max(store.versions("exam"), default=0) if "exam" in names_in(store) else 0
    version = store.publish("exam", MODELS[0])
    if version <= highest or store.load("exam", version).sha256 != decode(encode(MODELS[0]))[1].sha256:
        yield "the next save is not right"
    store.delete(Reference("exam", version))


def forked(do: Callable[[Teller], None], begin: Callable[[int], None] = lambda _child: None) -> list[list[Any]]:
    """Do something in a process of its own, once `begin` has seen to it; give all that it told."""
    (told, tells), (waits, goes) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(MOST_SECONDS)
        os.close(goes)
        os.read(waits, 1)
        try:
            do(Teller(tells))
        except BaseException:  # noqa: BLE001 - told, and found to be wrong there
            Teller(tells)("unclean", traceback.format_exc())
        os._exit(0)
    os.close(tells)
    os.close(waits)
    begin(child)
    os.close(goes)
    with os.fdopen(told) as lines:
        facts = [json.loads(line) for line in lines]
    _, status = os.waitpid(child, 0)
    if status == signal.SIGALRM:
        facts.append(["unclean", "it hung"])
    return facts


def tried(fault: Fault, template: Path, room: Path) -> tuple[bool, list[str]]:
    """Use a copy of a store while one thing fails; tell whether it came to that, and what is wrong with the store."""
    root, log = room / "models", room / "log"
    shutil.copytree(template, root)
    how = f"inject={fault.call}:{ENDINGS[fault.ending].format(fault.number)}"
    also = ["-e", f"inject=renameat:error=EROFS:when={fault.number}+"] if "renamed" in fault.ending else []
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={fault.call},renameat", "-e", how, *also, "-p"]
    tracers: list[subprocess.Popen[bytes]] = []

    def trace(child: int) -> None:
        tracers.append(subprocess.Popen([*command, str(child)], stderr=subprocess.DEVNULL))
        status = Path(f"/proc/{child}/status")
        wait_until(lambda: "TracerPid:\t0\n" not in status.read_text())

    told = forked(lambda tell: use(root, tell), trace)
    tracers[0].wait()
    hit = bool(re.search(r"INJECTED|killed by SIGKILL", log.read_text()))
    wrong = forked(lambda tell: verify(root, told, tell))
    shutil.rmtree(root)
    return hit, [" ".join(map(str, line)) for line in wrong]


def make(root: Path) -> None:
    """Make a store with one version."""
    with closing(ModelStore(root, Catalogue(root))) as store:
        store.open()
        store.publish("exam", MODELS[-1])


def run(some: int | None, endings: Collection[str] = tuple(ENDINGS)) -> tuple[int, list[str]]:
    """Try all faults, or some of some endings; count those that were hit, and say what was wrong after them."""
    logging.disable(logging.CRITICAL)
    hits, wrong = 0, []
    with tempfile.TemporaryDirectory(dir=FAST) as folder, threadpool_limits(1):
        room = Path(folder)
        forked(lambda _tell: make(room / "template"))
        for fault in _chosen(room, some, endings):
            hit, said = tried(fault, room / "template", room)
            hits += hit
            wrong += [f"{fault.call} {fault.number} {fault.ending}: {line}" for line in said]
    return hits, wrong


def _chosen(room: Path, some: int | None, endings: Collection[str]) -> Iterator[Fault]:
    """Count each call of a use in which nothing fails: in each thread, as strace does; choose among all faults."""
    faults = []
    for call in CALLS:
        tried(Fault(call, "EIO", 65_535), room / "template", room)
        threads = re.findall(rf"^(\d+) +{call}\(", (room / "log").read_text(), re.MULTILINE)
        most = max(map(threads.count, set(threads)), default=0)
        faults += [Fault(call, ending, number) for number in range(1, most + 1) for ending in endings]
    step = 1 if some is None else max(1, len(faults) / some)
    return (faults[int(index * step)] for index in range(int(len(faults) / step)))


def main() -> int:
    """Try them, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--some", type=int)
    parser.add_argument("--endings", nargs="+", choices=ENDINGS, default=list(ENDINGS))
    asked = parser.parse_args()
    hits, wrong = run(asked.some, asked.endings)
    print(*wrong[:200], f"{hits} faults, {len(wrong)} violations", sep="\n")  # noqa: T201 - a runner prints
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
