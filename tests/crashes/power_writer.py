"""Saves snapshots until the power is cut, and says of each when it is acknowledged; `careless` syncs nothing."""

import os
import sys
from contextlib import closing
from itertools import count
from pathlib import Path

from sqlalchemy import event

from app.errors import NetletError
from app.models.learning import learn
from app.store.catalogue import Catalogue
from app.store.references import Reference
from app.store.store import ModelStore
from tests.models.tables import EXAM, recipe


def main(root: Path, *, careless: bool) -> None:
    """Save and delete, in one of two ways."""
    models = [learn(EXAM, recipe(hidden=(2,), epochs=2, seed=seed)) for seed in range(8)]
    store = ModelStore(root, Catalogue(root))
    if careless:
        os.fsync = lambda _descriptor: None  # type: ignore[assignment]  # what is proved to be needed
        event.listen(store.catalogue.writer, "connect", lambda one, _: one.cursor().execute("PRAGMA synchronous = OFF"))
    with closing(store):
        store.open()
        for number in count():
            name = f"model-{number % 5}"
            version = store.publish(name, models[number % 8])
            print("saved", name, version, store.load(name, version).sha256, flush=True)  # noqa: T201 - it is read
            if number % 7 == 6:
                print("asked", name, version, flush=True)  # noqa: T201
                store.delete(Reference(name, version))
                print("gone", name, version, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), careless=sys.argv[2:] == ["careless"])
    except (NetletError, OSError):
        sys.exit(3)  # the power is gone
