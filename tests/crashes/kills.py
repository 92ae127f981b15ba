"""A real service under load, killed again and again: `python -m tests.crashes.kills 500 --seed 1` prints the tally.

The server, a worker, or both are killed at random instants, while clients train, predict, point aliases and delete;
whatever breaks off, they try again, as clients do. After each kill the catalogue and the files are held against what
was acknowledged.
"""

import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.crashes.load import World
from tests.crashes.service import Service
from tests.crashes.tally import main, said
from tests.crashes.truth import Folder, faults_of, leftovers

CLIENTS = 4
CHECK_EVERY = 25  # kills
LONGEST_WAIT = 1.2  # seconds between a start and a kill
SETTINGS = {
    "NETLET_LEASE_SECONDS": "0.5",
    "NETLET_CHECKPOINT_SECONDS": "0.02",
    "NETLET_MOST_ATTEMPTS": "100",
    "NETLET_TRAININGS_AT_ONCE": "2",
}
TARGETS = ("server", "worker", "worker", "both")


def run(kills: int, seed: int, folder: Path, *, check_every: int = CHECK_EVERY) -> Counter[str]:
    """Kill so many times, and count what was done and what was wrong."""
    rng, tally = Random(seed), Counter[str]()
    service, world = Service(folder, SETTINGS), World(seed)
    store = Folder(service.store)
    try:
        world.urls = [service.start()]
        with world.clients(CLIENTS):
            for number in range(1, kills + 1):
                time.sleep(rng.uniform(0, LONGEST_WAIT))
                checks = number % check_every == 0 or number == kills
                if checks:
                    world.pause()
                target = "server" if checks else rng.choice(TARGETS)
                world.troubles += 1
                target = service.kill(target, rng)
                tally[f"kills of {target}"] += 1
                if checks:
                    tally.update(said(service.check() + leftovers(service.store)))
                if target != "worker":
                    world.urls = [service.start()]
                world.troubles += 1
                world.go_on()
                tally.update(said(faults_of(store, world)))
                if number % 10 == 0:
                    print(number, dict(tally + world.tally), flush=True)  # noqa: T201 - a runner prints
            world.pause()
            tally.update(said(faults_of(store, world)))
    finally:
        world.stop()
        service.close()
    return tally + world.tally


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
