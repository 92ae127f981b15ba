"""The store: what was acknowledged stays, what is damaged is named, numbers are never used twice."""

import os
import re
import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from app.errors import (
    InvalidRequest,
    ModelNotFound,
    SnapshotDamaged,
    StorageError,
    StorageFull,
    VersionNotFound,
)
from app.models.model import Model
from app.store import checking
from app.store.files import opened, sweep, written_aside
from app.store.references import Reference
from app.store.saving import drop_of, save_aside
from app.store.schema import jobs, versions
from app.store.store import ModelStore
from tests.conftest import StoreIn, names_in


def test_versions_count_up_and_a_bare_name_is_the_newest(store: ModelStore, model: Model) -> None:
    """1, 2, 3; each can be asked for."""
    assert [store.publish("exam", model) for _ in range(3)] == [1, 2, 3]

    assert store.versions("exam") == [1, 2, 3]
    assert store.resolve(Reference.parse("exam")) == ("exam", 3)
    assert store.resolve(Reference.parse("exam/2")) == ("exam", 2)


def test_writers_at_the_same_time_get_different_versions(store: ModelStore, model: Model, store_in: StoreIn) -> None:
    """Twenty at once, from two stores in one folder: twenty versions, none replaced."""
    with closing(store_in(store.root)) as other, ThreadPoolExecutor(8) as pool:
        other.open()
        versions = list(pool.map(lambda number: (store, other)[number % 2].publish("exam", model), range(20)))

    assert sorted(versions) == store.versions("exam") == list(range(1, 21))


def test_the_number_of_a_deleted_version_is_not_used_again(store: ModelStore, model: Model) -> None:
    """A reference never comes to mean something else, even after all of a model was deleted."""
    store.publish("exam", model)
    store.publish("exam", model)
    store.delete(Reference.parse("exam/2"))
    assert store.versions("exam") == [1]
    store.delete(Reference.parse("exam"))
    assert names_in(store) == []

    assert store.publish("exam", model) == 3
    assert {path.name: path.stat().st_size > 0 for path in (store.root / "exam").iterdir()} == {
        "2.deleted": False,
        "3.safetensors": True,
    }
    store.delete(Reference.parse("exam"))
    assert [path.name for path in (store.root / "exam").iterdir()] == ["3.deleted"]


def test_a_deletion_that_was_interrupted_is_a_deletion(store: ModelStore, model: Model) -> None:
    """Once the catalogue has forgotten a version, it is gone, even if its file is still there; numbers go on."""
    store.publish("exam", model)
    store.publish("exam", model)
    store.catalogue.write(lambda unit: unit.execute(delete(versions))).result()

    with pytest.raises(ModelNotFound):
        store.versions("exam")
    assert store.publish("exam", model) == 3


@pytest.mark.parametrize("text", ["nothing", "exam/9"])
def test_what_is_not_there_is_not_found(text: str, store: ModelStore, model: Model) -> None:
    """Reading and deleting say so."""
    store.publish("exam", model)

    with pytest.raises((ModelNotFound, VersionNotFound)):
        store.resolve(Reference.parse(text))
    with pytest.raises((ModelNotFound, VersionNotFound)):
        store.delete(Reference.parse(text))


def test_a_version_deleted_while_it_is_being_loaded_is_not_found(store: ModelStore) -> None:
    """Between the look at the folder and the read, a file may go."""
    with pytest.raises(ModelNotFound):
        store.load("exam", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../x",
        "a/../b",
        "a//1",
        "a/0",
        "a/01",
        "a/1/2",
        "A",
        "a b",
        "a..b",
        "é",
        "a\x00",
        "con",
        "x" * 64,
        "a/\u0661",
    ],
)
def test_words_that_are_no_reference_never_reach_the_file_system(text: str) -> None:
    """Not found, before any path is made of them."""
    with pytest.raises((ModelNotFound, VersionNotFound)):
        Reference.parse(text)


@pytest.mark.parametrize("name", ["../x", "", "README.md", "nul.txt", ".incoming", "stats"])
def test_a_model_cannot_be_published_under_such_a_name(name: str, store: ModelStore, model: Model) -> None:
    """The error tells what a name may be."""
    with pytest.raises(InvalidRequest, match="1 to 63"):
        store.publish(name, model)


def test_whoever_reads_a_version_while_it_is_deleted_reads_it_whole(store: ModelStore, model: Model) -> None:
    """Its bytes are left alone, also under other names that a backup may have given them."""
    store.publish("exam", model)
    (store.root / "backup").hardlink_to(store.root / "exam" / "1.safetensors")
    whole = (store.root / "backup").read_bytes()

    store.delete(Reference.parse("exam"))

    assert (store.root / "backup").read_bytes() == whole


