"""Backups that cross from one kind of database to the other, and from an older catalogue to this one."""

import json
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from app.backup.restoring import restore
from app.backup.taking import back_up
from app.models.model import Model
from app.opening import store_of, url_of
from app.settings import Settings
from app.store.catalogue import Catalogue
from app.store.listing import Place, Wanted, places
from app.store.migrating import REVISION
from app.store.schema import jobs
from app.store.store import ModelStore
from tests.backup.conftest import Elsewhere
from tests.backup.running import MANIFEST, backup_of, file_of, members, netlet
from tests.backup.test_hostile import JOB, row
from tests.backup.test_round_trips import fill, rows_in, told_by
from tests.conftest import SettingsOf, client_of

ON_POSTGRESQL = pytest.mark.only_on("postgresql")


@ON_POSTGRESQL
async def test_a_backup_crosses_from_postgresql_to_sqlite_and_back(settings_of: SettingsOf, tmp_path: Path) -> None:
    """Each row, and each answer to the last bit; numbers go on after those that were given out."""
    stores = [
        settings_of(tmp_path / "first"),
        Settings(models=tmp_path / "second", executor="thread"),
        settings_of(tmp_path / "third"),
    ]
    async with client_of(stores[0]) as client:
        await fill(client)
        before = await told_by(client)
    for settings, following in pairwise(stores):
        with closing(store_of(settings)) as store, (tmp_path / "backup.tar").open("wb") as sink:
            store.open()
            back_up(store, sink)
            rows = rows_in(store.catalogue)
        with (tmp_path / "backup.tar").open("rb") as source:
            restore(source, following.models, url_of(following))
        with closing(store_of(following)) as store:
            store.open()
            assert rows_in(store.catalogue) == rows
        async with client_of(following) as client:
            assert await told_by(client) == before
    variables = {"NETLET_MODELS": str(tmp_path / "third"), "NETLET_DATABASE_URL": str(url_of(stores[2]))}
    assert json.loads(netlet(variables, "keys", "create", "--json")[1])["number"] == 1
    assert json.loads(netlet(variables, "keys", "create", "--json")[1])["number"] == 2


@ON_POSTGRESQL
def test_a_database_that_has_a_catalogue_is_left_as_it_is(
    store: ModelStore, model: Model, environment: dict[str, str], elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """Though the folder is empty; one line names what to try."""
    store.publish("exam", model)
    assert netlet(environment, "backup", tmp_path / "backup.tar")[0] == 0
    used = elsewhere("new") | {"NETLET_DATABASE_URL": environment["NETLET_DATABASE_URL"]}

    code, _, said = netlet(used, "restore", tmp_path / "backup.tar")

    assert code == 4
    assert "NETLET_DATABASE_URL" in said
    assert list((tmp_path / "new").iterdir()) == []
    assert store.all_versions() == [("exam", 1)]


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_a_backup_of_older_tables_is_migrated(revision: str, store: ModelStore, model: Model, tmp_path: Path) -> None:
    """Its rows are those of then, into tables of then, which are brought up to date; what came since is not known."""
    store.publish("exam", replace(model, tags={"of": "exam"}))
    with (tmp_path / "backup.tar").open("wb") as sink:
        back_up(store, sink)
    files = row("jobs", **{name: value for name, value in JOB.items() if name not in {"origin", "groups"}})(
        members(tmp_path / "backup.tar")
    )
    later = [name for number, names in LATER.items() if number > revision for name in names]
    files = {name: data for name, data in files.items() if not name.startswith(tuple(later))}
    files[VERSIONS] = files[VERSIONS].replace(b', "tagged": true', b"")
    files[MANIFEST] = files[MANIFEST].replace(f'"revision":"{REVISION}"'.encode(), f'"revision":"{revision}"'.encode())

    there = restore(file_of(backup_of(files)), tmp_path / "new")

    assert (there.versions, there.trainings) == (1, 0)
    with closing(ModelStore(tmp_path / "new", Catalogue(tmp_path / "new"))) as new:
        new.open()
        (job,) = new.catalogue.read(select(jobs))
        assert (job.id, job.origin) == (JOB["id"], None)
        assert new.file("exam", 1) == store.file("exam", 1)
        assert places(new.catalogue, Wanted(tags=["of=exam"]), limit=9) == [Place("exam")]


VERSIONS = ".backup/versions.jsonl"
LATER = {
    "0002": [".backup/api_keys", ".backup/owners", ".backup/deeds"],
    "0004": [".backup/grouped"],
    "0006": [".backup/tags"],
}
