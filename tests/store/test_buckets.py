"""Files in S3: what one server keeps, all others have, and a folder's copies may be lost, damaged or too many."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store
from pydantic import SecretStr

from app.engine.control import Checkpoint
from app.errors import CatalogueForeign, DatasetDamaged, DatasetNotFound, SnapshotDamaged, StorageError
from app.jobs import folder as jobs_folder
from app.jobs.checkpoints import Checkpoints
from app.jobs.folder import JobFolder
from app.models.learning import learn
from app.models.model import Model
from app.opening import store_of
from app.settings import Settings
from app.store import bucket, checking, memories
from app.store.bucket import Bucket
from app.store.datasets import DatasetStore
from app.store.numbering import add_version, keep_behind, next_version
from app.store.references import Reference
from app.store.saving import save_aside
from app.store.store import ModelStore
from tests.conftest import QUICK, wait_until
from tests.models.controls import noting
from tests.models.tables import EXAM
from tests.postgresql import PostgreSQL
from tests.seaweedfs import SECRET, SeaweedFS
from tests.store.test_datasets import ID, batches

pytestmark = pytest.mark.only_on("s3")
Elsewhere = Callable[..., ModelStore]


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Iterator[Elsewhere]:
    """Open the store of this test on other machines: in folders that have copies of nothing yet."""
    with ExitStack() as opening:

        def opened(name: str, **changes: object) -> ModelStore:
            store = store_of(settings.model_copy(update={"models": tmp_path / name} | changes))
            opening.callback(store.close)
            store.open()
            return store

        yield opened


@pytest.fixture
def inside(buckets: SeaweedFS, settings: Settings) -> S3Store:
    """Look into the bucket of this test."""
    return buckets.connected(str(settings.store))


def keys(inside: S3Store, prefix: str = "") -> list[str]:
    """List what there is in the bucket, beside what tells whose it is."""
    found = obstore.list(inside, prefix or None)
    return sorted(one["path"] for some in found for one in some if one["path"] != ".store")


def test_what_one_server_keeps_all_have(store: ModelStore, elsewhere: Elsewhere, model: Model) -> None:
    """To the bit, though their folders had nothing of it; and nothing of it has another name there."""
    version = store.publish("exam", model)

    other = elsewhere("other")

    assert other.versions("exam") == [version]
    assert other.file("exam", version) == store.file("exam", version)
    assert other.listed("exam").damage is None


def test_versions_have_the_names_that_they_have_in_a_folder(store: ModelStore, model: Model, inside: S3Store) -> None:
    """What is in the bucket, copied into a folder, is a store."""
    store.publish("exam", model)
    store.publish("exam", model)

    assert keys(inside) == ["exam/1.safetensors", "exam/2.safetensors"]


def test_servers_that_publish_at_once_take_a_number_each(store: ModelStore, elsewhere: Elsewhere, model: Model) -> None:
    """None twice and none left out, whoever is first."""
    stores = [store, elsewhere("second"), elsewhere("third")]

    with ThreadPoolExecutor(12) as pool:
        numbers = list(pool.map(lambda number: stores[number % 3].publish("exam", model), range(24)))

    assert sorted(numbers) == list(range(1, 25))
    assert len({stores[number % 3].load("exam", number).sha256 for number in numbers}) == 1


def test_a_file_that_nobody_knows_of_is_not_replaced(store: ModelStore, model: Model, inside: S3Store) -> None:
    """A server may have died before it was listed, or be about to list it: the next version gets the next number."""
    store.publish("exam", model)
    for key in ("exam/2.safetensors", "new/1.safetensors"):
        obstore.put(inside, key, b"somebody's")

    assert [store.publish("exam", model), store.publish("new", model)] == [3, 2]

    assert bytes(obstore.get(inside, "exam/2.safetensors").bytes()) == b"somebody's"
    assert [store.load("exam", 3).version, store.versions("exam")] == [3, [1, 3]]


@pytest.mark.parametrize("damage", [b"", b"x" * 1000, None])
def test_a_copy_that_is_damaged_is_copied_again(
    damage: bytes | None, store: ModelStore, elsewhere: Elsewhere, model: Model
) -> None:
    """Or is missing, or is the file of another version."""
    store.publish("exam", model)
    store.publish("exam", learn(EXAM, QUICK))
    other = elsewhere("other")
    whole = other.file("exam", 1)
    (other.root / "exam" / "1.safetensors").write_bytes(whole.replace(b"exam", b"max") if damage is None else damage)

    assert other.file("exam", 1) == whole


def test_what_is_damaged_in_the_bucket_is_said_so(
    store: ModelStore, elsewhere: Elsewhere, model: Model, inside: S3Store
) -> None:
    """By whoever loads it without a copy, and by `netlet check`, whatever copies it has."""
    for _ in range(2):
        store.publish("exam", model)
    obstore.put(inside, "exam/1.safetensors", b"not a snapshot")
    obstore.delete(inside, "exam/2.safetensors")
    other = elsewhere("other")

    with pytest.raises(SnapshotDamaged):
        other.load("exam", 1)
    with pytest.raises(SnapshotDamaged, match="its file is missing"):
        other.load("exam", 2)
    assert [said.split()[1] for said in checking.damaged(store)] == ["exam/1", "exam/2"]


def test_copies_take_no_more_than_they_may(
    store: ModelStore, elsewhere: Elsewhere, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were not used for longest go, and are copied again when they are asked for."""
    monkeypatch.setattr(bucket, "FRESH_SECONDS", -1)
    many = 12
    for _ in range(many):
        store.publish("exam", model)
    size = len(store.file("exam", 1))

    other = elsewhere("other", copies_bytes=4 * size)
    for version in range(1, many + 1):
        other.load("exam", version)

    assert len(list((other.root / "exam").iterdir())) <= 5
    assert other.file("exam", 1) == store.file("exam", 1)


