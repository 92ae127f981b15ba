"""What is said of a store that is used while it is checked."""

from dataclasses import replace

from sqlalchemy import delete

from app.jobs.orders import Groups
from app.models.model import Model
from app.store.adoption import snapshots_of
from app.store.checking import damaged, damaged_datasets, take_in, unknown
from app.store.datasets import DatasetStore
from app.store.references import Reference
from app.store.schema import versions
from app.store.store import ModelStore
from tests.jobs.running import ORDER, Held, running
from tests.models.tables import wave


def test_what_is_deleted_while_it_is_checked_is_not_damaged(store: ModelStore, model: Model) -> None:
    """A version or a model that was there at the beginning is passed over; what comes after it is still verified."""
    for name in ("a", "b", "b", "c"):
        store.publish(name, model)
    for name in ("a", "c"):
        (store.root / name / "1.safetensors").write_bytes(b"")
    told = damaged(store)

    first = next(told)
    store.delete(Reference("b", None))

    assert first.startswith("Snapshot a/1 is damaged")
    assert [line.partition(" is ")[0] for line in told] == ["Snapshot c/1"]


def test_a_dataset_that_was_deleted_is_not_damaged(store: ModelStore) -> None:
    """Though it was listed when the check began."""
    datasets = DatasetStore(store.root, store.catalogue)
    datasets.open()

    assert not list(damaged_datasets(datasets, ["0" * 32]))


async def test_what_is_about_to_be_listed_is_not_taken_in(store: ModelStore, model: Model) -> None:
    """A job's version whose file is there already, be it its only one or one of many groups: it will be another."""
    groups = Groups(names=("exam.a", "exam.b"), ends=(30, 60))
    async with running(store, Held(), at_once=2) as jobs:
        for order in (ORDER, replace(ORDER, name="many", rows=wave(60), groups=groups)):
            await jobs.submit(order)
        for name in ("exam", "exam.b"):
            store.publish(name, model)
            store.catalogue.write(lambda unit: unit.execute(delete(versions))).result()

        assert len(snapshots_of(store.root, store.remote)) == 2
        assert unknown(store) == take_in(store) == []

    assert unknown(store) == []
