"""Models: `<name>/<version>.safetensors` in the store's folder, versions counting up and never used twice.

What the catalogue lists is there; a file that it does not list is not, until `netlet check --repair` takes it in.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import LOCK_SH, flock
from pathlib import Path
from time import time
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from app.errors import (
    AliasNotFound,
    ModelNotFound,
    NotFound,
    SnapshotDamaged,
    SnapshotFormatNewer,
    StorageError,
    StoreUnfinished,
    VersionNotFound,
)
from app.models.model import Model
from app.store import aliases, locks, snapshot
from app.store.adoption import UNKNOWN, adopt, tag_all
from app.store.aliases import Alias
from app.store.catalogue import Catalogue
from app.store.deleting import Gone, broken_off, clear, clear_expired, forget, keep
from app.store.document import FORMAT, Damage, Document
from app.store.files import FOLDER, MORE_SPACE, NO_FILE, make, opened, read, storage_errors, sweep, written_aside
from app.store.layout import DATASETS, INCOMING, RESTORING, snapshot_file
from app.store.numbering import add_version, keep_behind
from app.store.references import LIVE, Reference, is_name, require_name
from app.store.saving import drop, save_aside
from app.store.schema import aliases as pointers
from app.store.schema import models, versions

_OF_MODEL = versions.c.name == bindparam("name")
_SAVED = select(versions.c.sha256).where(_OF_MODEL, versions.c.version == bindparam("version"))
_VERSION = select(versions.c.version).where(_OF_MODEL, versions.c.version == bindparam("version"))
_POINTED = select(pointers.c.version).where(
    pointers.c.name == bindparam("name"), pointers.c.alias == bindparam("alias")
)
_NEWEST = select(
    func.coalesce(
        _POINTED.scalar_subquery(), select(func.max(versions.c.version)).where(_OF_MODEL).scalar_subquery()
    ).label("version")
)
HEADER_AT_ONCE = 2**15  # bytes, which most headers are shorter than
READ_AT_ONCE = 2**18  # bytes; a longer file is read once it is known how long it says it is
LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Stored:
    """One version as it lies in the store."""

    name: str
    version: int
    sha256: str
    created: datetime
    bytes: int
    model: Model
    libraries: dict[str, str]
    """The versions that wrote it."""


@dataclass(frozen=True)
class Listed:
    """One model in a list: its versions, and the header of the one that its name means, or what is wrong with it."""

    name: str
    versions: tuple[int, ...]
    meant: Document | None
    damage: str | None


@dataclass(frozen=True)
class Overview:
    """All that a model's name stands for."""

    versions: list[int]
    aliases: list[Alias]
    keep_last: int | None
    """How many of the newest versions are kept; None is all."""


