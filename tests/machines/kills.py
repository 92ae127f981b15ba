"""Machines under load, killed again and again: `python -m tests.machines.kills 100 --seed 1` prints the tally.

Whatever one of them is made of is killed at random instants: a server, a process that trains, a worker or a node of
Ray, the object store, the database. Clients ask any server, and try again whatever breaks off. After each kill the
database and the bucket are held against what was acknowledged.
"""

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import httpx

from tests.conftest import wait_until
from tests.crashes.load import World
from tests.crashes.tally import main, said
from tests.crashes.truth import faults_of
from tests.machines.machines import TARGETS, Machines, running

CLIENTS = 5
CHECK_EVERY = 20  # kills
LONGEST_WAIT = 1.5  # seconds between what is whole and a kill
MOST_EPOCHS = 20_000
UNLISTED = " is not in the catalogue; netlet check --repair lists it"


def run(targets: Sequence[str], seed: int, folder: Path, *, check_every: int = CHECK_EVERY) -> Counter[str]:
    """Kill one after the other, and count what was done and what was wrong."""
    rng, world, tally = Random(seed), World(seed, MOST_EPOCHS), Counter[str]()
    with running(folder) as machines:
        world.urls = machines.urls
        with world.clients(CLIENTS):
            for number, target in enumerate(targets, 1):
                time.sleep(rng.uniform(0, LONGEST_WAIT))
                began = time.monotonic()
                world.troubles += 1
                done = TARGETS[target][1](machines, target, rng)
                world.troubles += 1
                tally[f"kills of {done}"] += 1
                tally.update(said(faults_of(machines.shared, world)))
                print(f"{number} {done}: {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201 - a runner prints
                if number % check_every == 0 or number == len(targets):
                    wait_until(lambda: bool(world.seen))
                    world.pause()
                    tally.update(check(machines, world, folder / f"check-{number}"))
                    world.go_on()
    if world.seen:
        often, most = statistics.median(world.seen), max(world.seen)
        print(f"an alias is seen by all: {1e3 * often:.1f} ms (median), {1e3 * most:.1f} ms (most)")  # noqa: T201
        tally["aliases seen by all servers"] = len(world.seen)
        tally["aliases seen by all servers within a second"] = sum(each < 1 for each in world.seen)
    return tally + world.tally


def check(machines: Machines, world: World, folder: Path) -> Counter[str]:
    """Hold everything against what was acknowledged while nobody asks, by `netlet check` too, from another machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", "check"],
        env=environment | machines.settings | {"NETLET_MODELS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = ran.stderr.splitlines()
    unlisted = [line.removesuffix(UNLISTED) for line in told if line.endswith(UNLISTED)]
    faults = [f"what netlet check says: {line}" for line in told if not line.endswith(UNLISTED)]
    if ran.returncode != bool(unlisted):
        faults.append(f"what netlet check says: {ran.stdout} ({ran.returncode})")
    known = {f"{name}/{version}" for name, version in world.known}
    faults += [
        f"a model that is told wrongly: {one} is not listed, but has its file" for one in unlisted if one in known
    ]
    unfinished = [job["id"] for job in machines.shared.tables()["jobs"] if job["ended"] is None]
    faults += [f"a job that nobody goes on with: {job}" for job in unfinished]
    faults += [fault for url in machines.urls for fault in faults_told(url, world)] + faults_of(machines.shared, world)
    over = machines.shared.files(".jobs")  # of jobs whose server died right after their end: a start removes them
    return said(faults) + Counter({"files that nobody lists": len(unlisted), "files of jobs that are over": len(over)})


def faults_told(url: str, world: World) -> Iterator[str]:
    """Ask a server for all that was acknowledged, and for what is deleted."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for (name, version), known in world.known.items():
            answer = client.get(f"/models/{name}/versions/{version}")
            told = answer.json()["sha256"] if answer.status_code == 200 else None
            if told != (None if (name, version) in world.gone else known.sha256):
                yield f"a server that does not know: {url} tells of {name}/{version} {answer.status_code} {told}"
        for (name, alias), versions in world.pointed.items():
            answer = client.get(f"/models/{name}/aliases/{alias}")
            told = answer.json()["version"] if answer.status_code == 200 else None
            if told not in versions:
                yield f"a server that does not know: {url} tells of {name}@{alias} {answer.status_code} {told}"


def chosen(kills: int, seed: int) -> list[str]:
    """Choose what is killed."""
    names, weights = zip(*((name, weight) for name, (weight, _) in TARGETS.items()), strict=True)
    return Random(seed).choices(names, weights, k=kills)


if __name__ == "__main__":
    sys.exit(main(__doc__, lambda kills, seed, folder: run(chosen(kills, seed), seed, folder)))
