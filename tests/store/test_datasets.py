"""Datasets on disk: whole or not there, whatever happens while they are written."""

import gc
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from app.errors import DatasetDamaged, DatasetNotFound, ShuttingDown, StorageError, StorageFull
from app.models.model import Model
from app.store.datasets import DatasetStore
from app.store.learnt_from import models_of
from app.store.references import Reference
from app.store.store import ModelStore
from app.tables import parquet_files
from app.tables.columns import MOST_LEVELS
from app.tables.draws import DatasetFile, Draw
from app.tables.parquet_files import GROUP_ROWS
from app.tables.summaries import summarise
from app.tables.texts import Arrow
from tests.store.test_protocol import watched

ID = "0123456789abcdef" * 2


@pytest.fixture
def datasets(store: ModelStore) -> DatasetStore:
    datasets = DatasetStore(store.root, store.catalogue)
    datasets.open()
    return datasets


def batches(rows: int = 1000, **columns: object) -> Iterator[Arrow]:
    """A column of numbers that no two rows share, and others."""
    numbers = np.random.default_rng(0).standard_normal(rows)
    yield pa.RecordBatch.from_pydict({"number": numbers} | columns)


def files(datasets: DatasetStore) -> list[str]:
    return sorted(path.name for path in datasets.folder.rglob("*") if path.is_file())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file become larger, which stands in for a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_dataset_is_synced_before_it_is_seen(datasets: DatasetStore) -> None:
    """Both files are written and synced aside, and renamed, and safe in their folder before the catalogue lists it."""
    with watched() as calls:
        datasets.publish(ID, batches())

    assert calls == [
        *("flock", "write", "fsync", "flock", "write", "fsync"),
        *("flock", "rename", "rename", "fsync", "flock"),
        *("unlink", "flock", "unlink", "flock"),
    ]


def test_a_deletion_begins_with_the_catalogue(datasets: DatasetStore) -> None:
    """What is left of it is no dataset if the power fails before all is gone, and is swept at the next start."""
    datasets.publish(ID, batches())

    with watched() as calls:
        datasets.delete(ID)

    assert calls == ["flock", "unlink", "unlink", "fsync", "flock"]
    assert files(datasets) == []
    (datasets.folder / f"{ID}.json").write_text("left by a crash")
    with pytest.raises(DatasetNotFound):
        datasets.find(ID)
    datasets.open()
    assert files(datasets) == []


def test_files_are_for_the_owner_alone(datasets: DatasetStore) -> None:
    """Nobody else on the machine can read a dataset."""
    datasets.publish(ID, batches())

    assert {path.stat().st_mode & 0o777 for path in datasets.folder.iterdir() if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (datasets.folder, datasets.folder / ".incoming")} == {0o700}


@pytest.mark.parametrize("limit", [0, 1000, 8000])
def test_a_full_disk_is_said_so_and_leaves_nothing(limit: int, datasets: DatasetStore) -> None:
    """Whether it is full at once, within the Parquet file, or within what is uploaded."""
    incoming = datasets.begin()
    with largest_file(limit):
        with pytest.raises(StorageFull, match="datasets"):
            datasets.publish(ID, batches())
        with pytest.raises(StorageFull):
            incoming.write(b"x" * 10_000)
    incoming.close()

    assert files(datasets) == []
    assert datasets.publish(ID, batches()).dataset.document.rows == 1000


def test_a_file_that_could_not_be_ended_is_never_written_to_again(datasets: DatasetStore, tmp_path: Path) -> None:
    """Its descriptor is another file's by the time that the Parquet writer is collected."""
    with largest_file(1000), pytest.raises(StorageFull) as failed:
        datasets.publish(ID, batches(text=[f"x{row}" for row in range(1000)], other=range(1000)))
    with ExitStack() as stack:
        for number in range(20):
            stack.enter_context((tmp_path / str(number)).open("wb"))
        del failed
        gc.collect()

    assert {path.stat().st_size for path in tmp_path.iterdir() if path.is_file()} == {0}


def test_a_body_that_is_done_with_is_never_written_to_again(datasets: DatasetStore, tmp_path: Path) -> None:
    """A thread may still write while whoever waits for it has given up."""
    incoming = datasets.begin()
    incoming.close()

    with (tmp_path / "other").open("wb"), pytest.raises(ValueError, match="closed"):
        incoming.write(b"too late")

    assert (tmp_path / "other").stat().st_size == 0


def test_a_file_that_cannot_take_its_place_leaves_nothing(datasets: DatasetStore) -> None:
    """A folder in the way of the document: what could not be acknowledged is not to be seen."""
    (datasets.folder / f"{ID}.json").mkdir()

    with pytest.raises(StorageError):
        datasets.publish(ID, batches())

    assert files(datasets) == []


def test_work_that_is_to_end_leaves_nothing(datasets: DatasetStore) -> None:
    """Whoever stops it does so between batches."""

    def stop() -> None:
        raise ShuttingDown

    with pytest.raises(ShuttingDown):
        datasets.publish(ID, batches(), stop)
    assert files(datasets) == []


def test_what_crashed_writers_left_is_swept_at_the_start(datasets: DatasetStore) -> None:
    """Bodies, and a Parquet file whose document was never there or is gone; datasets stay."""
    datasets.publish(ID, batches())
    kept = files(datasets)
    (datasets.folder / ".incoming" / "0123").write_bytes(b"half a body")
    for kind in ("parquet", "models"):
        (datasets.folder / f"{'f' * 32}.{kind}").write_bytes(b"orphan")

    datasets.open()

    assert files(datasets) == kept


