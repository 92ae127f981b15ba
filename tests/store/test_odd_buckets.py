"""Files in S3 that are not as netlet leaves them, in the bucket or among a folder's copies."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from time import time
from typing import Any

import obstore
import pytest
from sqlalchemy import insert, select

from app.errors import BucketAway, DatasetDamaged, ModelNotFound, StorageError, VersionNotFound
from app.models.model import Model
from app.opening import store_of
from app.settings import Settings
from app.store import arriving, checking
from app.store import store as store_module
from app.store.arriving import bring_in
from app.store.bucket import Bucket, copies_in
from app.store.datasets import DatasetStore
from app.store.deleting import clear_left
from app.store.numbering import add_version, keep_behind
from app.store.references import Reference
from app.store.saving import save_aside
from app.store.schema import leaving, versions
from app.store.snapshot import encode
from app.store.store import ModelStore
from tests.conftest import names_in
from tests.seaweedfs import READER, SeaweedFS
from tests.store.test_datasets import ID, batches

pytestmark = pytest.mark.only_on("s3")
LONG_AGO = (1e9, 1e9)

PLANTED: dict[str, Callable[[Path], object]] = {
    "nothing": Path.touch,
    "a FIFO": os.mkfifo,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a folder": Path.mkdir,
    "a full folder": lambda path: (path / "within").mkdir(parents=True),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_lies_where_a_copy_was_is_replaced(
    store: ModelStore, model: Model, plant: Callable[[Path], object]
) -> None:
    """A machine that lost its power leaves copies empty: models are listed as they are, datasets can be read."""
    datasets = DatasetStore(store.root, store.catalogue)
    datasets.open()
    store.publish("exam", model)
    datasets.publish(ID, batches())
    for copy in (store.root / "exam" / "1.safetensors", datasets.folder / f"{ID}.parquet"):
        copy.unlink()
        plant(copy)

    assert store.listed("exam").damage is None
    with datasets.verified(ID) as source:
        assert source.read(4) == b"PAR1"


@pytest.mark.parametrize("at_once", [2**15, 2**6], ids=["short", "long"])
def test_a_list_copies_no_model(store: ModelStore, model: Model, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """It tells what the header says, however long that is: a server that lists a thousand models fetches none."""
    monkeypatch.setattr(store_module, "HEADER_AT_ONCE", at_once)
    store.publish("exam", model)
    here = store.listed("exam")
    copy = store.root / "exam" / "1.safetensors"
    copy.unlink()

    assert store.listed("exam") == here
    assert not copy.exists()

    store.remote.remove([copy])
    assert "missing" in str(store.listed("exam").damage)


def test_only_copies_make_room(store: ModelStore, model: Model, settings: Settings) -> None:
    """What else somebody keeps in the folder stays, also beside copies; and so do those of another process."""
    bucket = Bucket(str(settings.store), store.root, 0)
    store.publish("exam", model)
    kept = [store.root / "Documents" / "thesis.txt", store.root / "exam" / "thesis.txt"]
    copies = [store.root / "exam" / "1.safetensors", store.root / "exam" / "7.memory.safetensors"]
    kept[0].parent.mkdir()
    for path in kept + copies:
        path.write_text("all of it")
        os.utime(path, LONG_AGO)

    assert bucket.fetch(store.root / ".store")

    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in copies)


def test_copies_give_way_where_the_disk_has_little_room(store: ModelStore, model: Model, settings: Settings) -> None:
    """Whatever takes the rest, and however much they may take: models are answered, and not 507."""
    for _ in range(3):
        store.publish("exam", model)
    copies = sorted((store.root / "exam").iterdir())
    for path in copies:
        os.utime(path, LONG_AGO)
    copies[0].unlink()
    free = store.free_bytes()
    more_than_is_free = Bucket(str(settings.store), store.root, 2**60, 2 * free)
    less = Bucket(str(settings.store), store.root, 2**60, free // 2)

    assert less.fetch(copies[0])
    assert all(path.exists() for path in copies)

    assert more_than_is_free.fetch(copies[0])
    assert [path for path in copies if path.exists()] == [copies[0]]


def test_copies_of_a_time_to_come_give_way(store: ModelStore, model: Model, settings: Settings) -> None:
    """A clock that was set back leaves them: they would stay until it has caught up, and the disk would be full."""
    for _ in range(3):
        store.publish("exam", model)
    copies, now = sorted((store.root / "exam").iterdir()), time()
    for path, used in zip(copies, (now - 1e3, now, now + 1e8), strict=True):
        os.utime(path, (used, used))

    assert Bucket(str(settings.store), store.root, 0).fetch(store.root / ".store")

    assert [path for path in copies if path.exists()] == [copies[1]]  # which may be about to be read


def test_a_bucket_that_refuses_to_be_written_to_is_not_usable(store: ModelStore, buckets: SeaweedFS) -> None:
    """Though it can be read: whoever asks whether a model could be published is told, from the first refusal on."""
    bucket = store.remote
    assert isinstance(bucket, Bucket)
    right, bucket.store = bucket.store, buckets.connected(bucket.url, key=READER)
    store.require_usable()  # as far as is known

    with pytest.raises(BucketAway):
        bucket.write(store.root / ".store")
    bucket.remove([])  # which asks for nothing, and tells nothing
    with pytest.raises(BucketAway):
        store.require_usable()

    bucket.store = right
    store.require_usable()
    assert not bucket.is_suspect
    assert [file.path.name for file in bucket.files(store.root)] == [".store"]


def test_each_use_of_a_copy_is_noted(store: ModelStore, model: Model) -> None:
    """Disks note the first of a day at most: the copy that is used most often would be the first to go."""
    store.publish("exam", model)
    used, times = store.root / "exam" / "1.safetensors", []
    first = store.load("exam", 1).created

    for _ in range(2):
        assert store.load("exam", 1).created == first
        times.append(used.stat().st_atime_ns)

    assert times[0] < times[1]


def test_room_is_made_by_several_processes_at_once(store: ModelStore, model: Model) -> None:
    """Copies that another removes after they were listed are none, and nothing is wrong."""
    for _ in range(20):
        store.publish("exam", model)
    found = copies_in(store.root)
    next(found)
    for path in (store.root / "exam").iterdir():
        path.unlink()

    assert not [*found]


def test_an_empty_file_in_the_bucket_is_damage(store: ModelStore, buckets: SeaweedFS, settings: Settings) -> None:
    """S3 gives no range of it: it is not the bucket that is away, and the dataset is sent again; a model is listed."""
    inside = buckets.connected(str(settings.store))
    datasets = DatasetStore(store.root, store.catalogue)
    datasets.open()
    datasets.publish(ID, batches())
    obstore.put(inside, f".datasets/{ID}.json", b"")
    obstore.put(inside, "stray/1.safetensors", b"")

    with pytest.raises(DatasetDamaged):
        datasets.find(ID)
    assert datasets.publish(ID, batches()).is_new
    assert datasets.find(ID).document.rows
    assert checking.take_in(store) == ["stray/1"]


def test_a_version_that_is_about_to_be_listed_is_not_taken_for_a_broken_deletion(
    store: ModelStore, model: Model
) -> None:
    """Whoever deletes a model that is not there yet leaves its file in the bucket."""
    saved = save_aside(store.root, model)
    number = keep_behind(store.catalogue, "exam", saved)

    with pytest.raises(ModelNotFound):
        store.delete(Reference("exam", None))
    store.catalogue.write(lambda unit: add_version(unit, store.root, "exam", saved, number)).result()

    assert store.load("exam", 1, anew=True).version == 1


FINISHING: dict[str, Callable[[ModelStore], object]] = {
    "the same again": lambda store: store.delete(Reference("exam", 1)),
    "all of the model": lambda store: store.delete(Reference("exam", None)),
    "an expiry": lambda store: store.keep("exam", 1),
    "a repair": lambda store: clear_left(store.catalogue),
}


@pytest.mark.parametrize("finish", FINISHING.values(), ids=FINISHING)
def test_a_deletion_that_the_bucket_refused_is_done_later(
    store: ModelStore, model: Model, buckets: SeaweedFS, settings: Settings, finish: Callable[[ModelStore], object]
) -> None:
    """By whoever deletes of that model next; meanwhile nobody lists it again, as what was deleted is to stay so."""
    for _ in range(3):
        store.publish("exam", model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.remote, "store", buckets.connected(str(settings.store), key=READER))
        with pytest.raises(BucketAway):
            store.delete(Reference("exam", 1))

    assert store.versions("exam") == [2, 3]
    assert store.remote.has(store.root / "exam" / "1.safetensors")
    assert checking.unknown(store) == []
    assert checking.take_in(store) == []

    with suppress(VersionNotFound):
        finish(store)

    assert not store.remote.has(store.root / "exam" / "1.safetensors")
    assert store.catalogue.read(select(leaving)) == []


def test_a_model_of_very_many_versions_is_deleted(store: ModelStore, model: Model) -> None:
    """PostgreSQL takes 65,535 values in a statement at most: a model that is trained each minute has as many soon."""
    store.publish("exam", model)
    more = [
        {"name": "exam", "version": version, "sha256": "", "bytes": 0, "created": 0.0} for version in range(2, 2**16)
    ]
    store.catalogue.write(lambda unit: unit.execute(insert(versions), more)).result()

    store.delete(Reference("exam", None))

    assert names_in(store) == []
    assert store.catalogue.read(select(leaving)) == []


def test_what_two_servers_are_sent_at_once_is_there_once(
    store: ModelStore, settings: Settings, tmp_path: Path, model: Model
) -> None:
    """Whoever is later gives the version of the first, and leaves no file of a version that nobody lists."""
    data = encode(model)
    with closing(store_of(settings.model_copy(update={"models": tmp_path / "other"}))) as other:
        other.open()
        with ThreadPoolExecutor(8) as pool:
            found = [*pool.map(lambda name: bring_in(each(name, store, other), f"exam-{name // 8}", data), range(80))]

    assert {arrived.version for arrived in found}
    assert checking.unknown(store) == []


def test_what_is_sent_while_the_same_is_deleted_is_in_the_bucket(
    store: ModelStore, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that it was is gone once the new one is to be listed: its file was not brought there before."""
    store.publish("exam", model)
    whole, found = arriving.whole_versions, []

    def deleted_after(*asked: Any) -> dict[int, bool]:
        found.append(whole(*asked))
        if len(found) == 1:
            store.delete(Reference("exam", None))
        return found[-1]

    monkeypatch.setattr(arriving, "whole_versions", deleted_after)

    assert bring_in(store, "exam", encode(model)) == (2, True)
    assert store.load("exam", 2, anew=True).version == 2


