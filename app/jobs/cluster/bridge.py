"""The bridge to Ray: a process beside the server, which Ray ends a while after the cluster is lost, as it does.

It has calls done by nodes, tells here what they tell there, and tells the server how they end.
"""

import logging
import os
import signal
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from secrets import token_hex
from threading import Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from app.jobs.cluster import mirror
from app.jobs.cluster.node import NAMESPACE, Begun, End, travelled
from app.jobs.cluster.trips import Call, packed, unfit
from app.jobs.progress import Note
from app.telemetry import log_json_lines

if TYPE_CHECKING:  # it takes a while, and is needed by this process alone
    from ray import ObjectRefGenerator
    from ray.util.placement_group import PlacementGroup
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

SECONDS_BETWEEN_LOOKS = 0.03  # for what is wished
SILENT_SECONDS, LOST_SECONDS = 3.0, 20.0  # of Ray, after which that is told, and after which it is taken for lost
DRIVER = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": str(int(LOST_SECONDS)),
}
"""What Ray does not do in this process: tell its makers how it is used, and wait for longer."""


@dataclass(frozen=True)
class Cluster:
    """Where Ray is, and what a training takes there."""

    address: str
    cpus: int
    """One for each of its threads."""
    memory: int
    """In bytes."""
    gpus: int = 0
    nodes: int = 1
    """Those that a training with large batches is shared out among."""

    @property
    def share(self) -> dict[str, Any]:
        """What is asked of Ray for a training."""
        return {"num_cpus": self.cpus, "memory": self.memory, "num_gpus": self.gpus}

    def __str__(self) -> str:
        gpu = f", {self.gpus} GPU" if self.gpus else ""
        return f"{self.cpus} CPU, {self.memory / 2**30:.1f} GiB of memory{gpu}"


class Told(NamedTuple):
    """What the bridge tells the server: of a call by its number, or of the cluster."""

    what: str
    """`open`, `trouble`, `begun` or `over`."""
    number: int = 0
    result: object = None
    error: BaseException | None = None


@dataclass
class _Under:
    """A call under way."""

    call: Call
    key: bytes
    wished: bytes = b""
    """As far as the node knows; empty until the call is on its way."""
    generator: "ObjectRefGenerator[Any] | None" = None
    node: str | None = None
    """That does it, once that has said so."""
    places: "PlacementGroup | None" = None
    """Those that several nodes keep for it."""
    is_cancelled: bool = False
    is_over: bool = False
    lock: Lock = field(default_factory=Lock)

    @property
    def note(self) -> Note | None:
        """That of its job, if it is of one."""
        return self.call.note

    def ends(self) -> bool:
        """Be over; tell whether it was not before."""
        with self.lock:
            was_over, self.is_over = self.is_over, True
        return not was_over


def work(connection: Connection, cluster: Cluster, environment: Mapping[str, str]) -> None:
    """Be the bridge, until the server closes its end, or is gone; Ray reads how to prove who it is from variables."""
    _settle_in()
    os.environ.update(environment)
    try:
        import ray  # noqa: PLC0415 - an extra

        ray.init(address=cluster.address, log_to_driver=False, configure_logging=False, namespace="netlet")
    except Exception as error:  # noqa: BLE001 - whatever it is, the server tells it
        words = str(error).strip().splitlines() or [type(error).__name__]
        connection.send(Told("trouble", result=words[0].rstrip(".")))
        return
    _Bridge(connection, cluster).run()