def test_a_dataset_without_its_description_is_damaged(datasets: DatasetStore) -> None:
    """It is listed, so that there must have been one; sent again, it is whole."""
    datasets.publish(ID, batches())
    (datasets.folder / f"{ID}.json").unlink()

    with pytest.raises(DatasetDamaged, match=rf"{ID}.*described it is missing"):
        datasets.check(ID)
    datasets.publish(ID, batches())
    datasets.check(ID)


def test_two_that_publish_the_same_at_once_leave_one(datasets: DatasetStore) -> None:
    """The first to be there stays, and only its sender is told that it is new."""
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: datasets.publish(ID, batches()), range(8)))

    there = datasets.find(ID)
    assert all(found.dataset == there for found in kept)
    assert sum(found.is_new for found in kept) == 1
    assert files(datasets) == [f"{ID}.json", f"{ID}.parquet"]


def test_a_dataset_that_comes_and_goes_is_there_or_not_but_never_damaged(datasets: DatasetStore) -> None:
    """Somebody deletes it and uploads it again, while others read and upload it."""

    def come_and_go() -> None:
        for _ in range(60):
            datasets.publish(ID, batches(10))
            with suppress(DatasetNotFound):
                datasets.delete(ID)

    with ThreadPoolExecutor(3) as pool:
        coming = [pool.submit(come_and_go) for _ in range(2)]
        while not all(future.done() for future in coming):
            with suppress(DatasetNotFound):
                datasets.check(ID)
        for future in coming:
            future.result()


def test_any_changed_bit_is_found(datasets: DatasetStore) -> None:
    """Flip bits all over both files: none is used."""
    datasets.publish(ID, batches(50))
    for name in (f"{ID}.json", f"{ID}.parquet"):
        path = datasets.folder / name
        whole = path.read_bytes()
        for position in np.linspace(0, len(whole) - 1, 60).astype(int):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            with pytest.raises(DatasetDamaged):
                datasets.check(ID)
        path.write_bytes(whole)
    datasets.check(ID)


@pytest.mark.parametrize("kind", ["parquet", "json"])
def test_what_is_planted_is_not_followed(kind: str, datasets: DatasetStore, tmp_path: Path) -> None:
    """A link in the place of a file is damage, wherever it leads."""
    datasets.publish(ID, batches())
    path = datasets.folder / f"{ID}.{kind}"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(DatasetDamaged):
        datasets.check(ID)


@pytest.mark.parametrize("name", ["", "../x", "a/../" + ID, ID.upper(), ID + "0", ".incoming"])
def test_words_that_are_no_id_never_reach_the_file_system(name: str, datasets: DatasetStore) -> None:
    """Not found, for reading as for deleting."""
    for use in (datasets.find, datasets.check, datasets.delete):
        with pytest.raises(DatasetNotFound):
            use(name)


def test_models_of_a_dataset_are_those_that_are_still_there(store: ModelStore, model: Model) -> None:
    """Oldest first; what was deleted is not among them."""
    for name in ("exam", "other", "exam"):
        store.publish(name, replace(model, dataset=ID))
    store.publish("exam", model)
    assert models_of(store.catalogue, ID) == ["exam/1", "other/1", "exam/2"]

    store.delete(Reference.parse("exam/1"))

    assert models_of(store.catalogue, ID) == ["other/1", "exam/2"]


def test_a_sample_is_uniform_and_in_the_order_of_the_rows() -> None:
    """Over many seeds, each twentieth of the rows is drawn equally often, whatever group it is in; no row twice.

    So it is for what is drawn from a draw, and for the rest of it.
    """
    file = BytesIO()
    ends = np.cumsum([0, GROUP_ROWS, GROUP_ROWS // 2, GROUP_ROWS])  # the last two make one group
    rows = int(ends[-1])
    groups = [pa.RecordBatch.from_pydict({"row": np.arange(*ends[at : at + 2])}) for at in range(3)]
    parquet_files.write(file, groups)
    opened = DatasetFile(file)
    counts = np.zeros((3, 20))

    for seed in range(100):
        many = Draw.all_of(opened, seed).few(120)
        few = many.few(60)
        drawn = [opened.read(draw).cells[0].to_numpy() for draw in (many, few)]
        rest = [opened.part(many, group, few)["row"].to_numpy() for group in range(2)]
        drawn.append(np.concatenate(rest))
        assert [len(each) for each in drawn] == [120, 60, 60]
        assert sorted([*drawn[1], *drawn[2]]) == drawn[0].tolist()
        assert [many.place(row) for row in (0, 60, 119)] == drawn[0][[0, 60, 119]].tolist()
        counts += [np.bincount(each * 20 // rows, minlength=20) for each in drawn]

    assert len(opened.sizes) == 2
    assert (abs(counts - [[600], [300], [300]]) < 4 * np.sqrt(counts)).all()


def test_categories_beyond_counting_are_told_honestly() -> None:
    """Above 10,000 the count is null; those met first keep being counted, later ones are not; long texts are cut."""
    texts = ["a", "b", "c" * 200, *map("t{}".format, range(MOST_LEVELS)), *["late"] * 5, "a", "b", "a"]
    file = BytesIO()
    parquet_files.write(file, [pa.RecordBatch.from_pydict({"text": texts})])

    (column,) = summarise(file)

    assert (column.kind, column.level_count) == ("category", None)
    assert column.frequent is not None
    assert column.frequent[:3] == (("a", 3), ("b", 2), ("c" * 128 + "…", 1))
    assert len(column.frequent) == 20
