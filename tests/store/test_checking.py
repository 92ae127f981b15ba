"""What is said of a store that is used while it is checked."""

from app.engine.model import Model
from app.store.checking import damaged, damaged_datasets
from app.store.datasets import DatasetStore
from app.store.references import Reference
from app.store.store import ModelStore


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
