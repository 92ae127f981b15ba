"""Power cuts on a real file system: `python -m tests.crashes.power 40` prints what was lost. Needs root.

A process saves snapshots on an ext4 of its own; at a random instant nothing more comes to that disk. It is mounted
again, and held against what was acknowledged. The same is done with a process that syncs nothing, which must lose.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Timer
from typing import NamedTuple

from app.errors import NetletError
from app.store import checking
from app.store.catalogue import Catalogue
from app.store.store import ModelStore
from tests.crashes.disks import Disk, disk_with_power
from tests.measuring import unmeasured

LONGEST_SECONDS = 0.5  # between the first acknowledgement and the cut


class Found(NamedTuple):
    """What came of one cut."""

    acknowledged: int
    lost: int
    said: list[str]


def cut_once(disk: Disk, rng: Random, *, careless: bool = False) -> Found:
    """Let somebody save until the power is cut, and look at what is there afterwards."""
    root = disk.place / f"store-{rng.getrandbits(32):08x}" / "models"
    command = [sys.executable, "-m", "tests.crashes.power_writer", str(root), *(["careless"] if careless else [])]
    with subprocess.Popen(
        command, env=unmeasured(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline()]
        cutting = Timer(rng.uniform(0, LONGEST_SECONDS), disk.cut)
        cutting.start()
        told += list(writer.stdout)
        cutting.join()
    disk.unmount()
    disk.mount()
    return found(root, [line.split() for line in told])


def found(root: Path, told: list[list[str]]) -> Found:
    """Hold a store against what was told of it."""
    saved = {(name, int(version)): words[0] for what, name, version, *words in told if what == "saved"}
    asked = {(name, int(version)) for what, name, version, *_ in told if what == "asked"}
    gone = {(name, int(version)) for what, name, version, *_ in told if what == "gone"}
    lost, said = 0, []
    try:
        with closing(ModelStore(root, Catalogue(root))) as store:
            store.open()
            said += list(checking.damaged(store))
            for one, sha256 in saved.items():
                is_there = _sha256(store, one) == sha256
                lost += not is_there and one not in asked
                if is_there and one in gone:
                    said.append(f"{one} came back")
    except NetletError as error:
        return Found(len(saved), len(saved.keys() - asked), [str(error)])
    return Found(len(saved), lost, said)


def _sha256(store: ModelStore, one: tuple[str, int]) -> str:
    try:
        return store.load(*one).sha256 if one[1] in store.versions(one[0]) else ""
    except NetletError:
        return ""


def main() -> int:
    """Cut so many times, and a quarter as often without care."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cuts", type=int)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, totals = Random(asked.seed), {}
    for careless in (False, True):
        with tempfile.TemporaryDirectory(prefix="netlet-power-") as folder, disk_with_power(Path(folder)) as disk:
            count = -(-asked.cuts // 4) if careless else asked.cuts
            cuts = [cut_once(disk, rng, careless=careless) for _ in range(count)]
        acknowledged, lost = sum(one.acknowledged for one in cuts), sum(one.lost for one in cuts)
        said = [line for one in cuts for line in one.said]
        totals[careless] = lost + len(said)
        how = "without any sync" if careless else "as it is"
        print(f"{how}: {len(cuts)} cuts, {lost} of {acknowledged} lost, {len(said)} other faults", *said[:3])  # noqa: T201
    return int(totals[False] > 0 or totals[True] == 0)


if __name__ == "__main__":
    sys.exit(main())
