"""What lies in a store, held against what was acknowledged; it is read as no netlet would, beside a running one."""

import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from tests.crashes.load import World

DIGITS = re.compile(rb'\\"sha256\\":\\"([0-9a-f]{64})\\"')
TABLES = ("jobs", "models", "versions", "orders", "keys", "aliases", "moves", "datasets", "grouped")
TEMPORARY = ("*/*.orphan-*", "*/*.deleted.new", ".incoming/*", ".datasets/.incoming/*", ".jobs/*")


Tables = dict[str, list[dict[str, Any]]]


class Store(Protocol):
    """Where models and facts are."""

    skips: bool
    """Whether there are numbers of versions that nobody got, since whoever had them was killed."""

    def tables(self) -> Tables:
        """Read all tables as they were at one moment."""

    def file(self, place: str) -> bytes | None:
        """Read a file, if it is there."""


class Folder:
    """A folder, and a catalogue in SQLite within it."""

    skips = False

    def __init__(self, root: Path) -> None:
        self.root = root

    def tables(self) -> Tables:
        """Read all tables as they were at one moment."""
        with closing(sqlite3.connect(self.root / ".catalogue.sqlite", isolation_level=None, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            return {
                name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - of our own
                for name in TABLES
            }

    def file(self, place: str) -> bytes | None:
        """Read a file, if it is there."""
        try:
            return (self.root / place).read_bytes()
        except FileNotFoundError:
            return None


def faults_of(store: Store, world: World) -> list[str]:
    """Say what is wrong now, by kinds: a lost model, a half model, an impossible state, a duplicate training."""
    with world.lock:
        known = {one: each.sha256 for one, each in world.known.items()}
        gone, keys = set(world.gone), dict(world.keys)
        told, world.wrong = world.wrong, []
        pointed, jobs = dict(world.pointed), set(world.jobs)
        sent, discarded = set(world.sent), set(world.discarded)
    tables = store.tables()
    rows = {(row["name"], row["version"]): row for row in tables["versions"]}
    with world.lock:
        asked = set(world.asked)
        pointed = {alias: may for alias, may in pointed.items() if world.pointed[alias] == may}  # none that moves now
    said = [f"a lost model: {one} was acknowledged" for one in known.keys() - asked - rows.keys()]
    said += [
        f"a lost model: {one} is another" for one in known.keys() & rows.keys() if known[one] != rows[one]["sha256"]
    ]
    said += [f"a deleted model: {one} came back" for one in gone & rows.keys()]
    said += [fault for one, row in rows.items() for fault in _faults_of_file(store, one, row["sha256"], world)]
    said += [f"a lost job: {job} was acknowledged" for job in jobs - {row["id"] for row in tables["jobs"]}]
    said += [*_faults_of_jobs(tables), *_faults_of_keys(tables, keys, skips=store.skips)]
    said += _faults_of_aliases(tables, pointed)
    listed = {row["id"] for row in tables["datasets"]}
    said += [f"a deleted dataset: {one} came back" for one in discarded & listed]
    said += [fault for one in sent for fault in _faults_of_dataset(store, one, world, is_listed=one in listed)]
    return told + said


def _faults_of_file(store: Store, one: tuple[str, int], sha256: str, world: World) -> Iterator[str]:
    data = store.file(f"{one[0]}/{one[1]}.safetensors")
    if data is None:
        if one not in world.asked:
            yield f"a half model: {one} has no file"
        return
    found = DIGITS.search(data)
    blank = data.replace(found[1], b"0" * 64, 1) if found else data
    if found is None or found[1].decode() != sha256 or hashlib.sha256(blank).hexdigest() != sha256:
        yield f"a half model: {one} is damaged"


def _faults_of_jobs(tables: Tables) -> Iterator[str]:
    ordered = {row["job"] for row in tables["orders"]}
    for job in tables["jobs"]:
        state, is_over = job["state"], job["ended"] is not None
        rules = {
            "queued": not is_over and job["owner"] is None and job["version"] is None,
            "running": not is_over and job["attempt"] >= 1 and job["version"] is None and job["lease"] is not None,
            "succeeded": is_over
            and (job["version"] is None) == (job["groups"] is not None)
            and job["error"] in (None, "null"),
        }
        if not rules.get(state, False) or (job["id"] in ordered) == is_over:
            yield f"a job in an impossible state: {job}"


def _faults_of_keys(tables: Tables, keys: dict[str, tuple[str, int]], *, skips: bool) -> Iterator[str]:
    single = [job for job in tables["jobs"] if job["state"] == "succeeded" and job["groups"] is None]
    of_groups = [group for group in tables["grouped"] if group["version"] is not None]
    done = [(made["name"], made["version"]) for made in single + of_groups]
    yield from (f"a duplicate training: two jobs gave {one}" for one, count in Counter(done).items() if count > 1)
    trained = Counter(name for name, _ in done)
    for model in tables["models"]:
        given, made_of_it = model["highest"], trained[model["name"]]
        if given < made_of_it or (given > made_of_it and not skips):
            yield f"a duplicate training: {made_of_it} jobs made {given} versions"
    if len(tables["keys"]) != len(tables["jobs"]):
        yield f"a duplicate training: {len(tables['keys'])} keys stand for {len(tables['jobs'])} jobs"
    made = {job["id"]: (job["name"], job["version"]) for job in tables["jobs"]}
    of_keys = {row["key"]: made[row["job"]] for row in tables["keys"]}
    for key, one in keys.items():
        if of_keys.get(key, of_keys.get(f'"{key}"')) != one:
            yield f"a duplicate training: {key} stood for {one}"


def _faults_of_aliases(tables: Tables, pointed: dict[tuple[str, str], set[int | None]]) -> Iterator[str]:
    there = {(row["name"], row["alias"]): row for row in tables["aliases"]}
    last = {(row["name"], row["alias"]): row for row in sorted(tables["moves"], key=lambda row: int(row["revision"]))}
    for alias, versions in pointed.items():
        found = there[alias]["version"] if alias in there else None
        if found not in versions:
            yield f"a lost alias: {alias} points to {found}, and was told to point to {versions}"
    for alias, row in there.items():
        if (row["version"], row["revision"]) != (last[alias]["version"], last[alias]["revision"]):
            yield f"a lost alias: the history of {alias} does not end where it points to"


def _faults_of_dataset(store: Store, one: str, world: World, *, is_listed: bool) -> Iterator[str]:
    is_whole = all(store.file(f".datasets/{one}.{kind}") is not None for kind in ("json", "parquet"))
    if one not in world.to_discard:  # by now: it may be deleted meanwhile
        if not is_listed:
            yield f"a lost dataset: {one} was acknowledged"
        elif not is_whole:
            yield f"a half dataset: {one} has no file"


def leftovers(store: Path) -> list[str]:
    """Name what is left when nobody works, and `netlet check` has been."""
    return [f"an orphaned file: {path.relative_to(store)}" for kind in TEMPORARY for path in store.glob(kind)]