def test_what_is_deleted_leaves_the_bucket(
    store: ModelStore, model: Model, inside: S3Store, settings: Settings, databases: PostgreSQL
) -> None:
    """The highest number leaves a mark, by which a catalogue that is made anew does not give it out again."""
    for _ in range(3):
        store.publish("exam", model)
    store.delete(Reference("exam", 1))
    store.delete(Reference("exam", 3))

    assert keys(inside) == ["exam/2.safetensors", "exam/3.deleted"]

    url = databases.create()
    anew = store_of(
        settings.model_copy(update={"models": settings.models.with_name("anew"), "database_url": SecretStr(url)})
    )
    anew.open()
    assert anew.versions("exam") == [2]
    assert anew.publish("exam", model) == 4
    anew.delete(Reference("exam", None))
    anew.close()
    databases.drop(url)
    assert keys(inside) == ["exam/4.deleted"]


@pytest.mark.parametrize("deleted", [[3], [3, 2], [1, 3], [None]], ids=str)
def test_the_mark_is_there_also_where_a_higher_number_came_to_nothing(
    store: ModelStore, model: Model, inside: S3Store, deleted: list[int | None]
) -> None:
    """As that of a training cancelled while the bucket was away: without the mark, numbers would be used again."""
    for _ in range(3):
        store.publish("exam", model)
    store.catalogue.write(lambda unit: next_version(unit, "exam")).result()
    for version in deleted:
        store.delete(Reference("exam", version))

    assert [key for key in keys(inside) if key.endswith(".deleted")] == ["exam/3.deleted"]


def test_versions_that_expire_leave_the_bucket(store: ModelStore, model: Model, inside: S3Store) -> None:
    """As those that somebody deletes do."""
    store.publish("exam", model)
    store.keep("exam", 1)
    store.publish("exam", model)

    assert keys(inside) == ["exam/2.safetensors"]