def _settle_in() -> None:
    """Log as the server does, and let Ray say what it says to nobody: it is no JSON. Signals are the server's."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    log_json_lines()
    sys.stderr = sys.__stderr__
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    logging.getLogger("ray").setLevel(logging.ERROR)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    os.environ.update(DRIVER)


class _Bridge:
    def __init__(self, connection: Connection, cluster: Cluster) -> None:
        self.connection, self.cluster = connection, cluster
        self.sending = Lock()
        self.calls: dict[int, _Under] = {}
        self.alive: set[str] = set()
        """The nodes that were there when Ray was asked last."""
        self.answered = monotonic()

    def run(self) -> None:
        """Do what the server says, and end with it: at once, since whatever is under way ends with this process."""
        for do in (self._look, self._ask, self._watch):
            Thread(target=do, daemon=True).start()
        self._tell(Told("open"))
        try:
            while True:
                number, call = self.connection.recv()
                if call is None:
                    self._cancel(number)
                else:
                    self._begin(number, call)
        except (EOFError, OSError):
            os._exit(0)

    def _tell(self, told: Told) -> None:
        with self.sending, suppress(OSError):  # the server is gone, and this process soon will be
            self.connection.send(told)

    def _begin(self, number: int, call: Call, *, is_cancelled: bool = False) -> None:
        self.calls[number] = under = _Under(call, token_hex(16).encode(), is_cancelled=is_cancelled)
        Thread(target=self._do, args=(number, call, under), daemon=True).start()

    def _do(self, number: int, call: Call, under: _Under) -> None:
        """Have a call done, and tell how it ended, unless its node was given up meanwhile."""
        try:
            end = self._travelled(number, call, under)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who asked for it
            end = End(None, error)
        if not under.ends():
            return
        if end.error is None and call.trip.home is not None and not under.is_cancelled:
            try:
                end = End(call.trip.home(end.result, *call.arguments[1:], **call.keywords), None)
            except Exception as error:  # noqa: BLE001 - the same
                end = End(None, error)
        self._tell_end(number, under, end)

    def _tell_end(self, number: int, under: _Under, end: End) -> None:
        self.calls.pop(number, None)
        self._forget(under)
        try:
            self._tell(Told("over", number, *end))
        except Exception as error:  # noqa: BLE001 - of what cannot be sent
            self._tell(Told("over", number, None, RuntimeError(repr(error))))

    def _travelled(self, number: int, call: Call, under: _Under) -> End:
        """Let a node do its half of a call; give the end of it, which is BrokenProcessPool if the node is lost."""
        import ray  # noqa: PLC0415 - an extra

        luggage = packed(call, self.cluster.memory, under.key, self.cluster.nodes)
        under.wished = luggage.wish
        if under.note is not None:
            mirror.begin(under.note)
        try:
            with self._places(luggage.nodes, under) as strategy:
                remote = ray.remote(num_returns="streaming", max_retries=0, **self.cluster.share)(travelled)
                with under.lock:
                    if under.is_cancelled:
                        return End(None, BrokenProcessPool("it was cancelled"))
                    begun = remote.options(scheduling_strategy=strategy).remote(luggage)
                    under.generator = cast("ObjectRefGenerator[Any]", begun)
                return self._followed(number, call, under)
        except ray.exceptions.RayTaskError as error:  # where what is called could not even begin
            return End(None, unfit(str(error)))
        except ray.exceptions.RayError as error:
            return End(None, BrokenProcessPool(f"{type(error).__name__}: {str(error).splitlines()[0]}"))

    def _followed(self, number: int, call: Call, under: _Under) -> End:
        """Tell here what a call tells there, and give its end."""
        import ray  # noqa: PLC0415 - an extra

        for each in under.generator or ():
            match told := ray.get(each):
                case End():
                    return told
                case Begun() if not under.is_over:
                    under.node = told.node
                    self._tell(Told("begun", number))
                case _ if under.note is not None and not (under.is_cancelled or under.is_over):
                    mirror.tell(under.note, told, call.remote)
        return End(None, BrokenProcessPool("the node said nothing of its end"))

    @contextmanager
    def _places(self, nodes: int, under: _Under) -> Iterator["str | PlacementGroupSchedulingStrategy"]:
        """Say where a call is to be done: anywhere, or on the first of several nodes that keep places for it."""
        from ray.util import placement_group  # noqa: PLC0415 - an extra
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy  # noqa: PLC0415 - the same

        if nodes == 1:
            yield "DEFAULT"
            return
        own, cpus = self.cluster, float(self.cluster.cpus)
        first = {"CPU": cpus, "memory": float(own.memory)} | ({"GPU": float(own.gpus)} if own.gpus else {})
        under.places = placement_group([first, *([{"CPU": cpus}] * (nodes - 1))], strategy="SPREAD")
        try:
            yield PlacementGroupSchedulingStrategy(under.places, 0)
        finally:
            _give_back(under)

    def _cancel(self, number: int) -> None:
        """Let the process die that does a call, or let Ray forget the call."""
        import ray  # noqa: PLC0415 - an extra

        before = None
        while (under := self.calls.get(number)) is not before and under is not None:  # it may be sent again meanwhile
            with under.lock:
                under.is_cancelled = True
                if under.generator is not None:
                    ray.cancel(under.generator, force=True)
            before = under

    def _forget(self, under: _Under) -> None:
        from ray.experimental import internal_kv  # noqa: PLC0415 - an extra

        if under.note is not None:
            Thread(  # which Ray may keep waiting
                target=internal_kv._internal_kv_del,  # noqa: SLF001 - of the whole module
                args=(under.key,),
                kwargs={"namespace": NAMESPACE},
                daemon=True,
            ).start()

    def _look(self) -> None:
        """Let nodes know what is wished of the trainings that they do."""
        from ray.experimental import internal_kv  # noqa: PLC0415 - an extra

        while True:
            sleep(SECONDS_BETWEEN_LOOKS)
            for under in [*self.calls.values()]:
                if under.note is None or not under.wished:
                    continue
                wished = _wished(under.note, under.wished)
                if wished != under.wished:
                    with suppress(Exception):  # it is tried again
                        internal_kv._internal_kv_put(under.key, wished, namespace=NAMESPACE)  # noqa: SLF001
                        under.wished = wished

    def _ask(self) -> None:
        """Ask Ray over and over whether it is there, and the node that this process is on."""
        import ray  # noqa: PLC0415 - an extra

        own = ray.get_runtime_context().get_node_id()
        while True:
            with suppress(Exception):
                nodes = ray.nodes()  # type: ignore[no-untyped-call]
                alive = {node["NodeID"] for node in nodes if node["Alive"]}
                if own not in alive:
                    os._exit(1)
                self._give_up(alive)
                self.answered = monotonic()
            sleep(1)

    def _give_up(self, alive: Collection[str]) -> None:
        """End what nodes do that are gone: of one that is cut off, Ray itself tells those who wait for it very late."""
        is_one_lost, self.alive = not self.alive.issubset(alive), {*alive}
        for number, under in [*self.calls.items()]:
            if under.node is None:
                if is_one_lost and under.generator is not None and under.ends():
                    self._send_again(number, under)
            elif under.node not in alive and under.ends():
                self._tell_end(number, under, End(None, BrokenProcessPool("its node is gone")))
                _give_back(under)  # or the next attempt waits for places that others keep for this one

    def _send_again(self, number: int, under: _Under) -> None:
        """Have a call done by others, that may be on its way to a node that is gone: nobody has said that it began."""
        import ray  # noqa: PLC0415 - an extra

        with under.lock:  # who cancels it now, cancels the next
            self._begin(number, under.call, is_cancelled=under.is_cancelled)
        self._forget(under)
        with suppress(Exception):  # what is left of it ends with whoever has it
            _give_back(under)
            ray.cancel(under.generator, force=True)  # or it is done twice, where it only waits for its turn

    def _watch(self) -> None:
        """Tell where Ray is silent for long, and end where that is too long: it may be another one by then."""
        was_silent = False
        while True:
            sleep(1)
            silent = monotonic() - self.answered
            if silent > LOST_SECONDS:
                os._exit(1)
            if was_silent != (is_silent := silent > SILENT_SECONDS):
                was_silent = is_silent
                self._tell(Told("trouble", result="it does not answer." if is_silent else None))


def _give_back(under: _Under) -> None:
    """Let nodes keep no places for a call any more."""
    from ray.util import remove_placement_group  # noqa: PLC0415 - an extra

    with under.lock:
        places, under.places = under.places, None
    if places is not None:
        remove_placement_group(places)


def _wished(note: Note, known: bytes) -> bytes:
    """Read what is wished, but for whether the training waits, which it tells itself."""
    try:
        wished = note.wish_path.read_bytes()
    except OSError:
        return known
    return wished if mirror.without_mark(wished) != mirror.without_mark(known) else known
