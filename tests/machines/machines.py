"""Many machines on one: three servers with folders of their own, PostgreSQL, an object store and two nodes of Ray.

The nodes are on networks of their own, where root may make some: they reach nothing here but Ray.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import obstore
import psycopg
from psycopg.rows import dict_row

from tests import postgresql, ray_cluster, seaweedfs
from tests.conftest import wait_until
from tests.crashes.load import PATIENCE
from tests.crashes.service import Service, killed
from tests.crashes.truth import TABLES, Tables
from tests.postgresql import DURABLE, EMPTY, PostgreSQL
from tests.ray_cluster import PROVES, Node, Ray
from tests.seaweedfs import SeaweedFS

SERVERS = 3  # the last of which lets Ray train
SETTINGS = {
    "NETLET_LEASE_SECONDS": "2",
    "NETLET_CHECKPOINT_SECONDS": "0.1",
    "NETLET_MOST_ATTEMPTS": "100",
    "NETLET_TRAININGS_AT_ONCE": "2",
    "NETLET_TRAINING_BYTES": str(2**30),
}
AWAY_SECONDS = 1.0  # for which a database is


class Shared:
    """What all servers share, read as no netlet would: tables in PostgreSQL, and files in a bucket."""

    skips = True

    def __init__(self, database: str, buckets: SeaweedFS, bucket: str) -> None:
        self.database, self.bucket = database, buckets.connected(bucket)

    def tables(self) -> Tables:
        """Read all tables as they were at one moment."""
        with psycopg.connect(self.database, row_factory=dict_row) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return {name: connection.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in TABLES}  # noqa: S608 - of our own

    def file(self, place: str) -> bytes | None:
        """Read a file, if it is there."""
        try:
            return bytes(obstore.get(self.bucket, place).bytes())
        except FileNotFoundError:
            return None

    def files(self, folder: str) -> list[str]:
        """List the files of a folder."""
        return [one["path"] for some in obstore.list(self.bucket, folder) for one in some]


class Machines:
    """All of them, each of which can be killed; whatever was is there again when that returns."""

    def __init__(self, folder: Path, databases: PostgreSQL, buckets: SeaweedFS, ray: Ray) -> None:
        self.databases, self.buckets, self.ray = databases, buckets, ray
        database, bucket = databases.create(EMPTY), buckets.bucket()
        self.shared = Shared(database, buckets, bucket)
        self.settings = SETTINGS | buckets.environment | {"NETLET_DATABASE_URL": database, "NETLET_STORE": bucket}
        on_ray = {"NETLET_EXECUTOR": "ray", "NETLET_RAY_ADDRESS": ray.address} | PROVES
        self.services: list[Service] = []
        for number in range(SERVERS):
            (own := folder / f"machine-{number}").mkdir()
            more = on_ray if number == SERVERS - 1 else {}
            self.services.append(Service(own, self.settings | more))
        self.nodes: list[Node] = []
        self.urls: list[str] = []

    def begin(self) -> None:
        """Let nodes join, and start the servers."""
        self.nodes = [self.ray.joined_from_afar(cpus=1) for _ in range(2)]
        self.urls = [service.start() for service in self.services]

    def close(self) -> None:
        """End the servers."""
        for service in self.services:
            service.close()

    def kill_server(self, target: str, rng: Random) -> str:
        """Kill a server, a process that trains for it, or both, and start what is gone; tell what was killed."""
        number = rng.randrange(SERVERS)
        service = self.services[number]
        if (done := service.kill(target, rng)) != "worker":
            self.urls[number] = service.start()
        return done

    def kill_ray_worker(self, target: str, rng: Random) -> str:
        """Kill a process in which Ray trains, as soon as there is one."""
        while not (workers := [worker for node in self.nodes for worker in node.workers()]):
            time.sleep(PATIENCE)
        killed(rng.choice(workers))
        return target

    def kill_ray_node(self, target: str, rng: Random) -> str:
        """Kill what stands for a node, and let another join in its place."""
        number = rng.randrange(len(self.nodes))
        killed((node := self.nodes[number]).raylet())
        wait_until(lambda: not node.workers("ray::travelled", "ray::IDLE"))  # which end by themselves, very soon
        node.kill()
        self.nodes[number] = self.ray.joined_from_afar(cpus=1)
        return target

    def kill_buckets(self, target: str, rng: Random) -> str:
        """Kill the object store, and start it again."""
        del rng
        self.buckets.kill()
        self.buckets.start()
        return target

    def restart_database(self, target: str, rng: Random) -> str:
        """End PostgreSQL, in order or as in a crash, and start it again."""
        how = signal.SIGINT if target.endswith("in order") else signal.SIGQUIT
        self.databases.restart(how, rng.uniform(0, AWAY_SECONDS))
        return target


TARGETS: dict[str, tuple[int, Callable[[Machines, str, Random], str]]] = {
    "server": (4, Machines.kill_server),
    "worker": (3, Machines.kill_server),
    "both": (2, Machines.kill_server),
    "Ray worker": (2, Machines.kill_ray_worker),
    "Ray node": (2, Machines.kill_ray_node),
    "S3 server": (3, Machines.kill_buckets),
    "database, in order": (1, Machines.restart_database),
    "database, in a crash": (3, Machines.restart_database),
}
"""What is killed: how often, and how."""


@contextmanager
def running(folder: Path) -> Iterator[Machines]:
    """Start all of them; nothing of them is left behind."""
    with ExitStack() as ending:
        databases = ending.enter_context(postgresql.running(DURABLE))
        buckets = ending.enter_context(seaweedfs.running())
        ray = ending.enter_context(ray_cluster.running(cpus=0))
        machines = Machines(folder, databases, buckets, ray)
        ending.callback(machines.close)
        machines.begin()
        yield machines
