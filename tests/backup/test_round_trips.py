"""What a backup holds, and that a store which is made of it is the one that it was taken of."""

import json
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from app.backup.restoring import restore
from app.backup.taking import back_up
from app.opening import store_of, url_of
from app.store.api_keys import find
from app.store.catalogue import Catalogue
from app.store.schema import metadata
from app.store.store import ModelStore
from tests.backup.conftest import Elsewhere
from tests.backup.running import members, netlet
from tests.conftest import ROWS, TUTORIAL, SettingsOf, StartServer, StoreIn, client_of, wait_until

LONG = TUTORIAL | {"name": "long", "rows": ROWS * 1500, "training": {"epochs": 1_000_000}}
QUESTION = {"X": [[4, 8], [2.5, 7]], "interval": 0.5, "applicability": True, "explain": True}
NOT_COPIED = {"stores"}


async def fill(client: httpx.AsyncClient) -> None:
    """Leave something of everything: versions with a memory, a deleted one, aliases that moved, a dataset."""
    for seed in range(4):
        body = TUTORIAL | {"training": {"seed": seed, "optimizer": "adam", "epochs": 20}, "preset": None}
        (await client.post("/train", json={k: v for k, v in body.items() if v is not None})).raise_for_status()
    (await client.post("/train", json=TUTORIAL | {"name": "gone"})).raise_for_status()
    dataset = (await client.post("/datasets", json=ROWS)).json()["dataset"]
    learnt = {"name": "kept", "dataset": dataset, "target": "score", "training": {"epochs": 5}}
    (await client.post("/train", json=learnt)).raise_for_status()
    for version in (1, 2):
        (await client.put("/models/exam/aliases/live", json={"version": version})).raise_for_status()
    (await client.delete("/models/exam/versions/4")).raise_for_status()
    (await client.delete("/models/gone")).raise_for_status()


async def told_by(client: httpx.AsyncClient) -> dict[str, Any]:
    """Ask for all that a store knows."""
    paths = (
        "/models",
        "/models/exam",
        "/models/exam/aliases/live/history",
        "/jobs",
        "/datasets",
        "/models/kept",
    )
    told = {path: (await client.get(path)).json() for path in paths}
    for name in ("exam", "exam/1", "exam@live", "kept"):
        told[name] = (await client.post("/predict", json=QUESTION | {"model": name})).json()
    for name in ("/models/exam", "/models/kept"):
        del told[name]["created"]  # which is of the file, and then of the catalogue's row
    return told


def rows_in(catalogue: Catalogue) -> dict[str, list[Any]]:
    return {
        table.name: [tuple(row) for row in catalogue.read(select(table).order_by(*table.primary_key.columns))]
        for table in metadata.sorted_tables
        if table.name not in NOT_COPIED
    }


async def test_a_restored_store_is_the_one_that_was_backed_up(
    settings_of: SettingsOf, store_in: StoreIn, tmp_path: Path
) -> None:
    """Every row but what names the place, and every answer, to the last bit; a number is not given out twice."""
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "backup.tar"
    async with client_of(settings_of(old)) as client:
        await fill(client)
        before = await told_by(client)
    with closing(store_in(old)) as store, file.open("wb") as sink:
        store.open()
        taken = back_up(store, sink)
        rows = rows_in(store.catalogue)
    with file.open("rb") as source:
        there = restore(source, new, url_of(settings_of(new)))
    with closing(store_in(new)) as store:
        store.open()
        assert rows_in(store.catalogue) == rows
    async with client_of(settings_of(new)) as client:
        assert await told_by(client) == before
        again = await client.post("/train", json=TUTORIAL)
        gone = await client.post("/train", json=TUTORIAL | {"name": "gone"})

    assert (taken.models, taken.versions, taken.datasets, taken.damaged) == (2, 4, 1, ())
    assert there[:4] == (2, 4, 1, 0)
    assert (again.json()["version"], gone.json()["version"]) == (5, 2)
    assert "exam/1.memory.safetensors" in members(file)
    assert not {path.name for path in new.iterdir()} & {".restoring", ".backup"}


def test_keys_open_what_they_opened_and_none_comes_back(
    environment: dict[str, str], elsewhere: Elsewhere, settings_of: SettingsOf, tmp_path: Path
) -> None:
    """Only a secret's SHA-256 is in the backup; the number of a deleted key is not used again."""
    file, new = tmp_path / "backup.tar", elsewhere("new")
    keys = [netlet(environment, "keys", "create", "app")[1].strip() for _ in range(2)]
    netlet(environment, "keys", "delete", 2)

    backup, restored = netlet(environment, "backup", file), netlet(new, "restore", file)

    assert (backup[0], restored[0]) == (0, 0), backup + restored
    with closing(store_of(settings_of(tmp_path / "new"))) as store:
        store.open()
        key = find(store.catalogue, 1)
        assert key is not None
        assert key.is_opened_by(keys[0].split("_", 2)[2], key.created)
        assert find(store.catalogue, 2) is None
    assert json.loads(netlet(new, "keys", "create", "--json")[1])["number"] == 3
    assert all(key.split("_", 2)[2].encode() not in file.read_bytes() for key in keys)


def test_a_file_is_its_owners_alone_and_its_list_is_one_of_sha256sum(
    store: ModelStore, environment: dict[str, str], tmp_path: Path
) -> None:
    """Mode 0600; what was called so before stays until the new one is whole; JSON tells what is in it."""
    file = tmp_path / "backup.tar"
    file.write_text("another")
    file.chmod(0o644)

    code, out, err = netlet(environment, "backup", file, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "models": 0,
        "versions": 0,
        "datasets": 0,
        "trainings": 0,
        "bytes": file.stat().st_size,
        "damaged": [],
        "file": str(file),
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"backup.tar", "models"}
    assert store.all_versions() == []


def test_a_training_goes_on_where_the_backup_has_it(
    start_server: StartServer, environment: dict[str, str], elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """Backed up while it runs and restored elsewhere, it begins there with its order, and can be ended."""
    file, new = tmp_path / "backup.tar", elsewhere("new")
    with start_server(NETLET_CHECKPOINT_SECONDS="0.05").client() as client:
        job = client.post("/train?wait=0", json=LONG).raise_for_status().json()["job"]
        waiting = client.post("/train?wait=0&paused=true", json=TUTORIAL).raise_for_status().json()["job"]
        kept = tmp_path / "models" / ".jobs" / f"{job}.checkpoints"
        wait_until(lambda: bool([*kept.glob("*.safetensors")]))
        backup = netlet(environment, "backup", file)
        client.delete(f"/jobs/{job}")
    restored = netlet(new, "restore", file)

    assert (backup[0], restored[0]) == (0, 0), backup + restored
    assert "2 trainings to go on with" in restored[1]
    assert f".jobs/{job}.order" in members(file)
    assert [name for name in members(file) if name.startswith(f".jobs/{job}.checkpoints/")]
    with start_server(**new).client() as client:
        wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] == "running")
        assert client.get(f"/jobs/{job}").json()["epoch"]
        client.delete(f"/jobs/{job}")
        client.post(f"/jobs/{waiting}/resume").raise_for_status()
        wait_until(lambda: client.get(f"/jobs/{waiting}").json()["status"] == "succeeded")
        wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] == "cancelled")