def each(number: int, *stores: ModelStore) -> ModelStore:
    """Take turns."""
    return stores[number % len(stores)]


class _NoBucket(BaseHTTPRequestHandler):
    """Says what S3 says of a bucket that is not there; SeaweedFS makes one with the first file in it."""

    def do_GET(self) -> None:
        """Answer in the words of S3's documentation."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>"
        self.send_response(404)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_PUT = do_POST = do_GET  # noqa: N815 - as the library calls them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_bucket_that_is_gone_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of it is said to be missing or damaged, and nothing is wrong with the folder."""
    path = tmp_path / "1.safetensors"
    path.touch()
    with HTTPServer(("127.0.0.1", 0), _NoBucket) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        bucket = Bucket("s3://never-made", tmp_path, 0)
        asked: list[Callable[[], object]] = [
            lambda: bucket.create({path: path}),
            lambda: bucket.offer(path, b"1"),
            lambda: bucket.write(path),
            lambda: bucket.fetch(path),
            lambda: bucket.read(path, 1),
            lambda: bucket.remove([path]),
            lambda: [*bucket.files(tmp_path)],
            bucket.require_usable,
        ]
        for do in asked:
            with pytest.raises(BucketAway):
                do()
        server.shutdown()


@pytest.mark.parametrize(
    "address", ["", "not an address", "http://127.0.0.1:99999", "ftp://127.0.0.1", "s3.example.org"]
)
def test_what_is_no_address_is_said_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name of the variable; some would be the end of the library, in 200 lines."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(StorageError, match="AWS_ENDPOINT_URL is not an address"):
        Bucket("s3://netlet-tests/1", Path(), 0)


def test_an_address_without_tls_is_to_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that says so is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
    with pytest.raises(StorageError, match="AWS_ALLOW_HTTP=true"):
        Bucket("s3://netlet-tests/1", Path(), 0)