def test_what_cannot_be_kept_is_no_version(
    store: ModelStore, elsewhere: Elsewhere, model: Model, buckets: SeaweedFS
) -> None:
    """The bucket refuses who has the wrong secret: nothing is listed, and nothing is left in the folder."""
    store.publish("exam", model)
    remote = store.remote
    assert isinstance(remote, Bucket)
    right, remote.store = remote.store, buckets.connected(remote.url, "wrong")

    with pytest.raises(StorageError, match="The bucket cannot be used") as error:
        store.publish("exam", model)
    with pytest.raises(StorageError):
        store.require_usable()

    assert SECRET not in str(error.value)
    assert sorted(path.name for path in (store.root / "exam").iterdir()) == ["1.safetensors"]
    remote.store = right
    store.require_usable()
    assert elsewhere("other").versions("exam") == [1]
    assert store.publish("exam", model) == 3  # 2 may be on its way there, for all that is known


def test_what_an_optimizer_remembers_goes_along(store: ModelStore, elsewhere: Elsewhere, model: Model) -> None:
    """Whoever goes on elsewhere has it to the bit; who has none there has none."""
    made: list[Checkpoint] = []
    learn(EXAM, QUICK, control=noting(made))
    saved = save_aside(store.root, model, made[-1].memory)
    number = keep_behind(store.catalogue, "exam", saved)
    store.catalogue.write(lambda unit: add_version(unit, store.root, "exam", saved, number)).result()
    store.publish("exam", model)

    other = elsewhere("other")

    kept = memories.find(store.root, "exam", 1)
    assert kept is not None
    assert memories.find(other.root, "exam", 1, other.remote) == kept
    assert memories.find(other.root, "exam", 2, other.remote) is None


def test_a_folder_has_copies_of_one_bucket(
    settings: Settings, elsewhere: Elsewhere, buckets: SeaweedFS, databases: PostgreSQL
) -> None:
    """Neither a store of its own, nor copies of another bucket, nor a catalogue of another store is mixed with it."""
    elsewhere("models")
    own = settings.models.with_name("own")
    (own / "exam").mkdir(parents=True)

    with pytest.raises(CatalogueForeign, match="has a store of its own"):
        elsewhere("own")
    with pytest.raises(CatalogueForeign, match="files of another store"):
        elsewhere("models", store=buckets.bucket())
    with pytest.raises(CatalogueForeign, match="name that one with NETLET_STORE"):
        elsewhere("models", store=None)
    url = databases.create()
    elsewhere("first", database_url=SecretStr(url), store=buckets.bucket()).close()
    with pytest.raises(CatalogueForeign, match=r"another bucket.* with NETLET_STORE"):
        elsewhere("second", database_url=SecretStr(url))
    databases.drop(url)


def test_a_dataset_is_everywhere(store: ModelStore, elsewhere: Elsewhere, inside: S3Store) -> None:
    """Also where its copy is damaged; and nowhere, once it is deleted anywhere."""
    here = DatasetStore(store.root, store.catalogue)
    here.open()
    kept = here.publish(ID, batches()).dataset
    other = elsewhere("other")
    there = DatasetStore(other.root, other.catalogue)
    there.open()

    for _ in range(2):
        with there.verified(ID) as source, here.verified(ID) as original:
            assert source.read() == original.read()
        (there.folder / f"{ID}.parquet").write_bytes(b"damaged")
    assert there.find(ID) == kept
    assert there.size(ID) == kept.document.bytes == here.size(ID)
    assert not there.publish(ID, batches()).is_new

    there.delete(ID)

    assert keys(inside) == []
    for datasets in (here, there):
        with pytest.raises(DatasetNotFound):
            datasets.find(ID)
        assert datasets.size(ID) == 0