def test_what_lies_in_a_versions_place_is_put_out_of_the_way(store: ModelStore, model: Model) -> None:
    """A file that the catalogue does not know, or a planted folder, is neither overwritten nor an obstacle."""
    store.publish("exam", model)
    (store.root / "exam" / "2.safetensors").mkdir()
    (store.root / "exam" / "3.safetensors").write_bytes(b"left by a crash")

    assert [store.publish("exam", model) for _ in range(2)] == [2, 3]

    assert store.load("exam", 3).version == 3
    orphans = sorted(path.name for path in (store.root / "exam").glob("*.orphan-*"))
    assert [orphan.split(".orphan")[0] for orphan in orphans] == ["2.safetensors", "3.safetensors"]


def test_a_version_whose_file_is_gone_is_damaged(store: ModelStore, model: Model) -> None:
    """The catalogue says that there was one: the version before it is offered."""
    store.publish("exam", model)
    store.publish("exam", model)
    (store.root / "exam" / "2.safetensors").unlink()

    with pytest.raises(SnapshotDamaged, match=r"missing.*exam/1"):
        store.load("exam", 2)
    store.delete(Reference.parse("exam"))
    assert store.publish("exam", model) == 3


def test_a_whole_snapshot_in_anothers_place_is_damage(store: ModelStore, model: Model) -> None:
    """It is not what was acknowledged, however sound it is."""
    store.publish("exam", model)
    store.publish("exam", replace(model, description="another"))
    shutil.copyfile(store.root / "exam" / "1.safetensors", store.root / "exam" / "2.safetensors")

    with pytest.raises(SnapshotDamaged, match=r"not the file that was saved.*exam/1"):
        store.load("exam", 2)
    assert store.load("exam", 1).version == 1


@pytest.mark.parametrize("kind", ["symlink", "file"])
def test_what_is_no_folder_of_a_model_is_damage_of_that_model_alone(
    kind: str, store: ModelStore, model: Model, tmp_path: Path
) -> None:
    """All others are listed; and where a link leads, nothing is removed."""
    store.publish("exam", model)
    store.publish("other", model)
    elsewhere = (store.root / "exam").rename(tmp_path / "elsewhere")
    if kind == "symlink":
        (store.root / "exam").symlink_to(elsewhere)
    else:
        (store.root / "exam").write_bytes(b"")
    (elsewhere / "7.safetensors.orphan-0").write_bytes(b"")
    (store.root / "other" / "7.safetensors.orphan-0").write_bytes(b"")

    assert "cannot be read" in (store.listed("exam").damage or "")
    assert store.listed("other").damage is None
    assert checking.left_behind(store) == [store.root / "other" / "7.safetensors.orphan-0"]
    assert [said.split()[1] for said in checking.damaged(store)] == ["exam/1"]


def test_an_absurd_time_of_a_file_is_no_obstacle(store: ModelStore, model: Model) -> None:
    """Somebody's `touch` cannot make a model unreadable."""
    store.publish("exam", model)
    os.utime(store.root / "exam" / "1.safetensors", (1e13, 1e13))

    assert store.load("exam", 1).created.year > 2400  # file systems have latest times of their own


def test_a_store_that_vanished_is_said_so(store: ModelStore, model: Model) -> None:
    """Writing to a folder that is no longer there."""
    shutil.rmtree(store.root)

    with pytest.raises(StorageError):
        store.publish("exam", model)


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo"])
def test_what_is_no_plain_file_is_not_opened(kind: str, store: ModelStore, model: Model) -> None:
    """A link, a folder or a pipe in place of a snapshot is damage, not a way out of the store or a hang."""
    store.publish("exam", model)
    store.publish("exam", model)
    planted = store.root / "exam" / "2.safetensors"
    planted.unlink()
    match kind:
        case "symlink":
            planted.symlink_to(store.root / "exam" / "1.safetensors")
        case "folder":
            planted.mkdir()
        case _:
            os.mkfifo(planted)

    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        store.load("exam", 2)


def test_a_folder_that_is_a_link_is_no_model(store: ModelStore, model: Model) -> None:
    """Names lead only to folders inside the store: nothing is written through a link, nor taken in."""
    store.publish("exam", model)
    (store.root / "other").symlink_to(store.root / "exam")
    (store.root / "notes").write_text("not a folder")

    assert checking.take_in(store) == []
    assert names_in(store) == ["exam"]
    for name in ("other", "notes"):
        with pytest.raises(StorageError):
            store.publish(name, model)
    assert names_in(store) == ["exam"]


