"""Files in S3 that are not as netlet leaves them, in the bucket or among a folder's copies."""

import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import obstore
import pytest

from app.engine.model import Model
from app.errors import BucketAway, DatasetDamaged, StorageError
from app.settings import Settings
from app.store import checking
from app.store.bucket import Bucket, copies_in
from app.store.datasets import DatasetStore
from app.store.store import ModelStore
from tests.seaweedfs import SeaweedFS
from tests.store.test_datasets import ID, batches

pytestmark = pytest.mark.only_on("s3")
LONG_AGO = (1e9, 1e9)

PLANTED: dict[str, Callable[[Path], object]] = {
    "nothing": Path.touch,
    "a FIFO": os.mkfifo,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
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
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StorageError, match="AWS_ALLOW_HTTP=true"):
        Bucket("s3://netlet-tests/1", Path(), 0)