def test_a_dataset_that_is_damaged_in_the_bucket_is_sent_again(
    store: ModelStore, elsewhere: Elsewhere, inside: S3Store
) -> None:
    """It is said to be damaged, and the same bytes take its place."""
    here = DatasetStore(store.root, store.catalogue)
    here.open()
    here.publish(ID, batches())
    other = elsewhere("other")
    there = DatasetStore(other.root, other.catalogue)
    there.open()
    obstore.put(inside, f".datasets/{ID}.parquet", b"damaged")

    for datasets in (here, there):
        with pytest.raises(DatasetDamaged):
            datasets.check(ID)

    assert there.publish(ID, batches()).is_new
    here.check(ID)


def test_a_dataset_that_is_sent_while_it_is_deleted_is_whole(
    store: ModelStore, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server takes its files away before it is listed anew: they are brought there again."""
    here = DatasetStore(store.root, store.catalogue)
    here.open()
    other = elsewhere("other")
    there = DatasetStore(other.root, other.catalogue)
    there.open()
    there.publish(ID, batches())
    written: list[Path] = []
    write = Bucket.write

    def write_and_lose(remote: Bucket, file: Path, data: bytes | None = None) -> None:
        write(remote, file, data)
        written.append(file)
        if len(written) == 2:
            there.delete(ID)

    monkeypatch.setattr(here, "find_whole", lambda _dataset: None)  # as it is by then
    monkeypatch.setattr(Bucket, "write", write_and_lose)

    here.publish(ID, batches())

    assert len(written) == 4
    there.check(ID)


def test_checkpoints_are_gone_on_with_elsewhere(store: ModelStore, elsewhere: Elsewhere, inside: S3Store) -> None:
    """The last two are in the bucket; whoever goes on has the last, though its own folder has an older one."""
    made: list[Checkpoint] = []
    learn(EXAM, QUICK, control=noting(made))
    states = [made[0].__class__(epoch, made[0].arrays, made[0].facts) for epoch in range(1, 6)]
    other = elsewhere("other")
    for each in (store, other):
        JobFolder(each.root).open()
    here, there = (
        Checkpoints(JobFolder(each.root).note("a", 1).checkpoints, "order", remote=each.remote)
        for each in (store, other)
    )

    there.write(states[0])
    for state in states[1:]:
        here.write(state)

    found = there.load()
    assert found is not None
    assert found.epoch == 5
    assert [key.split("/")[-1][:8] for key in keys(inside, ".jobs")] == ["00000004", "00000005"]


def test_what_earlier_attempts_left_elsewhere_is_removed(
    store: ModelStore, elsewhere: Elsewhere, inside: S3Store
) -> None:
    """Whoever ends a job may have no copy of its order, or of the checkpoints of those who were lost."""
    lost, other = JobFolder(store.root, store.remote), elsewhere("other")
    lost.open()
    lost.keep_order("one", b"order")
    checkpoints = lost.note("one", 1).checkpoints
    Checkpoints(checkpoints, "order", remote=store.remote).write(Checkpoint(1, {}, {}))
    ending = JobFolder(other.root, other.remote)
    ending.open()
    assert len(keys(inside, ".jobs")) == 2

    ending.clear("one", 2)

    wait_until(lambda: keys(inside, ".jobs") == [])


def test_what_jobs_leave_is_removed(store: ModelStore, inside: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At their end; and at a start, once it is too old to be that of a job which is just being written down."""
    folder = JobFolder(store.root, store.remote)
    folder.open()
    for job in ("one", "two", "old", "odd"):
        folder.keep_order(job, b"order")
        (folder.path / f"{job}.order").unlink() if job == "old" else None

    folder.clear("one")

    wait_until(lambda: keys(inside, ".jobs") == [f".jobs/{job}.order" for job in ("odd", "old", "two")])
    folder.sweep({"two", "odd"})
    assert ".jobs/old.order" in keys(inside, ".jobs")
    monkeypatch.setattr(jobs_folder, "FORGOTTEN_SECONDS", -60)
    folder.sweep({"two", "odd"})
    assert keys(inside, ".jobs") == [".jobs/odd.order", ".jobs/two.order"]
