"""Models: `<name>/<version>.safetensors` in the store's folder, versions counting up and never used twice.

What the catalogue lists is there; a file that it does not list is not, until `netlet check --repair` takes it in.
"""

import errno
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import LOCK_SH, flock
from pathlib import Path

from sqlalchemy import delete, select

from app.engine.model import Model
from app.errors import ModelNotFound, SnapshotDamaged, SnapshotFormatNewer, StorageError, VersionNotFound
from app.store import snapshot
from app.store.adoption import DELETED, SNAPSHOT, adopt
from app.store.catalogue import Catalogue, Unit
from app.store.document import FORMAT, Damage, Document
from app.store.files import FOLDER, MORE_SPACE, empty, make, opened, read, remove, storage_errors, sweep
from app.store.references import Reference, is_name, require_name
from app.store.saving import INCOMING, add_version, drop, save_aside, snapshot_file
from app.store.schema import models, versions

PREFIX = re.compile(r"[a-z0-9._-]*", re.ASCII)
AFTER_ALL = "~"  # comes after all that a name may have
NO_FILE = {errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO}
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


@dataclass(frozen=True)
class Listed:
    """One model in a list: its versions, and what is wrong with the newest one's header, if anything."""

    name: str
    versions: tuple[int, ...]
    newest: Document | None
    damage: str | None


