"""Files that are no backups, or were one before somebody changed them: none of them leaves anything."""

import gzip
import json
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.backup.restoring import restore
from app.backup.taking import back_up
from app.errors import BackupDamaged, BackupNewer, NetletError, StoreNotEmpty
from app.models.learning import learn
from app.models.model import Model
from app.store.catalogue import Catalogue
from app.store.migrating import REVISION
from app.store.store import ModelStore
from tests.backup.running import MANIFEST, SUMS, backup_of, file_of, head, members, packed
from tests.conftest import QUICK
from tests.models.tables import EXAM

Files = dict[str, bytes]
MUTATIONS = 100
NOW = f'"revision":"{REVISION}"'.encode()
AFTER_THE_SUM = 155
SIZE, WRITTEN_AT = slice(124, 136), slice(136, 148)
HUGE = b"\x80" + (2**50).to_bytes(11, "big")


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take a backup of a model with two versions."""
    folder = tmp_path_factory.mktemp("backup")
    with closing(ModelStore(folder / "models", Catalogue(folder / "models"))) as store:
        store.open()
        model = learn(EXAM, QUICK)
        for _ in range(2):
            store.publish("exam", model)
        with (folder / "backup.tar").open("wb") as sink:
            back_up(store, sink)
    return folder / "backup.tar"


def refused(data: bytes, folder: Path) -> NetletError:
    """Restore what should not be restored; nothing is left of it."""
    with pytest.raises((BackupDamaged, BackupNewer)) as caught:
        restore(file_of(data), folder / "new")

    assert list((folder / "new").iterdir()) == []
    assert {path.name for path in folder.iterdir()} <= {"new", "outside"}
    return caught.value


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("/tmp/evil", tarfile.REGTYPE, ""),  # noqa: S108 - never written
        ("../evil", tarfile.REGTYPE, ""),
        ("exam/../../evil", tarfile.REGTYPE, ""),
        ("exam/..", tarfile.DIRTYPE, ""),
        (".catalogue.sqlite", tarfile.REGTYPE, ""),
        (".restoring/id", tarfile.REGTYPE, ""),
        ("exam/0.safetensors", tarfile.REGTYPE, ""),
        ("exam/01.safetensors", tarfile.REGTYPE, ""),
        ("nul/1.safetensors", tarfile.REGTYPE, ""),
        ("a..b/1.safetensors", tarfile.REGTYPE, ""),
        ("Exam/1.safetensors", tarfile.REGTYPE, ""),
        ("exam/1.safetensors\n", tarfile.REGTYPE, ""),
        ("exam/9.safetensors", tarfile.SYMTYPE, "/etc/passwd"),
        ("exam/9.safetensors", tarfile.LNKTYPE, "exam/1.safetensors"),
        ("exam/9.safetensors", tarfile.CHRTYPE, ""),
        ("exam/9.safetensors", tarfile.BLKTYPE, ""),
        ("exam/9.safetensors", tarfile.FIFOTYPE, ""),
        ("exam/9.safetensors", tarfile.GNUTYPE_SPARSE, ""),
        ("exam/9.safetensors", tarfile.CONTTYPE, ""),
        ("././@LongLink", tarfile.GNUTYPE_LONGNAME, ""),
        ("pax", tarfile.XHDTYPE, ""),
        ("pax", tarfile.XGLTYPE, ""),
        ("exam", tarfile.DIRTYPE, ""),
        (MANIFEST, tarfile.REGTYPE, ""),
        ("exam/1.safetensors", tarfile.REGTYPE, ""),
        (".jobs/0123456789abcdef.order", tarfile.REGTYPE, ""),
        (".datasets/0123.parquet", tarfile.REGTYPE, ""),
    ],
)
def test_a_member_that_no_backup_has_is_refused(
    name: str, kind: bytes, link: str, backup: Path, tmp_path: Path
) -> None:
    """Absolute, or leading out, or no plain file, or there twice, or of nothing that a store has."""
    (tmp_path / "outside").mkdir()

    refused(backup_of(members(backup), (head(name, kind=kind, link=link), b"")), tmp_path)

    assert list((tmp_path / "outside").iterdir()) == []


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {own: data for own, data in files.items() if own != name}


def changed(name: str, old: bytes, new: bytes) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        assert old in files[name]
        return files | {name: files[name].replace(old, new, 1)}

    return change


def row(table: str, **values: Any) -> Callable[[Files], Files]:
    """Add a row to a table, like the last but for some values."""

    def change(files: Files) -> Files:
        name = f".backup/{table}.jsonl"
        lines = files[name].splitlines(keepends=True)
        told = (json.loads(lines[-1]) if lines else {}) | values
        return files | {name: files[name] + json.dumps(told).encode() + b"\n"}

    return change


JOB = {
    "id": "0123456789abcdef",
    "name": "exam",
    "state": "failed",
    "priority": 0,
    "caller": "",
    "dataset": None,
    "created": 0.0,
    "started": None,
    "ended": None,
    "owner": None,
    "lease": None,
    "attempt": 1,
    "rows": 3,
    "wish": None,
    "seconds": None,
    "until": None,
    "version": None,
    "partial": False,
    "error": None,
    "points": None,
    "origin": None,
    "groups": None,
}


@pytest.mark.parametrize(
    "change",
    [
        without("exam/2.safetensors"),
        without(".backup/versions.jsonl"),
        without(MANIFEST),
        changed("exam/2.safetensors", b"hours", b"sleep"),
        changed(".backup/versions.jsonl", b'"exam"', b'"../x"'),
        changed(".backup/versions.jsonl", b'"exam"', b'"other"'),
        changed(".backup/models.jsonl", b'"exam"', b'"../x"'),
        changed(".backup/models.jsonl", b'"highest": 2', b'"highest": 1'),
        changed(".backup/models.jsonl", b'"highest": 2', b'"highest": 1e400'),
        changed(".backup/models.jsonl", b'"highest": 2', b'"highest": "2"'),
        changed(".backup/models.jsonl", b'"highest": 2', b'"highest": 2, "more": 1'),
        changed(".backup/versions.jsonl", b'"created"', b'"Created"'),
        row("versions", version=3),
        row("versions", version=-1),
        row("models", name="x" * 64),
        row("models", name="a\0b"),
        row("aliases", name="exam", alias="live", version=7, revision=1),
        row("jobs", **JOB | {"state": "asleep"}),
        row("jobs", **JOB | {"name": "../x"}),
        row("jobs", **JOB | {"error": {"kind": "__all__", "message": "", "faults": [], "data": {}}}),
        row("jobs", **JOB | {"error": [1]}),
        row("jobs", **JOB | {"points": [[1]]}),
        row("datasets", id="0" * 32, created=0.0),
        changed(MANIFEST, NOW, b'"revision":"../3"'),
        changed(MANIFEST, b'"format":1', b'"format":0'),
        changed(MANIFEST, b"{", b"["),
    ],
)
def test_what_contradicts_itself_is_refused(change: Callable[[Files], Files], backup: Path, tmp_path: Path) -> None:
    """Though the sums are right: rows without their files, of no type, or that refer to nothing; no manifest."""
    refused(backup_of(change(members(backup))), tmp_path)


def test_a_backup_of_a_newer_netlet_is_refused(backup: Path, tmp_path: Path) -> None:
    """By the format of its manifest, whatever else is in it, or by the revision of its tables; the error says so."""
    newer = changed(MANIFEST, b'{"format":1', b'{"of":"the future","format":2')(members(backup))
    later = changed(MANIFEST, NOW, b'"revision":"9999"')(members(backup))

    for files in (newer, later):
        assert isinstance(error := refused(backup_of(files), tmp_path), BackupNewer)
        assert "newer netlet" in str(error)


def test_what_is_no_tar_or_none_of_ours_is_refused(backup: Path, tmp_path: Path) -> None:
    """Nothing at all, text, a compressed one, one without a list, one with something after its end."""
    whole = backup.read_bytes()
    manifest = head(MANIFEST, 3), b"{}\n"

    for data in (
        b"",
        b"netlet" * 1000,
        gzip.compress(whole),
        bytes(1024),
        bytes(2**16),
        packed(manifest),
        packed((head(SUMS), b"")),
        whole + b"\0",
        whole[:-512],
        whole[: len(whole) // 2],
        backup_of({}),
    ):
        assert isinstance(refused(data, tmp_path), BackupDamaged)


def test_no_length_is_believed(backup: Path, tmp_path: Path) -> None:
    """Of more than a member can have, of less than none, of more than there is: nothing of that size is made."""
    for length in (HUGE, b"\x80" + (2**35).to_bytes(11, "big"), b"\xff" * 12, b"77777777777\0"):
        block = bytearray(head("exam/9.safetensors", 3).tobuf(tarfile.GNU_FORMAT))
        block[124:136] = length
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        manifest = members(backup)[MANIFEST]

        refused(packed((head(MANIFEST, len(manifest)), manifest), end=bytes(block) + bytes(4096)), tmp_path)


@pytest.mark.parametrize("place", [SIZE, WRITTEN_AT])
def test_numbers_that_no_header_of_ours_has_are_refused(place: slice, backup: Path, tmp_path: Path) -> None:
    """Of more digits than a header has room for, beside a name that leaves no other room."""
    block = bytearray(head(f"{'a' * 90}/{'b' * 60}").tobuf(tarfile.USTAR_FORMAT))
    block[place] = HUGE
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    manifest = members(backup)[MANIFEST]

    refused(packed((head(MANIFEST, len(manifest)), manifest), end=bytes(block) + bytes(4096)), tmp_path)


def test_no_bit_can_be_other_than_it_was(backup: Path, tmp_path: Path) -> None:
    """Anywhere: in a header (also after the digits of its sum), a member, a space between them, or the list."""
    rng, whole = Random(5), backup.read_bytes()

    for place in [AFTER_THE_SUM, *(rng.randrange(len(whole)) for _ in range(MUTATIONS))]:
        data = bytearray(whole)
        data[place] ^= 1 << rng.randrange(8)

        refused(bytes(data), tmp_path)


def test_a_folder_that_has_anything_is_left_as_it_is(backup: Path, tmp_path: Path, model: Model) -> None:
    """Be it a store or not: the error names what to try; an empty folder of a disk of its own has lost+found."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with closing(ModelStore(tmp_path / "store", Catalogue(tmp_path / "store"))) as store:
        store.open()
        store.publish("exam", model)
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)

    for folder in ("other", "store"):
        before = {path: path.is_file() and path.read_bytes() for path in (tmp_path / folder).rglob("*")}
        with pytest.raises(StoreNotEmpty, match="NETLET_MODELS"):
            restore(file_of(backup.read_bytes()), tmp_path / folder)
        assert {path: path.is_file() and path.read_bytes() for path in (tmp_path / folder).rglob("*")} == before
    assert restore(file_of(backup.read_bytes()), tmp_path / "disk").versions == 2