class ModelStore:
    """Models on disk, and in the catalogue. Safe to use from many threads and processes at once.

    The highest version, deleted, leaves an empty `<version>.deleted`, so that no number is ever used twice even if the
    catalogue is lost.
    """

    def __init__(self, root: Path, catalogue: Catalogue, reserve: int = 0) -> None:
        """Take a folder as the store, whose disk counts as full where fewer bytes than the reserve are free."""
        self.root, self.catalogue, self.reserve = root, catalogue, reserve
        self.remote = catalogue.remote
        self.incoming: int | None = None
        self.is_suspect = False
        """Whether the disk has refused something, and not taken anything since."""
        self.is_alone = False
        """Whether nobody else had the store open when it was opened."""

    def open(self) -> None:
        """Make the folders where they are missing, and the catalogue of what is in them if there is none.

        What interrupted writers left behind is removed, unless somebody else has the store open. Raises StoreUnfinished
        where a backup is not restored to its end.
        """
        if os.path.lexists(self.root / RESTORING):
            raise StoreUnfinished
        with storage_errors():
            make(self.root.resolve())
            make(self.root / INCOMING)
            if self.remote.is_there:
                make(self.root / DATASETS / INCOMING)  # where copies arrive, whoever reads them
            self.incoming = os.open(self.root / INCOMING, FOLDER)
            self.is_alone = sweep(self.incoming)
            flock(self.incoming, LOCK_SH)  # which ends when it is closed, or the process does
        self.catalogue.open(lambda unit: adopt(self.root, unit), alone=self.is_alone)
        tag_all(self.root, self.catalogue)

    def close(self) -> None:
        """Let others sweep; the catalogue has done all that it was asked for."""
        self.catalogue.close()
        if self.incoming is not None:
            os.close(self.incoming)
            self.incoming = None

    def free_bytes(self) -> int:
        """Tell how much space there is on the disk; raise StorageError."""
        with storage_errors():
            disk = os.statvfs(self.root)
        return disk.f_bavail * disk.f_frsize

    def require_usable(self) -> None:
        """Raise StorageError unless a model could be published now.

        That is told without writing anything, unless the disk has refused something before.
        """
        incoming = self.root / INCOMING
        if not os.access(incoming, os.W_OK | os.X_OK):
            message = "The store cannot be written."
            raise StorageError(message)
        with storage_errors():
            disk = os.statvfs(incoming)
        if disk.f_flag & os.ST_RDONLY:  # which some disks become that `access` takes for writable
            message = "The store's disk is read-only."
            raise StorageError(message)
        if disk.f_bavail * disk.f_frsize < self.reserve:
            message = f"The store's disk has less than {self.reserve} bytes free. {MORE_SPACE}"
            raise StorageError(message)
        self.remote.require_usable()
        self.catalogue.require_in_place()
        self.catalogue.read(select(models.c.name).limit(1))
        if self.is_suspect:
            with storage_errors(), opened(incoming) as folder, written_aside(folder, b"Is this written?"):
                self.is_suspect = False

    def publish(self, name: str, model: Model) -> int:
        """Write a model as the next version of a name and return its number once it cannot be lost any more."""
        require_name(name)
        saved = save_aside(self.root, model)
        try:
            number, about = keep_behind(self.catalogue, name, saved), {locks.of_model(name)}
            added = self.catalogue.write(lambda unit: add_version(unit, self.root, name, saved, number), about).result()
        finally:
            drop(self.root, saved)
        clear_expired(self.catalogue, added.gone)
        return added.version

    def versions(self, name: str) -> list[int]:
        """List the versions of a model, oldest first; raise ModelNotFound if there are none."""
        found = self.kept(name) if is_name(name) else []
        if not found:
            raise ModelNotFound(name)
        return found

    def kept(self, name: str) -> list[int]:
        """List the versions of a model, oldest first; none if there is no such model."""
        listed = select(versions.c.version).where(versions.c.name == name).order_by(versions.c.version)
        return [row.version for row in self.catalogue.read(listed)]

    def resolve(self, reference: Reference) -> tuple[str, int]:
        """Find the version a reference means: a bare name means its alias `live`, else the newest.

        Raises ModelNotFound, VersionNotFound or AliasNotFound.
        """
        values = {"name": reference.name, "version": reference.version, "alias": reference.alias or LIVE}
        for row in self.catalogue.read(_meant(reference), values):
            if row.version is not None:
                return reference.name, row.version
        found = self.versions(reference.name)
        if reference.alias is not None:
            raise AliasNotFound(reference.name, reference.alias)
        if reference.version is not None:
            raise VersionNotFound(reference.name, reference.version)
        return reference.name, found[-1]  # which has just come

    def load(self, name: str, version: int, *, anew: bool = False) -> Stored:
        """Read a version and check every bit of it; `anew` not of a copy of it that is here.

        Raises VersionNotFound, SnapshotDamaged or SnapshotFormatNewer.
        """
        data, written, model, document = self._checked(name, version, anew=anew)
        return Stored(name, version, document.sha256, _time(written), len(data), model, document.libraries)

    def file(self, name: str, version: int) -> bytes:
        """Read a version's file, every bit of which is checked; raise as `load` does."""
        return self._checked(name, version)[0]

    def _checked(self, name: str, version: int, *, anew: bool = False) -> tuple[bytes, float, Model, Document]:
        """Read a file, when it was written, and what is in it; a copy that is damaged is copied again."""
        if anew and self.remote.is_there and not self.remote.fetch(self._path(name, version)):
            raise self._missing(name, version)
        try:
            return self._as_it_lies(name, version)
        except SnapshotDamaged:
            if anew or not self.remote.is_there:
                raise
        return self._checked(name, version, anew=True)

    def _as_it_lies(self, name: str, version: int) -> tuple[bytes, float, Model, Document]:
        try:
            data, written = self._read(name, version, READ_AT_ONCE)
            if len(data) == READ_AT_ONCE:
                beginning = self._beginning(name, version)
                snapshot.read_document(beginning)  # before more of it is read
                data, written = self._read(name, version, snapshot.size(beginning) + 1)
            model, document = snapshot.decode(data)
        except snapshot.NewerFormat as error:
            raise SnapshotFormatNewer(name, version, error.found, FORMAT) from error
        except Damage as error:
            self.resolve(Reference(name, version))  # it may have been deleted while it was read
            raise self._damaged(name, version, str(error)) from error
        for row in self.catalogue.read(_SAVED, {"name": name, "version": version}):
            if row.sha256 not in {document.sha256, UNKNOWN}:
                raise self._damaged(name, version, "it is not the file that was saved as this version")
        self._note_use(name, version, written)
        return data, written, model, document

    def _note_use(self, name: str, version: int, written: float) -> None:
        """Note that a copy is used, which few disks do: what was not used for longest makes room for others."""
        if self.remote.is_there:
            with suppress(OSError):  # it has just done so
                os.utime(self._path(name, version), (time(), written), follow_symlinks=False)

    def listed(self, name: str) -> Listed:
        """Describe a model from the header alone of the version that its name means."""
        versions = tuple(self.versions(name))
        _, meant = self.resolve(Reference(name, None))
        try:
            return Listed(name, versions, self._header(name, meant), None)
        except VersionNotFound:  # it expired meanwhile
            return self.listed(name)
        except (Damage, snapshot.NewerFormat, SnapshotDamaged) as error:
            self.resolve(Reference(name, meant))  # it may have been deleted while it was read
            return Listed(name, versions, None, str(error))

    def _header(self, name: str, version: int) -> Document:
        """Read what a snapshot says of itself; a copy that is damaged is copied again."""
        if self.remote.is_there and not os.path.lexists(self._path(name, version)):
            return snapshot.read_document(self._beginning_there(name, version))
        try:
            return snapshot.read_document(self._beginning(name, version))
        except (Damage, SnapshotDamaged):
            with suppress(StorageError):  # then it is what is said of the copy
                if self.remote.fetch(self._path(name, version)):
                    return snapshot.read_document(self._beginning(name, version))
            raise

    def overview(self, name: str) -> Overview:
        """Tell what a name stands for; raise ModelNotFound."""
        found = self.versions(name)
        rule = self.catalogue.read(select(models.c.keep_last).where(models.c.name == name))
        return Overview(found, aliases.listed(self.catalogue, name), rule[0].keep_last)

    def delete(self, reference: Reference, who: str = "") -> None:
        """Remove one version, or all of a model with its aliases.

        Raises ModelNotFound, VersionNotFound or AliasNotFound if there is nothing, VersionInUse where an alias points.

        It is gone for every reader with the transaction; then its space is given back. Only the highest number leaves
        a mark.
        """
        with self.catalogue.restoring():
            try:
                about = {locks.of_model(reference.name)}
                gone = self.catalogue.free(lambda unit: forget(unit, reference, who), about)
            except NotFound:
                clear(self.catalogue, broken_off(self.catalogue, reference))
                raise
            clear(self.catalogue, gone)

    def keep(self, name: str, keep_last: int | None) -> Gone:
        """Set how many of its newest versions a model keeps, and expire the others; raise ModelNotFound."""
        if not is_name(name):
            raise ModelNotFound(name)
        with self.catalogue.restoring():
            gone = self.catalogue.free(lambda unit: keep(unit, name, keep_last), {locks.of_model(name)})
            clear_expired(self.catalogue, gone)
            return gone

    def all_versions(self) -> list[tuple[str, int]]:
        """List every version of every model, by name and number."""
        listed = select(versions.c.name, versions.c.version).order_by(versions.c.name, versions.c.version)
        return [(row.name, row.version) for row in self.catalogue.read(listed)]

    def _beginning(self, name: str, version: int) -> bytes:
        """Read a snapshot's header."""
        length, _ = self._read(name, version, snapshot.LENGTH_BYTES)
        return self._read(name, version, snapshot.header_end(length))[0]

    def _beginning_there(self, name: str, version: int) -> bytes:
        """Read a snapshot's header where no copy of it is here, which a list need not make."""
        path = self._path(name, version)
        try:
            data = self.remote.read(path, HEADER_AT_ONCE)
            end = snapshot.header_end(data)
            return data if end <= HEADER_AT_ONCE else self.remote.read(path, end)
        except FileNotFoundError as error:
            raise self._missing(name, version) from error

    def _path(self, name: str, version: int) -> Path:
        return self.root / name / snapshot_file(version)

    def _read(self, name: str, version: int, most: int) -> tuple[bytes, float]:
        path = self._path(name, version)
        with storage_errors():
            try:
                try:
                    return _beginning_of(path, most)
                except FileNotFoundError:
                    if not self.remote.fetch(path):
                        raise
                    return _beginning_of(path, most)
            except FileNotFoundError as error:
                raise self._missing(name, version) from error
            except OSError as error:
                if error.errno in NO_FILE:
                    raise self._damaged(name, version, f"it cannot be read ({error.strerror})") from error
                raise

    def _missing(self, name: str, version: int) -> SnapshotDamaged:
        """Say that a file is missing; raise VersionNotFound where it was deleted meanwhile."""
        self.resolve(Reference(name, version))
        return self._damaged(name, version, "its file is missing")

    def _damaged(self, name: str, version: int, reason: str) -> SnapshotDamaged:
        older = [number for number in self.kept(name) if number < version]
        return SnapshotDamaged(name, version, reason, previous=older[-1] if older else None)


def _meant(reference: Reference) -> Select[Any]:
    """Choose the version that a reference means: no row, or None, where there is none."""
    if reference.version is not None:
        return _VERSION
    return _NEWEST if reference.alias is None else _POINTED


def _beginning_of(path: Path, most: int) -> tuple[bytes, float]:
    with opened(path.parent) as folder:
        return read(path.name, within=folder, most=most)


def _time(seconds: float) -> datetime:
    """Give a file's time, also where somebody set it to something absurd."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LATEST), UTC)
