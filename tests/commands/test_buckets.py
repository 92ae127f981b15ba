"""Commands where files are in S3: what is told, what is refused, and the way from a bucket to a folder and back."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import obstore
import pytest
from pydantic import SecretStr

from app.models.model import Model
from app.opening import store_of
from app.settings import Settings
from app.store.datasets import DatasetStore
from app.store.store import ModelStore
from tests.postgresql import PostgreSQL
from tests.seaweedfs import READER, SeaweedFS
from tests.store.test_datasets import ID, batches

ON_S3 = pytest.mark.only_on("s3")
DATABASE = "postgresql://netlet:a-secret@127.0.0.1:9/netlet"


def netlet(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "app.cli", *command]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"NETLET_STORE": "s3://bucket/a"}, "share a catalogue in PostgreSQL: set NETLET_DATABASE_URL, too"),
        ({"NETLET_STORE": "bucket", "NETLET_DATABASE_URL": DATABASE}, "it is not s3://bucket or s3://bucket/prefix"),
        ({"NETLET_STORE": "s3://bucket/../c", "NETLET_DATABASE_URL": DATABASE}, "it is not s3://bucket"),
    ],
)
def test_what_names_no_bucket_is_said_so(named: dict[str, str], said: str, environment: dict[str, str]) -> None:
    """The variable and what is wrong with it, in one line, and exit code 2."""
    others = {name: value for name, value in environment.items() if name != "NETLET_DATABASE_URL"}
    run = netlet(others | named, "serve", "--port", "0")

    assert run.returncode == 2
    assert run.stderr.startswith("NETLET_STORE: ")
    assert said in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_library_that_is_not_installed_is_said_so(environment: dict[str, str], tmp_path: Path) -> None:
    """One line that names the extra, and exit code 1; a module in obstore's place stands for its absence."""
    (tmp_path / "obstore.py").write_text("raise ImportError")
    named = {"NETLET_STORE": "s3://bucket/a", "NETLET_DATABASE_URL": DATABASE}
    path = f"{tmp_path}:{environment.get('PYTHONPATH', '')}"

    run = netlet(environment | named | {"PYTHONPATH": path}, "serve", "--port", "0")

    assert run.returncode == 1
    assert "install netlet with the extra s3" in run.stderr
    assert run.stderr.count("\n") == 1


@ON_S3
def test_what_is_wrong_in_the_bucket_is_told(
    store: ModelStore, model: Model, environment: dict[str, str], buckets: SeaweedFS, settings: Settings
) -> None:
    """`netlet check` names what is damaged there, and what is there but not known; `--repair` lists that."""
    for _ in range(2):
        store.publish("exam", model)
    inside = buckets.connected(str(settings.store))
    obstore.put(inside, "stray/1.safetensors", store.file("exam", 1))
    store.close()

    assert "stray/1 is not in the catalogue" in netlet(environment, "check").stderr
    assert "stray/1 is listed now" in netlet(environment, "check", "--repair").stderr
    assert netlet(environment, "check").returncode == 0

    obstore.put(inside, "exam/2.safetensors", b"damaged")
    told = netlet(environment, "check")
    assert told.returncode == 1
    assert "Snapshot exam/2 is damaged" in told.stderr
    assert f"3 snapshots and 0 datasets in {settings.store}, 1 damaged" in told.stdout


@ON_S3
def test_what_only_reads_needs_a_key_for_no_more(store: ModelStore, model: Model, environment: dict[str, str]) -> None:
    """`netlet check`, `backup` and `keys list` write nothing to the bucket, from whatever machine."""
    store.publish("exam", model)
    store.close()
    reading = environment | {"AWS_ACCESS_KEY_ID": READER}

    for name, *command in (["check"], ["backup", str(store.root.with_name("backup.tar"))], ["keys", "list"]):
        run = netlet(reading | {"NETLET_MODELS": str(store.root.with_name(f"new-{name}"))}, name, *command)
        assert run.returncode == 0, run.stderr


@ON_S3
def test_datasets_are_verified_from_where_nobody_has_served(store: ModelStore, environment: dict[str, str]) -> None:
    """`netlet check` and `netlet backup` copy them to a folder that is new, of any machine."""
    datasets = DatasetStore(store.root, store.catalogue)
    datasets.open()
    datasets.publish(ID, batches())
    store.close()

    for name, *command in (["check"], ["backup", str(store.root.with_name("backup.tar"))]):
        run = netlet(environment | {"NETLET_MODELS": str(store.root.with_name(f"new-{name}"))}, name, *command)
        assert run.returncode == 0, run.stderr


@ON_S3
def test_a_backup_of_a_bucket_becomes_a_bucket_again(
    store: ModelStore, model: Model, environment: dict[str, str], buckets: SeaweedFS, databases: PostgreSQL
) -> None:
    """By a folder, which is copied into it as it is."""
    store.publish("exam", model)
    kept = store.file("exam", 1)
    folder, url, bucket = store.root.with_name("restored"), databases.create(), buckets.bucket()
    backup = str(store.root.with_name("backup.tar"))
    netlet(environment, "backup", backup).check_returncode()

    refused = netlet(environment, "restore", backup)
    assert refused.returncode == 2
    assert "without NETLET_STORE" in refused.stderr
    alone = {name: value for name, value in environment.items() if name != "NETLET_STORE"}
    there = alone | {"NETLET_MODELS": str(folder), "NETLET_DATABASE_URL": url}
    netlet(there, "restore", backup).check_returncode()
    for path in folder.rglob("*"):
        if path.is_file():
            obstore.put(buckets.connected(bucket), path.relative_to(folder).as_posix(), path)

    settings = Settings(models=folder.with_name("copies"), database_url=SecretStr(url), store=bucket)
    with closing(store_of(settings)) as again:
        again.open()
        assert again.file("exam", 1) == kept
    databases.drop(url)
