"""The desk of a training: where its process hands over what other nodes are to do, and gets back what they did."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from app.jobs.cluster.trips import VERSIONS, other_versions
from app.jobs.executors import NICE
from app.jobs.sharers import Share

if TYPE_CHECKING:
    from ray.util.placement_group import PlacementGroup

SECONDS_BETWEEN_LOOKS = 1.0  # whether the others are there

log = logging.getLogger(__name__)


@contextmanager
def opened(folder: Path, nodes: int, threads: int) -> Iterator[str | None]:
    """Give the address of a desk for the nodes that share in a training, this one among them; None where it is alone.

    They have places of their own, beside that of the training in its group of places.
    """
    if nodes == 1:
        yield None
        return
    import ray  # noqa: PLC0415 - only nodes have it

    places = ray.util.get_current_placement_group()  # which only this thread is told
    assert places is not None  # noqa: S101 - the training has its place among them
    with Listener(str(folder / "desk"), "AF_UNIX") as listener:
        Thread(target=_serve, args=(listener, places, nodes - 1, threads), daemon=True).start()
        yield str(listener.address)


def shared(call: Callable[[], Any], versions: Mapping[str, str]) -> Any:  # noqa: ANN401 - whatever is called
    """Do a call on a node that shares, as its own trainings are done there: one BLAS thread, last in line.

    Raises RuntimeError where the node has other versions of what decides about the bits of a model.
    """
    if versions != VERSIONS:
        raise other_versions(versions)
    if os.getpriority(os.PRIO_PROCESS, 0) < NICE:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with threadpool_limits(1):
        return call()


def _serve(listener: Listener, places: "PlacementGroup", others: int, threads: int) -> None:
    """Have calls done by turns, until the training is over."""
    with suppress(OSError, EOFError):
        while True:
            with listener.accept() as connection:
                _Desk(connection, places, others, threads).serve()


class _Desk:
    def __init__(self, connection: Connection, places: "PlacementGroup", others: int, threads: int) -> None:
        self.connection, self.places, self.others, self.threads = connection, places, others, threads
        self.turns, self.lock = count(), Lock()
        self.under: dict[int, int] = {}
        """The places of the calls under way, by their numbers."""
        self.lost: set[int] = set()

    def serve(self) -> None:
        """Hand calls over to the others, one after the other, for as long as they are there."""
        is_over = Event()
        Thread(target=self._watch, args=(is_over,), daemon=True).start()
        try:
            self._hand_over()
        finally:
            is_over.set()

    def _hand_over(self) -> None:
        import ray  # noqa: PLC0415 - only nodes have it
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy  # noqa: PLC0415 - the same

        do = ray.remote(num_cpus=self.threads, max_retries=0)(shared)
        while True:
            try:
                number, call = self.connection.recv()
            except (EOFError, OSError):
                return
            place = next(self.turns) % self.others
            with self.lock:
                self.under[number] = place
            if place in self.lost:
                self._lose(place)
                continue
            strategy = PlacementGroupSchedulingStrategy(self.places, place + 1)
            asked = do.options(scheduling_strategy=strategy).remote(call, VERSIONS).future()
            asked.add_done_callback(partial(self._over, number, place))

    def _over(self, number: int, place: int, done: "Future[Any]") -> None:
        error = done.exception()
        if error is None:
            self._tell(number, Share(number, done.result(), is_done=True))
        else:
            self._lose(place, error)

    def _watch(self, is_over: Event) -> None:
        """Look whether the others are there: Ray tells it by what they are doing, but not of one that does nothing."""
        import ray  # noqa: PLC0415 - only nodes have it
        from ray.util import placement_group_table  # noqa: PLC0415 - the same

        homes: dict[int, str] = {}
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            with suppress(Exception):  # whatever keeps Ray from telling ends the training soon, or passes
                homes = homes or placement_group_table(self.places)["bundles_to_node_id"]
                alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
                for place in range(self.others):
                    if homes[place + 1] not in alive and place not in self.lost:
                        self._lose(place, "it does nothing, and is gone")

    def _lose(self, place: int, why: object = None) -> None:
        """Have all that was handed to a node done at home: it may wait for ever for another to take its place."""
        with self.lock:
            if place not in self.lost:
                log.warning("a node that shared in a training is lost (%s): what it had to do is done here", why)
            self.lost.add(place)
            numbers = [number for number, its_place in self.under.items() if its_place == place]
        for number in numbers:
            self._tell(number, Share(number, None, is_done=False))

    def _tell(self, number: int, share: Share) -> None:
        """Tell how a call ended, once."""
        with self.lock, suppress(OSError):  # the training is over
            if self.under.pop(number, None) is not None:
                self.connection.send(tuple(share))
