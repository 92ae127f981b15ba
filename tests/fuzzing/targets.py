"""Targets: what is read, and by which of the functions that the service reads it with."""

import io
import os
import signal
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from random import Random

from pyarrow import ipc

from app.access.keyring import ANYBODY
from app.api.bodies import Body
from app.api.orders import read_order
from app.api.parsing import parse_rows
from app.api.parts import Limits
from app.engine.control import go_on_for_ever
from app.errors import MalformedTable
from app.export.onnx_import import Naming, import_onnx
from app.export.probes import probes_of
from app.jobs.budget import Cost
from app.models.learning import learn
from app.opening import store_of
from app.settings import Settings
from app.store import arriving
from app.store.catalogue import Catalogue
from app.store.datasets import DatasetStore
from app.tables import parquet_files
from app.tables.answering import cells_to_answer
from app.tables.bounds import Bounds
from app.tables.formats import FORMATS
from app.tables.options import Options
from app.tables.record_batches import Upload, stream
from app.tables.sent import Sent
from app.tables.wanted import Wanted, answer
from tests.fuzzing import forging, sound
from tests.fuzzing.mutating import mutated
from tests.models.tables import EXAM

BOUNDS = Bounds(cells=2**20, rows=10**6, inflated=2**24)
MOST = 2**24  # bytes of a body
LIMITS = Limits(MOST, MOST, MOST, MOST, MOST, 10**6, Cost(10**6, 10**8, 1e12), 60.0, 100, BOUNDS)

Read = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """A format, with sound files of it, and with what a process needs that reads cases."""

    name: str
    make: Callable[[], Sequence[bytes]]
    forgeries: tuple[forging.Forgery, ...]
    reading: Callable[[Path], AbstractContextManager[Read]]
    """Takes an empty folder."""

    @cached_property
    def sound(self) -> Sequence[bytes]:
        """Sound files, the same ones each time."""
        return tuple(self.make())


def case_of(target: Target, seed: int, case: int) -> bytes:
    """Make a case: the same one for the same numbers."""
    rng = Random(f"{target.name}/{seed}/{case}")
    if target.forgeries and rng.random() < 0.5:
        return rng.choice(target.forgeries)(target.sound, rng)
    return mutated(target.sound, rng)


async def _stays() -> bool:
    return False


def _body(data: bytes, media_type: str, query: list[tuple[str, str]]) -> Body:
    return Body(data, media_type, query, None, _stays, ANYBODY)


@contextmanager
def _bodies(kind: str, folder: Path) -> Iterator[Read]:
    """Read a table to learn from, at once and as a dataset that is uploaded."""
    target = "x1" if kind == "npy" else "score"
    path = folder / "body"
    datasets = DatasetStore(folder, Catalogue(folder))  # which is not opened: no dataset is named

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            body = _body(data, FORMATS[kind].media_types[0], [("target", target)])
            read_order(body, LIMITS, datasets)
        finally:
            batches = stream(Upload(path, kind, Options(bounds=BOUNDS)))
            parquet_files.write(io.BytesIO(), batches)

    yield read


@contextmanager
def _trainings(folder: Path) -> Iterator[Read]:
    """Read a body in JSON to learn from."""
    with closing(store_of(Settings(models=folder / "models"))) as store:
        store.open()
        datasets = DatasetStore(store.root, store.catalogue)
        datasets.open()
        yield lambda data: read_order(_body(data, "application/json", []), LIMITS, datasets)


@contextmanager
def _questions(_folder: Path) -> Iterator[Read]:
    """Read rows in JSON, and answer them."""
    model = learn(EXAM, sound.QUICK)

    def read(data: bytes) -> None:
        request, X = parse_rows(_body(data, "application/json", []), BOUNDS)
        if X is None:
            columns = None if request.columns is None else tuple(request.columns)
            X = cells_to_answer(Sent(rows=request.rows, X=request.X, columns=columns), model)
        elif X.shape[1] != len(model.columns):
            return
        answer(model, X, Wanted(interval=request.interval, applicability=request.applicability))

    yield read


@contextmanager
def _snapshots(_folder: Path) -> Iterator[Read]:
    """Read a snapshot that is brought in, and try it on rows."""
    yield lambda data: probes_of(arriving.read(data))


@contextmanager
def _networks(folder: Path) -> Iterator[Read]:
    """Make a network of others a model."""
    with closing(store_of(Settings(models=folder / "models"))) as store:
        store.open()

        def read(data: bytes) -> None:
            import_onnx(go_on_for_ever, store, "other", data, naming=Naming(), most_parameters=10_000)

        yield read


def _divide() -> None:
    _ = 1 // (time.time() < 0)


def _ask_for_too_much() -> None:
    try:
        bytearray(2**40)
    except MemoryError:
        raise MalformedTable("hidden") from None  # noqa: EM101 - as pyarrow's are


def _take_much() -> None:
    _ = b"x" * 2**28


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    time.sleep(3600)


FAULTS: tuple[Callable[[], None], ...] = (_divide, _ask_for_too_much, _take_much, _crash, _hang)


def fault_of(data: bytes) -> Callable[[], None] | None:
    """Tell what goes wrong with a case of the faulty target, if anything does."""
    place = zlib.crc32(data) % (2 * len(FAULTS))
    return FAULTS[place] if place < len(FAULTS) else None


@contextmanager
def _faults(_folder: Path) -> Iterator[Read]:
    """Fail in each way that there is, to see whether it is noticed."""
    yield lambda data: (fault_of(data) or str)()


def _format(name: str, make: Callable[[], Sequence[bytes]], *forgeries: forging.Forgery) -> Target:
    return Target(name, make, forgeries, partial(_bodies, name))


def _named(*targets: Target) -> dict[str, Target]:
    return {target.name: target for target in targets}


TARGETS = _named(
    _format("csv", sound.csvs),
    _format("ndjson", sound.ndjsons),
    _format("parquet", sound.parquets, forging.parquet_footer, forging.parquet_page),
    _format("arrow_stream", partial(sound.arrows, ipc.new_stream)),
    _format("arrow_file", partial(sound.arrows, ipc.new_file)),
    _format("npy", sound.npys, forging.npy_header),
    Target("json", sound.jsons, (forging.json_body,), _trainings),
    Target("questions", sound.questions, (forging.json_body,), _questions),
    Target("snapshot", sound.snapshots, (forging.snapshot_header, forging.snapshot_document), _snapshots),
    Target("onnx", lambda: [*sound.networks()], (forging.onnx_graph,), _networks),
)
FAULTY = Target("faulty", lambda: [b"sound"], (), _faults)