class ModelStore:
    """Models on disk, and in the catalogue. Safe to use from many threads and processes at once.

    The highest version, deleted, leaves an empty `<version>.deleted`, so that no number is ever used twice even if the
    catalogue is lost.
    """

    def __init__(self, root: Path, catalogue: Catalogue, reserve: int = 0) -> None:
        """Take a folder as the store, whose disk counts as full where fewer bytes than the reserve are free."""
        self.root, self.catalogue, self.reserve = root, catalogue, reserve
        self.incoming: int | None = None
        self.is_alone = False
        """Whether nobody else had the store open when it was opened."""

    def open(self) -> None:
        """Make the folders where they are missing, and the catalogue of what is in them if there is none.

        What interrupted writers left behind is removed, unless somebody else has the store open.
        """
        with storage_errors():
            make(self.root.resolve())
            make(self.root / INCOMING)
            self.incoming = os.open(self.root / INCOMING, FOLDER)
            self.is_alone = sweep(self.incoming)
            flock(self.incoming, LOCK_SH)  # which ends when it is closed, or the process does
        self.catalogue.open(lambda unit: adopt(self.root, unit))

    def close(self) -> None:
        """Let others sweep; the catalogue has done all that it was asked for."""
        self.catalogue.close()
        if self.incoming is not None:
            os.close(self.incoming)
            self.incoming = None

    def require_usable(self) -> None:
        """Raise StorageError unless a model could be published now, as far as can be told without doing it."""
        incoming = self.root / INCOMING
        if not os.access(incoming, os.W_OK | os.X_OK):
            message = "The store cannot be written."
            raise StorageError(message)
        with storage_errors():
            disk = os.statvfs(incoming)
        if disk.f_bavail * disk.f_frsize < self.reserve:
            message = f"The store's disk has less than {self.reserve} bytes free. {MORE_SPACE}"
            raise StorageError(message)
        self.catalogue.read(select(models.c.name).limit(1))

    def publish(self, name: str, model: Model) -> int:
        """Write a model as the next version of a name and return its number once it cannot be lost any more."""
        require_name(name)
        saved = save_aside(self.root, model)
        try:
            return self.catalogue.write(lambda unit: add_version(unit, self.root, name, saved)).result()
        finally:
            drop(self.root, saved)

    def names(self, *, prefix: str = "", after: str = "", limit: int) -> list[str]:
        """List models by name, those that begin with `prefix` and come after `after`."""
        if not PREFIX.fullmatch(prefix):
            return []
        name = versions.c.name
        chosen = select(name).distinct().where(name > after.replace("\0", ""), name.between(prefix, prefix + AFTER_ALL))
        return [row.name for row in self.catalogue.read(chosen.order_by(name).limit(limit))]

    def versions(self, name: str) -> list[int]:
        """List the versions of a model, oldest first; raise ModelNotFound if there are none."""
        found = self._versions(name) if is_name(name) else []
        if not found:
            raise ModelNotFound(name)
        return found

    def resolve(self, reference: Reference) -> tuple[str, int]:
        """Find the version a reference means: a bare name means the newest."""
        found = self.versions(reference.name)
        if reference.version is None:
            return reference.name, found[-1]
        if reference.version not in found:
            raise VersionNotFound(reference.name, reference.version)
        return reference.name, reference.version

    def load(self, name: str, version: int) -> Stored:
        """Read a version and check every bit of it.

        Raises VersionNotFound, SnapshotDamaged or SnapshotFormatNewer.
        """
        try:
            beginning = self._beginning(name, version)
            snapshot.read_document(beginning)  # before more of it is read
            data, written = self._read(name, version, snapshot.size(beginning) + 1)
            model, document = snapshot.decode(data)
        except snapshot.NewerFormat as error:
            raise SnapshotFormatNewer(name, version, error.found, FORMAT) from error
        except Damage as error:
            self.resolve(Reference(name, version))  # it may have been deleted while it was read
            raise self._damaged(name, version, str(error)) from error
        return Stored(name, version, document.sha256, _time(written), len(data), model)

    def listed(self, name: str) -> Listed:
        """Describe a model from the header of its newest version alone."""
        versions = tuple(self.versions(name))
        try:
            return Listed(name, versions, snapshot.read_document(self._beginning(name, versions[-1])), None)
        except (Damage, snapshot.NewerFormat, SnapshotDamaged) as error:
            self.resolve(Reference(name, versions[-1]))  # it may have been deleted while it was read
            return Listed(name, versions, None, str(error))

    def delete(self, reference: Reference) -> None:
        """Remove one version, or all of a model; raise ModelNotFound or VersionNotFound if there is nothing.

        It is gone for every reader with the transaction; then its space is given back. Only the highest number leaves
        a mark.
        """
        was_there, highest = self.catalogue.free(lambda unit: _forget(unit, reference))
        try:
            self._give_back(reference, highest)
        finally:
            self.catalogue.restore()
        if not was_there and reference.version is not None:
            self.resolve(reference)
        if not was_there:
            raise ModelNotFound(reference.name)

    def _give_back(self, reference: Reference, highest: int) -> None:
        """Remove the files of versions that are gone, also those that an earlier deletion was kept from."""
        listed = set(self._versions(reference.name))
        with storage_errors(), suppress(FileNotFoundError), opened(self.root / reference.name) as folder:
            found = [match for name in os.listdir(folder) if (match := SNAPSHOT.fullmatch(name))]  # noqa: PTH208 - a descriptor
            there = {int(match[1]) for match in found if match[2] != DELETED and int(match[1]) <= highest}
            for version in sorted((there if reference.version is None else there & {reference.version}) - listed):
                if version == highest:
                    file, mark = snapshot_file(version), snapshot_file(version, DELETED)
                    os.rename(file, mark, src_dir_fd=folder, dst_dir_fd=folder)
                    empty(mark, within=folder)
                else:
                    remove(snapshot_file(version), within=folder)
            for mark in [mark for mark in os.listdir(folder) if _is_older_mark(mark, highest)]:  # noqa: PTH208 - a descriptor
                remove(mark, within=folder)
            os.fsync(folder)

    def _versions(self, name: str) -> list[int]:
        listed = select(versions.c.version).where(versions.c.name == name).order_by(versions.c.version)
        return [row.version for row in self.catalogue.read(listed)]

    def _beginning(self, name: str, version: int) -> bytes:
        """Read a snapshot's header."""
        length, _ = self._read(name, version, snapshot.LENGTH_BYTES)
        return self._read(name, version, snapshot.header_end(length))[0]

    def _read(self, name: str, version: int, most: int) -> tuple[bytes, float]:
        with storage_errors():
            try:
                with opened(self.root / name) as folder:
                    return read(snapshot_file(version), within=folder, most=most)
            except FileNotFoundError as error:
                self.resolve(Reference(name, version))  # it may have been deleted meanwhile
                raise self._damaged(name, version, "its file is missing") from error
            except OSError as error:
                if error.errno in NO_FILE:
                    raise self._damaged(name, version, f"it cannot be read ({error.strerror})") from error
                raise

    def _damaged(self, name: str, version: int, reason: str) -> SnapshotDamaged:
        older = [number for number in self._versions(name) if number < version]
        return SnapshotDamaged(name, version, reason, previous=older[-1] if older else None)


def _forget(unit: Unit, reference: Reference) -> tuple[bool, int]:
    """Take versions out of the catalogue; tell whether there were any, and the highest that was ever given out."""
    own = versions.c.name == reference.name
    highest = unit.connection.scalar(select(models.c.highest).where(models.c.name == reference.name))
    if highest is None:
        raise ModelNotFound(reference.name)
    chosen = own if reference.version is None else own & (versions.c.version == reference.version)
    return unit.execute(delete(versions).where(chosen)) > 0, highest


def _is_older_mark(file: str, highest: int) -> bool:
    match = SNAPSHOT.fullmatch(file)
    return match is not None and match[2] == DELETED and int(match[1]) < highest


def _time(seconds: float) -> datetime:
    """Give a file's time, also where somebody set it to something absurd."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LATEST), UTC)