def test_a_deletion_that_broke_off_is_finished_by_another(store: ModelStore, model: Model) -> None:
    """Gone for all while its files are still there: who asks again is told that it is gone, and the files are, too."""
    for _ in range(2):
        store.publish("exam", model)
    store.catalogue.write(lambda unit: unit.execute(delete(versions))).result()

    for word in ("exam/1", "exam"):
        with pytest.raises(ModelNotFound):
            store.delete(Reference.parse(word))

    assert [path.name for path in (store.root / "exam").iterdir()] == ["2.deleted"]


@pytest.mark.parametrize(("state", "taken_in"), [("running", []), ("failed", ["exam/1"])])
def test_a_snapshot_is_not_taken_in_while_its_training_goes_on(
    state: str, taken_in: list[str], store: ModelStore, model: Model
) -> None:
    """It was put in its place by an attempt that died before its version was one; the next attempt makes another."""
    store.publish("exam", model)
    job = {"id": "a" * 16, "name": "exam", "state": state, "priority": 0, "caller": "", "created": 0.0, "attempt": 1}
    store.catalogue.write(lambda unit: unit.execute(delete(versions))).result()
    store.catalogue.write(lambda unit: unit.execute(insert(jobs).values(rows=1, partial=False, **job))).result()

    assert checking.unknown(store) == taken_in
    assert checking.take_in(store) == taken_in


def test_what_a_killed_process_wrote_aside_is_removed_by_its_word(store: ModelStore, model: Model) -> None:
    """And nothing that others write."""
    for word in ("job-1", "job-12"):
        save_aside(store.root, model, word=word)

    drop_of(store.root, "job-1")

    assert [path.name[:7] for path in (store.root / ".incoming").iterdir()] == ["job-12-"]


def test_what_crashed_writers_left_is_swept_at_the_start(store: ModelStore, store_in: StoreIn) -> None:
    """But not while another has the store open."""
    left = store.root / ".incoming" / "0123"
    left.write_bytes(b"half a model")
    (store.root / ".incoming" / "a folder").mkdir()
    with closing(store_in(store.root)) as other:
        other.open()
        assert not other.is_alone
    assert left.exists()
    store.close()

    store.open()
    assert store.is_alone

    assert [path.name for path in (store.root / ".incoming").iterdir()] == ["a folder"]


def test_a_writer_leaves_nothing_behind_when_it_fails(store: ModelStore) -> None:
    """The file written aside goes with the error."""
    with opened(store.root / ".incoming") as folder:
        with pytest.raises(RuntimeError), written_aside(folder, b"data"):
            raise RuntimeError
        sweep(folder)

    assert list((store.root / ".incoming").iterdir()) == []


def test_a_full_disk_is_said_so_and_harms_nothing(store: ModelStore, model: Model) -> None:
    """With no room for a file (a limit on its size stands in for the disk), the old version stays."""
    store.publish("exam", model)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(StorageFull, match="Delete models"):
            store.publish("exam", model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)

    assert store.versions("exam") == [1]
    assert list((store.root / ".incoming").iterdir()) == []
    assert store.publish("exam", model) == 2


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path, store_in: StoreIn) -> None:
    """A file where the folder should be."""
    (tmp_path / "models").write_text("in the way")

    with pytest.raises(StorageError, match=re.escape("The store cannot be used")):
        store_in(tmp_path / "models").open()
    with pytest.raises(StorageError, match="cannot be written"):
        store_in(tmp_path / "models").require_usable()


def test_a_store_on_a_disk_that_is_almost_full_is_not_writable(store: ModelStore) -> None:
    """It says how much should be free; half of what is free now would be enough."""
    disk = os.statvfs(store.root)
    free, size = (blocks * disk.f_frsize for blocks in (disk.f_bavail, disk.f_blocks))

    ModelStore(store.root, store.catalogue, reserve=free // 2).require_usable()
    with pytest.raises(StorageError, match=f"less than {size + 1} bytes free. Delete models"):
        ModelStore(store.root, store.catalogue, reserve=size + 1).require_usable()


def test_folders_and_files_are_for_the_owner_alone(store: ModelStore, model: Model) -> None:
    """Nobody else on the machine can read a model."""
    store.publish("exam", model)

    assert (store.root / "exam").stat().st_mode & 0o077 == 0
    assert (store.root / "exam" / "1.safetensors").stat().st_mode & 0o077 == 0


def test_what_the_system_refuses_is_no_damage(store: ModelStore, model: Model) -> None:
    """With no file left to open, a good model is not called damaged; afterwards it is read again."""
    store.publish("exam", model)
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, old[1]))
    try:
        for ask in (lambda: store.load("exam", 1), lambda: store.listed("exam")):
            with pytest.raises(StorageError, match=r"EMFILE|catalogue"):
                ask()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)

    assert store.load("exam", 1).version == 1
