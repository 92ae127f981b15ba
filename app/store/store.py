"""The folder of models: `<name>/<version>.safetensors`, versions counting up and never used twice."""

import errno
import os
import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.engine.model import Model
from app.errors import ModelNotFound, SnapshotDamaged, SnapshotFormatNewer, StorageError, VersionNotFound
from app.store import snapshot
from app.store.document import FORMAT, Damage, Document
from app.store.files import MORE_SPACE, empty, locked, opened, read, remove, storage_errors, sweep, written_aside
from app.store.references import Reference, is_name, require_name

SNAPSHOT = re.compile(r"([1-9][0-9]{0,8})\.(safetensors|deleted)", re.ASCII)
INCOMING = ".incoming"
NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
NO_FILE = {errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO}
DELETED = "deleted"
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
    """Models on disk. Safe to use from many threads and processes at once; keeps nothing in memory.

    The highest version, deleted, leaves an empty `<version>.deleted`, so that no number is ever used twice.
    """

    def __init__(self, root: Path, reserve: int = 0) -> None:
        """Take a folder as the store, whose disk counts as full where fewer bytes than the reserve are free."""
        self.root, self.reserve = root, reserve

    def open(self) -> None:
        """Make the folders where they are missing and remove what interrupted writers left behind."""
        with storage_errors():
            (self.root / INCOMING).mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.root, self.root.resolve().parent):
                sync(folder)
            with opened(self.root / INCOMING) as incoming:
                sweep(incoming)

    def require_writable(self) -> None:
        """Raise StorageError unless a model could be published now, as far as permissions and free space tell."""
        incoming = self.root / INCOMING
        if not os.access(incoming, os.W_OK | os.X_OK):
            message = "The store cannot be written."
            raise StorageError(message)
        with storage_errors():
            disk = os.statvfs(incoming)
        if disk.f_bavail * disk.f_frsize < self.reserve:
            message = f"The store's disk has less than {self.reserve} bytes free. {MORE_SPACE}"
            raise StorageError(message)

    def publish(self, name: str, model: Model) -> int:
        """Write a model as the next version of a name and return its number once it cannot be lost any more."""
        require_name(name)
        data = snapshot.encode(model)
        snapshot.decode(data)  # what cannot be read again is not written
        with storage_errors(), opened(self.root / INCOMING) as incoming, written_aside(incoming, data) as aside:
            (self.root / name).mkdir(mode=0o700, exist_ok=True)
            with opened(self.root / name) as folder, locked(folder):
                version = max(_numbers(folder), default=0) + 1
                os.rename(aside, _file(version), src_dir_fd=incoming, dst_dir_fd=folder)
                try:
                    os.fsync(folder)
                    if version == 1:  # the folder is new, and maybe not yet on disk itself
                        sync(self.root)
                except OSError:
                    remove(_file(version), within=folder)  # what cannot be acknowledged is not to be seen either
                    raise
        return version

    def names(self, *, prefix: str = "", after: str = "", limit: int) -> list[str]:
        """List models by name, those that begin with `prefix` and come after `after`."""
        with storage_errors(), os.scandir(self.root) as entries:
            folders = sorted(
                entry.name
                for entry in entries
                if entry.name.startswith(prefix) and is_name(entry.name) and entry.is_dir(follow_symlinks=False)
            )
        found: list[str] = []
        for name in folders[bisect_right(folders, after) :]:
            if len(found) == limit:
                break
            if self._versions(name):
                found.append(name)
        return found

    def versions(self, name: str) -> list[int]:
        """List the versions of a model, oldest first; raise ModelNotFound if there are none."""
        found = self._versions(name) if is_name(name) else []
        if not found:
            raise ModelNotFound(name)
        return found

    def resolve(self, reference: Reference) -> tuple[str, int]:
        """Find the version a reference means: a bare name means the newest."""
        versions = self.versions(reference.name)
        if reference.version is None:
            return reference.name, versions[-1]
        if reference.version not in versions:
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

        A file that is renamed to `<version>.deleted` is gone for every reader at once, and needs no space on a full
        disk. Then its space is given back; only the highest number leaves a mark.
        """
        versions = self.versions(reference.name)
        if reference.version is not None:
            versions = [self.resolve(reference)[1]]
        with storage_errors(), opened(self.root / reference.name) as folder, locked(folder):
            numbers = _numbers(folder)
            for version in versions:
                if not numbers.get(version, True):
                    os.rename(_file(version), _file(version, DELETED), src_dir_fd=folder, dst_dir_fd=folder)
                    numbers[version] = True
            os.fsync(folder)
            highest = max(numbers)
            for version in [version for version, deleted in numbers.items() if deleted]:
                give_back = empty if version == highest else remove
                give_back(_file(version, DELETED), within=folder)
            os.fsync(folder)

    def _versions(self, name: str) -> list[int]:
        with storage_errors():
            try:
                with opened(self.root / name) as folder:
                    return sorted(number for number, deleted in _numbers(folder).items() if not deleted)
            except OSError as error:
                if error.errno in NO_FOLDER:
                    return []
                raise

    def _beginning(self, name: str, version: int) -> bytes:
        """Read a snapshot's header."""
        length, _ = self._read(name, version, snapshot.LENGTH_BYTES)
        return self._read(name, version, snapshot.header_end(length))[0]

    def _read(self, name: str, version: int, most: int) -> tuple[bytes, float]:
        with storage_errors():
            try:
                with opened(self.root / name) as folder:
                    return read(_file(version), within=folder, most=most)
            except FileNotFoundError:
                raise VersionNotFound(name, version) from None
            except OSError as error:
                if error.errno in NO_FILE:
                    raise self._damaged(name, version, f"it cannot be read ({error.strerror})") from error
                raise

    def _damaged(self, name: str, version: int, reason: str) -> SnapshotDamaged:
        older = [number for number in self._versions(name) if number < version]
        return SnapshotDamaged(name, version, reason, previous=older[-1] if older else None)


def _numbers(folder: int) -> dict[int, bool]:
    """Map each version number that was ever used in a folder to whether it is deleted."""
    numbers: dict[int, bool] = {}
    for name in os.listdir(folder):
        if match := SNAPSHOT.fullmatch(name):
            number = int(match[1])
            numbers[number] = numbers.get(number, False) or match[2] == DELETED
    return numbers


def _file(version: int, kind: str = "safetensors") -> str:
    return f"{version}.{kind}"


def sync(folder: Path) -> None:
    """Make sure that what a folder lists is on disk."""
    with opened(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor:
        os.fsync(descriptor)


def _time(seconds: float) -> datetime:
    """Give a file's time, also where somebody set it to something absurd."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LATEST), UTC)
