"""Backups of a store that others write to, and delete from, meanwhile."""

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx

from app.backup.taking import back_up
from app.models.model import Model
from app.opening import store_of
from app.store import checking
from app.store.references import Reference
from app.store.store import ModelStore
from tests.backup.conftest import Elsewhere
from tests.backup.running import members, netlet
from tests.conftest import SettingsOf, StartServer, client_of, wait_until
from tests.crashes.load import QUESTION, World

BACKUPS = 4
CLIENTS = 4
FEW = 5


async def test_every_version_that_a_backup_lists_is_in_it_and_answers_as_it_did(
    start_server: StartServer,
    environment: dict[str, str],
    elsewhere: Elsewhere,
    settings_of: SettingsOf,
    tmp_path: Path,
) -> None:
    """Taken again and again under clients that train, point, delete and ask, it holds what was there before it began.

    But for what somebody has asked to delete by its end.
    """
    world, found = World(1), []
    world.urls = [start_server().url]
    with world.clients(CLIENTS):
        for number in range(BACKUPS):
            wait_until(lambda: len(standing(world)) > FEW)
            before = standing(world)
            assert (backup := netlet(environment, "backup", tmp_path / f"{number}.tar"))[0] == 0, backup
            found.append(before - world.asked)

    assert world.wrong == []
    for number, before in enumerate(found):
        new = f"new-{number}"
        assert (restored := netlet(elsewhere(new), "restore", tmp_path / f"{number}.tar"))[0] == 0, restored
        with closing(store_of(settings_of(tmp_path / new))) as store:
            store.open()
            there = {*store.all_versions()}
            assert [*checking.damaged(store), *checking.unknown(store)] == []
            assert before <= there
        async with client_of(settings_of(tmp_path / new)) as client:
            for one in sorted(there & world.known.keys()):
                if world.known[one].answers is not None:
                    assert await answers(client, *one) == world.known[one].answers
    assert any(found)


def standing(world: World) -> set[tuple[str, int]]:
    """Name the versions that are there, and that nobody wants to delete."""
    with world.lock:
        return world.known.keys() - world.asked


async def answers(client: httpx.AsyncClient, name: str, version: int) -> object:
    answer = await client.post("/predict", json={"model": f"{name}/{version}", "X": QUESTION})
    return answer.raise_for_status().json()["predictions"]


class Meddling(io.BytesIO):
    """A file in memory; once something is written to it, something else happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens: Callable[[], object] | None = happens

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # of all buffers, those that come
        """Write, the first time with what happens after."""
        written = super().write(data)
        if (happens := self.happens) is not None:
            self.happens = None
            happens()
        return written


def test_a_version_that_takes_anothers_place_meanwhile_is_copied_instead(
    store: ModelStore, model: Model, tmp_path: Path
) -> None:
    """A model of which the newest version alone is kept is in the backup, whenever it is trained."""
    store.publish("exam", model)
    store.keep("exam", 1)
    sink = Meddling(lambda: store.publish("exam", model))

    taken = back_up(store, sink)

    (tmp_path / "backup.tar").write_bytes(sink.getvalue())
    files = members(tmp_path / "backup.tar")
    assert (taken.versions, taken.damaged) == (1, ())
    assert "exam/2.safetensors" in files
    assert "exam/1.safetensors" not in files
    assert b'"version": 2' in files[".backup/versions.jsonl"]
    assert files[".backup/versions.jsonl"].count(b"\n") == 1


def test_what_is_deleted_after_it_was_copied_is_not_restored(
    store: ModelStore, model: Model, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """Its file is in the backup, and in no store that is made of it: the catalogue was read once more."""
    for name in ("exam", "other"):
        store.publish(name, model)

    def happens() -> None:
        sink.happens = lambda: None  # while the header of the first version is written
        store.delete(Reference("other", None))

    sink = Meddling(happens)
    back_up(store, sink)
    (tmp_path / "backup.tar").write_bytes(sink.getvalue())
    restored = netlet(elsewhere("new"), "restore", tmp_path / "backup.tar")

    assert restored[0] == 0, restored
    assert {path.name for path in (tmp_path / "new").rglob("*.safetensors")} == {"1.safetensors"}
    assert {path.name for path in (tmp_path / "new" / "other").iterdir()} == {"1.deleted"}


def test_what_is_damaged_is_told_and_left_out(
    store: ModelStore, model: Model, environment: dict[str, str], elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """All else is in the backup, and the exit code is 1; an alias to what is left out is, too."""
    for _ in range(2):
        store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    path.write_bytes(path.read_bytes()[:-1])

    backup = netlet(environment, "backup", tmp_path / "backup.tar")
    restored = netlet(elsewhere("new"), "restore", tmp_path / "backup.tar")

    assert backup[0] == 1
    assert "Not in the backup: Snapshot exam/1 is damaged" in backup[2]
    assert restored[0] == 0
    assert "1 version of 1 model" in restored[1]
