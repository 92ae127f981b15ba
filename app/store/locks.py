"""Locks: what of a catalogue in PostgreSQL nobody else may change, while a transaction that asked about it does.

Servers write at the same time unless they write about the same. What keeps each kind of write right:

- Versions, their numbers, `keep_last`, aliases with their revisions: the lock of the model's name.
- Datasets, their owners, and the jobs that are to learn from them: the lock of the dataset.
- What an `Idempotency-Key` stands for: the lock of the key. How many trainings a caller may have: the lock of the
  caller. How many models its key may have: one lock for all such keys, as their patterns may overlap. How many jobs may
  wait: the lock of the queue. Whoever makes one more of them counts and writes under that lock; fewer they may become
  at any time.
- The moves of a job: its row. Who claims it locks the row and skips what others have locked; every other move names the
  state, the attempt and the owner that it moves from, or reads the row with a lock first. It needs no lock of these.
- Deeds are only ever added.
- All else, as tables, keys and whatever is not sure what it is about, is written by one alone, as in SQLite.

All locks of a transaction are taken before it reads anything, in the order of their numbers, so that nobody waits in a
circle for them; for rows, somebody may (PostgreSQL finds that out, and the transaction begins anew).
"""

from collections.abc import Collection, Iterable
from hashlib import blake2b

from sqlalchemy import Connection, func, select, text

ONE_WRITER = 0x6E65746C6574  # what SQLite's lock does; shared by those who say what they write about
MOST = 64  # locks of one transaction: PostgreSQL has room for some thousand; who writes alone needs a single one
NOTHING: frozenset[str] = frozenset()
QUEUE = "queue"
QUOTAS = "quotas"

_ALONE = select(func.pg_advisory_xact_lock(ONE_WRITER))
_BESIDE = select(func.pg_advisory_xact_lock_shared(ONE_WRITER))
_TAKEN = text("SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(:numbers AS bigint[])) AS number")


def of_model(name: str) -> str:
    """Name the lock of all that a model's name stands for."""
    return f"model {name}"


def of_dataset(dataset: str) -> str:
    """Name the lock of a dataset, and of whatever needs it."""
    return f"dataset {dataset}"


def of_key(text: str) -> str:
    """Name the lock of what a client named its request by."""
    return f"key {text}"


def of_caller(caller: str) -> str:
    """Name the lock of what a caller has asked for."""
    return f"caller {caller}"


def together(all_about: Iterable[Collection[str] | None]) -> Collection[str] | None:
    """Give the locks of works that share a transaction; None where it has to be alone."""
    found: set[str] = set()
    for about in all_about:
        if about is None:
            return None
        found.update(about)
    return found if len(found) <= MOST else None


def take(connection: Connection, about: Collection[str] | None) -> None:
    """Wait for locks, or, where there are none named, until nobody else writes; they end with the transaction."""
    if about is None:
        connection.execute(_ALONE)
        return
    connection.execute(_BESIDE)
    if about:
        connection.execute(_TAKEN, {"numbers": numbers_of(about)})


def numbers_of(about: Collection[str]) -> list[int]:
    """Give the numbers of locks in the order in which they are taken."""
    return sorted({_number(word) for word in about})


def _number(word: str) -> int:
    """Give a lock's number: PostgreSQL takes 64 bits. Two words that share one would wait for each other, no more."""
    return int.from_bytes(blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "big", signed=True)
